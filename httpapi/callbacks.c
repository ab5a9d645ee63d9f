/* callbacks.c - GET /v1/callbacks, /v1/callbacks/{callback} and /v1/jobs/{id}/callbacks;
 * POST /v1/callbacks/{callback}/redeliver. Nothing is sent from here. */
#include "httpapi/answer.h"
#include "httpapi/body.h"
#include "httpapi/handlers.h"
#include "httpapi/lookup.h"
#include "httpapi/paging.h"
#include "httpapi/readers.h"
#include "httpapi/writer.h"

#define PAGE_MAX 500
#define PAGE_LIMIT 50

/* --- one --- */

static void put_int_or_null(struct json_writer *json, const char *key, int64_t value)
{
	if (value != 0)
		json_put_int(json, key, value);
	else
		json_put_null(json, key);
}

/* The body is JSON that we wrote. What the receiver answered is nowhere. */
static void callback_put(struct json_writer *json, const char *key,
			 const struct callback *callback, bool has_body)
{
	json_open(json, key, '{');
	json_put_text(json, "id", callback->webhook_id);
	json_put_text(json, "job", callback->job_id[0] ? callback->job_id : NULL);
	json_put_text(json, "kind", callback->kind);
	json_put_int(json, "attempt", callback->attempt);
	json_put_text(json, "state", callback->state);
	json_put_int(json, "tries", callback->tries);
	json_put_int(json, "max_tries", CALLBACK_TRIES);
	json_put_text(json, "url", callback->url);
	json_put_text(json, "owner", callback->owner);
	json_put_time(json, "created_at", callback->created_at);
	json_put_time(json, "next_at", callback->next_at);
	json_put_time(json, "last_try_at", callback->last_try_at);
	put_int_or_null(json, "last_status", callback->last_status);
	json_put_text(json, "last_error", callback->last_error);
	json_put_time(json, "ended_at", callback->ended_at);
	if (has_body)
		json_put_raw(json, "body", callback->body);
	json_close(json, '}');
}

/* Another's is not there: the same words. */
static int find_callback(struct request *request, struct callback *ret, struct err *err)
{
	struct readers *readers = request->server->readers;
	struct viewer viewer = request_viewer(request);
	struct queue *queue = NULL;
	if (readers_take(readers, &queue, err) < 0)
		return -1;
	int found = queue_callback_get(queue, &viewer, request->argument, ret, err);
	readers_give(readers, queue);
	return found != 0 ? found : err_set(err, ERR_NOT_FOUND, "no such callback");
}

static enum MHD_Result answer_callback(struct request *request, unsigned status)
{
	struct callback callback = {0};
	struct err err = ERR_INIT;
	if (find_callback(request, &callback, &err) < 0)
		return answer_error(request, &err);
	struct buf body = BUF_INIT(ANSWER_BYTES_MAX);
	struct json_writer json;
	json_writer_init(&json, &body);
	callback_put(&json, NULL, &callback, true);
	callback_release(&callback);
	return answer_send(request, status, answer_json(&body));
}

enum MHD_Result handle_callback_get(struct request *request)
{
	return answer_callback(request, MHD_HTTP_OK);
}

/* --- many --- */

/* What the query asks for. */
struct listing {
	struct viewer viewer;
	struct callback_filter filter;
	uint8_t mark[DIGEST_BYTES]; /* of all of it but the page */
};

static int read_state(struct request *request, struct listing *listing, struct err *err)
{
	static const char *const WORDS[] = {"pending", "delivered", "dead"};
	const char *text = target_param(&request->target, "state");
	for (size_t i = 0; text && i < ARRAY_SIZE(WORDS); i++)
		if (strcmp(text, WORDS[i]) == 0)
			listing->filter.state = WORDS[i];
	if (text && !listing->filter.state)
		return lookup_refuse(request, "state", err,
				     "is pending, delivered or dead");
	return 0;
}

/* Of one job: the path names it, or the query does in the same way. */
static int read_job(struct request *request, struct queue *queue, struct listing *listing,
		    struct err *err)
{
	struct job job = {0};
	if (!request->argument)
		request->argument = target_param(&request->target, "job");
	if (!request->argument)
		return 0;
	if (lookup_job(request, queue, &job, err) < 0)
		return -1;
	listing->filter.job_row = job.row;
	job_release(&job);
	return 0;
}

static int read_cursor(struct request *request, struct listing *listing, struct err *err)
{
	const char *text = target_param(&request->target, "cursor");
	const char *state = listing->filter.state ? listing->filter.state : "";
	struct err wrong = ERR_INIT;
	struct digest digest;
	digest_init(&digest);
	digest_add(&digest, listing->viewer.principal,
		   strlen(listing->viewer.principal) + 1);
	digest_add(&digest, &listing->viewer.sees_all, sizeof(listing->viewer.sees_all));
	digest_add(&digest, state, strlen(state) + 1);
	digest_add(&digest, &listing->filter.job_row, sizeof(listing->filter.job_row));
	digest_end(&digest, listing->mark);
	if (text && cursor_read(text, listing->mark, &listing->filter.before_row,
				sizeof(listing->filter.before_row), &wrong) < 0)
		return lookup_refuse(request, "cursor", err, "%s", wrong.text);
	return 0;
}

