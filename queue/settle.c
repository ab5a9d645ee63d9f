/* settle.c - an end (or a start) settles the dependencies on it, and so on down.
 *
 * Whoever ends a job calls job_ended in the same transaction, so that no dependant can be
 * forgotten, whoever is killed. A job that is skipped has ended too: those still to be
 * looked at stand in a list, never on the stack. What exceeds the transaction's share is
 * written into the table `unresolved` and settled by queue_resolve. */
#include "queue/settle.h"

#include "queue/outbox.h"

/* Jobs that have ended and whose dependants are still to be looked at. */
struct todo {
	int64_t *row; /* heap */
	size_t count, capacity;
};

static void todo_put(struct todo *todo, int64_t row)
{
	if (todo->count == todo->capacity) {
		todo->capacity = todo->capacity == 0 ? 16 : todo->capacity * 2;
		todo->row = mem_grow(todo->row, todo->capacity * sizeof *todo->row);
	}
	todo->row[todo->count++] = row;
}

/* A dependency and what becomes of it. */
struct settled {
	int64_t row; /* of the job that waits */
	enum dependency_condition condition;
	enum dependency_state state;
};

/* The parent whose end is being followed. */
struct parent {
	int64_t row;
	char id[JOB_ID_BYTES], state[12]; /* "" while nothing depends on it */
};

/* --- one job becomes final --- */

/* What follows every end, be it of an attempt, by a cancel, a clock or a dependency. */
static int follow_end(struct queue *queue, int64_t row, enum job_state state,
		      struct err *err)
{
	bool has_callback = false;
	if (!job_state_is_final(state))
		return err_set(err, ERR_INTERNAL, "%s is not an end",
			       job_state_word(state));
	if (tally_ended(queue, row, &has_callback, err) != 0)
		return -1;
	return has_callback ? outbox_ended(queue, row, err) : 0;
}

/* Ids and states are words of ours, nothing to escape. */
static int skip(struct queue *queue, int64_t row, const char *parent_id,
		const char *parent_state, struct err *err)
{
	char data[128] = "{\"reason\":\"dependency\"}";
	if (parent_id[0] != '\0')
		(void)snprintf(data, sizeof data,
			       "{\"reason\":\"dependency\",\"parent\":\"%.36s\","
			       "\"parent_state\":\"%.12s\"}",
			       parent_id, parent_state);
	if (db_run(queue, STATEMENT_JOB_SKIP, BINDS(as_int(row), as_int(clock_now_us())),
		   err) < 0 ||
	    event_of_move(queue, row, "ended", JOB_SKIPPED, NULL, data, err) != 0)
		return -1;
	return follow_end(queue, row, JOB_SKIPPED, err);
}

/* --- one job goes on --- */

/* A job one of whose dependencies was just settled. */
struct standing {
	bool may_move;	 /* it waits, and never ran */
	bool is_blocked; /* it waits for dependencies, and not for a person or a time */
	bool is_any_enough, has_pending;
	int64_t run_at;
};

static int standing_load(struct queue *queue, int64_t row, struct standing *ret,
			 struct err *err)
{
	sqlite3_stmt *stmt;
	if (db_start(queue, STATEMENT_DEPENDANT_STANDING, BINDS(as_int(row)), &stmt,
		     err) != 0)
		return -1;
	const int found = db_step(queue, stmt, err);
	if (found == 1) {
		const char *state = (const char *)sqlite3_column_text(stmt, 0);
		const char *reason = (const char *)sqlite3_column_text(stmt, 1);
		ret->may_move = job_state_parse(state) == JOB_WAITING &&
				sqlite3_column_int(stmt, 3) == 0;
		ret->is_blocked = ret->may_move && text_equal(reason, "dependency");
		ret->run_at = sqlite3_column_int64(stmt, 2);
		ret->is_any_enough = sqlite3_column_type(stmt, 4) != SQLITE_NULL;
		ret->has_pending = sqlite3_column_int(stmt, 5) != 0;
	}
	db_end(stmt);
	return found < 0 ? -1 : 0;
}

