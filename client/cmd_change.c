/* cmd_change.c - `reeve change` and `reeve signal`: one job, one request. */
#include "client/api.h"

#include "client/body.h"
#include "client/moment.h"
#include "client/output.h"

#define BODY_BYTES_MAX (4u << 20)

/* clang-format off */
static const struct column CHANGE_ROWS[] = {
	{"id",       "id",       COLUMN_ID,    IN_ALL},
	{"state",    "state",    COLUMN_STATE, IN_ALL},
	{"reason",   "reason",   COLUMN_TEXT,  IN_ALL},
	{"priority", "priority", COLUMN_INT,   IN_ALL},
	{"run_at",   "run_at",   COLUMN_TIME,  IN_ALL},
	{"labels",   "labels",   COLUMN_JSON,  IN_ALL},
	{"name",     "name",     COLUMN_TEXT,  IN_ALL},
};
/* clang-format on */
static const struct columns CHANGE_COLUMNS = {CHANGE_ROWS, ARRAY_SIZE(CHANGE_ROWS)};

/* Sends it and prints the job as the service shows it afterwards. */
static int send(struct cli *cli, const char *method, const char *path_end,
		const struct buf *body, struct err *err)
{
	AUTO_FREE char *id = NULL;
	cJSON *job = NULL;
	if (api_job_id(cli, cli->args.word[0], &id, err) < 0)
		return -1;
	if (api_send(cli, &job, err, method, buf_text(body), "/v1/jobs/%s%s", id,
		     path_end) < 0)
		return -1;
	struct listing *listing = listing_open(cli, &CHANGE_COLUMNS);
	const int status = listing_add(listing, job, err);
	cJSON_Delete(job);
	if (status == 0)
		return listing_end(listing, err);
	listing_drop(listing);
	return -1;
}

/* An empty text takes the name away. */
static void put_name(struct json_writer *json, const char *name)
{
	if (name != NULL && name[0] == '\0')
		json_put_null(json, "name");
	else if (name != NULL)
		json_put_text(json, "name", name);
}

static int put_labels(struct json_writer *json, const struct args *args, struct err *err)
{
	if (!args_has(args, "no-labels"))
		return body_put_pairs(json, "labels", args, "label", err);
	if (args_has(args, "label"))
		return err_set(err, ERR_INVALID, "--label and --no-labels contradict");
	json_put_null(json, "labels");
	return 0;
}

static int put_run_at(struct json_writer *json, const char *text, struct err *err)
{
	if (!text_equal(text, "now"))
		return moment_put(json, "run_at", "at", text, err);
	json_put_null(json, "run_at");
	return 0;
}

static int put_keep(struct json_writer *json, const struct args *args, struct err *err)
{
	const bool is_kept = args_has(args, "keep"),
		   is_let_go = args_has(args, "no-keep");
	if (is_kept && is_let_go)
		return err_set(err, ERR_INVALID, "--keep and --no-keep contradict");
	if (is_kept || is_let_go)
		json_put_bool(json, "keep", is_kept);
	return 0;
}

int cmd_change(struct cli *cli, struct err *err)
{
	const struct args *args = &cli->args;
	AUTO_BUF struct buf body = BUF_INIT(BODY_BYTES_MAX);
	struct json_writer json;
	json_writer_init(&json, &body);
	json_open(&json, NULL, '{');
	put_name(&json, args_text(args, "name"));
	if (args_has(args, "priority"))
		json_put_int(&json, "priority", args_number(args, "priority", 0));
	if (put_labels(&json, args, err) < 0 ||
	    put_run_at(&json, args_text(args, "at"), err) < 0 ||
	    put_keep(&json, args, err) < 0)
		return -1;
	json_close(&json, '}');
	if (body.is_full)
		return err_set(err, ERR_TOO_LARGE, "the request is over %u MiB",
			       BODY_BYTES_MAX >> 20);
	return send(cli, "PATCH", "", &body, err);
}

int cmd_signal(struct cli *cli, struct err *err)
{
	const char *word = cli->args.word[1];
	AUTO_BUF struct buf body = BUF_INIT(BODY_BYTES_MAX);
	struct json_writer json;
	int64_t number;
	json_writer_init(&json, &body);
	json_open(&json, NULL, '{');
	if (text_parse_int(word, 0, INT32_MAX, &number) == 0)
		json_put_int(&json, "signal", number);
	else
		json_put_text(&json, "signal", word);
	json_close(&json, '}');
	return send(cli, "POST", "/signal", &body, err);
}
