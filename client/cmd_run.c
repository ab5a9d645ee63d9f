/* cmd_run.c - `reeve run`: submit one job, once, and perhaps wait for it. */
#include "client/api.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "client/body.h"
#include "client/logs.h"
#include "client/moment.h"
#include "client/output.h"
#include "client/run_depends.h"
#include "client/sending.h"

#define STDIN_BYTES_MAX (64u << 20)
#define BODY_BYTES_MAX (96u << 20)

/* --- the body --- */

/* All of it, since the request carries it; the limit is only against running out of
 * memory, the service has its own. */
static int read_stdin(const char *path, struct buf *ret, struct err *err)
{
	const bool is_ours = strcmp(path, "-") == 0;
	AUTO_CLOSE int opened = is_ours ? -1 : open(path, O_RDONLY | O_CLOEXEC);
	const int fd = is_ours ? STDIN_FILENO : opened;
	if (fd < 0)
		return err_sys(err, errno == ENOENT ? ERR_NOT_FOUND : ERR_INVALID, errno,
			       "--stdin %s", path);
	for (;;) {
		char *room = buf_reserve(ret, 65536);
		if (room == NULL)
			return err_set(err, ERR_TOO_LARGE, "--stdin %s: more than %u MiB",
				       path, STDIN_BYTES_MAX >> 20);
		const ssize_t bytes = file_read_full(fd, room, 65536);
		if (bytes < 0)
			return err_sys(err, ERR_INVALID, errno, "--stdin %s", path);
		ret->length += (size_t)bytes;
		buf_seal(ret);
		if (bytes < 65536)
			return 0;
	}
}

/* Always base64: JSON cannot hold every byte. */
static int put_stdin(struct json_writer *json, const char *path, struct err *err)
{
	if (path == NULL)
		return 0;
	AUTO_BUF struct buf data = BUF_INIT(STDIN_BYTES_MAX);
	if (read_stdin(path, &data, err) < 0)
		return -1;
	AUTO_FREE char *text = base64_encode(buf_text(&data), data.length);
	json_open(json, "stdin", '{');
	json_put_text(json, "content", text);
	json_put_text(json, "encoding", "base64");
	json_close(json, '}');
	return 0;
}

/* A relative directory is one of ours, as in a shell; the service knows only absolute
 * ones. */
static int put_directory(struct json_writer *json, const char *path, struct err *err)
{
	if (path == NULL)
		return 0;
	if (path[0] == '/') {
		json_put_text(json, "working_directory", path);
		return 0;
	}
	AUTO_FREE char *whole = realpath(path, NULL);
	if (whole == NULL)
		return err_sys(err, ERR_INVALID, errno, "--cwd %s", path);
	json_put_text(json, "working_directory", whole);
	return 0;
}

/* JSON is UTF-8. Replacing a byte silently would run another command than the one that
 * was typed. */
static int check_utf8(const struct args *args, struct err *err)
{
	size_t bad = 0;
	for (size_t i = 0; i < args->words; i++)
		if (!text_is_utf8(args->word[i], strlen(args->word[i]), &bad))
			return err_set(err, ERR_INVALID,
				       "argument %zu is not UTF-8 at byte %zu", i, bad);
	for (size_t i = 0; i < args->count; i++)
		if (args->given[i].text != NULL &&
		    !text_is_utf8(args->given[i].text, strlen(args->given[i].text), &bad))
			return err_set(err, ERR_INVALID, "--%s is not UTF-8 at byte %zu",
				       args->given[i].name, bad);
	return 0;
}

static void put_retry(struct json_writer *json, const struct args *args)
{
	if (!args_has(args, "retries") && !args_has(args, "retry-delay") &&
	    !args_has(args, "retry-on"))
		return;
	json_open(json, "retry", '{');
	json_put_int(json, "max_attempts", args_number(args, "retries", 1) + 1);
	if (args_has(args, "retry-delay"))
		json_put_double(json, "delay_s",
				(double)args_number(args, "retry-delay", 0) / US_PER_S);
	if (args_has(args, "retry-on")) {
		json_open(json, "on", '[');
		for (size_t i = 0; i < args->count; i++)
			if (strcmp(args->given[i].name, "retry-on") == 0)
				json_put_text(json, NULL, args->given[i].text);
		json_close(json, ']');
	}
	json_close(json, '}');
}

