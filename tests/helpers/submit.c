/* submit.c - puts jobs into the queue without the intake, so that the worker can be tried
 * and measured alone.
 *
 *     submit STATE_DIR [option=value ...] -- PROGRAM [ARGUMENT ...]
 *
 * Options: owner= queue= priority= count= batch= timeout_us= kill_grace_us= output_bytes=
 * output=truncate|stop run_at=US deadline_us= stdin=FILE dir= env={JSON} hold=1
 * retry={JSON} max_attempts= after=JOB on=CONDITION reads=1 (what that one wrote). Prints
 * one job id a line. */
#include <fcntl.h>

#include "queue/queue.h"

struct options {
	struct submission submission;
	struct dependency_wish wish;
	int64_t count, batch, priority, hold, max_attempts, reads;
	const char *stdin_path;
	const char *output_policy;
	const char *after, *on;
};

struct number_option {
	const char *name;
	size_t offset;
};

#define OPTION(name, field)                                                              \
	{                                                                                \
		(name), offsetof(struct options, field)                                  \
	}
static const struct number_option NUMBERS[] = {
	OPTION("count", count),
	OPTION("batch", batch),
	OPTION("priority", priority),
	OPTION("timeout_us", submission.timeout_us),
	OPTION("kill_grace_us", submission.kill_grace_us),
	OPTION("output_bytes", submission.output_bytes_max),
	OPTION("run_at", submission.run_at),
	OPTION("deadline_us", submission.deadline_us),
	OPTION("hold", hold),
	OPTION("max_attempts", max_attempts),
	OPTION("reads", reads),
};
static const struct number_option TEXTS[] = {
	OPTION("owner", submission.owner),
	OPTION("queue", submission.queue),
	OPTION("stdin", stdin_path),
	OPTION("output", output_policy),
	OPTION("dir", submission.working_directory),
	OPTION("env", submission.environment),
	OPTION("retry", submission.retry),
	OPTION("after", after),
	OPTION("on", on),
};

static int take_option(struct options *options, char *word)
{
	char *value = word;
	const char *name = strsep(&value, "=");

	for (size_t i = 0; value != NULL && i < ARRAY_SIZE(NUMBERS); i++) {
		if (text_equal(name, NUMBERS[i].name))
			return text_parse_int(
				value, -100, INT64_MAX,
				(int64_t *)(void *)((char *)options + NUMBERS[i].offset));
	}
	for (size_t i = 0; value != NULL && i < ARRAY_SIZE(TEXTS); i++) {
		if (text_equal(name, TEXTS[i].name)) {
			memcpy((char *)options + TEXTS[i].offset, &value, sizeof(value));
			return 0;
		}
	}
	return -1;
}

static int submit_batch(struct queue *queue, const struct options *options, int64_t count,
			struct err *err)
{
	struct submitted submitted;

	if (queue_begin(queue, err) != 0)
		return -1;
	for (int64_t i = 0; i < count; i++) {
		if (queue_submit(queue, &options->submission, &submitted, err) != 0)
			return -1;
		puts(submitted.id);
	}
	return queue_commit(queue, err);
}

/* Which job it waits for. */
static int find_parent(struct queue *queue, struct options *options, struct err *err)
{
	const struct viewer all = {.principal = "uid:0", .sees_all = true};

	if (options->after == NULL)
		return 0;
	options->wish.condition =
		dependency_condition_parse(options->on != NULL ? options->on : "success");
	options->submission.depends_on = &options->wish;
	options->submission.depends_count = 1;
	if (options->reads != 0)
		options->submission.stdin_from = &options->wish;
	return queue_job_row(queue, &all, options->after, &options->wish.parent_row,
			     err) == 1
		       ? 0
		       : -1;
}

static int submit_all(const char *state_dir, struct options *options, struct err *err)
{
	struct bell_ringer *ringer = bell_ringer_open(state_dir);
	struct queue *queue = NULL;
	int result = queue_open(&queue, state_dir, QUEUE_WRITE, err);

	if (result == 0)
		result = find_parent(queue, options, err);
	for (int64_t left = options->count; result == 0 && left > 0;
	     left -= options->batch) {
		result = submit_batch(queue, options,
				      left < options->batch ? left : options->batch, err);
		bell_ring(ringer, NULL);
	}
	if (queue != NULL)
		queue_close(queue);
	bell_ringer_close(ringer);
	return result;
}

int main(int argc, char **argv)
{
	struct options options = {.submission = {.owner = "uid:0",
						 .environment = "{}",
						 .labels = "{}",
						 .kill_grace_us = -1,
						 .output_bytes_max = -1},
				  .count = 1,
				  .batch = 1000};
	AUTO_BUF struct buf command = BUF_INIT((size_t)16 << 20);
	AUTO_BUF struct buf input = BUF_INIT((size_t)64 << 20);
	struct json_writer writer;
	struct err err = ERR_INIT;
	int next = 2;

	for (; next < argc && !text_equal(argv[next], "--"); next++) {
		if (take_option(&options, argv[next]) != 0) {
			fprintf(stderr, "submit: %s?\n", argv[next]);
			return 2;
		}
	}
	json_writer_init(&writer, &command);
	json_open(&writer, NULL, '[');
	for (next++; next < argc; next++)
		json_put_text(&writer, NULL, argv[next]);
	json_close(&writer, ']');
	options.submission.command = buf_text(&command);
	options.submission.priority = (int)options.priority;
	options.submission.is_held = options.hold != 0;
	options.submission.max_attempts = (int)options.max_attempts;
	options.submission.output_policy =
		text_equal(options.output_policy, "stop") ? OUTPUT_STOP : OUTPUT_TRUNCATE;
	if (options.stdin_path != NULL) {
		if (file_read(AT_FDCWD, options.stdin_path, &input, &err) != 0) {
			fprintf(stderr, "submit: %s\n", err.text);
			return 1;
		}
		options.submission.stdin_data = buf_text(&input);
		options.submission.stdin_bytes = input.length;
	}
	if (submit_all(argv[1], &options, &err) != 0) {
		fprintf(stderr, "submit: %s\n", err.text);
		return 1;
	}
	return 0;
}
