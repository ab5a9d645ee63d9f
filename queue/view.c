/* view.c - one job with all that is shown of it, as it stands in the row (see view.h). */
#include "queue/db.h"

/* Behind the columns of the job: whether there is an attempt, parents, dependants; then
 * those of the attempt. */
enum { COLUMN_HAS_LAST, COLUMN_HAS_PARENTS, COLUMN_HAS_DEPENDANTS, COLUMNS_BETWEEN };

static bool is_true(sqlite3_stmt *stmt, size_t column)
{
	return sqlite3_column_int(stmt, (int)column) != 0;
}

int job_view_open(struct queue *queue, int64_t row, struct job_view *ret, struct err *err)
{
	const size_t between = JOB_FIELDS_COUNT;
	sqlite3_stmt *stmt;
	if (db_start(queue, STATEMENT_JOB_VIEW, BINDS(as_int(row)), &stmt, err) != 0)
		return -1;
	const int found = db_step(queue, stmt, err);
	if (found != 1) {
		db_end(stmt);
		return found;
	}
	memset(ret, 0, sizeof *ret);
	fields_borrow(stmt, 0, JOB_FIELDS, JOB_FIELDS_COUNT, &ret->job);
	ret->has_last = is_true(stmt, between + COLUMN_HAS_LAST);
	ret->has_parents = is_true(stmt, between + COLUMN_HAS_PARENTS);
	ret->has_dependants = is_true(stmt, between + COLUMN_HAS_DEPENDANTS);
	if (ret->has_last)
		attempt_borrow(stmt, (int)between + COLUMNS_BETWEEN, &ret->last);
	return 1;
}

void job_view_close(struct queue *queue)
{
	if (queue->stmt[STATEMENT_JOB_VIEW] != NULL)
		db_end(queue->stmt[STATEMENT_JOB_VIEW]);
}