/* Asks for one more than a page has: it tells whether there is another. */
static int read_query(struct request *request, struct queue *queue,
		      struct listing *listing, struct err *err)
{
	int64_t limit;
	listing->viewer = request_viewer(request);
	if (lookup_number(request, "limit", 1, PAGE_MAX, PAGE_LIMIT, &limit, err) < 0 ||
	    read_state(request, listing, err) < 0 ||
	    read_job(request, queue, listing, err) < 0 ||
	    read_cursor(request, listing, err) < 0)
		return -1;
	listing->filter.limit = (int)limit + 1;
	return 0;
}

static enum MHD_Result answer_page(struct request *request, const struct listing *listing,
				   const struct callback_list *list)
{
	struct buf body = BUF_INIT(ANSWER_BYTES_MAX);
	struct json_writer json;
	char cursor[CURSOR_TEXT_BYTES(sizeof(int64_t))];
	const size_t most = (size_t)listing->filter.limit - 1;
	const bool has_next = list->count > most;
	const size_t count = has_next ? most : list->count;
	json_writer_init(&json, &body);
	json_open(&json, NULL, '{');
	json_open(&json, "items", '[');
	for (size_t i = 0; i < count; i++)
		callback_put(&json, NULL, &list->item[i], false);
	json_close(&json, ']');
	if (has_next)
		cursor_write(&list->item[most - 1].row, sizeof(int64_t), listing->mark,
			     cursor);
	json_put_text(&json, "next_cursor", has_next ? cursor : NULL);
	json_close(&json, '}');
	struct MHD_Response *response = answer_json(&body);
	if (has_next)
		paging_link(response, request, cursor);
	return answer_send(request, MHD_HTTP_OK, response);
}

enum MHD_Result handle_callback_list(struct request *request)
{
	struct readers *readers = request->server->readers;
	struct listing listing = {.filter = {.limit = 0}};
	struct callback_list list = {0};
	struct queue *queue = NULL;
	struct err err = ERR_INIT;
	if (readers_take(readers, &queue, &err) < 0)
		return answer_error(request, &err);
	int result = read_query(request, queue, &listing, &err);
	if (result == 0)
		result = queue_callback_list(queue, &listing.viewer, &listing.filter,
					     &list, &err);
	readers_give(readers, queue);
	if (result < 0)
		return answer_error(request, &err);
	enum MHD_Result answered = answer_page(request, &listing, &list);
	callback_list_release(&list);
	return answered;
}

/* --- again --- */

struct redelivering {
	struct write write;
	struct viewer viewer;
	const char *id; /* in the request's path */
};

/* The commit is behind us; whoever sends has been told. */
static enum MHD_Result go_on(struct request *request)
{
	const struct redelivering *redelivering = request->work;
	if (redelivering->write.result < 0)
		return answer_error(request, &redelivering->write.err);
	return answer_callback(request, MHD_HTTP_ACCEPTED);
}

static int run_redeliver(struct queue *queue, struct write *write)
{
	const struct redelivering *redelivering = WRITE_WORK(struct redelivering, write);
	if (queue_callback_redeliver(queue, &redelivering->viewer, redelivering->id,
				     &write->err) == 0)
		return 0;
	if (write->err.code == ERR_NOT_FOUND)
		err_set(&write->err, ERR_NOT_FOUND, "no such callback");
	return -1;
}

/* 1 fine, 0 answered otherwise. */
static bool check_body(struct request *request, enum MHD_Result *ret)
{
	cJSON *tree = NULL;
	struct problems problems;
	struct err err = ERR_INIT;
	problems_init(&problems);
	int result = body_read(request, NULL, 0, NULL, &tree, &problems, &err);
	const bool is_fine = result == 0 && problems.total == 0;
	if (result < 0)
		*ret = answer_error(request, &err);
	else if (!is_fine)
		*ret = answer_problems(request, ERR_INVALID, &problems);
	problems_release(&problems);
	cJSON_Delete(tree);
	return is_fine;
}

enum MHD_Result handle_callback_redeliver(struct request *request)
{
	enum MHD_Result answered = MHD_YES;
	if (!check_body(request, &answered))
		return answered;
	struct redelivering *redelivering = mem_alloc(sizeof(*redelivering));
	request_keep(request, redelivering, free);
	redelivering->viewer = request_viewer(request);
	redelivering->id = request->argument;
	return writer_commit(request, &redelivering->write, run_redeliver, go_on);
}
