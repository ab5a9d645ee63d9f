/* list.c - GET /v1/jobs. */
#include "httpapi/answer.h"
#include "httpapi/handlers.h"
#include "httpapi/job_json.h"
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

static int put_item(struct json_writer *json, struct queue *queue,
		    const struct viewer *viewer, const struct config *config, int64_t row,
		    struct err *err)
{
	struct job_view view;
	const int found = job_view_open(queue, row, &view, err);
	if (found <= 0)
		return found;
	const int result = job_put_view(json, NULL, queue, viewer, config, &view, err);
	job_view_close(queue);
	return result;
}

static int put_items(struct json_writer *json, struct queue *queue,
		     const struct viewer *viewer, const struct config *config,
		     const struct job_rows *rows, struct err *err)
{
	int result = 0;
	json_open(json, "items", '[');
	for (size_t i = 0; i < rows->count && result == 0; i++)
		result = put_item(json, queue, viewer, config, rows->row[i], err);
	json_close(json, ']');
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

/* Within a snapshot, so that each item is as it was when the list was made. */
static enum MHD_Result list_jobs(struct request *request, struct queue *queue,
				 const struct listing *listing)
{
	struct err err = ERR_INIT;
	struct job_rows rows;
	struct buf body = BUF_INIT(ANSWER_BYTES_MAX);
	struct json_writer json;
	char cursor[CURSOR_TEXT_BYTES(POSITION_BYTES)] = "";
	if (queue_job_rows(queue, &listing->viewer, &listing->filter, &listing->page,
			   &rows, &err) < 0)
		return answer_error(request, &err);
	if (rows.has_next) {
		uint8_t mark[DIGEST_BYTES];
		job_filter_digest(&listing->filter, &listing->viewer, mark);
		cursor_write(&rows.next, POSITION_BYTES, mark, cursor);
	}
	json_writer_init(&json, &body);
	json_open(&json, NULL, '{');
	int result = put_items(&json, queue, &listing->viewer, &request->settings->config,
			       &rows, &err);
	json_put_text(&json, "next_cursor", rows.has_next ? cursor : NULL);
	if (result == 0 && listing->is_counted)
		result = put_count(&json, queue, listing, &err);
	if (result < 0) {
		buf_release(&body);
		return answer_error(request, &err);
	}
	json_close(&json, '}');
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
	enum MHD_Result answered;
	if (queue_snapshot_begin(queue, &err) < 0) {
		answered = answer_error(request, &err);
	} else {
		answered = list_jobs(request, queue, &listing);
		queue_snapshot_end(queue);
	}
	readers_give(readers, queue);
	return answered;
}
