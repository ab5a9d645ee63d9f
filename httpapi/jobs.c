/* jobs.c - GET /v1/jobs and GET /v1/jobs/{id}. */
#include "httpapi/answer.h"
#include "httpapi/handlers.h"
#include "httpapi/job_json.h"
#include "httpapi/lookup.h"
#include "httpapi/readers.h"
#include "httpapi/wait.h"

#define LIST_LIMIT 50

/* --- one --- */

enum MHD_Result handle_job_get(struct request *request)
{
	struct readers *readers = request->server->readers;
	struct wait *wait = mem_alloc(sizeof(*wait));
	struct err err = ERR_INIT;
	struct queue *queue = NULL;
	struct job job = {0};
	request_keep(request, wait, free);
	wait->status = MHD_HTTP_OK;
	if (lookup_wait(request, &wait->wait_us, &wait->is_preferred, &err) < 0 ||
	    readers_take(readers, &queue, &err) < 0)
		return answer_error(request, &err);
	int found = lookup_job(request, queue, &job, &err);
	readers_give(readers, queue);
	if (found < 0)
		return answer_error(request, &err);
	snprintf(wait->job_id, sizeof(wait->job_id), "%s", job.id);
	job_release(&job);
	return wait_and_answer(request, wait);
}

/* --- many --- */

/* A cursor is the row it goes on below and a mark of the filter it belongs to, so that it
 * cannot be continued with another filter; clients must not look into it. */
#define CURSOR_MARK_BYTES 8
#define CURSOR_BYTES (sizeof(int64_t) + CURSOR_MARK_BYTES)
#define CURSOR_TEXT_BYTES (2 * CURSOR_BYTES + 1)

static void cursor_pack(uint8_t ret[CURSOR_BYTES], const struct job_filter *filter,
			const struct viewer *viewer, int64_t row)
{
	uint8_t hash[DIGEST_BYTES];
	AUTO_FREE char *text = mem_printf("%d\n%s\n%s\n%lld", (int)filter->state,
					  filter->owner ? filter->owner : "",
					  viewer->principal, (long long)row);
	digest_of(text, strlen(text), hash);
	memcpy(ret, &row, sizeof(row));
	memcpy(ret + sizeof(row), hash, CURSOR_MARK_BYTES);
}

static int cursor_read(const char *text, struct job_filter *filter,
		       const struct viewer *viewer, struct err *err)
{
	uint8_t given[CURSOR_BYTES], right[CURSOR_BYTES];
	int64_t row;
	if (strlen(text) != CURSOR_TEXT_BYTES - 1 ||
	    text_unhex(text, given, sizeof(given)) < 0)
		return err_set(err, ERR_BAD_REQUEST, "cursor is not one of ours");
	memcpy(&row, given, sizeof(row));
	cursor_pack(right, filter, viewer, row);
	if (row <= 0 || memcmp(given, right, sizeof(right)) != 0)
		return err_set(err, ERR_BAD_REQUEST,
			       "cursor belongs to another list than this");
	filter->before_row = row;
	return 0;
}

static int read_filter(const struct request *request, const struct viewer *viewer,
		       struct job_filter *ret, struct err *err)
{
	const char *state = target_param(&request->target, "state");
	const char *cursor = target_param(&request->target, "cursor");
	int64_t limit;
	*ret = (struct job_filter){.owner = target_param(&request->target, "owner")};
	if (state && (ret->state = job_state_parse(state)) == JOB_STATE_NONE)
		return err_set(err, ERR_BAD_REQUEST, "there is no such state of a job");
	if (lookup_number(request, "limit", 1, JOB_LIST_MAX, LIST_LIMIT, &limit, err) < 0)
		return -1;
	ret->limit = (int)limit;
	return cursor ? cursor_read(cursor, ret, viewer, err) : 0;
}

static void put_page(struct buf *body, struct queue *queue, const struct config *config,
		     const struct job_list *list, const char *cursor)
{
	struct json_writer json;
	json_writer_init(&json, body);
	json_open(&json, NULL, '{');
	json_open(&json, "items", '[');
	for (size_t i = 0; i < list->count; i++) {
		struct job_face face;
		struct attempt last;
		struct err err = ERR_INIT;
		job_face_of_job(&face, &last, queue, config, &list->item[i], &err);
		job_put(&json, NULL, &face);
		attempt_release(&last);
	}
	json_close(&json, ']');
	json_put_text(&json, "next_cursor", cursor);
	json_close(&json, '}');
}

/* The same question with the cursor; the query's values are written as they came. */
static void link_next(struct MHD_Response *response, const struct request *request,
		      const char *cursor)
{
	AUTO_BUF struct buf query = BUF_INIT(72 * 1024);
	const char *raw = strchr(request->target.raw, '?');
	for (raw = raw ? raw + 1 : ""; *raw;) {
		size_t length = strcspn(raw, "&");
		if (length > 0 && strncmp(raw, "cursor=", 7) != 0)
			buf_printf(&query, "%.*s&", (int)length, raw);
		raw += length + (raw[length] == '&');
	}
	answer_header(response, "Link", "</v1/jobs?%scursor=%s>; rel=\"next\"",
		      buf_text(&query), cursor);
}

static enum MHD_Result list_jobs(struct request *request, struct queue *queue)
{
	struct viewer viewer = request_viewer(request);
	struct err err = ERR_INIT;
	struct job_filter filter;
	struct job_list list = {0};
	if (read_filter(request, &viewer, &filter, &err) < 0 ||
	    queue_job_list(queue, &viewer, &filter, &list, &err) < 0)
		return answer_error(request, &err);
	char cursor[CURSOR_TEXT_BYTES] = "";
	if (list.next_before_row != 0) {
		uint8_t packed[CURSOR_BYTES];
		cursor_pack(packed, &filter, &viewer, list.next_before_row);
		text_hex(packed, sizeof(packed), cursor);
	}
	struct buf body = BUF_INIT(ANSWER_BYTES_MAX);
	put_page(&body, queue, &request->settings->config, &list,
		 cursor[0] ? cursor : NULL);
	job_list_release(&list);
	struct MHD_Response *response = answer_json(&body);
	if (cursor[0])
		link_next(response, request, cursor);
	return answer_send(request, MHD_HTTP_OK, response);
}

enum MHD_Result handle_job_list(struct request *request)
{
	struct readers *readers = request->server->readers;
	struct err err = ERR_INIT;
	struct queue *queue = NULL;
	if (readers_take(readers, &queue, &err) < 0)
		return answer_error(request, &err);
	enum MHD_Result result = list_jobs(request, queue);
	readers_give(readers, queue);
	return result;
}
