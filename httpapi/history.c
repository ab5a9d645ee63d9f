/* history.c - a job's attempts. */
#include "httpapi/answer.h"
#include "httpapi/handlers.h"
#include "httpapi/job_json.h"
#include "httpapi/lookup.h"
#include "httpapi/readers.h"

/* Finds the job, then lets `put` write about it into an object. */
static enum MHD_Result answer_about_job(struct request *request,
					int (*put)(struct request *, struct queue *,
						   const struct job *,
						   struct json_writer *, struct err *))
{
	struct readers *readers = request->server->readers;
	struct err err = ERR_INIT;
	struct queue *queue = NULL;
	struct job job = {0};
	struct buf body = BUF_INIT(ANSWER_BYTES_MAX);
	struct json_writer json;
	if (readers_take(readers, &queue, &err) < 0)
		return answer_error(request, &err);
	json_writer_init(&json, &body);
	json_open(&json, NULL, '{');
	int result = lookup_job(request, queue, &job, &err);
	if (result == 0) {
		result = put(request, queue, &job, &json, &err);
		job_release(&job);
	}
	readers_give(readers, queue);
	json_close(&json, '}');
	if (result == 0)
		return answer_send(request, MHD_HTTP_OK, answer_json(&body));
	buf_release(&body);
	return answer_error(request, &err);
}

static int put_attempts(struct request *request, struct queue *queue,
			const struct job *job, struct json_writer *json, struct err *err)
{
	struct attempt_list list = {0};
	if (queue_attempt_list(queue, job->row, &list, err) < 0)
		return -1;
	json_open(json, "items", '[');
	for (size_t i = 0; i < list.count; i++) {
		attempt_look(&list.item[i], queue, &request->settings->config, job);
		attempt_put(json, &list.item[i]);
	}
	json_close(json, ']');
	json_put_null(json, "next_cursor");
	attempt_list_release(&list);
	return 0;
}

enum MHD_Result handle_job_attempts(struct request *request)
{
	return answer_about_job(request, put_attempts);
}
