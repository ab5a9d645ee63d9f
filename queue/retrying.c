/* retrying.c - an attempt has ended badly: is there another one, and when?
 *
 * Decided and written in the transaction that ends the attempt, with the delay sampled
 * once: whoever dies afterwards, the next attempt's time stands in the job's row. */
#include "queue/db.h"

/* What the decision is made from. */
struct retry_facts {
	struct retry rule;
	int64_t expires_at, deadline_at; /* INT64_MAX: none */
	int max_attempts;
	int used; /* of them, this one too */
};

static int64_t time_or_never(sqlite3_stmt *stmt, int column)
{
	return sqlite3_column_type(stmt, column) == SQLITE_NULL
		       ? INT64_MAX
		       : sqlite3_column_int64(stmt, column);
}

/* 1, 0 the job has no rule, -1. A rule that cannot be read (a row written by hand) counts
 * as none: the end must be recorded in any case. */
static int facts_load(struct queue *queue, int64_t job_row, struct retry_facts *ret,
		      struct err *err)
{
	sqlite3_stmt *stmt;
	if (db_start(queue, STATEMENT_RETRY_FIND, BINDS(as_int(job_row)), &stmt, err) !=
	    0)
		return -1;
	int found = db_step(queue, stmt, err);
	if (found == 1) {
		struct err unread = ERR_INIT;
		const char *text = (const char *)sqlite3_column_text(stmt, 0);
		if (retry_parse(text, &ret->rule, &unread) != 0)
			found = 0;
		ret->expires_at = time_or_never(stmt, 2);
		ret->deadline_at = time_or_never(stmt, 3);
		ret->max_attempts = sqlite3_column_int(stmt, 1);
		ret->used = sqlite3_column_int(stmt, 4);
	}
	db_end(stmt);
	return found;
}

/* In [0, 1). */
static double random_sample(void)
{
	uint32_t bits;
	random_bytes(&bits, sizeof bits);
	return (double)bits / 4294967296.0;
}

/* An attempt that could not start in time any more is none. */
static bool has_another(const struct retry_facts *facts, const struct retry_end *end,
			int64_t *ret_run_at)
{
	const enum retry_cause cause = retry_cause_parse(end->cause);
	if (!retry_covers(&facts->rule, cause, end->exit_code) ||
	    facts->used >= facts->max_attempts)
		return false;
	*ret_run_at = clock_now_us() +
		      retry_delay_us(&facts->rule, facts->used, random_sample());
	return *ret_run_at < facts->expires_at && *ret_run_at < facts->deadline_at;
}

/* The words of the attempt's end, and when the next one may start. */
static int retrying_event(struct queue *queue, int64_t job_row,
			  const struct retry_end *end, int64_t run_at, struct err *err)
{
	AUTO_BUF struct buf data = BUF_INIT(1024);
	struct json_writer json;
	json_writer_init(&json, &data);
	json_open(&json, NULL, '{');
	json_put_int(&json, "attempt", end->number);
	if (end->has_exit_code)
		json_put_int(&json, "exit_code", end->exit_code);
	else if (end->has_signal)
		json_put_int(&json, "signal", end->signal);
	json_put_text(&json, "reason", end->cause);
	json_put_time(&json, "run_at", run_at);
	json_close(&json, '}');
	return event_of_move(queue, job_row, "retrying", JOB_WAITING, NULL,
			     buf_text(&data), err);
}

int job_retry(struct queue *queue, int64_t job_row, const struct retry_end *end,
	      struct err *err)
{
	struct retry_facts facts = {.used = 0};
	int64_t run_at = 0;
	const int found = facts_load(queue, job_row, &facts, err);
	if (found <= 0)
		return found;
	if (!has_another(&facts, end, &run_at))
		return 0;
	if (db_run(queue, STATEMENT_JOB_RETRY,
		   BINDS(as_int(job_row), as_int(run_at),
			 as_int_if(end->started_at > 0, end->started_at),
			 as_int_if(end->has_exit_code, end->exit_code),
			 as_int_if(end->has_signal && !end->has_exit_code, end->signal)),
		   err) < 0)
		return -1;
	return retrying_event(queue, job_row, end, run_at, err) == 0 ? 1 : -1;
}