/* Whom to tell. */
static int put_callback(struct json_writer *json, const struct args *args,
			struct err *err)
{
	const bool has_words = args_has(args, "callback-on");
	if (!args_has(args, "callback"))
		return has_words ? err_set(err, ERR_INVALID,
					   "--callback-on needs --callback URL")
				 : 0;
	json_open(json, "callback", '{');
	json_put_text(json, "url", args_text(args, "callback"));
	if (has_words) {
		json_open(json, "on", '[');
		for (size_t i = 0; i < args->count; i++)
			if (strcmp(args->given[i].name, "callback-on") == 0)
				json_put_text(json, NULL, args->given[i].text);
		json_close(json, ']');
	}
	json_close(json, '}');
	return 0;
}

/* When it may start, until when, and how often. */
static int put_waiting(struct json_writer *json, const struct args *args, struct err *err)
{
	if (moment_put(json, "run_at", "at", args_text(args, "at"), err) < 0 ||
	    moment_put(json, "expires_at", "expires", args_text(args, "expires"), err) <
		    0)
		return -1;
	if (args_has(args, "deadline"))
		json_put_double(json, "deadline_s",
				(double)args_number(args, "deadline", 0) / US_PER_S);
	if (args_has(args, "hold"))
		json_put_bool(json, "hold", true);
	put_retry(json, args);
	return 0;
}

/* A task with its parameters, or a command with its arguments. */
static int put_what(struct json_writer *json, const struct args *args, struct err *err)
{
	if (args_has(args, "task")) {
		json_put_text(json, "task", args_text(args, "task"));
		return body_put_pairs(json, "parameters", args, "parameter", err);
	}
	json_put_text(json, "command", args->word[0]);
	json_open(json, "args", '[');
	for (size_t i = 1; i < args->words; i++)
		json_put_text(json, NULL, args->word[i]);
	json_close(json, ']');
	return 0;
}

static int check_what(const struct args *args, struct err *err)
{
	const bool is_task = args_has(args, "task");
	if (is_task && args->words > 0)
		return err_set(err, ERR_INVALID,
			       "give a task or a command, not both: --task %s and %s",
			       args_text(args, "task"), args->word[0]);
	if (!is_task && args->words == 0)
		return err_set(err, ERR_INVALID,
			       "too few arguments: run wants a command, or --task");
	if (!is_task && args_has(args, "parameter"))
		return err_set(err, ERR_INVALID, "--parameter belongs to a --task");
	return 0;
}

/* Where it runs, and what it reads. */
static int put_surroundings(struct json_writer *json, const struct args *args,
			    struct err *err)
{
	return put_directory(json, args_text(args, "cwd"), err) < 0 ||
			       put_stdin(json, args_text(args, "stdin"), err) < 0
		       ? -1
		       : 0;
}

static int write_body(struct cli *cli, struct buf *body, struct err *err)
{
	const struct args *args = &cli->args;
	struct json_writer json;
	if (check_what(args, err) < 0 || check_utf8(args, err) < 0)
		return -1;
	json_writer_init(&json, body);
	json_open(&json, NULL, '{');
	if (put_what(&json, args, err) < 0)
		return -1;
	if (args_has(args, "name"))
		json_put_text(&json, "name", args_text(args, "name"));
	if (args_has(args, "queue"))
		json_put_text(&json, "queue", args_text(args, "queue"));
	if (args_has(args, "priority"))
		json_put_int(&json, "priority", args_number(args, "priority", 0));
	if (args_has(args, "timeout"))
		json_put_double(&json, "timeout_s",
				(double)args_number(args, "timeout", 0) / US_PER_S);
	if (body_put_pairs(&json, "labels", args, "label", err) < 0 ||
	    body_put_pairs(&json, "environment", args, "env", err) < 0 ||
	    put_waiting(&json, args, err) < 0 || put_surroundings(&json, args, err) < 0 ||
	    put_depends(&json, cli, err) < 0 || put_callback(&json, args, err) < 0)
		return -1;
	json_close(&json, '}');
	if (body->is_full)
		return err_set(err, ERR_TOO_LARGE, "the request is over %u MiB",
			       BODY_BYTES_MAX >> 20);
	return 0;
}

/* --- submitting --- */

static int submit(struct cli *cli, const struct buf *body, cJSON **ret, struct err *err)
{
	struct sending sending = {.path = "/v1/jobs",
				  .body = buf_text(body),
				  .bytes = body->length,
				  .timeout_us = cli->timeout_us,
				  .key = args_text(&cli->args, "idempotency-key"),
				  .verb = "run"};
	if (sending.key != NULL && sending_check_key(sending.key, 0, err) < 0)
		return -1;
	const int status = send_submission(cli, &sending, ret, err);
	if (status == 0 && sending.is_existing)
		say(cli, "a job with this unique key is alive already");
	return status;
}

