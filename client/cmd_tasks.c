/* cmd_tasks.c - `reeve tasks`: what can be run by name, and what it wants to know. */
#include "client/api.h"

#include "client/output.h"

/* clang-format off */
static const struct column TASK_ROWS[] = {
	{"name",        "name",        COLUMN_TEXT, IN_ALL},
	{"description", "description", COLUMN_TEXT, IN_ALL},
	{"executable",  "executable",  COLUMN_TEXT, IN_WIDE | IN_TSV | IN_RECORD},
	{"arguments",   "arguments",   COLUMN_ARGV, IN_WIDE | IN_RECORD},
	{"directory",   "working_directory", COLUMN_TEXT, IN_RECORD},
	{"timeout_s",   "timeout_s",   COLUMN_NUMBER, IN_RECORD},
	{"deadline_s",  "deadline_s",  COLUMN_NUMBER, IN_RECORD},
	{"queue",       "queue",       COLUMN_TEXT, IN_RECORD},
	{"priority",    "priority",    COLUMN_INT,  IN_RECORD},
	{"retry",       "retry",       COLUMN_JSON, IN_RECORD},
	{"success_exit_codes", "success_exit_codes", COLUMN_JSON, IN_RECORD},
};

static const struct column PARAMETER_ROWS[] = {
	{"parameter",   "name",        COLUMN_TEXT, IN_ALL},
	{"type",        "type",        COLUMN_TEXT, IN_ALL},
	{"required",    "required",    COLUMN_JSON, IN_ALL},
	{"default",     "default",     COLUMN_JSON, IN_ALL},
	{"values",      "values",      COLUMN_JSON, IN_ALL},
	{"pattern",     "pattern",     COLUMN_TEXT, IN_ALL},
	{"min",         "min",         COLUMN_NUMBER, IN_ALL},
	{"max",         "max",         COLUMN_NUMBER, IN_ALL},
	{"max_length",  "max_length",  COLUMN_INT,  IN_ALL},
	{"beneath",     "beneath",     COLUMN_TEXT, IN_ALL},
	{"description", "description", COLUMN_TEXT, IN_ALL},
};
/* clang-format on */

static const struct columns TASK_COLUMNS = {TASK_ROWS, ARRAY_SIZE(TASK_ROWS)};
static const struct columns PARAMETER_COLUMNS = {PARAMETER_ROWS,
						 ARRAY_SIZE(PARAMETER_ROWS)};

static int list_items(struct cli *cli, const cJSON *items, const struct columns *columns,
		      struct err *err)
{
	struct listing *listing = listing_open(cli, columns);
	const cJSON *item = NULL;
	cJSON_ArrayForEach(item, items)
	{
		if (listing_add(listing, item, err) < 0) {
			listing_drop(listing);
			return -1;
		}
	}
	return listing_end(listing, err);
}

/* The task, and below it a line for each parameter; as JSON it has them inside. */
static int show_task(struct cli *cli, const cJSON *task, struct err *err)
{
	const bool is_json = cli->format == FORMAT_JSON || cli->format == FORMAT_JSONL ||
			     cli->format == FORMAT_ID;
	if (record_print(cli, &TASK_COLUMNS, task, err) < 0)
		return -1;
	if (is_json || json_get(task, "parameters") == NULL)
		return 0;
	if (cli->format != FORMAT_TSV && out_write(cli, "\n", 1, err) < 0)
		return -1;
	return list_items(cli, json_get(task, "parameters"), &PARAMETER_COLUMNS, err);
}

int cmd_tasks(struct cli *cli, struct err *err)
{
	const bool is_one = cli->args.words > 0;
	AUTO_FREE char *name = is_one ? url_encode(cli->args.word[0]) : NULL;
	cJSON *answer = NULL;
	int status = is_one ? api_get(cli, &answer, err, "/v1/tasks/%s", name)
			    : api_get(cli, &answer, err, "/v1/tasks");
	if (status == 0)
		status = is_one ? show_task(cli, answer, err)
				: list_items(cli, json_get(answer, "items"),
					     &TASK_COLUMNS, err);
	cJSON_Delete(answer);
	return status;
}
