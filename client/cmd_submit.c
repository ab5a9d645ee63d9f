/* cmd_submit.c - `reeve submit`: jobs that are written down as JSON: one, a batch, or one
 * a line.
 *
 * A batch is stored all or none. Jobs one a line are each a submission of their own, with
 * the keys KEY:1, KEY:2 ...: whoever was interrupted goes on with the same KEY, and what
 * had arrived is not made again. */
#include "client/sending.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "client/output.h"

#define FILE_BYTES_MAX (1u << 30)
#define LINE_NUMBER_MAX 12 /* ":" and the digits behind a key */
#define BATCH_TIMEOUT_US (120 * US_PER_S)
#define BAR_COLUMNS 30
#define BAR_EVERY_US (100 * US_PER_MS)

/* clang-format off */
static const struct column BATCH_ROWS[] = {
	{"id",       "id",       COLUMN_ID,    IN_ALL},
	{"ref",      "ref",      COLUMN_TEXT,  IN_ALL},
	{"state",    "state",    COLUMN_STATE, IN_ALL},
	{"reason",   "reason",   COLUMN_TEXT,  IN_ALL},
	{"existing", "existing", COLUMN_JSON,  IN_WIDE | IN_TSV},
};
/* clang-format on */
static const struct columns BATCH_COLUMNS = {BATCH_ROWS, ARRAY_SIZE(BATCH_ROWS)};

static bool is_dry_run(const struct cli *cli)
{
	return args_has(&cli->args, "dry-run");
}

/* What the person called the file, for messages and hints. */
static const char *file_name(const struct cli *cli)
{
	return cli->args.word[0];
}

static int send(struct cli *cli, struct sending *sending, cJSON **ret, struct err *err)
{
	sending->verb = "submit";
	return is_dry_run(cli) ? send_dry_run(cli, sending, ret, err)
			       : send_submission(cli, sending, ret, err);
}

/* --- one job, or a batch --- */

/* The id alone, unless a format was asked for; what a dry run found always whole. */
static int print_job(struct cli *cli, const cJSON *answer, struct err *err)
{
	const cJSON *job = is_dry_run(cli) ? json_get(answer, "job") : answer;
	if (cli->is_format_given || is_dry_run(cli))
		return record_print(cli, &JOB_COLUMNS, job, err);
	const char *id = item_text(job, "id");
	if (id == NULL)
		return err_set(err, ERR_INTERNAL, "the service did not name the job");
	AUTO_FREE char *line = mem_printf("%s\n", id);
	return out_write(cli, line, strlen(line), err);
}

static int submit_one(struct cli *cli, const struct buf *text, struct err *err)
{
	struct sending sending = {.path = is_dry_run(cli) ? "/v1/jobs?dry_run=1"
							  : "/v1/jobs",
				  .body = buf_text(text),
				  .bytes = text->length,
				  .timeout_us = cli->timeout_us,
				  .key = args_text(&cli->args, "idempotency-key")};
	cJSON *answer = NULL;
	int status = send(cli, &sending, &answer, err);
	if (status == 0 && sending.is_existing && !is_dry_run(cli))
		say(cli, "a job with this unique key is alive already");
	if (status == 0)
		status = print_job(cli, answer, err);
	cJSON_Delete(answer);
	return status;
}

/* As the service answers it, or an item a line. */
static int print_batch(struct cli *cli, const cJSON *answer, struct err *err)
{
	if (cli->format == FORMAT_JSON)
		return json_print(cli, answer, false, err);
	struct listing *listing = listing_open(cli, &BATCH_COLUMNS);
	const cJSON *item = NULL;
	cJSON_ArrayForEach(item, json_get(answer, "jobs"))
	{
		if (listing_add(listing, item, err) < 0) {
			listing_drop(listing);
			return -1;
		}
	}
	return listing_end(listing, err);
}

