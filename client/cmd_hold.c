/* cmd_hold.c - `reeve hold` and `reeve release`: one job after the other. */
#include "client/api.h"

#include "client/output.h"

/* clang-format off */
static const struct column HOLD_ROWS[] = {
	{"id",      "id",      COLUMN_ID,    IN_ALL},
	{"state",   "state",   COLUMN_STATE, IN_ALL},
	{"reason",  "reason",  COLUMN_TEXT,  IN_ALL},
	{"run_at",  "run_at",  COLUMN_TIME,  IN_ALL},
	{"name",    "name",    COLUMN_TEXT,  IN_ALL},
	{"command", "command", COLUMN_ARGV,  IN_ALL},
};
/* clang-format on */
static const struct columns HOLD_COLUMNS = {HOLD_ROWS, ARRAY_SIZE(HOLD_ROWS)};

static int change_one(struct cli *cli, const char *word, const char *verb,
		      struct listing *listing, struct err *err)
{
	AUTO_FREE char *id = NULL;
	cJSON *job = NULL;
	int status = api_job_id(cli, word, &id, err);
	if (status == 0)
		status = api_send(cli, &job, err, "POST", "{}", "/v1/jobs/%s/%s", id,
				  verb);
	if (status == 0)
		status = listing_add(listing, job, err);
	cJSON_Delete(job);
	return status;
}

/* One that cannot be changed does not keep the others from it; the exit code is that of
 * the first failure. */
static int change_all(struct cli *cli, const char *verb, struct err *err)
{
	struct listing *listing = listing_open(cli, &HOLD_COLUMNS);
	struct err first = ERR_INIT, ended = ERR_INIT;
	const bool is_many = cli->args.words > 1;
	for (size_t i = 0; i < cli->args.words; i++) {
		struct err one = ERR_INIT;
		if (change_one(cli, cli->args.word[i], verb, listing, &one) == 0)
			continue;
		if (is_many)
			say(cli, "%s: %s", cli->args.word[i], one.text);
		if (first.code == ERR_NONE)
			first = one;
		if (one.code == ERR_UNAVAILABLE || cli->is_out_closed)
			break;
	}
	if (listing_end(listing, &ended) < 0 && first.code == ERR_NONE)
		first = ended;
	if (first.code == ERR_NONE)
		return 0;
	*err = first;
	return is_many ? err_set(err, first.code, "%s: not all could be", verb) : -1;
}

int cmd_hold(struct cli *cli, struct err *err)
{
	return change_all(cli, "hold", err);
}

int cmd_release(struct cli *cli, struct err *err)
{
	return change_all(cli, "release", err);
}
