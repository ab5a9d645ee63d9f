/* drain.c - GET and POST /v1/drain, POST /v1/undrain: let what runs finish, start
 * nothing.
 */
#include "httpapi/answer.h"
#include "httpapi/handlers.h"
#include "httpapi/lane_json.h"
#include "httpapi/readers.h"
#include "httpapi/steer.h"

static int read_drain(struct queue *queue, struct drain *ret, int64_t *ret_running,
		      struct err *err)
{
	int found = queue_drain_get(queue, ret, err);
	if (found < 0)
		return -1;
	if (queue_running(queue, ret_running, err) < 0) {
		drain_release(ret);
		return -1;
	}
	return found;
}

enum MHD_Result handle_drain_get(struct request *request)
{
	struct readers *readers = request->server->readers;
	struct err err = ERR_INIT;
	struct queue *queue = NULL;
	struct drain drain = {0};
	int64_t running = 0;
	if (readers_take(readers, &queue, &err) < 0)
		return answer_error(request, &err);
	int found = queue_snapshot_begin(queue, &err);
	if (found == 0) {
		found = read_drain(queue, &drain, &running, &err);
		queue_snapshot_end(queue);
	}
	readers_give(readers, queue);
	if (found < 0)
		return answer_error(request, &err);
	struct buf body = BUF_INIT(ANSWER_BYTES_MAX);
	struct json_writer json;
	json_writer_init(&json, &body);
	drain_put(&json, NULL, found > 0 ? &drain : NULL, running);
	drain_release(&drain);
	return answer_send(request, MHD_HTTP_OK, answer_json(&body));
}

static int run_drain(struct queue *queue, const struct steer_wish *wish, struct err *err)
{
	return queue_drain(queue, wish->principal, wish->reason, err);
}

static int run_undrain(struct queue *queue, const struct steer_wish *wish,
		       struct err *err)
{
	return queue_undrain(queue, wish->principal, err);
}

static const struct body_member DRAIN_MEMBERS[] = {
	{.name = "reason", .read = steer_reason},
};
static const struct steering DRAIN = {.run = run_drain,
				      .answer = handle_drain_get,
				      .member = DRAIN_MEMBERS,
				      .members = ARRAY_SIZE(DRAIN_MEMBERS)},
			     UNDRAIN = {.run = run_undrain, .answer = handle_drain_get};

enum MHD_Result handle_drain(struct request *request)
{
	return steer_run(request, &DRAIN);
}

enum MHD_Result handle_undrain(struct request *request)
{
	return steer_run(request, &UNDRAIN);
}
