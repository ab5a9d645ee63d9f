/* wait.c - answering with a job, at once or when it is final (see wait.h). */
#include "httpapi/wait.h"

#include "httpapi/answer.h"
#include "httpapi/gone.h"
#include "httpapi/job_json.h"
#include "httpapi/kept.h"
#include "httpapi/readers.h"
#include "httpapi/watcher.h"

#define JOB_JSON_MAX (8u << 20)

/* The quoted version: the ETag of this state of the job. */
static void tag_of(int64_t version, char ret[24])
{
	snprintf(ret, 24, "\"%lld\"", (long long)version);
}

static void put_etag(struct MHD_Response *response, int64_t version)
{
	char tag[24];
	tag_of(version, tag);
	MHD_add_response_header(response, "ETag", tag);
}

struct MHD_Response *wait_response(const struct wait *wait, struct buf *body,
				   int64_t version)
{
	struct MHD_Response *response = answer_json(body);
	put_etag(response, version);
	if (wait->is_created)
		answer_header(response, "Location", "/v1/jobs/%s", wait->job_id);
	if (wait->is_replay)
		answer_header(response, "Idempotency-Replayed", "true");
	if (wait->is_preferred)
		answer_header(response, "Preference-Applied", "wait=%lld",
			      (long long)(wait->wait_us / US_PER_S));
	return response;
}

/* Is the version among the tags of If-None-Match ("3", W/"3", *)? */
static bool is_known(const struct request *request, const struct wait *wait,
		     int64_t version)
{
	const char *if_none_match = request->headers.if_none_match;
	char tag[24];
	if (!if_none_match || wait->is_created)
		return false;
	if (strcmp(if_none_match, "*") == 0)
		return true;
	tag_of(version, tag);
	return strstr(if_none_match, tag) != NULL;
}

/* Takes the buffer. */
static enum MHD_Result answer_with(struct request *request, const struct wait *wait,
				   struct buf *body, int64_t version)
{
	if (!is_known(request, wait, version))
		return answer_send(request, wait->status,
				   wait_response(wait, body, version));
	buf_release(body);
	struct MHD_Response *response = answer_empty();
	put_etag(response, version);
	return answer_send(request, MHD_HTTP_NOT_MODIFIED, response);
}

/* --- looking --- */

/* One look: what it is answered with, and what may be said again of it. */
struct look {
	struct request *request;
	const struct wait *wait;
	struct queue *queue;
	bool is_keepable; /* asked by whole id, without waiting */
	bool has_stamp;
	struct queue_stamp stamp; /* from before */
	struct buf body;
	int64_t version;
};

static struct kept_key key_of(const struct look *look)
{
	return (struct kept_key){.viewer = request_viewer(look->request),
				 .settings = look->request->settings->serial,
				 .job = look->wait->job_id};
}

/* Has it been answered before, and nothing at all has happened since? */
static bool look_at_kept(struct look *look)
{
	const struct kept_key key = key_of(look);
	look->is_keepable = look->wait->wait_us == 0 && !look->wait->is_created;
	look->has_stamp =
		look->is_keepable && queue_stamp_take(look->queue, &look->stamp);
	return look->has_stamp && kept_find(look->request->server->kept, &key,
					    &look->stamp, &look->body, &look->version);
}

/* The snapshot is that of the stamp if the stamp is still the same after it was taken. */
static void keep(const struct look *look, const struct job_view *view)
{
	const struct kept_key key = key_of(look);
	struct queue_stamp now;
	if (look->has_stamp && queue_stamp_take(look->queue, &now) &&
	    queue_stamp_equal(&now, &look->stamp))
		kept_put(look->request->server->kept, &key, &look->stamp, view,
			 buf_text(&look->body), look->body.length);
}

static bool is_over(const struct look *look, const struct job *job)
{
	const struct request *request = look->request;
	return look->wait->wait_us == 0 || job_state_is_final(job->state) ||
	       clock_boot_us() >= request->waiter.deadline_us ||
	       atomic_load(&request->waiter.is_gone) ||
	       atomic_load(&request->server->is_stopping);
}

/* 1 there is an answer, 0 it is not over yet, -1. */
static int look_at_view(struct look *look, struct job_view *view, struct err *err)
{
	const struct request *request = look->request;
	const struct viewer viewer = request_viewer(request);
	struct json_writer json;
	if (!is_over(look, &view->job))
		return 0;
	look->version = view->job.version;
	if (is_known(request, look->wait, look->version))
		return 1;
	json_writer_init(&json, &look->body);
	if (job_put_view(&json, NULL, look->queue, &viewer, &request->settings->config,
			 view, err) < 0)
		return -1;
	keep(look, view);
	return 1;
}

static int look_at_job(struct look *look, struct err *err)
{
	struct request *request = look->request;
	const struct viewer viewer = request_viewer(request);
	struct job_view view;
	int64_t row;
	int found = queue_job_row(look->queue, &viewer, look->wait->job_id, &row, err);
	if (found == 1)
		found = job_view_open(look->queue, row, &view, err);
	if (found == 0)
		return gone_job(request, look->queue, look->wait->job_id, err);
	if (found != 1)
		return -1;
	const int done = look_at_view(look, &view, err);
	job_view_close(look->queue);
	return done;
}

/* All of it in one moment. 1: answered with *ret_result, 0: not over yet. */
static int look(struct request *request, struct queue *queue, enum MHD_Result *ret_result)
{
	struct look look = {.request = request,
			    .wait = request->work,
			    .queue = queue,
			    .body = BUF_INIT(JOB_JSON_MAX)};
	struct err err = ERR_INIT;
	int done = look_at_kept(&look) ? 1 : queue_snapshot_begin(queue, &err);
	if (done == 0) {
		done = look_at_job(&look, &err);
		queue_snapshot_end(queue);
	}
	if (done > 0)
		*ret_result = answer_with(request, look.wait, &look.body, look.version);
	else
		buf_release(&look.body);
	if (done < 0)
		*ret_result = answer_error(request, &err);
	return done != 0;
}

/* From the beginning, and again whenever it is woken. */
static enum MHD_Result go_on(struct request *request)
{
	struct server *server = request->server;
	enum MHD_Result result = MHD_NO;
	int done;
	do {
		struct queue *queue;
		struct err err = ERR_INIT;
		if (readers_take(server->readers, &queue, &err) < 0)
			return answer_error(request, &err);
		done = look(request, queue, &result);
		readers_give(server->readers, queue);
	} while (!done && !waiter_park(&request->waiter));
	if (!done)
		return MHD_YES;
	wait_forget(request);
	return result;
}

struct waiter *wait_listen(struct request *request, const struct wait *wait,
			   const char *job_id)
{
	struct watcher *watcher = request->server->watcher;
	struct waiter *waiter = &request->waiter;
	watcher_remove(watcher, waiter);
	request_wait_for(request, job_id, false);
	waiter->only_final = true;
	waiter->deadline_us = clock_boot_us() + wait->wait_us;
	client_expect_nothing(request->client);
	watcher_add(watcher, waiter);
	return waiter;
}

void wait_forget(struct request *request)
{
	if (!request->waiter.is_listed)
		return;
	watcher_remove(request->server->watcher, &request->waiter);
	client_expect_within(request->client,
			     request->settings->config.http.body_deadline_us);
}

enum MHD_Result wait_and_answer(struct request *request, struct wait *wait)
{
	if (wait->wait_us > 0 && !request->waiter.is_listed)
		wait_listen(request, wait, wait->job_id);
	request->resume = go_on;
	return go_on(request);
}
