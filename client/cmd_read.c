/* cmd_read.c - the commands that only look: show, attempts, whoami, api. */
#include "client/api.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "client/neutral.h"
#include "client/output.h"

#define BODY_BYTES_MAX (64u << 20)

/* --- about one job --- */

int cmd_show(struct cli *cli, struct err *err)
{
	int status = 0;
	for (size_t i = 0; i < cli->args.words && status == 0; i++) {
		AUTO_FREE char *id = NULL;
		cJSON *job = NULL;
		status = api_job_id(cli, cli->args.word[i], &id, err);
		if (status == 0)
			status = api_get(cli, &job, err, "/v1/jobs/%s", id);
		if (status == 0 && i > 0 && cli->format == FORMAT_TABLE)
			status = out_write(cli, "\n", 1, err);
		if (status == 0)
			status = record_print(cli, &JOB_COLUMNS, job, err);
		cJSON_Delete(job);
	}
	return status;
}

/* All of a job's attempts: there are never many. */
int cmd_attempts(struct cli *cli, struct err *err)
{
	AUTO_FREE char *id = NULL;
	cJSON *page = NULL;
	if (api_job_id(cli, cli->args.word[0], &id, err) < 0 ||
	    api_get(cli, &page, err, "/v1/jobs/%s/attempts", id) < 0)
		return -1;
	struct listing *listing = listing_open(cli, &ATTEMPT_COLUMNS);
	const cJSON *item = NULL;
	int status = 0;
	cJSON_ArrayForEach(item, json_get(page, "items"))
	{
		status = listing_add(listing, item, err);
		if (status < 0)
			break;
	}
	cJSON_Delete(page);
	if (status == 0)
		return listing_end(listing, err);
	listing_drop(listing);
	return status;
}

/* --- the service --- */

static const struct column WHOAMI_ROWS[] = {
	{"principal", "principal", COLUMN_TEXT, IN_ALL},
	{"role", "role", COLUMN_TEXT, IN_ALL},
};
static const struct columns WHOAMI_COLUMNS = {WHOAMI_ROWS, ARRAY_SIZE(WHOAMI_ROWS)};

int cmd_whoami(struct cli *cli, struct err *err)
{
	cJSON *who = NULL;
	if (api_get(cli, &who, err, "/v1/whoami") < 0)
		return -1;
	const int status = record_print(cli, &WHOAMI_COLUMNS, who, err);
	cJSON_Delete(who);
	return status;
}

/* --- api --- */

/* A text, @FILE, or - for our standard input. */
static int read_body(const char *word, struct buf *ret, struct err *err)
{
	if (word[0] != '@' && strcmp(word, "-") != 0) {
		buf_append_text(ret, word);
		return 0;
	}
	const char *path = word[0] == '@' ? word + 1 : "/dev/stdin";
	return file_read(AT_FDCWD, path, ret, err);
}

/* Whatever came, also an error: this command shows the interface as it is. */
static int print_answer(struct cli *cli, const struct exchange *exchange, struct err *err)
{
	const struct buf *answer = &exchange->answer;
	if (!cli->out_is_terminal)
		return out_write(cli, buf_text(answer), answer->length, err);
	AUTO_BUF struct buf shown = BUF_INIT(ANSWER_BYTES_MAX * 2ul);
	struct neutral neutral = {0};
	neutral_add(&neutral, buf_text(answer), answer->length, &shown);
	neutral_end(&neutral, &shown);
	if (shown.length > 0 && shown.data[shown.length - 1] != '\n')
		buf_append_char(&shown, '\n');
	return out_write(cli, buf_text(&shown), shown.length, err);
}

/* The answer is data whatever its status; the exit code says what the status was. */
int cmd_api(struct cli *cli, struct err *err)
{
	const char *method = cli->args.word[0];
	const char *path = cli->args.word[1];
	AUTO_BUF struct buf body = BUF_INIT(BODY_BYTES_MAX);
	if (path[0] != '/' || strpbrk(path, " \r\n") != NULL)
		return err_set(err, ERR_INVALID, "\"%s\" is no path: /v1/...", path);
	if (method[strspn(method, "ABCDEFGHIJKLMNOPQRSTUVWXYZ")] != '\0')
		return err_set(err, ERR_INVALID, "\"%s\" is no method: GET, POST ...",
			       method);
	const bool has_body = cli->args.words > 2;
	if (has_body && read_body(cli->args.word[2], &body, err) < 0)
		return -1;
	struct exchange exchange;
	exchange_init(&exchange, method, "%s", path);
	exchange.body = has_body ? buf_text(&body) : NULL;
	exchange.body_bytes = body.length;
	exchange.timeout_us = cli->timeout_us;
	struct exchange *const list[] = {&exchange};
	int status = http_perform(cli, list, 1, false, err);
	if (status == 0 && !exchange.is_finished) {
		*err = exchange.failure;
		status = -1;
	}
	if (status == 0)
		status = print_answer(cli, &exchange, err);
	if (status == 0)
		status = api_answer(cli, &exchange, NULL, err);
	exchange_release(&exchange);
	return status;
}
