/* waiting.c - what a job that has not started waits for: its time, or a person (for other
 * jobs: settle.c).
 *
 * Times are wall-clock times, so they are compared with the wall clock whenever it is
 * looked at: a clock that is set forward makes jobs due, one that is set back does not
 * make them due again, for a job that has gone on is not waiting any more. */
#include "queue/settle.h"

/* --- times that have come --- */

static int wait_for(struct queue *queue, int64_t row, const char *kind,
		    const char *reason, const char *principal, struct err *err)
{
	char data[48];
	(void)snprintf(data, sizeof data, "{\"reason\":\"%s\"}", reason);
	if (db_run(queue, STATEMENT_JOB_WAIT, BINDS(as_int(row), as_text(reason)), err) <
	    0)
		return -1;
	return event_of_move(queue, row, kind, JOB_WAITING, principal, data, err);
}

/* A job that was given dependencies by hand while it waited for its time goes on waiting,
 * now for them. */
static int become_queued(struct queue *queue, int64_t row, struct err *err)
{
	enum outlook outlook;
	if (job_outlook(queue, row, &outlook, err) != 0)
		return -1;
	if (outlook == OUTLOOK_WAIT)
		return wait_for(queue, row, "due", "dependency", NULL, err);
	if (outlook == OUTLOOK_NEVER)
		return job_skip(queue, row, "", "", err);
	if (db_run(queue, STATEMENT_JOB_QUEUE, BINDS(as_int(row), as_int(clock_now_us())),
		   err) < 0)
		return -1;
	return event_of_move(queue, row, "due", JOB_QUEUED, NULL, NULL, err);
}

static int expire(struct queue *queue, int64_t row, const char *data, struct err *err)
{
	const int changed = db_run(queue, STATEMENT_JOB_EXPIRE,
				   BINDS(as_int(row), as_int(clock_now_us())), err);
	if (changed <= 0)
		return changed; /* an earlier one's end has settled it meanwhile */
	if (event_of_move(queue, row, "ended", JOB_FAILED, NULL, data, err) != 0)
		return -1;
	return job_ended(queue, row, JOB_FAILED, err);
}

static int become_expired(struct queue *queue, int64_t row, struct err *err)
{
	return expire(queue, row, "{\"reason\":\"expired\",\"limit\":\"expires_at\"}",
		      err);
}

static int become_overdue(struct queue *queue, int64_t row, struct err *err)
{
	return expire(queue, row, "{\"reason\":\"expired\",\"limit\":\"deadline_s\"}",
		      err);
}

/* One row per kind of time. What is over comes first, so that it is not queued. */
struct timing {
	enum statement pick;
	int (*act)(struct queue *queue, int64_t row, struct err *err);
};

static const struct timing TIMINGS[] = {
	{.pick = STATEMENT_EXPIRY_PICK, .act = become_expired},
	{.pick = STATEMENT_OVERDUE_PICK, .act = become_overdue},
	{.pick = STATEMENT_DUE_PICK, .act = become_queued},
};

/* Up to `max` jobs whose time of this kind is at or before `until`, the earliest first;
 * the count or -1. *ret_at is the first one's time. */
static int pick(struct queue *queue, const struct timing *timing, int64_t until, int max,
		int64_t *rows, int64_t *ret_at, struct err *err)
{
	sqlite3_stmt *stmt;
	int n = 0, more = 0;
	if (db_start(queue, timing->pick, BINDS(as_int(until), as_int(max)), &stmt,
		     err) != 0)
		return -1;
	while (n < max && (more = db_step(queue, stmt, err)) == 1) {
		if (n == 0)
			*ret_at = sqlite3_column_int64(stmt, 1);
		rows[n++] = sqlite3_column_int64(stmt, 0);
	}
	db_end(stmt);
	return more < 0 ? -1 : n;
}

/* The end of one may have ended another that was picked with it: a dependant that had the
 * same time, for instance. */
static int act_on(struct queue *queue, const struct timing *timing, const int64_t *rows,
		  int count, struct err *err)
{
	for (int i = 0; i < count; i++) {
		int64_t is_alive;
		const int found = db_ask(queue, STATEMENT_DUE_STILL,
					 BINDS(as_int(rows[i])), &is_alive, err);
		if (found < 0 || (found == 1 && timing->act(queue, rows[i], err) != 0))
			return -1;
	}
	return 0;
}

