/* cancel_many.c - cancelling all that a filter finds, a slice at a time (see list.h). */
#include "queue/list_walk.h"

/* The next living jobs that fit; they are collected before any is changed, because a
 * change moves them in the index that is being walked. */
static int collect(struct queue *queue, const struct viewer *viewer,
		   const struct job_filter *filter, struct cancel_progress *progress,
		   int64_t *rows, struct err *err)
{
	struct list_walk walk;
	struct job_filter living = *filter;
	int count = 0, found;
	living.is_living = true;
	living.sort = SORT_SUBMITTED_DESC;
	found = walk_open(&walk, queue, viewer, &living,
			  progress->has_position ? &progress->position : NULL,
			  CANCEL_SLICE, err);
	if (found == 0)
		while (count < CANCEL_SLICE && (found = walk_next(&walk, err)) == 1)
			rows[count++] = walk.position.row;
	progress->is_done = found == 0 && !walk.is_cut;
	progress->has_position = true;
	progress->position = walk.position;
	walk_close(&walk);
	return found < 0 ? -1 : count;
}

static int cancel_one(struct queue *queue, const struct viewer *viewer, int64_t row,
		      const char *text, bool force, struct cancel_progress *progress,
		      struct err *err)
{
	sqlite3_stmt *stmt;
	char id[JOB_ID_BYTES] = "";
	enum cancel_result result;
	struct err refusal = ERR_INIT;
	const struct cancel_wish wish = {.text = text, .is_forced = force};
	if (db_start(queue, STATEMENT_LIST_UUID, BINDS(as_int(row)), &stmt, err) != 0)
		return -1;
	const int found = db_step(queue, stmt, err);
	if (found == 1)
		column_id(stmt, 0, id);
	db_end(stmt);
	if (found != 1)
		return found;
	if (queue_cancel(queue, viewer, id, &wish, &result, &refusal) == 0) {
		*(result == CANCEL_STOPPING ? &progress->stopping
					    : &progress->cancelled) += 1;
		return 0;
	}
	if (refusal.code != ERR_CONFLICT) {
		if (err != NULL)
			*err = refusal;
		return -1;
	}
	progress->already_final++;
	return 0;
}

int queue_cancel_many(struct queue *queue, const struct viewer *viewer,
		      const struct job_filter *filter, const char *text, bool force,
		      struct cancel_progress *progress, struct err *err)
{
	struct cancel_progress now = *progress;
	int64_t rows[CANCEL_SLICE];
	if (db_expect_writing(queue, err) != 0)
		return -1;
	const int count = collect(queue, viewer, filter, &now, rows, err);
	if (count < 0)
		return -1;
	for (int i = 0; i < count; i++)
		if (cancel_one(queue, viewer, rows[i], text, force, &now, err) != 0)
			return db_fail_late(err);
	*progress = now;
	return 0;
}
