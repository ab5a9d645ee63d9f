/* cmd_queues.c - `reeve queues`, `queue pause|resume|limit`, `drain`, `undrain`. */
#include "client/api.h"

#include <string.h>

#include "client/moment.h"
#include "client/output.h"

#define BODY_BYTES_MAX (1u << 20)
#define LIMIT_MAX 1000000
#define LOOK_AGAIN_US (500 * US_PER_MS)

/* clang-format off */
static const struct column QUEUE_ROWS[] = {
	{"name",         "name",              COLUMN_TEXT, IN_ALL},
	{"waiting",      "waiting",           COLUMN_INT,  IN_ALL},
	{"queued",       "queued",            COLUMN_INT,  IN_ALL},
	{"running",      "running",           COLUMN_INT,  IN_ALL},
	{"max_running",  "max_running",       COLUMN_INT,  IN_ALL},
	{"configured_max_running", "configured_max_running", COLUMN_INT, IN_TSV | IN_RECORD},
	{"timeout_s",    "default_timeout_s", COLUMN_NUMBER, IN_WIDE | IN_TSV | IN_RECORD},
	{"oldest",       "oldest_queued_at",  COLUMN_TIME, IN_ALL},
	{"paused",       "pause.since",       COLUMN_TIME, IN_ALL},
	{"paused_until", "pause.until",       COLUMN_TIME, IN_ALL},
	{"paused_by",    "pause.by",          COLUMN_TEXT, IN_ALL},
	{"why",          "pause.reason",      COLUMN_TEXT, IN_ALL},
	{"configured",   "configured",        COLUMN_JSON, IN_TSV | IN_RECORD},
};
static const struct column DRAIN_ROWS[] = {
	{"draining", "draining", COLUMN_JSON, IN_ALL},
	{"running",  "running",  COLUMN_INT,  IN_ALL},
	{"since",    "since",    COLUMN_TIME, IN_ALL},
	{"by",       "by",       COLUMN_TEXT, IN_ALL},
	{"why",      "reason",   COLUMN_TEXT, IN_ALL},
};
/* clang-format on */
static const struct columns QUEUE_COLUMNS = {QUEUE_ROWS, ARRAY_SIZE(QUEUE_ROWS)};
static const struct columns DRAIN_COLUMNS = {DRAIN_ROWS, ARRAY_SIZE(DRAIN_ROWS)};

/* --- what there is --- */

static void say_draining(struct cli *cli, const cJSON *drain)
{
	const char *reason = item_text(drain, "reason");
	const char *by = item_text(drain, "by");
	if (!cJSON_IsTrue(item_at(drain, "draining")))
		return;
	say(cli, "the service is draining: nothing is started (by %s%s%s)",
	    by != NULL ? by : "?", reason != NULL ? ": " : "",
	    reason != NULL ? reason : "");
}