int job_outlook(struct queue *queue, int64_t row, enum outlook *ret, struct err *err)
{
	sqlite3_stmt *stmt;
	if (db_start(queue, STATEMENT_DEPENDENCY_STATES, BINDS(as_int(row)), &stmt,
		     err) != 0)
		return -1;
	const int found = db_step(queue, stmt, err);
	*ret = OUTLOOK_GO;
	if (found == 1) {
		const bool is_any = sqlite3_column_type(stmt, 0) != SQLITE_NULL;
		const bool has_pending = sqlite3_column_int(stmt, 1) != 0;
		const bool has_met = sqlite3_column_int(stmt, 2) != 0;
		const bool has_impossible = sqlite3_column_int(stmt, 3) != 0;
		if (is_any && has_met)
			*ret = OUTLOOK_GO;
		else if (has_impossible && !(is_any && has_pending))
			*ret = OUTLOOK_NEVER;
		else if (has_pending)
			*ret = OUTLOOK_WAIT;
	}
	db_end(stmt);
	return found < 0 ? -1 : 0;
}

/* What this one news decides, if anything; the rest was asked about before. Only when an
 * `any` has nothing left to hope for are all of its dependencies counted. */
static int outlook_after(struct queue *queue, const struct settled *news,
			 const struct standing *now, enum outlook *ret, struct err *err)
{
	const bool is_met = news->state == DEPENDENCY_MET;
	*ret = OUTLOOK_WAIT;
	if (!now->may_move)
		return 0;
	if (now->is_any_enough ? is_met : !is_met) {
		*ret = is_met ? OUTLOOK_GO : OUTLOOK_NEVER;
		return 0;
	}
	return now->has_pending ? 0 : job_outlook(queue, news->row, ret, err);
}

/* Nothing holds it back but, perhaps, its time. */
static int go_on(struct queue *queue, int64_t row, const struct standing *now,
		 struct err *err)
{
	const int64_t at = clock_now_us();
	if (!now->is_blocked)
		return 0;
	if (now->run_at > at)
		return db_run(queue, STATEMENT_JOB_WAIT,
			      BINDS(as_int(row), as_text("run_at")), err) < 0
			       ? -1
			       : event_of_move(queue, row, "unblocked", JOB_WAITING, NULL,
					       "{\"reason\":\"run_at\"}", err);
	if (db_run(queue, STATEMENT_JOB_QUEUE, BINDS(as_int(row), as_int(at)), err) < 0)
		return -1;
	return event_of_move(queue, row, "unblocked", JOB_QUEUED, NULL, NULL, err);
}

static int settle_one(struct queue *queue, const struct parent *parent,
		      const struct settled *news, struct todo *todo, struct err *err)
{
	struct standing now = {.may_move = false};
	enum outlook outlook;
	if (db_run(queue, STATEMENT_DEPENDENCY_SETTLE,
		   BINDS(as_int(news->row), as_int(parent->row),
			 as_text(dependency_condition_word(news->condition)),
			 as_text(dependency_state_word(news->state))),
		   err) < 0 ||
	    standing_load(queue, news->row, &now, err) != 0 ||
	    outlook_after(queue, news, &now, &outlook, err) != 0)
		return -1;
	if (outlook == OUTLOOK_GO)
		return go_on(queue, news->row, &now, err);
	if (outlook == OUTLOOK_WAIT)
		return 0;
	todo_put(todo, news->row);
	return skip(queue, news->row, parent->id, parent->state, err);
}

/* --- all that wait for one job --- */

/* Up to `max` dependencies that the parent has settled by now. The count or -1. */
static int pick(struct queue *queue, struct parent *parent, struct settled *ret, int max,
		struct err *err)
{
	sqlite3_stmt *stmt;
	int n = 0, more = 0;
	if (db_start(queue, STATEMENT_DEPENDANTS_PICK,
		     BINDS(as_int(parent->row), as_int(max)), &stmt, err) != 0)
		return -1;
	while (n < max && (more = db_step(queue, stmt, err)) == 1) {
		const char *outcome = (const char *)sqlite3_column_text(stmt, 2);
		if (n == 0) {
			column_id(stmt, 3, parent->id);
			(void)snprintf(parent->state, sizeof parent->state, "%s",
				       (const char *)sqlite3_column_text(stmt, 4));
		}
		ret[n++] = (struct settled){
			.row = sqlite3_column_int64(stmt, 0),
			.condition = dependency_condition_parse(
				(const char *)sqlite3_column_text(stmt, 1)),
			.state = text_equal(outcome, "met") ? DEPENDENCY_MET
							    : DEPENDENCY_IMPOSSIBLE,
		};
	}
	db_end(stmt);
	return more < 0 ? -1 : n;
}

