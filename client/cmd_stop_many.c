/* cmd_stop_many.c - `reeve stop FILTER...`: the end of all that a filter finds. */
#include "client/api.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "client/filter.h"
#include "client/output.h"

#define BODY_BYTES_MAX (1u << 20)

static const struct column ROWS[] = {
	{"matched", "matched", COLUMN_INT, IN_ALL},
	{"matched_capped", "matched_capped", COLUMN_JSON, IN_ALL},
	{"cancelled", "cancelled", COLUMN_INT, IN_ALL},
	{"stopping", "stopping", COLUMN_INT, IN_ALL},
	{"already_final", "already_final", COLUMN_INT, IN_ALL},
};
static const struct columns COLUMNS = {ROWS, ARRAY_SIZE(ROWS)};

/* A great many take as long as they take: like a stream, this has no time limit. */
static int request_stop(struct cli *cli, const struct filters *filters, bool is_dry_run,
			cJSON **ret, struct err *err)
{
	AUTO_BUF struct buf body = BUF_INIT(BODY_BYTES_MAX);
	struct json_writer json;
	json_writer_init(&json, &body);
	json_open(&json, NULL, '{');
	json_open(&json, "filter", '{');
	filters_put_json(filters, &json);
	json_close(&json, '}');
	json_put_text(&json, "reason", args_text(&cli->args, "reason"));
	json_put_bool(&json, "force", args_has(&cli->args, "force"));
	json_put_bool(&json, "dry_run", is_dry_run);
	json_close(&json, '}');
	struct exchange exchange;
	exchange_init(&exchange, "POST", "/v1/jobs/cancel");
	exchange.body = buf_text(&body);
	exchange.body_bytes = body.length;
	const int status = api_ask(cli, &exchange, ret, err);
	if (status < 0 && !is_dry_run && exchange.was_sent && !exchange.is_finished)
		buf_append_text(
			&cli->notes,
			"  some may have been stopped; to ask again does no harm\n");
	exchange_release(&exchange);
	return status;
}

/* 1 go on, 0 there is nothing to stop, -1. */
static int confirm(struct cli *cli, const struct filters *filters, struct err *err)
{
	cJSON *found = NULL;
	char answer[16] = "";
	if (args_has(&cli->args, "yes"))
		return 1;
	if (!isatty(STDIN_FILENO) || !cli->err_is_terminal)
		return err_set(err, ERR_INVALID,
			       "stopping all that fits needs --yes here; --dry-run says "
			       "how many that are");
	if (request_stop(cli, filters, true, &found, err) < 0)
		return -1;
	const long long count = (long long)item_int(found, "matched", 0);
	const bool is_capped = cJSON_IsTrue(json_get(found, "matched_capped"));
	cJSON_Delete(found);
	if (count == 0) {
		say(cli, "no job that lives fits");
		return 0;
	}
	fprintf(stderr, "Stop %lld%s %s? [y/N] ", count, is_capped ? " or more" : "",
		count == 1 ? "job" : "jobs");
	if (fgets(answer, sizeof(answer), stdin) == NULL || answer[0] == '\0' ||
	    strchr("yY", answer[0]) == NULL)
		return err_set(err, ERR_INTERNAL, "nothing was stopped");
	return 1;
}

static int check_words(const struct cli *cli, struct err *err)
{
	for (size_t i = 0; i < cli->args.words; i++)
		if (!filter_is_word(cli->args.word[i]))
			return err_set(err, ERR_INVALID,
				       "\"%s\" is no filter: stop either ids or all that "
				       "fits filters",
				       cli->args.word[i]);
	if (args_has(&cli->args, "cascade"))
		return err_set(err, ERR_INVALID, "--cascade is for jobs named by id");
	return 0;
}

int stop_many(struct cli *cli, struct err *err)
{
	struct filters filters;
	cJSON *done = NULL;
	const bool is_dry_run = args_has(&cli->args, "dry-run");
	if (check_words(cli, err) < 0 || filters_read(&filters, cli, err) < 0)
		return -1;
	int status = filters.has_limit || filters.sort != NULL
			     ? err_set(err, ERR_INVALID,
				       "limit: and sort: mean nothing here: all that "
				       "fits is stopped")
			     : 1;
	if (status == 1 && !is_dry_run)
		status = confirm(cli, &filters, err);
	if (status == 1)
		status = request_stop(cli, &filters, is_dry_run, &done, err);
	if (status == 0 && done != NULL)
		status = record_print(cli, &COLUMNS, done, err);
	cJSON_Delete(done);
	filters_release(&filters);
	return status;
}
