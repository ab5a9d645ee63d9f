/* tally.c - see tally.h. */
#include "queue/tally.h"

#include "queue/db.h"

#define US_PER_MINUTE (60 * US_PER_S)

static int64_t minute_of(int64_t at)
{
	return at / US_PER_MINUTE;
}

static bool row_is(const struct tally_row *row, int64_t minute, const char *lane)
{
	return row->minute == minute && text_equal(row->lane, lane);
}

/* The last one first: most transactions have to do with one queue. */
static struct tally_row *row_of(struct tally *tally, int64_t minute, const char *lane)
{
	for (size_t i = tally->count; i-- > 0;)
		if (row_is(&tally->row[i], minute, lane))
			return &tally->row[i];
	if (tally->count == tally->capacity) {
		tally->capacity = tally->capacity > 0 ? 2 * tally->capacity : 8;
		tally->row = mem_grow(tally->row, tally->capacity * sizeof(*tally->row));
	}
	struct tally_row *row = &tally->row[tally->count++];
	*row = (struct tally_row){.minute = minute, .lane = mem_strdup(lane)};
	return row;
}

void tally_submitted(struct queue *queue, const char *lane, int64_t at)
{
	row_of(&queue->tally, minute_of(at), lane != NULL ? lane : "default")
		->submitted++;
}

/* A clock that was set back makes no negative wait. */
static int64_t span(int64_t from, int64_t to)
{
	return from > 0 && to > from ? to - from : 0;
}

void tally_claimed(struct queue *queue, const char *lane, int64_t at, int64_t queued_at)
{
	struct tally_row *row = row_of(&queue->tally, minute_of(at), lane);
	row->claimed++;
	row->wait_us += span(queued_at, at);
}

int tally_unclaimed(struct queue *queue, int64_t job_row, int number, struct err *err)
{
	sqlite3_stmt *stmt;
	if (db_start(queue, STATEMENT_TALLY_CLAIM, BINDS(as_int(job_row), as_int(number)),
		     &stmt, err) != 0)
		return -1;
	const int found = db_step(queue, stmt, err);
	if (found == 1) {
		const int64_t at = sqlite3_column_int64(stmt, 1);
		struct tally_row *row =
			row_of(&queue->tally, minute_of(at),
			       (const char *)sqlite3_column_text(stmt, 0));
		row->claimed--;
		row->wait_us -= span(sqlite3_column_int64(stmt, 2), at);
	}
	db_end(stmt);
	return found < 0 ? -1 : 0;
}

int tally_ended(struct queue *queue, int64_t job_row, bool *ret_has_callback,
		struct err *err)
{
	sqlite3_stmt *stmt;
	if (db_start(queue, STATEMENT_TALLY_JOB, BINDS(as_int(job_row)), &stmt, err) != 0)
		return -1;
	const int found = db_step(queue, stmt, err);
	if (found == 1) {
		const int64_t started_at = sqlite3_column_int64(stmt, 2);
		const int64_t finished_at = sqlite3_column_int64(stmt, 3);
		const int64_t ended_at = sqlite3_column_int64(stmt, 4);
		struct tally_row *row =
			row_of(&queue->tally, minute_of(finished_at),
			       (const char *)sqlite3_column_text(stmt, 0));
		row->ended[job_state_parse((const char *)sqlite3_column_text(stmt, 1))]++;
		row->ran += started_at > 0;
		*ret_has_callback = sqlite3_column_int(stmt, 5) != 0;
		row->run_us += span(started_at, ended_at > 0 ? ended_at : finished_at);
	}
	db_end(stmt);
	return found < 0 ? -1 : 0;
}

/* --- savepoints --- */

static void copy(const struct tally *from, struct tally *ret)
{
	*ret = (struct tally){.count = from->count, .capacity = from->count};
	ret->row = mem_array(from->count + 1, sizeof(*ret->row));
	for (size_t i = 0; i < from->count; i++) {
		ret->row[i] = from->row[i];
		ret->row[i].lane = mem_strdup(from->row[i].lane);
	}
}

void tally_mark(const struct queue *queue, struct tally *ret)
{
	copy(&queue->tally, ret);
}

void tally_rollback(struct queue *queue, struct tally *mark)
{
	tally_release(&queue->tally);
	queue->tally = *mark;
	*mark = (struct tally){.count = 0};
}

void tally_keep(struct tally *mark)
{
	tally_release(mark);
}

/* --- the end of the transaction --- */

static int totals_flush(struct queue *queue, const struct tally_row *row, struct err *err)
{
	for (unsigned i = 1; i < JOB_STATE_COUNT_; i++)
		if (row->ended[i] != 0 &&
		    db_run(queue, STATEMENT_TALLY_TOTAL,
			   BINDS(as_text(row->lane),
				 as_text(job_state_word((enum job_state)i)),
				 as_int(row->ended[i])),
			   err) < 0)
			return -1;
	return 0;
}

static int row_flush(struct queue *queue, const struct tally_row *row, struct err *err)
{
	const struct bind binds[] = {
		as_int(row->minute),
		as_text(row->lane),
		as_int(row->submitted),
		as_int(row->claimed),
		as_int(row->wait_us),
		as_int(row->ended[JOB_SUCCEEDED]),
		as_int(row->ended[JOB_FAILED]),
		as_int(row->ended[JOB_CANCELLED]),
		as_int(row->ended[JOB_SKIPPED]),
		as_int(row->ended[JOB_LOST]),
		as_int(row->ran),
		as_int(row->run_us),
	};
	if (db_run(queue, STATEMENT_TALLY_MINUTE, binds, ARRAY_SIZE(binds), err) < 0)
		return -1;
	return totals_flush(queue, row, err);
}

int tally_flush(struct queue *queue, struct err *err)
{
	for (size_t i = 0; i < queue->tally.count; i++)
		if (row_flush(queue, &queue->tally.row[i], err) != 0)
			return err_wrap(err, "counting");
	return 0;
}

void tally_reset(struct queue *queue)
{
	for (size_t i = 0; i < queue->tally.count; i++)
		free(queue->tally.row[i].lane);
	queue->tally.count = 0;
}

void tally_release(struct tally *tally)
{
	for (size_t i = 0; i < tally->count; i++)
		free(tally->row[i].lane);
	free(tally->row);
	*tally = (struct tally){.count = 0};
}
