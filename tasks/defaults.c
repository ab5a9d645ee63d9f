/* defaults.c - what a job of a task gets that the request says nothing of: its queue, its
 * priority, its retries.
 *
 * They are kept as they were written, and read at each submission by the same readers as
 * the request's own members. Here they are checked, so that a mistake is found with its
 * place when the configuration is read; a test compares with what a submission takes. */
#include "tasks/definition.h"

#define PRIORITY_MAX 100
#define ATTEMPTS_MAX 1000
#define SECONDS_MAX (10.0 * 365 * 86400)
#define FACTOR_MAX 100.0

static void keep(struct task *task, const char *name, const cJSON *value)
{
	if (!task->defaults)
		task->defaults = cJSON_CreateObject();
	cJSON_AddItemToObject(task->defaults, name, cJSON_Duplicate(value, true));
}

/* --- queue and priority --- */

void default_queue(struct task_reader *reader, const char *path, const cJSON *value,
		   void *target)
{
	AUTO_BUF struct buf words = BUF_INIT(QUEUE_WORDS_MAX);
	const char *text = cJSON_GetStringValue(value);

	if (!text || !queue_name_is_valid(text)) {
		task_fault(reader, path,
			   "expected the name of a queue: letters, digits, - . and _, at "
			   "most %d",
			   QUEUE_NAME_MAX);
		return;
	}
	if (!reader->queues || queue_name_is_known(reader->queues, text)) {
		keep(target, "queue", value);
		return;
	}
	queue_name_complain(reader->queues, text, &words);
	task_fault(reader, path, "%s", buf_text(&words));
}

void default_priority(struct task_reader *reader, const char *path, const cJSON *value,
		      void *target)
{
	int64_t number;

	if (read_integer(reader, path, value, -PRIORITY_MAX, PRIORITY_MAX, &number))
		keep(target, "priority", value);
}

/* --- retries --- */

static void check_attempts(struct task_reader *reader, const char *path,
			   const cJSON *value, void *target)
{
	int64_t number;

	(void)target;
	(void)read_integer(reader, path, value, 1, ATTEMPTS_MAX, &number);
}

static void check_number(struct task_reader *reader, const char *path, const cJSON *value,
			 double min, double max)
{
	if (!cJSON_IsNumber(value) || value->valuedouble < min ||
	    value->valuedouble > max)
		task_fault(reader, path, "expected a number from %g to %.0f", min, max);
}

static void check_delay(struct task_reader *reader, const char *path, const cJSON *value,
			void *target)
{
	(void)target;
	check_number(reader, path, value, 0, SECONDS_MAX);
}

static void check_factor(struct task_reader *reader, const char *path, const cJSON *value,
			 void *target)
{
	(void)target;
	check_number(reader, path, value, 1, FACTOR_MAX);
}

static void check_jitter(struct task_reader *reader, const char *path, const cJSON *value,
			 void *target)
{
	(void)target;
	check_number(reader, path, value, 0, 1);
}

/* What is wrong with a word of `on`, or NULL. */
static const char *check_word(const char *text)
{
	static const char *const words[] = {"exit", "signal",	    "timeout",
					    "oom",  "output_limit", "start_failed",
					    "lost"};

	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		if (text_equal(text, words[i]))
			return NULL;
	return "expected one of exit, signal, timeout, oom, output_limit, start_failed, "
	       "lost";
}

static void check_on(struct task_reader *reader, const char *path, const cJSON *value,
		     void *target)
{
	struct words words = {0};

	(void)target;
	read_list(reader, path, value, check_word, &words);
	words_release(&words);
	if (cJSON_IsArray(value) && !value->child)
		task_fault(reader, path, "expected at least one word");
}

static void check_codes(struct task_reader *reader, const char *path, const cJSON *value,
			void *target)
{
	const cJSON *element;
	int index = 0;

	(void)target;
	cJSON_ArrayForEach(element, value)
	{
		AUTO_FREE char *here = mem_printf("%s.%d", path, index++);
		int64_t code;

		(void)read_integer(reader, here, element, 1, 255, &code);
	}
	if (!cJSON_IsArray(value) || index == 0)
		task_fault(reader, path, "expected a list of exit codes, 1 to 255");
}

/* clang-format off */
static const struct key RETRY[] = {
	{.name = "max_attempts", .read = check_attempts},
	{.name = "delay_s",      .read = check_delay},
	{.name = "factor",       .read = check_factor},
	{.name = "max_delay_s",  .read = check_delay},
	{.name = "jitter",       .read = check_jitter},
	{.name = "on",           .read = check_on},
	{.name = "exit_codes",   .read = check_codes},
};
/* clang-format on */

void default_retry(struct task_reader *reader, const char *path, const cJSON *value,
		   void *target)
{
	keys_read(reader, path, value, RETRY, ARRAY_SIZE(RETRY), NULL);
	if (cJSON_IsObject(value))
		keep(target, "retry", value);
}
