/* cancel.c - a person or a program asks that a job end.
 *
 * Before it started, that is final at once. While it runs, the wish is recorded (who,
 * why, how urgently) and survives every crash; the worker carries it out. */
#include "queue/rowmap.h"
#include "queue/settle.h"

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

/* What has to be walked for a cascade. */
struct cascade {
	const struct viewer *viewer;
	struct stop_wish wish; /* the row is each one's in turn */
	struct rowmap met;     /* jobs whose dependants are on the stack, or done */
	struct step {
		int64_t row;
		bool is_open; /* its dependants were put above it */
	} * step;	      /* heap: a stack */
	size_t steps, capacity;
	int left; /* how many may still be cancelled in this transaction */
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
			const char *kind, enum job_state state, const char *reason,
			struct err *err)
{
	AUTO_BUF struct buf data = BUF_INIT(1 << 20);
	struct json_writer json;
	json_writer_init(&json, &data);
	json_open(&json, NULL, '{');
	json_put_text(&json, "reason", reason);
	if (state == JOB_STATE_NONE)
		json_put_bool(&json, "force", wish->force);
	if (wish->text != NULL)
		json_put_text(&json, "text", wish->text);
	json_close(&json, '}');
	if (data.is_full)
		return err_set(err, ERR_TOO_LARGE, "the reason is too long");
	return event_of_move(queue, wish->row, kind, state, wish->principal,
			     buf_text(&data), err);
}

static int cancel_before_start(struct queue *queue, const struct stop_wish *wish,
			       struct err *err)
{
	if (db_run(queue, STATEMENT_JOB_CANCEL,
		   BINDS(as_int(wish->row), as_text(wish->principal), as_text(wish->text),
			 as_int(clock_now_us())),
		   err) < 0)
		return -1;
	if (cancel_event(queue, wish, "ended", JOB_CANCELLED, "cancel", err) != 0)
		return -1;
	return job_ended(queue, wish->row, JOB_CANCELLED, err);
}

int job_cancel_unstarted(struct queue *queue, int64_t row, const char *principal,
			 const char *text, struct err *err)
{
	return cancel_before_start(queue,
				   &(const struct stop_wish){.row = row,
							     .principal = principal,
							     .text = text},
				   err);
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
	return cancel_event(queue, wish, "stopping", JOB_STATE_NONE, reason, err);
}

/* --- with all that depends on it --- */

static void step_put(struct cascade *cascade, int64_t row, bool is_open)
{
	if (cascade->steps == cascade->capacity) {
		cascade->capacity = cascade->capacity == 0 ? 64 : cascade->capacity * 2;
		cascade->step = mem_grow(cascade->step,
					 cascade->capacity * sizeof *cascade->step);
	}
	cascade->step[cascade->steps++] = (struct step){.row = row, .is_open = is_open};
}

/* Puts the living dependants above the job itself. One that two others lead to is put
 * twice, so that it is done before both. */
static int step_open(struct queue *queue, struct cascade *cascade, int64_t row,
		     struct err *err)
{
	sqlite3_stmt *stmt;
	size_t nothing;
	int more = 0;
	if (!rowmap_put(&cascade->met, row, 0))
		return 0;
	step_put(cascade, row, true);
	if (db_start(queue, STATEMENT_DEPENDANTS_LIVING,
		     BINDS(as_int(row), viewer_owner(cascade->viewer)), &stmt, err) != 0)
		return -1;
	while ((more = db_step(queue, stmt, err)) == 1) {
		const int64_t dependant = sqlite3_column_int64(stmt, 0);
		if (!rowmap_get(&cascade->met, dependant, &nothing))
			step_put(cascade, dependant, false);
	}
	db_end(stmt);
	return more;
}

/* All of its dependants have been cancelled, or asked to stop. */
static int step_close(struct queue *queue, struct cascade *cascade, int64_t row,
		      struct err *err)
{
	struct stop_state now = {.state = JOB_STATE_NONE};
	struct stop_wish wish = cascade->wish;
	wish.row = row;
	if (stop_state_load(queue, row, &now, err) < 0)
		return -1;
	if (job_state_is_final(now.state) ||
	    (now.is_asked && (now.is_forced || !wish.force)))
		return 0;
	cascade->left--;
	return now.state == JOB_RUNNING ? ask_to_stop(queue, &wish, &now, err)
					: cancel_before_start(queue, &wish, err);
}

/* 1 all dependants are done, 0 there are more than a transaction is given, -1. The job
 * itself, `cascade->wish.row`, is left to the caller. */
static int cascade_run(struct queue *queue, struct cascade *cascade, struct err *err)
{
	int result = 0;
	step_put(cascade, cascade->wish.row, false);
	while (cascade->steps > 0 && result == 0) {
		const struct step step = cascade->step[--cascade->steps];
		if (!step.is_open)
			result = step_open(queue, cascade, step.row, err);
		else if (step.row == cascade->wish.row)
			result = 1;
		else if (cascade->left == 0)
			break;
		else
			result = step_close(queue, cascade, step.row, err);
	}
	free(cascade->step);
	rowmap_release(&cascade->met);
	return result;
}

/* --- cancelling --- */

static int cancel_one(struct queue *queue, const struct stop_wish *wish,
		      const struct stop_state *now, enum cancel_result *ret,
		      struct err *err)
{
	const bool is_running = now->state == JOB_RUNNING;
	*ret = is_running ? CANCEL_STOPPING : CANCEL_DONE;
	if (now->state == JOB_CANCELLED)
		return 0;
	return is_running ? ask_to_stop(queue, wish, now, err)
			  : cancel_before_start(queue, wish, err);
}

static int cancel_found(struct queue *queue, const struct viewer *viewer,
			const struct stop_wish *wish, bool is_cascade,
			const struct stop_state *now, enum cancel_result *ret,
			struct err *err)
{
	struct cascade cascade = {
		.viewer = viewer, .wish = *wish, .left = DEPENDENTS_SLICE};
	const int done = is_cascade ? cascade_run(queue, &cascade, err) : 1;
	if (done < 0)
		return -1;
	if (done == 0) {
		*ret = CANCEL_MORE;
		return 0;
	}
	return cancel_one(queue, wish, now, ret, err);
}

int queue_cancel(struct queue *queue, const struct viewer *viewer, const char *id,
		 const struct cancel_wish *asked, enum cancel_result *ret,
		 struct err *err)
{
	struct stop_wish wish = {.principal = viewer->principal,
				 .text = asked->text,
				 .force = asked->is_forced};
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
	if (job_state_is_final(now.state) && now.state != JOB_CANCELLED)
		return err_set(err, ERR_CONFLICT, "the job has ended already: %s",
			       job_state_word(now.state));
	return cancel_found(queue, viewer, &wish, asked->is_cascade, &now, ret, err) == 0
		       ? 0
		       : db_fail_late(err);
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