static int leave_for_later(struct queue *queue, int64_t row, struct err *err)
{
	return db_run(queue, STATEMENT_UNRESOLVED_INSERT, BINDS(as_int(row)), err) < 0
		       ? -1
		       : 0;
}

/* 1 all of them, 0 there may be more than this transaction has room for, -1. */
static int settle_parent(struct queue *queue, int64_t row, struct todo *todo,
			 struct err *err)
{
	const int room = queue->settle_left;
	struct parent parent = {.row = row};
	if (room <= 0)
		return 0;
	struct settled *news = mem_array((size_t)room, sizeof *news);
	const int count = pick(queue, &parent, news, room, err);
	int result = count < 0 ? -1 : 0;
	for (int i = 0; i < count && result == 0; i++)
		result = settle_one(queue, &parent, &news[i], todo, err);
	free(news);
	if (result != 0)
		return -1;
	queue->settle_left -= count;
	return count < room;
}

/* Those that were skipped meanwhile; what there is no room for is written down. */
static int settle_todo(struct queue *queue, struct todo *todo, struct err *err)
{
	int result = 0;
	while (todo->count > 0 && result >= 0) {
		const int64_t row = todo->row[--todo->count];
		int64_t any;
		result = db_ask(queue, STATEMENT_DEPENDANTS_ANY, BINDS(as_int(row)), &any,
				err);
		if (result != 1)
			continue;
		result = settle_parent(queue, row, todo, err);
		if (result == 0)
			result = leave_for_later(queue, row, err);
	}
	free(todo->row);
	return result < 0 ? -1 : 0;
}

static int settle_all(struct queue *queue, int64_t row, struct err *err)
{
	struct todo todo = {.count = 0};
	todo_put(&todo, row);
	return settle_todo(queue, &todo, err);
}

int job_ended(struct queue *queue, int64_t row, enum job_state state, struct err *err)
{
	int64_t any;
	if (follow_end(queue, row, state, err) != 0)
		return -1;
	const int found =
		db_ask(queue, STATEMENT_DEPENDANTS_ANY, BINDS(as_int(row)), &any, err);
	return found == 1 ? settle_all(queue, row, err) : found;
}

int job_has_started(struct queue *queue, int64_t row, struct err *err)
{
	int64_t any;
	const int found = db_ask(queue, STATEMENT_DEPENDANTS_OF_START, BINDS(as_int(row)),
				 &any, err);
	return found == 1 ? settle_all(queue, row, err) : found;
}

int job_skip(struct queue *queue, int64_t row, const char *parent_id,
	     const char *parent_state, struct err *err)
{
	return skip(queue, row, parent_id, parent_state, err) != 0
		       ? -1
		       : settle_all(queue, row, err);
}

/* --- the rest, and what was written by hand --- */

int queue_unresolved(struct queue *queue, struct err *err)
{
	int64_t row;
	return db_ask(queue, STATEMENT_UNRESOLVED_FIRST, NO_BINDS, &row, err);
}

int queue_resolve(struct queue *queue, bool *ret_is_more, struct err *err)
{
	const int room = queue->settle_left;
	int64_t row;
	int found;
	if (db_expect_writing(queue, err) != 0)
		return -1;
	while ((found = db_ask(queue, STATEMENT_UNRESOLVED_FIRST, NO_BINDS, &row, err)) ==
	       1) {
		struct todo todo = {.count = 0};
		const int is_whole = settle_parent(queue, row, &todo, err);
		if (settle_todo(queue, &todo, err) != 0 || is_whole < 0)
			return db_fail_late(err);
		if (is_whole == 0)
			break;
		if (db_run(queue, STATEMENT_UNRESOLVED_DELETE, BINDS(as_int(row)), err) <
		    0)
			return db_fail_late(err);
	}
	if (found < 0)
		return db_fail_late(err);
	*ret_is_more = found == 1;
	return room - queue->settle_left;
}