static int submit_batch(struct cli *cli, const struct buf *text, bool is_array,
			struct err *err)
{
	AUTO_BUF struct buf body = BUF_INIT(FILE_BYTES_MAX + 64ul);
	buf_append_text(&body, is_array ? "{\"jobs\":" : "");
	buf_append(&body, buf_text(text), text->length);
	buf_append_text(&body, is_array ? "}" : "");
	struct sending sending = {
		.path = is_dry_run(cli) ? "/v1/batches?dry_run=1" : "/v1/batches",
		.body = buf_text(&body),
		.bytes = body.length,
		.timeout_us =
			args_number(&cli->args, "request-timeout", BATCH_TIMEOUT_US),
		.key = args_text(&cli->args, "idempotency-key")};
	cJSON *answer = NULL;
	int status = send(cli, &sending, &answer, err);
	const char *id = item_text(answer, "id");
	if (status == 0 && id != NULL)
		say(cli, "batch %s%s", id,
		    sending.is_replay ? ", as submitted before" : "");
	if (status == 0)
		status = print_batch(cli, answer, err);
	cJSON_Delete(answer);
	return status;
}

/* --- one job a line --- */

struct lines {
	const char *at, *end; /* what is left of the file */
	size_t number;	      /* of the line last taken */
	size_t total, done, replayed;
	int64_t drawn_us;
	char key[SENDING_KEY_MAX + 1];
	struct listing *listing; /* NULL: ids alone */
};

/* The next line that is not blank; false: there is none. */
static bool next_line(struct lines *lines, const char **ret, size_t *ret_bytes)
{
	while (lines->at < lines->end) {
		const char *line = lines->at;
		const char *newline = memchr(line, '\n', (size_t)(lines->end - line));
		const size_t bytes = (size_t)((newline ? newline : lines->end) - line);
		lines->at += bytes + 1;
		lines->number++;
		AUTO_FREE char *copy = mem_strndup(line, bytes < 64 ? bytes : 64);
		if (bytes <= 64 && copy[strspn(copy, " \t\r")] == '\0')
			continue;
		*ret = line;
		*ret_bytes = bytes;
		return true;
	}
	return false;
}

static bool has_bar(const struct cli *cli)
{
	return cli->err_is_terminal && !cli->is_quiet;
}

static void clear_bar(const struct cli *cli, struct lines *lines)
{
	if (has_bar(cli) && lines->drawn_us != 0)
		fputs("\r\033[K", stderr);
	lines->drawn_us = 0;
}

static void draw_bar(const struct cli *cli, struct lines *lines)
{
	const int64_t now = clock_boot_us();
	if (!has_bar(cli) ||
	    (lines->drawn_us != 0 && now - lines->drawn_us < BAR_EVERY_US))
		return;
	const int filled = (int)(lines->done * BAR_COLUMNS / lines->total);
	lines->drawn_us = now;
	fprintf(stderr, "\r[%.*s%*s] %zu of %zu", filled,
		"##############################", BAR_COLUMNS - filled, "", lines->done,
		lines->total);
	fflush(stderr);
}

static int print_line(struct cli *cli, struct lines *lines, const cJSON *answer,
		      struct err *err)
{
	if (cli->out_is_terminal)
		clear_bar(cli, lines);
	if (lines->listing == NULL)
		return print_job(cli, answer, err);
	return listing_add(lines->listing,
			   is_dry_run(cli) ? json_get(answer, "job") : answer, err);
}

static int submit_line(struct cli *cli, struct lines *lines, const char *text,
		       size_t bytes, struct err *err)
{
	AUTO_FREE char *body = mem_strndup(text, bytes);
	AUTO_FREE char *key = mem_printf("%s:%zu", lines->key, lines->number);
	struct sending sending = {.path = is_dry_run(cli) ? "/v1/jobs?dry_run=1"
							  : "/v1/jobs",
				  .body = body,
				  .bytes = bytes,
				  .timeout_us = cli->timeout_us,
				  .key = key};
	cJSON *answer = NULL;
	int status = json_scan(body, bytes, NULL, err);
	if (status == 0)
		status = send(cli, &sending, &answer, err);
	if (status == 0)
		status = print_line(cli, lines, answer, err);
	lines->replayed += status == 0 && sending.is_replay;
	cJSON_Delete(answer);
	return status;
}

