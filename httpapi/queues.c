/* queues.c - GET /v1/queues and /v1/queues/{queue}; pausing, resuming, limiting one. */
#include "httpapi/answer.h"
#include "httpapi/handlers.h"
#include "httpapi/lane_json.h"
#include "httpapi/readers.h"
#include "httpapi/steer.h"

#define MAX_RUNNING_MAX 1000000

/* --- all --- */

static void put_all(struct json_writer *json, const struct config *config,
		    const struct lane_list *list, const struct drain *drain)
{
	int64_t running = 0;
	json_open(json, NULL, '{');
	json_open(json, "items", '[');
	for (size_t i = 0; i < list->count; i++) {
		lane_put(json, NULL, config, &list->item[i]);
		running += list->item[i].running;
	}
	json_close(json, ']');
	drain_put(json, "drain", drain, running);
	json_close(json, '}');
}

/* Counts and drain are of one moment. */
static int read_all(struct queue *queue, struct lane_list *ret, struct drain *ret_drain,
		    bool *ret_is_draining, struct err *err)
{
	if (queue_snapshot_begin(queue, err) < 0)
		return -1;
	int result = queue_lane_list(queue, ret, err);
	int drained = result < 0 ? 0 : queue_drain_get(queue, ret_drain, err);
	queue_snapshot_end(queue);
	if (result == 0 && drained < 0)
		lane_list_release(ret);
	*ret_is_draining = drained > 0;
	return drained < 0 ? -1 : result;
}

enum MHD_Result handle_queue_list(struct request *request)
{
	struct readers *readers = request->server->readers;
	struct err err = ERR_INIT;
	struct queue *queue = NULL;
	struct lane_list list = {0};
	struct drain drain = {0};
	bool is_draining = false;
	if (readers_take(readers, &queue, &err) < 0)
		return answer_error(request, &err);
	int result = read_all(queue, &list, &drain, &is_draining, &err);
	readers_give(readers, queue);
	if (result < 0)
		return answer_error(request, &err);
	struct buf body = BUF_INIT(ANSWER_BYTES_MAX);
	struct json_writer json;
	json_writer_init(&json, &body);
	put_all(&json, &request->settings->config, &list, is_draining ? &drain : NULL);
	lane_list_release(&list);
	drain_release(&drain);
	return answer_send(request, MHD_HTTP_OK, answer_json(&body));
}

/* --- one --- */

enum MHD_Result handle_queue_get(struct request *request)
{
	struct readers *readers = request->server->readers;
	struct err err = ERR_INIT;
	struct queue *queue = NULL;
	struct lane lane = {0};
	if (readers_take(readers, &queue, &err) < 0)
		return answer_error(request, &err);
	int found = queue_lane_get(queue, request->argument, &lane, &err);
	readers_give(readers, queue);
	if (found == 0) {
		AUTO_BUF struct buf words = BUF_INIT(QUEUE_WORDS_MAX);
		queue_name_complain(&request->settings->config.queues, request->argument,
				    &words);
		err_set(&err, ERR_NOT_FOUND, "%s", buf_text(&words));
	}
	if (found <= 0)
		return answer_error(request, &err);
	struct buf body = BUF_INIT(ANSWER_BYTES_MAX);
	struct json_writer json;
	json_writer_init(&json, &body);
	lane_put(&json, NULL, &request->settings->config, &lane);
	lane_release(&lane);
	return answer_send(request, MHD_HTTP_OK, answer_json(&body));
}

/* --- changes --- */

static void read_until(struct problems *problems, const char *pointer, const cJSON *value,
		       void *target)
{
	struct steer_wish *wish = target;
	int64_t at = 0;
	if (!cJSON_IsString(value) || clock_parse(value->valuestring, &at) != 0)
		problems_add(problems, pointer,
			     "must be a time as RFC 3339 writes it, such as "
			     "\"2026-11-21T06:00:00Z\"");
	else if (at <= clock_now_us())
		problems_add(problems, pointer, "must be a time to come");
	else
		wish->until = at;
}

/* null is what the answer shows for a queue without a limit, so it means the same here.
 */
static void read_max_running(struct problems *problems, const char *pointer,
			     const cJSON *value, void *target)
{
	struct steer_wish *wish = target;
	double number = cJSON_IsNumber(value) ? value->valuedouble : -1;
	const char *word = cJSON_GetStringValue(value);
	if (cJSON_IsNull(value))
		wish->max_running = -1;
	else if (word && strcmp(word, "configured") == 0)
		wish->max_running = LANE_AS_CONFIGURED;
	else if (number >= 0 && number <= MAX_RUNNING_MAX &&
		 (double)(int64_t)number == number)
		wish->max_running = (int64_t)number;
	else
		problems_add(problems, pointer,
			     "must be an integer from 0 to %d, null for no limit, or "
			     "\"configured\"",
			     MAX_RUNNING_MAX);
}

static int run_pause(struct queue *queue, const struct steer_wish *wish, struct err *err)
{
	return queue_lane_pause(queue, wish->principal, wish->lane, wish->reason,
				wish->until, err);
}

static int run_resume(struct queue *queue, const struct steer_wish *wish, struct err *err)
{
	return queue_lane_resume(queue, wish->principal, wish->lane, err);
}

static int run_limit(struct queue *queue, const struct steer_wish *wish, struct err *err)
{
	return queue_lane_limit(queue, wish->principal, wish->lane, wish->max_running,
				err);
}

/* clang-format off */
static const struct body_member PAUSE_MEMBERS[] = {
	{.name = "reason", .read = steer_reason},
	{.name = "until",  .read = read_until},
};
static const struct body_member CHANGE_MEMBERS[] = {
	{.name = "max_running", .read = read_max_running, .is_required = true, .takes_null = true},
};
static const struct steering
	PAUSE = {.run = run_pause, .answer = handle_queue_get,
		 .member = PAUSE_MEMBERS, .members = ARRAY_SIZE(PAUSE_MEMBERS)},
	RESUME = {.run = run_resume, .answer = handle_queue_get},
	CHANGE = {.run = run_limit, .answer = handle_queue_get,
		  .member = CHANGE_MEMBERS, .members = ARRAY_SIZE(CHANGE_MEMBERS)};
/* clang-format on */

enum MHD_Result handle_queue_pause(struct request *request)
{
	return steer_run(request, &PAUSE);
}

enum MHD_Result handle_queue_resume(struct request *request)
{
	return steer_run(request, &RESUME);
}

enum MHD_Result handle_queue_change(struct request *request)
{
	return steer_run(request, &CHANGE);
}