static int list_queues(struct cli *cli, const cJSON *items, struct err *err)
{
	struct listing *listing = listing_open(cli, &QUEUE_COLUMNS);
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

int cmd_queues(struct cli *cli, struct err *err)
{
	const bool is_one = cli->args.words > 0;
	AUTO_FREE char *name = is_one ? url_encode(cli->args.word[0]) : NULL;
	cJSON *answer = NULL;
	int status = is_one ? api_get(cli, &answer, err, "/v1/queues/%s", name)
			    : api_get(cli, &answer, err, "/v1/queues");
	if (status == 0)
		status = is_one ? record_print(cli, &QUEUE_COLUMNS, answer, err)
				: list_queues(cli, json_get(answer, "items"), err);
	if (status == 0)
		say_draining(cli, json_get(answer, "drain"));
	cJSON_Delete(answer);
	return status;
}

/* --- changes --- */

/* Changes the queue that the first word names, and shows it as it is now. */
static int change_queue(struct cli *cli, const char *method, const char *verb,
			const char *body, struct err *err)
{
	AUTO_FREE char *name = url_encode(cli->args.word[0]);
	cJSON *lane = NULL;
	if (api_send(cli, &lane, err, method, body, "/v1/queues/%s%s", name, verb) < 0)
		return -1;
	struct listing *listing = listing_open(cli, &QUEUE_COLUMNS);
	int status = listing_add(listing, lane, err);
	if (status == 0)
		status = listing_end(listing, err);
	else
		listing_drop(listing);
	cJSON_Delete(lane);
	return status;
}

int cmd_queue_pause(struct cli *cli, struct err *err)
{
	AUTO_BUF struct buf body = BUF_INIT(BODY_BYTES_MAX);
	struct json_writer json;
	json_writer_init(&json, &body);
	json_open(&json, NULL, '{');
	if (args_has(&cli->args, "reason"))
		json_put_text(&json, "reason", args_text(&cli->args, "reason"));
	if (moment_put(&json, "until", "until", args_text(&cli->args, "until"), err) < 0)
		return -1;
	json_close(&json, '}');
	return change_queue(cli, "POST", "/pause", buf_text(&body), err);
}

int cmd_queue_resume(struct cli *cli, struct err *err)
{
	return change_queue(cli, "POST", "/resume", "{}", err);
}

int cmd_queue_limit(struct cli *cli, struct err *err)
{
	AUTO_BUF struct buf body = BUF_INIT(BODY_BYTES_MAX);
	struct json_writer json;
	const char *word = cli->args.word[1];
	int64_t limit = 0;
	json_writer_init(&json, &body);
	json_open(&json, NULL, '{');
	if (strcmp(word, "none") == 0)
		json_put_null(&json, "max_running");
	else if (strcmp(word, "configured") == 0)
		json_put_text(&json, "max_running", word);
	else if (text_parse_int(word, 0, LIMIT_MAX, &limit) == 0)
		json_put_int(&json, "max_running", limit);
	else
		return err_set(err, ERR_INVALID,
			       "\"%s\" is no limit: a number from 0 to %d, none, or "
			       "configured",
			       word, LIMIT_MAX);
	json_close(&json, '}');
	return change_queue(cli, "PATCH", "", buf_text(&body), err);
}

/* --- draining --- */

/* Until nothing runs. The service may be restarted meanwhile, as before an upgrade it
 * often is: it is asked again for a minute. */
struct drain_wait {
	struct cli *cli;
	int64_t deadline_us;   /* CLOCK_BOOTTIME; 0: none */
	int64_t lost_since_us; /* 0: the last question was answered */
	int64_t said;	       /* the number that was last told */
};

/* 1 with the answer, 0 when nobody is there just now, -1. */
static int ask_drain(struct drain_wait *wait, cJSON **ret, struct err *err)
{
	struct cli *cli = wait->cli;
	struct exchange exchange;
	exchange_init(&exchange, "GET", "/v1/drain");
	exchange.timeout_us = cli->timeout_us;
	struct exchange *const list[] = {&exchange};
	int status = http_perform(cli, list, 1, false, err);
	const bool may_return = status == 0 && http_may_return(cli, &exchange);
	if (status == 0)
		status = api_answer(cli, &exchange, ret, err);
	exchange_release(&exchange);
	const int64_t now = clock_boot_us();
	if (status == 0) {
		wait->lost_since_us = 0;
		return 1;
	}
	if (wait->lost_since_us == 0)
		wait->lost_since_us = now;
	return may_return && now - wait->lost_since_us < OUT_OF_REACH_US ? 0 : -1;
}

static void say_running(struct drain_wait *wait, int64_t running)
{
	if (running == wait->said || running == 0)
		return;
	wait->said = running;
	say(wait->cli, "%lld job%s still running", (long long)running,
	    running == 1 ? " is" : "s are");
}

/* 0 nothing runs, EXIT_TIME_OVER, -1. `*drain` is the last answer. */
static int wait_idle(struct drain_wait *wait, cJSON **drain, struct err *err)
{
	for (;;) {
		const int64_t running = item_int(*drain, "running", 0);
		say_running(wait, running);
		if (running == 0)
			return 0;
		if (wait->deadline_us > 0 && clock_boot_us() >= wait->deadline_us)
			return EXIT_TIME_OVER;
		cJSON *next = NULL;
		if (http_pause(wait->cli, LOOK_AGAIN_US, err) < 0)
			return -1;
		const int status = ask_drain(wait, &next, err);
		if (status < 0)
			return -1;
		if (status == 0)
			continue;
		cJSON_Delete(*drain);
		*drain = next;
	}
}

int cmd_drain(struct cli *cli, struct err *err)
{
	AUTO_BUF struct buf body = BUF_INIT(BODY_BYTES_MAX);
	struct json_writer json;
	cJSON *drain = NULL;
	int code = 0;
	json_writer_init(&json, &body);
	json_open(&json, NULL, '{');
	if (args_has(&cli->args, "reason"))
		json_put_text(&json, "reason", args_text(&cli->args, "reason"));
	json_close(&json, '}');
	const bool is_waited = args_has(&cli->args, "wait");
	const int64_t limit_us = args_number(&cli->args, "wait-timeout", 0);
	if (is_waited && http_listen_for_interrupt(cli, err) < 0)
		return -1;
	if (api_send(cli, &drain, err, "POST", buf_text(&body), "/v1/drain") < 0)
		return -1;
	if (is_waited) {
		struct drain_wait wait = {.cli = cli,
					  .deadline_us =
						  args_has(&cli->args, "wait-timeout")
							  ? clock_boot_us() + limit_us
							  : 0};
		code = wait_idle(&wait, &drain, err);
		if (code < 0 && cli->is_interrupted)
			say(cli, "no longer waiting; the service goes on draining: "
				 "reeve undrain");
	}
	if (code >= 0 && record_print(cli, &DRAIN_COLUMNS, drain, err) < 0)
		code = -1;
	cJSON_Delete(drain);
	return code;
}

int cmd_undrain(struct cli *cli, struct err *err)
{
	cJSON *drain = NULL;
	if (api_send(cli, &drain, err, "POST", "{}", "/v1/undrain") < 0)
		return -1;
	const int status = record_print(cli, &DRAIN_COLUMNS, drain, err);
	cJSON_Delete(drain);
	return status;
}
