/* definition.c - from a JSON object to a task, by a table of its keys.
 *
 * Rows without a reader are keys of later versions: who relies on them is told, rather
 * than have them ignored. */
#include <ctype.h>

#include "tasks/definition.h"

#define TIMEOUT_MAX_S (10.0 * 365 * 86400)
#define GRACE_MAX_S 3600.0
#define ARGUMENTS_MAX 1024
#define CODES_BYTES_MAX 4096

bool task_name_is_valid(const char *name)
{
	size_t length = strlen(name);

	if (!isalpha((unsigned char)name[0]) && name[0] != '_')
		return false;
	for (size_t i = 0; i < length; i++)
		if (!isalnum((unsigned char)name[i]) && !strchr("_-", name[i]))
			return false;
	return length <= TASK_NAME_BYTES;
}

static void take_text(char **target, const char *text)
{
	free(*target);
	*target = mem_strdup(text);
}

/* --- who it is --- */

static void read_name(struct task_reader *reader, const char *path, const cJSON *value,
		      void *target)
{
	struct task *task = target;
	const char *text = read_line(reader, path, value);

	if (text && !task_name_is_valid(text))
		task_fault(reader, path,
			   "expected a letter or _, then letters, digits, - and _, at "
			   "most %d",
			   TASK_NAME_BYTES);
	else if (text)
		take_text(&task->name, text);
}

static void read_description(struct task_reader *reader, const char *path,
			     const cJSON *value, void *target)
{
	struct task *task = target;
	const char *text = read_line(reader, path, value);

	if (text)
		take_text(&task->description, text);
}

/* --- what it runs --- */

/* Absolute and tidy, or NULL with a fault; heap. */
static char *read_absolute(struct task_reader *reader, const char *path,
			   const cJSON *value)
{
	const char *text = read_line(reader, path, value);
	struct err err = ERR_INIT;
	char *tidy = NULL;

	if (text && path_tidy(text, &tidy, &err))
		task_fault(reader, path, "%s", err.text);
	return tidy;
}

static void read_executable(struct task_reader *reader, const char *path,
			    const cJSON *value, void *target)
{
	struct task *task = target;
	char *tidy = read_absolute(reader, path, value);

	if (tidy && (strstr(tidy, "@@") || text_equal(tidy, "/"))) {
		task_fault(reader, path, "expected the path of a program, and no @@");
		free(tidy);
	} else if (tidy) {
		free(task->executable);
		task->executable = tidy;
	}
}

static void read_arguments(struct task_reader *reader, const char *path,
			   const cJSON *value, void *target)
{
	struct task *task = target;

	read_list(reader, path, value, NULL, &task->arguments);
	if (task->arguments.count > ARGUMENTS_MAX)
		task_fault(reader, path, "more than %d", ARGUMENTS_MAX);
}

static void read_directory(struct task_reader *reader, const char *path,
			   const cJSON *value, void *target)
{
	struct task *task = target;
	char *tidy = read_absolute(reader, path, value);

	if (tidy) {
		free(task->working_directory);
		task->working_directory = tidy;
	}
}

/* --- its environment --- */

static bool is_variable(const char *name)
{
	if (!isalpha((unsigned char)name[0]) && name[0] != '_')
		return false;
	while (isalnum((unsigned char)*name) || *name == '_')
		name++;
	return *name == '\0';
}

/* What is wrong with a variable that a task sets or lets be set, or NULL. */
static const char *check_variable(const char *name)
{
	if (!is_variable(name))
		return "expected the name of an environment variable";
	if (text_has_prefix(name, "REEVE_"))
		return "names that begin with REEVE_ are set by the service";
	return NULL;
}

static void read_environment(struct task_reader *reader, const char *path,
			     const cJSON *value, void *target)
{
	struct task *task = target;
	const cJSON *member;

	if (!cJSON_IsObject(value)) {
		task_fault(reader, path, "expected an object of strings");
		return;
	}
	cJSON_ArrayForEach(member, value)
	{
		AUTO_FREE char *here = task_path(path, member->string);
		const char *wrong = check_variable(member->string);

		if (!wrong && !cJSON_IsString(member))
			wrong = "expected a string";
		if (wrong)
			task_fault(reader, here, "%s", wrong);
	}
	cJSON_Delete(task->environment);
	task->environment = cJSON_Duplicate(value, true);
}

