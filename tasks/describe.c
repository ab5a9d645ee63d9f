/* describe.c - a task as the API shows it: enough to draw a form and to check it there.
 */
#include "tasks/definition.h"

static void put_words(struct json_writer *json, const char *key,
		      const struct words *words)
{
	json_open(json, key, '[');
	for (size_t i = 0; i < words->count; i++)
		json_put_text(json, NULL, words->item[i]);
	json_close(json, ']');
}

/* Rules that are not there are null, so that every parameter has the same members. */
static void put_bounds(struct json_writer *json, const struct parameter *parameter)
{
	if (parameter->has_min)
		json_put_double(json, "min", parameter->min);
	else
		json_put_null(json, "min");
	if (parameter->has_max)
		json_put_double(json, "max", parameter->max);
	else
		json_put_null(json, "max");
	if (parameter->min_length >= 0)
		json_put_int(json, "min_length", parameter->min_length);
	else
		json_put_null(json, "min_length");
	if (parameter->max_length >= 0)
		json_put_int(json, "max_length", parameter->max_length);
	else
		json_put_null(json, "max_length");
}

static void put_parameter(struct json_writer *json, const struct parameter *parameter)
{
	json_open(json, NULL, '{');
	json_put_text(json, "name", parameter->name);
	json_put_text(json, "type", parameter_type_word(parameter->type));
	json_put_text(json, "input", parameter_type_input(parameter->type));
	json_put_text(json, "description", parameter->description);
	json_put_bool(json, "required", parameter->is_required);
	json_put_raw(json, "default",
		     parameter->fallback_value.is_there ? parameter->fallback_value.given
							: "null");
	json_put_text(json, "pattern", parameter->pattern_text);
	put_bounds(json, parameter);
	if (parameter->type == TYPE_ENUM)
		put_words(json, "values", &parameter->values);
	else
		json_put_null(json, "values");
	json_put_text(json, "beneath", parameter->beneath);
	json_put_bool(json, "must_exist", parameter->must_exist);
	json_put_bool(json, "allow_dash", parameter->allow_dash);
	json_close(json, '}');
}

static void put_limits(struct json_writer *json, const struct task *task)
{
	if (task->timeout_us > 0)
		json_put_double(json, "timeout_s", (double)task->timeout_us / US_PER_S);
	else
		json_put_null(json, "timeout_s");
	if (task->deadline_us > 0)
		json_put_double(json, "deadline_s", (double)task->deadline_us / US_PER_S);
	else
		json_put_null(json, "deadline_s");
	json_put_raw(json, "success_exit_codes",
		     task->success_exit_codes ? task->success_exit_codes : "[0]");
}

/* What a submission gets for what it leaves open. */
static void put_defaults(struct json_writer *json, const struct task *task)
{
	static const char *const names[] = {"queue", "priority", "retry"};

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		const cJSON *value = json_get(task->defaults, names[i]);
		char *text = value ? cJSON_PrintUnformatted(value) : NULL;

		json_put_raw(json, names[i], text ? text : "null");
		cJSON_free(text);
	}
}

void task_put(struct json_writer *json, const char *key, const struct task *task)
{
	char hash[DIGEST_HEX_BYTES];

	text_hex(task->hash, DIGEST_BYTES, hash);
	json_open(json, key, '{');
	json_put_text(json, "name", task->name);
	json_put_text(json, "description", task->description);
	json_open(json, "parameters", '[');
	for (size_t i = 0; i < task->parameter_count; i++)
		put_parameter(json, &task->parameters[i]);
	json_close(json, ']');
	json_put_text(json, "executable", task->executable);
	put_words(json, "arguments", &task->arguments);
	put_words(json, "allow_environment", &task->allow_environment);
	json_put_text(json, "working_directory", task->working_directory);
	put_limits(json, task);
	put_defaults(json, task);
	json_put_text(json, "hash", hash);
	json_close(json, '}');
}