/* What was stored stays stored: say how to go on. */
static int give_up(struct cli *cli, struct lines *lines, struct err *err)
{
	AUTO_FREE char *hint =
		mem_printf("%zu of %zu are submitted; to go on: reeve submit "
			   "--idempotency-key %s %s",
			   lines->done, lines->total, lines->key, file_name(cli));
	if (cli->is_interrupted) {
		say(cli, "%s", is_dry_run(cli) ? "interrupted" : hint);
		return EXIT_INTERRUPTED;
	}
	err_wrap(err, "%s: line %zu", file_name(cli), lines->number);
	if (!is_dry_run(cli)) {
		/* the keys of the lines are ours; the hint about one would mislead */
		if (strstr(buf_text(&cli->notes), "to repeat safely") != NULL)
			buf_reset(&cli->notes);
		buf_printf(&cli->notes, "  %s\n", hint);
	}
	return -1;
}

static int submit_all(struct cli *cli, struct lines *lines, struct err *err)
{
	const char *line;
	size_t bytes;
	int status = 0;
	while (status == 0 && next_line(lines, &line, &bytes)) {
		draw_bar(cli, lines);
		status = submit_line(cli, lines, line, bytes, err);
		lines->done += status == 0;
	}
	clear_bar(cli, lines);
	if (status < 0)
		status = give_up(cli, lines, err);
	if (lines->listing != NULL && listing_end(lines->listing, err) < 0)
		status = -1;
	if (status == 0 && lines->replayed > 0)
		say(cli, "%zu of %zu had been submitted before", lines->replayed,
		    lines->total);
	return status;
}

static int submit_lines(struct cli *cli, const struct buf *text, struct err *err)
{
	struct lines lines = {.at = buf_text(text), .end = buf_text(text) + text->length};
	struct lines counting = lines;
	const char *key = args_text(&cli->args, "idempotency-key");
	const char *line;
	size_t bytes;
	if (key != NULL && sending_check_key(key, LINE_NUMBER_MAX, err) < 0)
		return -1;
	if (http_listen_for_interrupt(cli, err) < 0)
		return -1;
	while (next_line(&counting, &line, &bytes))
		lines.total++;
	if (key != NULL) {
		snprintf(lines.key, sizeof(lines.key), "%s", key);
	} else {
		char own_key[SENDING_KEY_BYTES];
		sending_make_key(own_key);
		snprintf(lines.key, sizeof(lines.key), "%s", own_key);
		if (!is_dry_run(cli))
			say(cli,
			    "to go on should this be interrupted: reeve submit "
			    "--idempotency-key %s %s",
			    lines.key, file_name(cli));
	}
	if (cli->is_format_given)
		lines.listing = listing_open(cli, &JOB_COLUMNS);
	return submit_all(cli, &lines, err);
}

/* --- which of them --- */

/* A whole JSON object in the first line, and something behind it. */
static bool is_lines(const struct buf *text)
{
	struct lines lines = {.at = buf_text(text), .end = buf_text(text) + text->length};
	struct err ignored = ERR_INIT;
	const char *line, *more;
	size_t bytes, more_bytes;
	return next_line(&lines, &line, &bytes) &&
	       json_scan(line, bytes, NULL, &ignored) == 0 &&
	       next_line(&lines, &more, &more_bytes);
}

static int submit_document(struct cli *cli, const struct buf *text, struct err *err)
{
	cJSON *tree = NULL;
	if (json_parse(buf_text(text), text->length, NULL, &tree, err) < 0)
		return err_wrap(err, "%s", file_name(cli));
	const bool is_array = cJSON_IsArray(tree);
	const bool is_batch = is_array || json_get(tree, "jobs") != NULL;
	cJSON_Delete(tree);
	return is_batch ? submit_batch(cli, text, is_array, err)
			: submit_one(cli, text, err);
}

int cmd_submit(struct cli *cli, struct err *err)
{
	AUTO_BUF struct buf text = BUF_INIT(FILE_BYTES_MAX);
	const char *name = file_name(cli);
	const char *key = args_text(&cli->args, "idempotency-key");
	if (key != NULL && sending_check_key(key, 0, err) < 0)
		return -1;
	if (file_read(AT_FDCWD, strcmp(name, "-") == 0 ? "/dev/stdin" : name, &text,
		      err) < 0)
		return -1;
	return is_lines(&text) ? submit_lines(cli, &text, err)
			       : submit_document(cli, &text, err);
}
