/* submission.c - from the body of POST /v1/jobs to a validated submission.
 *
 * A member of the API is a row here. Rows without a reader are names that later versions
 * will know: saying "not supported" beats ignoring what a client relies on. */
#include "httpapi/submission.h"

#include <unistd.h>

#include "httpapi/members.h"

#define NAME_BYTES_MAX 256
#define PATH_BYTES_MAX 4096
#define TIMEOUT_MAX_S (10.0 * 365 * 86400)
#define GRACE_MAX_S 3600.0

void intake_init(struct intake *intake)
{
	*intake = (struct intake){
		.submission = {.kill_grace_us = -1, .output_bytes_max = -1}};
}

void intake_release(struct intake *intake)
{
	cJSON_Delete(intake->tree);
	buf_release(&intake->command);
	buf_release(&intake->environment);
	buf_release(&intake->labels);
	buf_release(&intake->retry);
	buf_release(&intake->callback);
	free(intake->wanted);
	free(intake->wishes);
	free(intake->stdin_bytes);
	free(intake->parameters);
	*intake = (struct intake){0};
}

/* --- scalars --- */

void member_name(struct reading *reading, const char *pointer, const cJSON *value)
{
	const char *text = member_text(reading, pointer, value, NAME_BYTES_MAX);
	if (text && text_has_control(text, strlen(text)))
		problems_add(reading->problems, pointer,
			     "must not have control characters");
	else
		reading->intake->submission.name = text;
}

static void read_queue(struct reading *reading, const char *pointer, const cJSON *value)
{
	const char *text = member_text(reading, pointer, value, NAME_BYTES_MAX);
	if (text && !queue_name_is_known(&reading->config->queues, text)) {
		AUTO_BUF struct buf words = BUF_INIT(QUEUE_WORDS_MAX);
		queue_name_complain(&reading->config->queues, text, &words);
		problems_add(reading->problems, pointer, "%s", buf_text(&words));
	}
	reading->intake->submission.queue = text;
}

void member_priority(struct reading *reading, const char *pointer, const cJSON *value)
{
	int64_t number = 0;
	if (member_int(reading, pointer, value, -100, 100, &number))
		reading->intake->submission.priority = (int)number;
}

static void read_timeout(struct reading *reading, const char *pointer, const cJSON *value)
{
	member_seconds(reading, pointer, value, 0.001, TIMEOUT_MAX_S,
		       &reading->intake->submission.timeout_us);
}

static void read_grace(struct reading *reading, const char *pointer, const cJSON *value)
{
	member_seconds(reading, pointer, value, 0, GRACE_MAX_S,
		       &reading->intake->submission.kill_grace_us);
}

static void read_directory(struct reading *reading, const char *pointer,
			   const cJSON *value)
{
	const char *text = member_text(reading, pointer, value, PATH_BYTES_MAX);
	if (!text)
		return;
	struct err err = ERR_INIT;
	int fd;
	if (text[0] != '/') {
		problems_add(reading->problems, pointer, "must begin with '/'");
	} else if (beneath_open_dir(text, &fd, &err) < 0) {
		problems_add(reading->problems, pointer,
			     "is not a directory on this server");
	} else {
		close(fd);
		reading->intake->submission.working_directory = text;
	}
}

/* --- the command --- */

static void read_command(struct reading *reading, const char *pointer, const cJSON *value)
{
	const char *text = member_text(reading, pointer, value, PATH_BYTES_MAX);
	struct found_program *last = reading->last;
	struct err err = ERR_INIT;
	if (!text)
		return;
	if (last && last->command && strcmp(last->command, text) == 0) {
		reading->program = mem_strdup(last->path);
		return;
	}
	if (beneath_open_program(&reading->config->exec_roots, text, NULL,
				 &reading->program, &err) < 0) {
		problems_add(reading->problems, pointer, "%s", err.text);
		return;
	}
	if (last) {
		free(last->path);
		*last = (struct found_program){text, mem_strdup(reading->program)};
	}
}

static void read_args(struct reading *reading, const char *pointer, const cJSON *value)
{
	if (!cJSON_IsArray(value)) {
		problems_add(reading->problems, pointer, "must be an array of strings");
		return;
	}
	int64_t max = reading->config->limits.args;
	if (cJSON_GetArraySize(value) > max)
		problems_add(reading->problems, pointer,
			     "has more than %lld (limits.args)", (long long)max);
	size_t index = 0;
	const cJSON *arg;
	cJSON_ArrayForEach(arg, value)
	{
		if (!cJSON_IsString(arg))
			problems_add_element(reading->problems, pointer, index,
					     "must be a string");
		index++;
	}
	reading->args = value;
}