/* What would be stored: the job inside the answer, or all of it as JSON. */
static int print_preview(struct cli *cli, const cJSON *answer, struct err *err)
{
	const cJSON *job = json_get(answer, "job");
	if (cli->format == FORMAT_JSON || cli->format == FORMAT_JSONL || job == NULL)
		return json_print(cli, answer, cli->format == FORMAT_JSONL, err);
	return record_print(cli, &JOB_COLUMNS, job, err);
}

static int dry_run(struct cli *cli, const struct buf *body, struct err *err)
{
	const struct sending sending = {.path = "/v1/jobs?dry_run=1",
					.body = buf_text(body),
					.bytes = body->length,
					.timeout_us = cli->timeout_us};
	cJSON *answer = NULL;
	int status = send_dry_run(cli, &sending, &answer, err);
	if (status == 0)
		status = print_preview(cli, answer, err);
	cJSON_Delete(answer);
	return status;
}

/* --- afterwards --- */

static int print_id(struct cli *cli, const cJSON *job, struct err *err)
{
	AUTO_FREE char *line = mem_printf("%s\n", item_text(job, "id"));
	return out_write(cli, line, strlen(line), err);
}

/* Waits for the end; prints the job only with -o json. The job's exit code. */
static int wait_for(struct cli *cli, const char *id, struct err *err)
{
	cJSON *job = NULL;
	if (api_wait(cli, id, 0, &job, err) < 0)
		return -1;
	int status = 0;
	if (cli->is_format_given && cli->format != FORMAT_ID &&
	    !args_has(&cli->args, "follow"))
		status = record_print(cli, &JOB_COLUMNS, job, err);
	const int code = job_exit_code(job);
	AUTO_BUF struct buf words = BUF_INIT(512);
	job_describe(job, &words);
	if (code != 0)
		say(cli, "job %s: %s", id, buf_text(&words));
	cJSON_Delete(job);
	return status < 0 ? -1 : code;
}

/* Messages stay on standard error, so that the job's output can be piped on. */
static int follow(struct cli *cli, const char *id, struct err *err)
{
	const struct output_request request = {.id = id,
					       .stream = "both",
					       .tail_lines = -1,
					       .is_from_first = true,
					       .is_raw = args_has(&cli->args, "raw")};
	say(cli, "job %s", id);
	if (output_follow(cli, &request, err) == 0)
		return wait_for(cli, id, err);
	if (!cli->is_out_closed)
		return -1;
	/* how the job will end is not known: 0 would be a guess */
	say(cli, "detached; the job goes on: reeve logs -f %s", id);
	return 1;
}

/* From here on the job exists: whatever happens to us, say how to come back to it. */
static int after_submit(struct cli *cli, const cJSON *job, struct err *err)
{
	const bool is_followed = args_has(&cli->args, "follow");
	const bool is_waited = args_has(&cli->args, "wait");
	const char *id = item_text(job, "id");
	if (id == NULL)
		return err_set(err, ERR_INTERNAL, "the service did not name the job");
	if (!is_followed && !is_waited && cli->is_format_given)
		return record_print(cli, &JOB_COLUMNS, job, err);
	const bool has_id_line =
		!is_followed && (!cli->is_format_given || cli->format == FORMAT_ID);
	if (has_id_line && print_id(cli, job, err) < 0)
		return -1;
	if (!is_followed && !is_waited)
		return 0;
	const int status = is_followed ? follow(cli, id, err) : wait_for(cli, id, err);
	if (status < 0 && cli->is_interrupted) {
		say(cli, "detached; the job goes on: reeve %s %s",
		    is_followed ? "logs -f" : "wait", id);
		return EXIT_INTERRUPTED;
	}
	return status;
}

int cmd_run(struct cli *cli, struct err *err)
{
	AUTO_BUF struct buf body = BUF_INIT(BODY_BYTES_MAX);
	cJSON *job = NULL;
	if (write_body(cli, &body, err) < 0)
		return -1;
	if (args_has(&cli->args, "dry-run"))
		return dry_run(cli, &body, err);
	const bool is_waited =
		args_has(&cli->args, "wait") || args_has(&cli->args, "follow");
	if (is_waited && http_listen_for_interrupt(cli, err) < 0)
		return -1;
	int status = submit(cli, &body, &job, err);
	if (status == 0)
		status = after_submit(cli, job, err);
	cJSON_Delete(job);
	return status;
}
