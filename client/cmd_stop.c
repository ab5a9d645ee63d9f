/* cmd_stop.c - `reeve stop`: ask for the end of jobs, one after the other. */
#include "client/api.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "client/filter.h"
#include "client/output.h"

#define STATUS_ACCEPTED 202

static const struct column STOP_ROWS[] = {
	{"id", "id", COLUMN_ID, IN_ALL},
	{"result", "result", COLUMN_STATE, IN_ALL},
	{"state", "state", COLUMN_STATE, IN_ALL},
	{"name", "name", COLUMN_TEXT, IN_ALL},
	{"command", "command", COLUMN_ARGV, IN_ALL},
};
static const struct columns STOP_COLUMNS = {STOP_ROWS, ARRAY_SIZE(STOP_ROWS)};

/* Several at once on a terminal are asked about; elsewhere --yes must stand there. */
static int confirm(struct cli *cli, struct err *err)
{
	const size_t count = cli->args.words;
	if (count < 2 || args_has(&cli->args, "yes") || args_has(&cli->args, "dry-run"))
		return 0;
	if (!isatty(STDIN_FILENO) || !cli->err_is_terminal)
		return err_set(err, ERR_INVALID,
			       "stopping %zu jobs at once needs --yes here", count);
	fprintf(stderr, "Stop %zu jobs? [y/N] ", count);
	char answer[16] = "";
	if (fgets(answer, sizeof(answer), stdin) == NULL ||
	    strchr("yY", answer[0]) == NULL)
		return err_set(err, ERR_INTERNAL, "nothing was stopped");
	return 0;
}

static void write_body(const struct args *args, struct buf *body)
{
	struct json_writer json;
	json_writer_init(&json, body);
	json_open(&json, NULL, '{');
	if (args_has(args, "reason"))
		json_put_text(&json, "reason", args_text(args, "reason"));
	if (args_has(args, "force"))
		json_put_bool(&json, "force", true);
	if (args_has(args, "cascade"))
		json_put_bool(&json, "cascade", true);
	json_close(&json, '}');
}

/* The job as the service shows it, with what became of the request as `result`. */
static int request_stop(struct cli *cli, const char *id, cJSON **ret, struct err *err)
{
	AUTO_BUF struct buf body = BUF_INIT(1u << 20);
	write_body(&cli->args, &body);
	struct exchange exchange;
	exchange_init(&exchange, "POST", "/v1/jobs/%s/cancel", id);
	exchange.body = buf_text(&body);
	exchange.body_bytes = body.length;
	exchange.timeout_us = cli->timeout_us;
	int status = api_ask(cli, &exchange, ret, err);
	if (status == 0)
		cJSON_AddStringToObject(*ret, "result",
					exchange.status == STATUS_ACCEPTED ? "stopping"
									   : "cancelled");
	exchange_release(&exchange);
	return status;
}

/* What the service would do follows from the state; nothing is sent but the question. */
static int preview_stop(struct cli *cli, const char *id, cJSON **ret, struct err *err)
{
	if (api_get(cli, ret, err, "/v1/jobs/%s", id) < 0)
		return -1;
	const char *state = item_text(*ret, "state");
	const char *result = text_equal(state, "running")     ? "would stop"
			     : text_equal(state, "cancelled") ? "cancelled already"
			     : job_is_final(*ret)	      ? "has ended"
							      : "would be cancelled";
	cJSON_AddStringToObject(*ret, "result", result);
	return 0;
}

static int stop_one(struct cli *cli, const char *word, struct listing *listing,
		    struct err *err)
{
	AUTO_FREE char *id = NULL;
	cJSON *job = NULL;
	int status = api_job_id(cli, word, &id, err);
	if (status == 0)
		status = args_has(&cli->args, "dry-run")
				 ? preview_stop(cli, id, &job, err)
				 : request_stop(cli, id, &job, err);
	if (status == 0)
		status = listing_add(listing, job, err);
	cJSON_Delete(job);
	return status;
}

/* One that cannot be stopped does not keep the others from being stopped; the exit code
 * is that of the first failure. */
int cmd_stop(struct cli *cli, struct err *err)
{
	for (size_t i = 0; i < cli->args.words; i++)
		if (filter_is_word(cli->args.word[i]))
			return stop_many(cli, err);
	if (confirm(cli, err) < 0)
		return -1;
	struct listing *listing = listing_open(cli, &STOP_COLUMNS);
	struct err first = ERR_INIT;
	for (size_t i = 0; i < cli->args.words; i++) {
		struct err one = ERR_INIT;
		if (stop_one(cli, cli->args.word[i], listing, &one) == 0)
			continue;
		if (cli->args.words > 1) {
			say(cli, "%s: %s", cli->args.word[i], one.text);
			buf_reset(&cli->notes);
		}
		if (first.code == ERR_NONE)
			first = one;
		if (one.code == ERR_UNAVAILABLE || cli->is_out_closed)
			break;
	}
	struct err ended = ERR_INIT;
	if (listing_end(listing, &ended) < 0 && first.code == ERR_NONE)
		first = ended;
	if (first.code == ERR_NONE)
		return 0;
	*err = first;
	if (cli->args.words > 1) {
		err_set(err, first.code, "not all could be stopped");
	}
	return -1;
}