void command_put(struct reading *reading, char *const *argv, size_t count)
{
	struct intake *intake = reading->intake;
	const char *pointer = reading->task ? "#/parameters" : "#/args";
	int64_t max = reading->config->limits.argv_bytes;
	size_t bytes = 0;
	struct json_writer json;
	/* Escapes make six characters of one at the most. */
	buf_init(&intake->command, (size_t)max * 6 + 65536);
	json_writer_init(&json, &intake->command);
	json_open(&json, NULL, '[');
	for (size_t i = 0; i < count; i++) {
		bytes += strlen(argv[i]) + 1;
		json_put_text(&json, NULL, argv[i]);
	}
	json_close(&json, ']');
	if (bytes > (size_t)max || intake->command.is_full)
		problems_add(reading->problems, pointer,
			     "the command is %zu bytes long, more than %lld "
			     "(limits.argv_bytes)",
			     bytes, (long long)max);
	intake->submission.command = buf_text(&intake->command);
}

/* The command that the request itself names. */
static void build_command(struct reading *reading)
{
	size_t count = 0;
	char **argv =
		mem_array((size_t)cJSON_GetArraySize(reading->args) + 1, sizeof(*argv));
	argv[count++] = reading->program;
	const cJSON *arg;
	cJSON_ArrayForEach(arg, reading->args)
	{
		argv[count++] = arg->valuestring;
	}
	command_put(reading, argv, count);
	free(argv);
}

/* --- limits --- */

static void read_output_bytes(struct reading *reading, const char *pointer,
			      const cJSON *value)
{
	member_int(reading, pointer, value, 1, reading->config->limits.output_bytes_max,
		   &reading->intake->submission.output_bytes_max);
}

static void read_output_policy(struct reading *reading, const char *pointer,
			       const cJSON *value)
{
	static const char *const words[] = {
		[OUTPUT_TRUNCATE] = "truncate", [OUTPUT_STOP] = "stop", NULL};
	int choice = member_choice(reading, pointer, value, words);
	if (choice >= 0)
		reading->intake->submission.output_policy = (enum output_policy)choice;
}

/* clang-format off */
static const struct member LIMITS[] = {
	{.name = "output_bytes",  .read = read_output_bytes},
	{.name = "output_policy", .read = read_output_policy},
	{.name = "memory_bytes"}, {.name = "cpu_s"}, {.name = "processes"},
	{.name = "open_files"}, {.name = "file_bytes"},
};
/* clang-format on */

static void read_limits(struct reading *reading, const char *pointer, const cJSON *value)
{
	members_read(reading, pointer, value, LIMITS, ARRAY_SIZE(LIMITS));
}

/* --- standard input --- */

static void read_content(struct reading *reading, const char *pointer, const cJSON *value)
{
	reading->content = member_text(reading, pointer, value, SIZE_MAX);
}

static void read_encoding(struct reading *reading, const char *pointer,
			  const cJSON *value)
{
	static const char *const words[] = {"text", "base64", NULL};
	reading->is_base64 = member_choice(reading, pointer, value, words) == 1;
}

/* clang-format off */
static const struct member STDIN[] = {
	{.name = "content",  .read = read_content},
	{.name = "encoding", .read = read_encoding},
	{.name = "from_job", .read = member_from_job},
};
/* clang-format on */

static void read_stdin(struct reading *reading, const char *pointer, const cJSON *value)
{
	struct intake *intake = reading->intake;
	struct submission *submission = &intake->submission;
	members_read(reading, pointer, value, STDIN, ARRAY_SIZE(STDIN));
	if (!cJSON_IsObject(value) || member_stdin_job(reading, value))
		return;
	if (!json_get(value, "content")) {
		problems_add(reading->problems, "#/stdin/content",
			     "is required, unless there is from_job");
		return;
	}
	if (!reading->content)
		return;
	submission->stdin_data = reading->content;
	submission->stdin_bytes = strlen(reading->content);
	if (reading->is_base64) {
		if (base64_decode(reading->content, submission->stdin_bytes,
				  &intake->stdin_bytes, &submission->stdin_bytes) < 0) {
			problems_add(reading->problems, "#/stdin/content",
				     "is not base64 (RFC 4648, with padding)");
			return;
		}
		submission->stdin_data = intake->stdin_bytes;
	}
	if (submission->stdin_bytes > (size_t)reading->config->limits.stdin_bytes)
		problems_add(reading->problems, "#/stdin/content",
			     "is longer than %lld bytes (limits.stdin_bytes)",
			     (long long)reading->config->limits.stdin_bytes);
}