static void read_allowed(struct task_reader *reader, const char *path, const cJSON *value,
			 void *target)
{
	struct task *task = target;

	read_list(reader, path, value, check_variable, &task->allow_environment);
}

/* --- its limits --- */

static void read_seconds(struct task_reader *reader, const char *path, const cJSON *value,
			 double min, double max, int64_t *ret_us)
{
	const double number = cJSON_IsNumber(value) ? value->valuedouble : -1;

	if (number < min || number > max)
		task_fault(reader, path, "expected a number of seconds from %g to %.0f",
			   min, max);
	else
		*ret_us = (int64_t)(number * (double)US_PER_S + 0.5);
}

static void read_timeout(struct task_reader *reader, const char *path, const cJSON *value,
			 void *target)
{
	struct task *task = target;

	read_seconds(reader, path, value, 0.001, TIMEOUT_MAX_S, &task->timeout_us);
}

static void read_deadline(struct task_reader *reader, const char *path,
			  const cJSON *value, void *target)
{
	struct task *task = target;

	read_seconds(reader, path, value, 0.001, TIMEOUT_MAX_S, &task->deadline_us);
}

static void read_grace(struct task_reader *reader, const char *path, const cJSON *value,
		       void *target)
{
	struct task *task = target;

	read_seconds(reader, path, value, 0, GRACE_MAX_S, &task->kill_grace_us);
}

static void read_output_bytes(struct task_reader *reader, const char *path,
			      const cJSON *value, void *target)
{
	struct task *task = target;

	(void)read_integer(reader, path, value, 1, JSON_INTEGER_MAX, &task->output_bytes);
}

static void read_output_policy(struct task_reader *reader, const char *path,
			       const cJSON *value, void *target)
{
	struct task *task = target;
	const char *text = cJSON_GetStringValue(value);

	task->has_output_policy = true;
	task->is_output_stop = text_equal(text, "stop");
	if (!task->is_output_stop && !text_equal(text, "truncate"))
		task_fault(reader, path, "expected truncate or stop");
}

/* clang-format off */
static const struct key LIMITS[] = {
	{.name = "output_bytes",  .read = read_output_bytes},
	{.name = "output_policy", .read = read_output_policy},
	{.name = "memory_bytes"}, {.name = "cpu_s"}, {.name = "processes"},
	{.name = "open_files"}, {.name = "file_bytes"},
};
/* clang-format on */

static void read_limits(struct task_reader *reader, const char *path, const cJSON *value,
			void *target)
{
	keys_read(reader, path, value, LIMITS, ARRAY_SIZE(LIMITS), target);
}

static void read_codes(struct task_reader *reader, const char *path, const cJSON *value,
		       void *target)
{
	struct task *task = target;
	AUTO_BUF struct buf text = BUF_INIT(CODES_BYTES_MAX);
	struct json_writer json;
	const cJSON *element;
	int index = 0;

	json_writer_init(&json, &text);
	json_open(&json, NULL, '[');
	cJSON_ArrayForEach(element, value)
	{
		AUTO_FREE char *here = mem_printf("%s.%d", path, index++);
		int64_t code = 0;

		if (read_integer(reader, here, element, 0, 255, &code))
			json_put_int(&json, NULL, code);
	}
	json_close(&json, ']');
	if (!cJSON_IsArray(value) || !index || text.is_full)
		task_fault(reader, path, "expected a list of exit codes, 0 to 255");
	else
		take_text(&task->success_exit_codes, buf_text(&text));
}

