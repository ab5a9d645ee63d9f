/* cmd_wait.c - `reeve wait`: until jobs are final; their exit code becomes ours. */
#include "client/api.h"

#include <stdlib.h>

#include "client/output.h"

#define ANY_MAX 32 /* connections at once */

static const struct column WAIT_ROWS[] = {
	{"id", "id", COLUMN_ID, IN_ALL},
	{"state", "state", COLUMN_STATE, IN_ALL},
	{"reason", "reason", COLUMN_TEXT, IN_ALL},
	{"exit", "", COLUMN_EXIT, IN_TABLE | IN_WIDE | IN_TSV},
	{"took", "started_at", COLUMN_TOOK, IN_ALL},
	{"name", "name", COLUMN_TEXT, IN_TABLE | IN_WIDE | IN_TSV},
	{"command", "command", COLUMN_ARGV, IN_TABLE | IN_WIDE},
};
static const struct columns WAIT_COLUMNS = {WAIT_ROWS, ARRAY_SIZE(WAIT_ROWS)};

/* Before any waiting, so that a slip in the last id is not found an hour later. */
static int resolve(struct cli *cli, char **id, struct err *err)
{
	for (size_t i = 0; i < cli->args.words; i++)
		if (api_job_id(cli, cli->args.word[i], &id[i], err) < 0)
			return -1;
	return 0;
}

/* The exit code, or -1. */
static int wait_all(struct cli *cli, char *const *id, int64_t deadline_us,
		    struct listing *listing, struct err *err)
{
	int code = 0;
	for (size_t i = 0; i < cli->args.words; i++) {
		cJSON *job = NULL;
		const int status = api_wait(cli, id[i], deadline_us, &job, err);
		if (status < 0)
			return -1;
		if (status == 0)
			return EXIT_TIME_OVER;
		code = code != 0 ? code : job_exit_code(job);
		const int added = listing_add(listing, job, err);
		cJSON_Delete(job);
		if (added < 0)
			return -1;
	}
	return code;
}

/* One held-back question for each, all at once. */
static int wait_any(struct cli *cli, char *const *id, int64_t deadline_us,
		    struct listing *listing, struct err *err)
{
	if (cli->args.words > ANY_MAX)
		return err_set(err, ERR_INVALID, "--any takes at most %d ids", ANY_MAX);
	cJSON *job = NULL;
	const int status =
		api_wait_any(cli, id, cli->args.words, deadline_us, &job, NULL, err);
	if (status <= 0)
		return status < 0 ? -1 : EXIT_TIME_OVER;
	const int code = job_exit_code(job);
	const int added = listing_add(listing, job, err);
	cJSON_Delete(job);
	return added < 0 ? -1 : code;
}

/* The rows of what has ended are printed also when the time is over. */
static int run(struct cli *cli, char *const *id, struct err *err)
{
	const int64_t limit_us = args_number(&cli->args, "wait-timeout", -1);
	/* never 0, which would mean: none */
	const int64_t deadline_us = limit_us >= 0 ? clock_boot_us() + limit_us + 1 : 0;
	struct listing *listing = listing_open(cli, &WAIT_COLUMNS);
	const int code = args_has(&cli->args, "any")
				 ? wait_any(cli, id, deadline_us, listing, err)
				 : wait_all(cli, id, deadline_us, listing, err);
	if (code < 0)
		listing_drop(listing);
	else if (listing_end(listing, err) < 0)
		return -1;
	if (code == EXIT_TIME_OVER && limit_us >= 0)
		say(cli, "time over; waiting does not stop a job");
	return code;
}

int cmd_wait(struct cli *cli, struct err *err)
{
	if (http_listen_for_interrupt(cli, err) < 0)
		return -1;
	char **id = mem_array(cli->args.words, sizeof(*id));
	int status = resolve(cli, id, err);
	if (status == 0)
		status = run(cli, id, err);
	if (status < 0 && cli->is_interrupted) {
		say(cli, "no longer waiting; the jobs go on");
		status = EXIT_INTERRUPTED;
	}
	for (size_t i = 0; i < cli->args.words; i++)
		free(id[i]);
	free(id);
	return status;
}
