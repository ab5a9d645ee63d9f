/* wait.c - answering with a job, at once or when it is final (see wait.h). */
#include "httpapi/wait.h"

#include "httpapi/answer.h"
#include "httpapi/job_json.h"
#include "httpapi/readers.h"
#include "httpapi/watcher.h"

#define JOB_JSON_MAX (8u << 20)

struct MHD_Response *wait_response(const struct wait *wait, struct buf *body,
				   int64_t version)
{
	struct MHD_Response *response = answer_json(body);
	answer_header(response, "ETag", "\"%lld\"", (long long)version);
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
static bool is_known(const char *if_none_match, int64_t version)
{
	char tag[32];
	if (!if_none_match)
		return false;
	if (strcmp(if_none_match, "*") == 0)
		return true;
	snprintf(tag, sizeof(tag), "\"%lld\"", (long long)version);
	return strstr(if_none_match, tag) != NULL;
}

static enum MHD_Result answer_job(struct request *request, const struct wait *wait,
				  struct queue *queue, const struct job *job)
{
	struct err err = ERR_INIT;
	if (!wait->is_created && is_known(request->headers.if_none_match, job->version)) {
		struct MHD_Response *response = answer_empty();
		answer_header(response, "ETag", "\"%lld\"", (long long)job->version);
		return answer_send(request, MHD_HTTP_NOT_MODIFIED, response);
	}
	struct job_face face;
	struct job_parts parts = {0};
	struct viewer viewer = request_viewer(request);
	if (job_face_of_job(&face, &parts, queue, &viewer, &request->settings->config,
			    job, &err) < 0) {
		job_parts_release(&parts);
		return answer_error(request, &err);
	}
	if (job_face_hindrance(&face, queue, job, &err) < 0) {
		job_parts_release(&parts);
		return answer_error(request, &err);
	}
	struct buf body = BUF_INIT(JOB_JSON_MAX);
	struct json_writer json;
	json_writer_init(&json, &body);
	job_put(&json, NULL, &face);
	job_parts_release(&parts);
	return answer_send(request, wait->status,
			   wait_response(wait, &body, job->version));
}

static bool is_over(const struct request *request, const struct job *job)
{
	return job_state_is_final(job->state) ||
	       clock_boot_us() >= request->waiter.deadline_us ||
	       atomic_load(&request->waiter.is_gone) ||
	       atomic_load(&request->server->is_stopping);
}

/* One look. 1: answered with *ret_result, 0: not over yet. */
static int look(struct request *request, struct queue *queue, enum MHD_Result *ret_result)
{
	struct wait *wait = request->work;
	struct viewer viewer = request_viewer(request);
	struct err err = ERR_INIT;
	struct job job = {0};
	int found = queue_job_get(queue, &viewer, wait->job_id, &job, &err);
	if (found == 0)
		err_set(&err, ERR_NOT_FOUND, "there is no such job");
	int done = 1;
	if (found <= 0)
		*ret_result = answer_error(request, &err);
	else if (wait->wait_us == 0 || is_over(request, &job))
		*ret_result = answer_job(request, wait, queue, &job);
	else
		done = 0;
	if (found > 0)
		job_release(&job);
	return done;
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