/* --- the whole --- */

/* What submission_task.c reads, once it is known which task it is. */
static void read_nothing(struct reading *reading, const char *pointer, const cJSON *value)
{
	(void)reading;
	(void)pointer;
	(void)value;
}

/* clang-format off */
static const struct member SUBMISSION[] = {
	{.name = "task",              .read = read_nothing},
	{.name = "parameters",        .read = read_nothing},
	{.name = "command",           .read = read_command},
	{.name = "args",              .read = read_args},
	{.name = "name",              .read = member_name},
	{.name = "queue",             .read = read_queue},
	{.name = "priority",          .read = member_priority},
	{.name = "labels",            .read = member_labels},
	{.name = "stdin",             .read = read_stdin},
	{.name = "environment",       .read = member_environment},
	{.name = "working_directory", .read = read_directory},
	{.name = "timeout_s",         .read = read_timeout},
	{.name = "kill_grace_s",      .read = read_grace},
	{.name = "limits",            .read = read_limits},
	{.name = "run_at",            .read = member_run_at},
	{.name = "expires_at",        .read = member_expires_at},
	{.name = "deadline_s",        .read = member_deadline},
	{.name = "hold",              .read = member_hold},
	{.name = "retry",             .read = member_retry},
	{.name = "depends_on",        .read = member_depends_on},
	{.name = "depends_rule",      .read = member_depends_rule},
	{.name = "unique",            .read = member_unique},
	{.name = "keep",              .read = member_keep},
	{.name = "ref",               .read = member_ref},
	{.name = "callback",          .read = member_callback},
};
/* clang-format on */

/* What the task would have for what the request leaves open; read like the request's own
 * members, so that the same is checked. */
static void read_task_defaults(struct reading *reading, const cJSON *tree)
{
	for (size_t i = 0; i < ARRAY_SIZE(SUBMISSION); i++) {
		const struct member *row = &SUBMISSION[i];
		const cJSON *value = json_get(reading->task->defaults, row->name);
		char pointer[40];
		if (!value || json_get(tree, row->name))
			continue;
		snprintf(pointer, sizeof(pointer), "#/task/%s", row->name);
		row->read(reading, pointer, value);
	}
}

/* What a request leaves open is decided now, not when the job starts: it runs as it was
 * accepted, and its description says so. */
static void fill_defaults(struct submission *submission, const struct config *config)
{
	if (submission->timeout_us == 0)
		submission->timeout_us = queue_timeout_us(
			&config->queues,
			submission->queue ? submission->queue : "default");
	if (submission->timeout_us == 0)
		submission->timeout_us = config->timeout_us;
	if (submission->kill_grace_us < 0)
		submission->kill_grace_us = config->kill_grace_us;
	if (submission->output_bytes_max < 0)
		submission->output_bytes_max = config->output_bytes;
	if (!submission->working_directory)
		submission->working_directory = config->working_directory;
}

void intake_read_tree(struct intake *intake, const struct config *config,
		      const struct tasks *tasks, const cJSON *tree,
		      struct found_program *last, struct problems *problems)
{
	struct reading reading = {.intake = intake,
				  .config = config,
				  .tasks = tasks,
				  .problems = problems,
				  .faults_before = problems->total,
				  .last = last};
	if (cJSON_IsObject(tree))
		task_choose(&reading, tree);
	members_read(&reading, "#", tree, SUBMISSION, ARRAY_SIZE(SUBMISSION));
	if (reading.task && reading.task->defaults)
		read_task_defaults(&reading, tree);
	member_check_rule(&reading);
	const struct submission *submission = &intake->submission;
	if (submission->expires_at != 0 && submission->expires_at <= submission->run_at)
		problems_add(problems, "#/expires_at", "must be later than run_at");
	if (reading.task)
		task_apply(&reading, tree);
	else if (problems->total == reading.faults_before)
		build_command(&reading);
	free(reading.program);
	fill_defaults(&intake->submission, config);
}

int intake_read(struct intake *intake, const struct config *config,
		const struct tasks *tasks, const char *body, size_t length,
		struct problems *problems, struct err *err)
{
	if (json_parse(body, length, NULL, &intake->tree, err) < 0)
		return -1;
	intake_read_tree(intake, config, tasks, intake->tree, NULL, problems);
	return 0;
}
