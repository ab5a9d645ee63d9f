/* list.c - GET /v1/jobs. */
#include "httpapi/answer.h"
#include "httpapi/handlers.h"
#include "httpapi/job_json.h"
#include "httpapi/kept.h"
#include "httpapi/paging.h"
#include "httpapi/readers.h"

#define LIST_LIMIT 50

/* What the query asks for. */
struct listing {
	struct viewer viewer;
	struct job_filter filter;
	struct list_page page;
	struct list_position after;
	bool is_counted;
};

/* --- the cursor --- */

#define POSITION_BYTES sizeof(struct list_position)
_Static_assert(POSITION_BYTES <= CURSOR_POSITION_MAX, "raise CURSOR_POSITION_MAX");

/* After the whole filter was read. */
static int read_cursor(struct listing *listing, const char *text, struct err *err)
{
	uint8_t mark[DIGEST_BYTES];
	job_filter_digest(&listing->filter, &listing->viewer, mark);
	if (cursor_read(text, mark, &listing->after, POSITION_BYTES, err) < 0)
		return -1;
	listing->page.after = &listing->after;
	return 0;
}

/* --- the query --- */

static int read_limit(struct listing *listing, const char *text, struct err *err)
{
	int64_t limit;
	if (text_parse_int(text, 1, JOB_LIST_MAX, &limit) < 0)
		return err_set(err, ERR_INVALID, "is a number from 1 to %d",
			       JOB_LIST_MAX);
	listing->page.limit = (int)limit;
	return 0;
}

static int read_count(struct listing *listing, const char *text, struct err *err)
{
	if (strcmp(text, "capped") != 0)
		return err_set(err, ERR_INVALID,
			       "can only be \"capped\": large lists are not counted");
	listing->is_counted = true;
	return 0;
}

static int read_sort(struct listing *listing, const char *text, struct err *err)
{
	return job_filter_sort(&listing->filter, text, err);
}

static const struct {
	const char *name;
	int (*read)(struct listing *listing, const char *text, struct err *err);
} READERS[] = {
	{.name = "sort", .read = read_sort},
	{.name = "limit", .read = read_limit},
	{.name = "count", .read = read_count},
	{.name = "cursor", .read = read_cursor}, /* last: it belongs to the others */
};

static void complain(struct problems *problems, const char *name, const struct err *err)
{
	AUTO_FREE char *pointer = mem_printf("?%s", name);
	problems_add(problems, pointer, "%s", err->text);
}

static void read_query(const struct request *request, struct listing *listing,
		       struct problems *problems)
{
	const struct target *target = &request->target;
	struct err err = ERR_INIT;
	*listing = (struct listing){.viewer = request_viewer(request),
				    .page = {.limit = LIST_LIMIT}};
	for (size_t i = 0; i < target->params; i++)
		if (job_filter_knows(target->param[i].name) &&
		    job_filter_add(&listing->filter, target->param[i].name,
				   target->param[i].value, &err) < 0)
			complain(problems, target->param[i].name, &err);
	for (size_t i = 0; i < ARRAY_SIZE(READERS); i++) {
		const char *text = target_param(target, READERS[i].name);
		if (text && READERS[i].read(listing, text, &err) < 0)
			complain(problems, READERS[i].name, &err);
	}
}

/* --- the answer --- */

/* A page while it is written. */
struct page {
	struct request *request;
	struct queue *queue;
	const struct listing *listing;
	bool has_stamp; /* the snapshot's: what is kept from it may be shown */
	struct queue_stamp stamp;
	struct json_writer json;
	struct buf item; /* one of them */
};

/* Reads the job and writes it to page->item. 1, 0 there is none, -1. */
static int write_item(struct page *page, const struct kept_key *key, int64_t row,
		      struct err *err)
{
	const struct request *request = page->request;
	struct job_view view;
	struct json_writer json;
	const int found = job_view_open(page->queue, row, &view, err);
	if (found <= 0)
		return found;
	json_writer_init(&json, &page->item);
	const int result = job_put_view(&json, NULL, page->queue, &page->listing->viewer,
					&request->settings->config, &view, err);
	if (result == 0 && page->has_stamp)
		kept_put(request->server->kept, key, &page->stamp, &view,
			 buf_text(&page->item), page->item.length);
	job_view_close(page->queue);
	return result == 0 ? 1 : -1;
}

