/* submission_task.c - what a submission of a task needs beyond one of a command.
 *
 * A task's limits bound what a request may ask for, its environment and directory are
 * what it runs with; the request fills in the parameters. */
#include "httpapi/members.h"

static void complain_unknown(struct reading *reading, const char *name)
{
	const char *nearest = tasks_nearest(reading->tasks, name);
	if (nearest)
		problems_add(reading->problems, "#/task",
			     "there is no such task; did you mean \"%s\"?", nearest);
	else
		problems_add(reading->problems, "#/task", "there is no such task");
}

/* Members that do not go together with a task, and those that need one. */
static const struct {
	const char *member;
	bool has_task;
	const char *words;
} CONFLICTS[] = {
	{"command", true, "give a task or a command, not both"},
	{"args", true, "a task has arguments of its own: give parameters"},
	{"parameters", false, "only a task has parameters"},
};

static void check_company(struct reading *reading, const cJSON *tree, bool has_task)
{
	for (size_t i = 0; i < ARRAY_SIZE(CONFLICTS); i++)
		if (CONFLICTS[i].has_task == has_task &&
		    json_get(tree, CONFLICTS[i].member))
			problems_add_member(reading->problems, "#", CONFLICTS[i].member,
					    "%s", CONFLICTS[i].words);
	if (!has_task && !json_get(tree, "command"))
		problems_add(reading->problems, "#/command",
			     "is required, unless there is a task");
}

void task_choose(struct reading *reading, const cJSON *tree)
{
	const cJSON *name = json_get(tree, "task");
	const cJSON *parameters = json_get(tree, "parameters");
	const char *text = cJSON_GetStringValue(name);
	check_company(reading, tree, name != NULL);
	reading->task = tasks_find(reading->tasks, text);
	if (!name || reading->task)
		return;
	if (text)
		complain_unknown(reading, text);
	else
		problems_add(reading->problems, "#/task", "must be a string");
	/* Without the task nothing more can be said of them. */
	if (parameters && !cJSON_IsObject(parameters))
		problems_add(reading->problems, "#/parameters", "must be an object");
}

/* The configured program may have been uninstalled; then it is the task that is wrong. */
static void check_executable(struct reading *reading)
{
	struct exec_root root = task_root(reading->task);
	const struct exec_roots roots = {.item = &root, .count = 1};
	struct err err = ERR_INIT;
	if (beneath_open_program(&roots, reading->task->executable, NULL, NULL, &err) < 0)
		problems_add(reading->problems, "#/task", "%s", err.text);
	free(root.path);
}

/* A request may ask for less than the task allows, not for more. */
static void bound(struct reading *reading, const char *pointer, int64_t max,
		  int64_t *value, int64_t nothing, double unit)
{
	if (max <= 0)
		return;
	if (*value > max)
		problems_add(reading->problems, pointer,
			     "must not be more than the task's %.15g",
			     (double)max / unit);
	else if (*value == nothing)
		*value = max;
}

static void take_settings(struct reading *reading, const cJSON *tree)
{
	struct submission *submission = &reading->intake->submission;
	const struct task *task = reading->task;
	bound(reading, "#/timeout_s", task->timeout_us, &submission->timeout_us, 0, 1e6);
	bound(reading, "#/deadline_s", task->deadline_us, &submission->deadline_us, 0,
	      1e6);
	bound(reading, "#/limits/output_bytes", task->output_bytes,
	      &submission->output_bytes_max, -1, 1);
	if (submission->kill_grace_us < 0)
		submission->kill_grace_us = task->kill_grace_us;
	if (task->has_output_policy &&
	    !json_get(json_get(tree, "limits"), "output_policy"))
		submission->output_policy =
			task->is_output_stop ? OUTPUT_STOP : OUTPUT_TRUNCATE;
	if (!task->working_directory)
		return;
	if (submission->working_directory)
		problems_add(reading->problems, "#/working_directory",
			     "the task has one of its own");
	submission->working_directory = task->working_directory;
}

static void take_identity(struct reading *reading)
{
	struct submission *submission = &reading->intake->submission;
	const struct task *task = reading->task;
	submission->task = task->name;
	submission->task_definition = task->definition;
	memcpy(submission->task_hash, task->hash, DIGEST_BYTES);
	submission->success_exit_codes = task->success_exit_codes;
}

void task_apply(struct reading *reading, const cJSON *tree)
{
	struct intake *intake = reading->intake;
	struct task_call call = {0};
	check_executable(reading);
	take_settings(reading, tree);
	take_identity(reading);
	if (!json_get(tree, "environment") && reading->task->environment)
		member_environment(reading, "#/environment", NULL);
	tasks_call(reading->task, json_get(tree, "parameters"), reading->problems, &call);
	if (reading->problems->total == reading->faults_before) {
		command_put(reading, call.argv.item, call.argv.count);
		intake->parameters = call.parameters;
		intake->submission.parameters = intake->parameters;
		call.parameters = NULL;
	}
	task_call_release(&call);
}
