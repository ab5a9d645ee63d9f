/* cancel.c - a person or a program asks that a job end.
 *
 * Before it started, that is final at once. While it runs, the wish is recorded (who,
 * why, how urgently) and survives every crash; the worker carries it out. */
#include "queue/db.h"

struct stop_state {
	enum job_state state;
	enum stop_reason reason;
	bool is_asked, is_forced;
};

struct stop_wish {
	int64_t row;
	const char *principal, *text;
	bool force;
};

static int stop_state_load(struct queue *queue, int64_t row, struct stop_state *ret,
			   struct err *err)
{
	sqlite3_stmt *stmt;
	if (db_start(queue, STATEMENT_JOB_STOP_STATE, BINDS(as_int(row)), &stmt, err) !=
	    0)
		return -1;
	const int found = db_step(queue, stmt, err);
	if (found == 1) {
		ret->state = job_state_parse((const char *)sqlite3_column_text(stmt, 0));
		ret->reason =
			stop_reason_parse((const char *)sqlite3_column_text(stmt, 1));
		ret->is_asked = sqlite3_column_int(stmt, 2) != 0;
		ret->is_forced = sqlite3_column_int(stmt, 3) != 0;
	}
	db_end(stmt);
	return found;
}

/* The asker's words go into the event too: the job's row keeps the first asker's only. */
static int cancel_event(struct queue *queue, const struct stop_wish *wish,
			const char *kind, const char *state, const char *reason,
			struct err *err)
{
	AUTO_BUF struct buf data = BUF_INIT(1 << 20);
	struct json_writer json;
	json_writer_init(&json, &data);
	json_open(&json, NULL, '{');
	json_put_text(&json, "reason", reason);
	if (state == NULL)
		json_put_bool(&json, "force", wish->force);
	if (wish->text != NULL)
		json_put_text(&json, "text", wish->text);
	json_close(&json, '}');
	if (data.is_full)
		return err_set(err, ERR_TOO_LARGE, "the reason is too long");
	return event_append(queue,
			    &(const struct event_row){
				    .at = clock_now_us(),
				    .has_job = true,
				    .job_row = wish->row,
				    .kind = kind,
				    .state = state,
				    .principal = wish->principal,
				    .data = buf_text(&data),
			    },
			    err);
}

static int cancel_before_start(struct queue *queue, const struct stop_wish *wish,
			       struct err *err)
{
	if (db_run(queue, STATEMENT_JOB_CANCEL,
		   BINDS(as_int(wish->row), as_text(wish->principal), as_text(wish->text),
			 as_int(clock_now_us())),
		   err) < 0 ||
	    tally_ended(queue, wish->row, err) != 0)
		return -1;
	return cancel_event(queue, wish, "ended", "cancelled", "cancel", err);
}

static int ask_to_stop(struct queue *queue, const struct stop_wish *wish,
		       const struct stop_state *now, struct err *err)
{
	if (now->is_asked && (now->is_forced || !wish->force))
		return 0;
	const char *reason =
		now->reason != STOP_NONE ? stop_reason_word(now->reason) : "cancel";
	if (db_run(queue, STATEMENT_JOB_STOP,
		   BINDS(as_int(wish->row), as_text(wish->principal), as_text(wish->text),
			 as_int(wish->force)),
		   err) < 0)
		return -1;
	return cancel_event(queue, wish, "stopping", NULL, reason, err);
}

int queue_cancel(struct queue *queue, const struct viewer *viewer, const char *id,
		 const char *text, bool force, enum cancel_result *ret, struct err *err)
{
	struct stop_wish wish = {
		.principal = viewer->principal, .text = text, .force = force};
	struct stop_state now = {.state = JOB_STATE_NONE};
	if (db_expect_writing(queue, err) != 0)
		return -1;
	int found = job_find(queue, viewer, id, &wish.row, err);
	if (found == 1)
		found = stop_state_load(queue, wish.row, &now, err);
	if (found < 0)
		return -1;
	if (found == 0)
		return err_set(err, ERR_NOT_FOUND, "no job %s", id);
	if (now.state == JOB_CANCELLED) {
		*ret = CANCEL_DONE;
		return 0;
	}
	if (job_state_is_final(now.state))
		return err_set(err, ERR_CONFLICT, "the job has ended already: %s",
			       job_state_word(now.state));
	const bool is_running = now.state == JOB_RUNNING;
	const int result = is_running ? ask_to_stop(queue, &wish, &now, err)
				      : cancel_before_start(queue, &wish, err);
	if (result != 0)
		return db_fail_late(err);
	*ret = is_running ? CANCEL_STOPPING : CANCEL_DONE;
	return 0;
}

int queue_stop_requests(struct queue *queue, int64_t after_row, struct stop_request *ret,
			int max, struct err *err)
{
	sqlite3_stmt *stmt;
	int n = 0, more = 0;
	if (db_start(queue, STATEMENT_STOP_REQUESTS,
		     BINDS(as_int(after_row), as_int(max)), &stmt, err) != 0)
		return -1;
	while (n < max && (more = db_step(queue, stmt, err)) == 1)
		ret[n++] = (struct stop_request){
			.job_row = sqlite3_column_int64(stmt, 0),
			.number = sqlite3_column_int(stmt, 1),
			.is_forced = sqlite3_column_int(stmt, 2) != 0,
		};
	db_end(stmt);
	return more < 0 ? -1 : n;
}