/* clang-format off */
static const struct key KEYS[] = {
	{.name = "name",               .read = read_name},
	{.name = "description",        .read = read_description},
	{.name = "executable",         .read = read_executable},
	{.name = "arguments",          .read = read_arguments},
	{.name = "parameters",         .read = parameters_read},
	{.name = "environment",        .read = read_environment},
	{.name = "allow_environment",  .read = read_allowed},
	{.name = "working_directory",  .read = read_directory},
	{.name = "timeout_s",          .read = read_timeout},
	{.name = "deadline_s",         .read = read_deadline},
	{.name = "kill_grace_s",       .read = read_grace},
	{.name = "limits",             .read = read_limits},
	{.name = "success_exit_codes", .read = read_codes},
	{.name = "queue",              .read = default_queue},
	{.name = "priority",           .read = default_priority},
	{.name = "retry",              .read = default_retry},
	{.name = "run_as"}, {.name = "roles"}, {.name = "principals"},
	{.name = "sandbox"}, {.name = "stop_signal"}, {.name = "retention"},
};
/* clang-format on */

/* --- what fits together --- */

/* A default that would make an option of a whole element is refused here, or every call
 * that relies on it would be. */
static bool is_dashed(const struct parameter *parameter, const struct piece *piece,
		      const char *argument)
{
	return piece->text == argument + 2 && !parameter->allow_dash &&
	       parameter->fallback_value.is_there &&
	       parameter->fallback_value.text[0] == '-';
}

static void check_argument(struct task_reader *reader, const char *path,
			   const struct task *task, const char *argument)
{
	const char *at = argument;
	struct piece piece;
	int more;

	while ((more = piece_next(&at, &piece)) > 0) {
		const struct parameter *parameter =
			piece.is_name ? parameter_find(task, piece.text, piece.length)
				      : NULL;

		if (piece.is_name && !parameter)
			task_fault(reader, path, "there is no parameter \"%.*s\"",
				   (int)piece.length, piece.text);
		else if (parameter && is_dashed(parameter, &piece, argument))
			task_fault(reader, path,
				   "the default of \"%s\" begins with '-': set "
				   "allow_dash if that is meant",
				   parameter->name);
	}
	if (more < 0)
		task_fault(reader, path, "\"@@\" begins no @@name@@");
}

static void check_whole(struct task_reader *reader, const char *path,
			const struct task *task)
{
	AUTO_FREE char *arguments = task_path(path, "arguments");

	if (!task->name && !reader->faults.count)
		task_fault(reader, path, "a task needs a name");
	if (!task->executable && !reader->faults.count)
		task_fault(reader, path, "a task needs an executable");
	for (size_t i = 0; i < task->arguments.count; i++) {
		AUTO_FREE char *here = mem_printf("%s.%zu", arguments, i);

		check_argument(reader, here, task, task->arguments.item[i]);
	}
}

void task_read(struct task_reader *reader, const char *path, const cJSON *object,
	       struct task *ret)
{
	*ret = (struct task){.kill_grace_us = -1, .output_bytes = -1};
	ret->place = task_place(reader, path);
	keys_read(reader, path, object, KEYS, ARRAY_SIZE(KEYS), ret);
	if (!cJSON_IsObject(object))
		return;
	check_whole(reader, path, ret);
	ret->definition = cJSON_PrintUnformatted(object);
	if (ret->definition)
		digest_of(ret->definition, strlen(ret->definition), ret->hash);
}

int task_parse(const char *definition, struct task *ret, struct err *err)
{
	struct task_reader reader = {0};
	struct task task;
	cJSON *object = NULL;

	if (json_parse(definition, strlen(definition), NULL, &object, err))
		return -1;
	task_read(&reader, "", object, &task);
	cJSON_Delete(object);
	if (faults_report(&reader.faults, err) < 0) {
		task_release(&task);
		return -1;
	}
	*ret = task;
	return 0;
}

void task_release(struct task *task)
{
	for (size_t i = 0; i < task->parameter_count; i++)
		parameter_release(&task->parameters[i]);
	free(task->parameters);
	words_release(&task->arguments);
	words_release(&task->allow_environment);
	cJSON_Delete(task->environment);
	cJSON_Delete(task->defaults);
	free(task->name);
	free(task->description);
	free(task->executable);
	free(task->working_directory);
	free(task->success_exit_codes);
	free(task->definition);
	free(task->place);
	*task = (struct task){0};
}

struct exec_root task_root(const struct task *task)
{
	const char *slash = strrchr(task->executable, '/');

	return (struct exec_root){
		.path = mem_strndup(task->executable, (size_t)(slash - task->executable)),
		.follow_links = true};
}
