/* call.c - values into the places that name them. */
#include "tasks/definition.h"

#define POINTER "#/parameters"
#define MARK "@@"
#define MARK_BYTES ((size_t)2)
#define PARAMETERS_BYTES_MAX ((size_t)64 << 20)
#define ARGUMENT_BYTES_MAX ((size_t)8 << 20)

int piece_next(const char **at, struct piece *ret)
{
	const char *mark = strstr(*at, MARK), *end;
	AUTO_FREE char *name = NULL;

	if (!**at)
		return 0;
	if (mark != *at) {
		*ret = (struct piece){
			.text = *at, .length = mark ? (size_t)(mark - *at) : strlen(*at)};
		*at += ret->length;
		return 1;
	}
	end = strstr(mark + MARK_BYTES, MARK);
	*ret = (struct piece){.text = mark + MARK_BYTES, .is_name = true};
	if (!end)
		return -1;
	ret->length = (size_t)(end - ret->text);
	name = mem_strndup(ret->text, ret->length);
	*at = end + MARK_BYTES;
	return task_name_is_valid(name) ? 1 : -1;
}

/* --- the values --- */

static void refuse_unknown(const struct task *task, const cJSON *parameters,
			   struct problems *problems)
{
	const char **names = mem_array(task->parameter_count + 1, sizeof(char *));
	const cJSON *member;

	for (size_t i = 0; i < task->parameter_count; i++)
		names[i] = task->parameters[i].name;
	cJSON_ArrayForEach(member, parameters)
	{
		const char *key = member->string, *nearest;

		if (parameter_find(task, key, strlen(key)))
			continue;
		nearest = text_nearest(key, names, task->parameter_count);
		if (nearest)
			problems_add_member(problems, POINTER, key,
					    "the task has no such parameter; did you "
					    "mean \"%s\"?",
					    nearest);
		else
			problems_add_member(problems, POINTER, key,
					    "the task has no such parameter");
	}
	free(names);
}

/* One value for each parameter, in their order. */
static void check_values(const struct task *task, const cJSON *parameters,
			 struct problems *problems, struct value *ret)
{
	for (size_t i = 0; i < task->parameter_count; i++) {
		const struct parameter *parameter = &task->parameters[i];
		const cJSON *json =
			parameters ? json_get(parameters, parameter->name) : NULL;
		struct err err = ERR_INIT;

		if (!json)
			json = parameter->fallback;
		if (!json && parameter->is_required)
			problems_add_member(problems, POINTER, parameter->name,
					    "is required");
		else if (json && value_check(parameter, json, true, &ret[i], &err))
			problems_add_member(problems, POINTER, parameter->name, "%s",
					    err.text);
	}
}

/* --- the arguments --- */

/* One element with its places filled. What has no value leaves nothing behind. */
static void fill(const struct task *task, const char *argument,
		 const struct value *values, struct problems *problems, struct buf *out)
{
	struct piece piece;

	while (piece_next(&argument, &piece) > 0) {
		const struct parameter *parameter =
			piece.is_name ? parameter_find(task, piece.text, piece.length)
				      : NULL;
		const char *text;

		if (!parameter) {
			(void)buf_append(out, piece.text, piece.length);
			continue;
		}
		text = values[parameter - task->parameters].text;
		if (!text)
			continue;
		/* Nothing stands before it, whatever the definition has there. */
		if (!out->length && text[0] == '-' && !parameter->allow_dash)
			problems_add_member(problems, POINTER, parameter->name,
					    "must not begin with '-'");
		(void)buf_append_text(out, text);
	}
}

static void fill_all(const struct task *task, const struct value *values,
		     struct problems *problems, struct words *ret)
{
	ret->item = mem_array(task->arguments.count + 2, sizeof(char *));
	ret->item[ret->count++] = mem_strdup(task->executable);
	for (size_t i = 0; i < task->arguments.count; i++) {
		struct buf text = BUF_INIT(ARGUMENT_BYTES_MAX);

		fill(task, task->arguments.item[i], values, problems, &text);
		if (text.is_full)
			problems_add(problems, POINTER, "an argument becomes too long");
		ret->item[ret->count++] = buf_take(&text);
	}
}

static char *parameters_json(const struct task *task, const struct value *values,
			     struct problems *problems)
{
	struct buf text = BUF_INIT(PARAMETERS_BYTES_MAX);
	struct json_writer json;

	json_writer_init(&json, &text);
	json_open(&json, NULL, '{');
	for (size_t i = 0; i < task->parameter_count; i++)
		if (values[i].is_there)
			json_put_raw(&json, task->parameters[i].name, values[i].given);
	json_close(&json, '}');
	if (text.is_full)
		problems_add(problems, POINTER, "are too long");
	return buf_take(&text);
}

void tasks_call(const struct task *task, const cJSON *parameters,
		struct problems *problems, struct task_call *ret)
{
	const size_t before = problems->total;
	struct value *values = mem_array(task->parameter_count + 1, sizeof(*values));
	struct task_call call = {0};

	if (parameters && !cJSON_IsObject(parameters)) {
		problems_add(problems, POINTER, "must be an object");
		parameters = NULL;
	}
	refuse_unknown(task, parameters, problems);
	check_values(task, parameters, problems, values);
	if (problems->total == before) {
		fill_all(task, values, problems, &call.argv);
		call.parameters = parameters_json(task, values, problems);
	}
	if (problems->total == before)
		*ret = call;
	else
		task_call_release(&call);
	for (size_t i = 0; i < task->parameter_count; i++)
		value_release(&values[i]);
	free(values);
}

void task_call_release(struct task_call *call)
{
	words_release(&call->argv);
	free(call->parameters);
	*call = (struct task_call){0};
}

bool task_call_is(const struct task_call *call, const char *command)
{
	cJSON *array = NULL;
	const cJSON *element;
	size_t i = 0;
	bool is_same = !json_parse(command, strlen(command), NULL, &array, NULL);

	cJSON_ArrayForEach(element, array)
	{
		is_same = is_same && i < call->argv.count &&
			  text_equal(call->argv.item[i], cJSON_GetStringValue(element));
		i++;
	}
	cJSON_Delete(array);
	return is_same && i == call->argv.count;
}
