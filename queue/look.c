/* look.c - for a worker that has claimed more than it could start yet: does that still
 * hold, and is there something that should come before it? Read only, by seeks. */
#include "queue/turns.h"

int queue_claims_over(struct queue *queue, const char *name, int64_t *ret,
		      struct err *err)
{
	int64_t draining = 0, limit = -1, running = 0;
	bool is_paused = false;
	if (db_ask(queue, STATEMENT_DRAIN_IS, NO_BINDS, &draining, err) < 0 ||
	    lane_gate(queue, name, &limit, &is_paused, err) != 0)
		return -1;
	if (limit >= 0 && db_ask(queue, STATEMENT_LANE_COUNT_RUNNING,
				 BINDS(as_text(name)), &running, err) < 0)
		return -1;
	if (draining || is_paused)
		*ret = INT64_MAX;
	else
		*ret = limit >= 0 && running > limit ? running - limit : 0;
	return 0;
}

static bool is_listed(const char *const *owners, size_t count, const char *owner)
{
	for (size_t i = 0; i < count; i++)
		if (strcmp(owners[i], owner) == 0)
			return true;
	return false;
}

/* Is an owner queued in this lane that is not in the list? 1, 0, -1. */
static int has_other_owner(struct queue *queue, const char *name, int priority,
			   const char *const *owners, size_t count, struct err *err)
{
	AUTO_FREE char *after = mem_strdup("");
	for (;;) {
		sqlite3_stmt *stmt;
		if (db_start(queue, STATEMENT_TURN_OWNER,
			     BINDS(as_text(name), as_int(priority), as_text(after)),
			     &stmt, err) != 0)
			return -1;
		const int found = db_step(queue, stmt, err);
		char *owner = found == 1 ? column_text(stmt, 0) : NULL;
		db_end(stmt);
		if (owner == NULL)
			return found;
		free(after);
		after = owner;
		if (!is_listed(owners, count, owner))
			return 1;
	}
}

int lane_after(struct queue *queue, char **name, int *ret_priority, struct err *err)
{
	sqlite3_stmt *stmt;
	if (db_start(queue, STATEMENT_TURN_QUEUE, BINDS(as_text(*name)), &stmt, err) != 0)
		return -1;
	const int found = db_step(queue, stmt, err);
	char *next = found == 1 ? column_text(stmt, 0) : NULL;
	if (ret_priority != NULL)
		*ret_priority = found == 1 ? sqlite3_column_int(stmt, 1) : 0;
	db_end(stmt);
	if (next == NULL)
		return found;
	free(*name);
	*name = next;
	return 1;
}

int queue_claim_rather(struct queue *queue, int priority, const char *const *owners,
		       size_t count, struct err *err)
{
	AUTO_FREE char *name = mem_strdup("");
	int64_t room = 0, draining = 0;
	int top, found;
	if (db_ask(queue, STATEMENT_DRAIN_IS, NO_BINDS, &draining, err) < 0)
		return -1;
	if (draining)
		return 0;
	while ((found = lane_after(queue, &name, &top, err)) == 1) {
		if (top < priority || (top == priority && owners == NULL))
			continue;
		if (lane_room(queue, name, &room, err) != 0)
			return -1;
		if (room <= 0)
			continue;
		const int is_before =
			top > priority
				? 1
				: has_other_owner(queue, name, top, owners, count, err);
		if (is_before != 0)
			return is_before;
	}
	return found;
}
