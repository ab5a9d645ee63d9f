/* tasks.c - GET /v1/tasks and GET /v1/tasks/{task}: what can be submitted by name. */
#include "httpapi/answer.h"
#include "httpapi/handlers.h"

enum MHD_Result handle_task_list(struct request *request)
{
	const struct tasks *tasks = &request->settings->tasks;
	struct buf body = BUF_INIT(ANSWER_BYTES_MAX);
	struct json_writer json;
	json_writer_init(&json, &body);
	json_open(&json, NULL, '{');
	json_open(&json, "items", '[');
	for (size_t i = 0; i < tasks->count; i++)
		task_put(&json, NULL, &tasks->item[i]);
	json_close(&json, ']');
	json_close(&json, '}');
	return answer_send(request, MHD_HTTP_OK, answer_json(&body));
}

enum MHD_Result handle_task_get(struct request *request)
{
	const struct task *task =
		tasks_find(&request->settings->tasks, request->argument);
	struct buf body = BUF_INIT(ANSWER_BYTES_MAX);
	struct json_writer json;
	struct err err = ERR_INIT;
	if (!task) {
		err_set(&err, ERR_NOT_FOUND, "there is no such task");
		return answer_error(request, &err);
	}
	json_writer_init(&json, &body);
	task_put(&json, NULL, task);
	return answer_send(request, MHD_HTTP_OK, answer_json(&body));
}