int queue_due(struct queue *queue, struct err *err)
{
	int64_t rows[QUEUE_DUE_MAX], at;
	const int64_t now = clock_now_us();
	if (db_expect_writing(queue, err) != 0)
		return -1;
	int moved = lanes_due(queue, now, err);
	if (moved < 0)
		return -1;
	for (size_t i = 0; i < ARRAY_SIZE(TIMINGS) && moved < QUEUE_DUE_MAX; i++) {
		const int count = pick(queue, &TIMINGS[i], now, QUEUE_DUE_MAX - moved,
				       rows, &at, err);
		if (count < 0 || act_on(queue, &TIMINGS[i], rows, count, err) != 0)
			return db_fail_late(err);
		moved += count;
	}
	return moved;
}

int queue_due_next(struct queue *queue, int64_t *ret_at, struct err *err)
{
	int64_t row, at, first = INT64_MAX;
	const int resumes = lanes_due_next(queue, &first, err);
	if (resumes < 0)
		return -1;
	bool is_any = resumes == 1;
	for (size_t i = 0; i < ARRAY_SIZE(TIMINGS); i++) {
		const int found = pick(queue, &TIMINGS[i], INT64_MAX, 1, &row, &at, err);
		if (found < 0)
			return -1;
		if (found == 0)
			continue;
		is_any = true;
		first = at < first ? at : first;
	}
	if (is_any)
		*ret_at = first;
	return is_any;
}

/* --- hold and release --- */

struct hold_state {
	enum job_state state;
	bool is_held;
	int64_t run_at; /* 0: none */
	bool has_run;
};

static int hold_state_load(struct queue *queue, int64_t row, struct hold_state *ret,
			   struct err *err)
{
	sqlite3_stmt *stmt;
	if (db_start(queue, STATEMENT_JOB_HOLD_STATE, BINDS(as_int(row)), &stmt, err) !=
	    0)
		return -1;
	const int found = db_step(queue, stmt, err);
	if (found == 1) {
		ret->state = job_state_parse((const char *)sqlite3_column_text(stmt, 0));
		ret->is_held =
			ret->state == JOB_WAITING &&
			text_equal((const char *)sqlite3_column_text(stmt, 1), "hold");
		ret->run_at = sqlite3_column_int64(stmt, 2);
		ret->has_run = sqlite3_column_int(stmt, 3) != 0;
	}
	db_end(stmt);
	return found;
}

/* Back to what it would wait for if nobody had held it: its parents, then its time. */
static int release(struct queue *queue, int64_t row, const struct hold_state *now,
		   const char *principal, struct err *err)
{
	enum outlook outlook;
	if (job_outlook(queue, row, &outlook, err) != 0)
		return -1;
	if (outlook == OUTLOOK_NEVER)
		return job_skip(queue, row, "", "", err);
	if (outlook == OUTLOOK_WAIT)
		return wait_for(queue, row, "released", "dependency", principal, err);
	if (now->run_at > clock_now_us())
		return wait_for(queue, row, "released", now->has_run ? "retry" : "run_at",
				principal, err);
	if (db_run(queue, STATEMENT_JOB_QUEUE, BINDS(as_int(row), as_int(clock_now_us())),
		   err) < 0)
		return -1;
	return event_of_move(queue, row, "released", JOB_QUEUED, principal, NULL, err);
}

int queue_hold(struct queue *queue, const struct viewer *viewer, const char *id,
	       bool is_hold, struct err *err)
{
	struct hold_state now = {.state = JOB_STATE_NONE};
	int64_t row;
	if (db_expect_writing(queue, err) != 0)
		return -1;
	int found = job_find(queue, viewer, id, &row, err);
	if (found == 1)
		found = hold_state_load(queue, row, &now, err);
	if (found < 0)
		return -1;
	if (found == 0)
		return err_set(err, ERR_NOT_FOUND, "no job %s", id);
	if (job_state_is_final(now.state))
		return err_set(err, ERR_CONFLICT, "the job has ended already: %s",
			       job_state_word(now.state));
	if (is_hold && now.state == JOB_RUNNING)
		return err_set(err, ERR_CONFLICT, "the job runs already");
	if (now.is_held == is_hold || now.state == JOB_RUNNING)
		return 0;
	const int result =
		is_hold ? wait_for(queue, row, "held", "hold", viewer->principal, err)
			: release(queue, row, &now, viewer->principal, err);
	return result == 0 ? 0 : db_fail_late(err);
}
