/* part.c - a part of a transaction that is kept as a whole or not at all.
 *
 * A savepoint, and what the handle remembers about the transaction: the end of the event
 * chain must be the one of the rows that remain. */
#include "queue/birth.h"

static int run(struct queue *queue, enum statement id, struct err *err)
{
	sqlite3_stmt *stmt;
	if (db_start(queue, id, NO_BINDS, &stmt, err) != 0)
		return -1;
	const int result = db_step(queue, stmt, err);
	db_end(stmt);
	return result;
}

int part_begin(struct queue *queue, struct part *part, struct err *err)
{
	part->chain = queue->chain;
	part->settle_left = queue->settle_left;
	tally_mark(queue, &part->tally);
	return run(queue, STATEMENT_PART_BEGIN, err);
}

int part_end(struct queue *queue, struct part *part, struct err *err)
{
	tally_keep(&part->tally);
	return run(queue, STATEMENT_PART_END, err);
}

int part_undo(struct queue *queue, struct part *part, struct err *err)
{
	queue->chain = part->chain;
	queue->settle_left = part->settle_left;
	tally_rollback(queue, &part->tally);
	return run(queue, STATEMENT_PART_UNDO, err) != 0 ||
			       run(queue, STATEMENT_PART_END, err) != 0
		       ? -1
		       : 0;
}
