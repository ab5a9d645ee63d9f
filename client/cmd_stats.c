/* cmd_stats.c - `reeve stats`: how many jobs there are, and what happened lately. */
#include "client/api.h"

#include "client/output.h"

/* clang-format off */
static const struct column SERVICE_ROWS[] = {
	{"at",             "at",                   COLUMN_TIME,  IN_ALL},
	{"worker_alive",   "worker.alive",         COLUMN_JSON,  IN_ALL},
	{"slots",          "worker.slots",         COLUMN_INT,   IN_ALL},
	{"database",       "sizes.database_bytes", COLUMN_BYTES, IN_ALL},
	{"wal",            "sizes.wal_bytes",      COLUMN_BYTES, IN_ALL},
	{"free",           "sizes.free_bytes",     COLUMN_BYTES, IN_ALL},
};
static const struct column QUEUE_ROWS[] = {
	{"queue",     "name",           COLUMN_TEXT, IN_ALL},
	{"waiting",   "jobs.waiting",   COLUMN_INT,  IN_ALL},
	{"queued",    "jobs.queued",    COLUMN_INT,  IN_ALL},
	{"running",   "jobs.running",   COLUMN_INT,  IN_ALL},
	{"succeeded", "jobs.succeeded", COLUMN_INT,  IN_ALL},
	{"failed",    "jobs.failed",    COLUMN_INT,  IN_ALL},
	{"cancelled", "jobs.cancelled", COLUMN_INT,  IN_ALL},
	{"skipped",   "jobs.skipped",   COLUMN_INT,  IN_ALL},
	{"lost",      "jobs.lost",      COLUMN_INT,  IN_ALL},
};
static const struct column SPAN_ROWS[] = {
	{"last",      "name",        COLUMN_TEXT,   IN_ALL},
	{"since",     "since",       COLUMN_TIME,   IN_WIDE | IN_TSV},
	{"submitted", "submitted",   COLUMN_INT,    IN_ALL},
	{"started",   "started",     COLUMN_INT,    IN_ALL},
	{"succeeded", "succeeded",   COLUMN_INT,    IN_ALL},
	{"failed",    "failed",      COLUMN_INT,    IN_ALL},
	{"cancelled", "cancelled",   COLUMN_INT,    IN_ALL},
	{"skipped",   "skipped",     COLUMN_INT,    IN_ALL},
	{"lost",      "lost",        COLUMN_INT,    IN_ALL},
	{"mean_wait_s", "mean_wait_s", COLUMN_NUMBER, IN_ALL},
	{"mean_run_s", "mean_run_s", COLUMN_NUMBER, IN_ALL},
};
/* clang-format on */
static const struct columns SERVICE_COLUMNS = {SERVICE_ROWS, ARRAY_SIZE(SERVICE_ROWS)};
static const struct columns QUEUE_COLUMNS = {QUEUE_ROWS, ARRAY_SIZE(QUEUE_ROWS)};
static const struct columns SPAN_COLUMNS = {SPAN_ROWS, ARRAY_SIZE(SPAN_ROWS)};

/* The members of a list or an object, one line each; those of an object are given their
 * key as `name`. */
static int print_items(struct cli *cli, cJSON *items, const struct columns *columns,
		       struct err *err)
{
	struct listing *listing = listing_open(cli, columns);
	cJSON *item = NULL;
	cJSON_ArrayForEach(item, items)
	{
		if (item->string != NULL)
			cJSON_AddStringToObject(item, "name", item->string);
		if (listing_add(listing, item, err) < 0) {
			listing_drop(listing);
			return -1;
		}
	}
	return listing_end(listing, err);
}

static int print_gap(struct cli *cli, struct err *err)
{
	return cli->format == FORMAT_TSV ? 0 : out_write(cli, "\n", 1, err);
}

static int print_stats(struct cli *cli, cJSON *stats, struct err *err)
{
	if (cli->format == FORMAT_JSON || cli->format == FORMAT_JSONL ||
	    cli->format == FORMAT_ID)
		return json_print(cli, stats, cli->format != FORMAT_JSON, err);
	if (record_print(cli, &SERVICE_COLUMNS, stats, err) < 0 ||
	    print_gap(cli, err) < 0)
		return -1;
	cJSON *queues = cJSON_GetObjectItemCaseSensitive(stats, "queues");
	if (print_items(cli, queues, &QUEUE_COLUMNS, err) < 0 || print_gap(cli, err) < 0)
		return -1;
	return print_items(cli, cJSON_GetObjectItemCaseSensitive(stats, "last"),
			   &SPAN_COLUMNS, err);
}

int cmd_stats(struct cli *cli, struct err *err)
{
	cJSON *stats = NULL;
	if (api_get(cli, &stats, err, "/v1/stats") < 0)
		return -1;
	const int status = print_stats(cli, stats, err);
	cJSON_Delete(stats);
	return status;
}