static int put_item(struct page *page, int64_t row, struct err *err)
{
	char digits[24];
	int64_t version;
	const struct kept_key key = {.viewer = page->listing->viewer,
				     .settings = page->request->settings->serial,
				     .job = digits};
	snprintf(digits, sizeof(digits), "%lld", (long long)row);
	buf_reset(&page->item);
	if (!page->has_stamp || !kept_find(page->request->server->kept, &key,
					   &page->stamp, &page->item, &version)) {
		const int found = write_item(page, &key, row, err);
		if (found <= 0)
			return found;
	}
	json_put_raw(&page->json, NULL, buf_text(&page->item));
	return 0;
}

static int put_items(struct page *page, const struct job_rows *rows, struct err *err)
{
	int result = 0;
	json_open(&page->json, "items", '[');
	for (size_t i = 0; i < rows->count && result == 0; i++)
		result = put_item(page, rows->row[i], err);
	json_close(&page->json, ']');
	return result;
}

static int put_count(struct json_writer *json, struct queue *queue,
		     const struct listing *listing, struct err *err)
{
	int64_t count;
	bool is_capped;
	if (queue_job_count(queue, &listing->viewer, &listing->filter, &count, &is_capped,
			    err) < 0)
		return -1;
	json_put_int(json, "count", count);
	json_put_bool(json, "count_capped", is_capped);
	return 0;
}

/* What is kept belongs to the snapshot if nothing was committed while that began. */
static int find_rows(struct page *page, struct job_rows *ret, struct err *err)
{
	const struct listing *listing = page->listing;
	struct queue_stamp now;
	if (queue_job_rows(page->queue, &listing->viewer, &listing->filter,
			   &listing->page, ret, err) < 0)
		return -1;
	page->has_stamp = page->has_stamp && queue_stamp_take(page->queue, &now) &&
			  queue_stamp_equal(&now, &page->stamp);
	return 0;
}

static int put_page(struct page *page, char *ret_cursor, struct err *err)
{
	const struct listing *listing = page->listing;
	struct json_writer *json = &page->json;
	struct job_rows rows;
	uint8_t mark[DIGEST_BYTES];
	if (find_rows(page, &rows, err) < 0)
		return -1;
	if (rows.has_next) {
		job_filter_digest(&listing->filter, &listing->viewer, mark);
		cursor_write(&rows.next, POSITION_BYTES, mark, ret_cursor);
	}
	json_open(json, NULL, '{');
	if (put_items(page, &rows, err) < 0)
		return -1;
	json_put_text(json, "next_cursor", rows.has_next ? ret_cursor : NULL);
	if (listing->is_counted && put_count(json, page->queue, listing, err) < 0)
		return -1;
	json_close(json, '}');
	return 0;
}

/* Within a snapshot, so that each item is as it was when the list was made. */
static enum MHD_Result list_jobs(struct request *request, struct queue *queue,
				 const struct listing *listing)
{
	struct err err = ERR_INIT;
	struct buf body = BUF_INIT(ANSWER_BYTES_MAX);
	struct page page = {.request = request,
			    .queue = queue,
			    .listing = listing,
			    .item = BUF_INIT(ANSWER_BYTES_MAX)};
	char cursor[CURSOR_TEXT_BYTES(POSITION_BYTES)] = "";
	json_writer_init(&page.json, &body);
	page.has_stamp = queue_stamp_take(queue, &page.stamp);
	int result = queue_snapshot_begin(queue, &err);
	if (result == 0) {
		result = put_page(&page, cursor, &err);
		queue_snapshot_end(queue);
	}
	buf_release(&page.item);
	if (result < 0) {
		buf_release(&body);
		return answer_error(request, &err);
	}
	struct MHD_Response *response = answer_json(&body);
	if (cursor[0])
		paging_link(response, request, cursor);
	return answer_send(request, MHD_HTTP_OK, response);
}

enum MHD_Result handle_job_list(struct request *request)
{
	struct readers *readers = request->server->readers;
	struct err err = ERR_INIT;
	struct queue *queue = NULL;
	struct problems problems;
	struct listing listing;
	problems_init(&problems);
	read_query(request, &listing, &problems);
	if (problems.total > 0) {
		enum MHD_Result answered =
			answer_problems(request, ERR_BAD_REQUEST, &problems);
		problems_release(&problems);
		return answered;
	}
	problems_release(&problems);
	if (readers_take(readers, &queue, &err) < 0)
		return answer_error(request, &err);
	enum MHD_Result answered = list_jobs(request, queue, &listing);
	readers_give(readers, queue);
	return answered;
}
