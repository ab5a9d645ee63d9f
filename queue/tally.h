/* tally.h - counting what happens, without a row written for each of it.
 *
 * Private to queue/. While a transaction is written, its submissions, claims and ends are
 * counted in memory; queue_commit adds them to job_minutes and job_totals, one row for
 * each minute and queue however many jobs there were, in the same transaction. A rollback
 * forgets them. (Triggers that did the same were measured: a submission took twice as
 * long.) */
#ifndef REEVE_QUEUE_TALLY_H
#define REEVE_QUEUE_TALLY_H

#include "queue/queue.h"

/* One minute of one queue. */
struct tally_row {
	int64_t minute;
	char *lane; /* heap */
	int64_t submitted, claimed, wait_us, ran, run_us;
	int64_t ended[JOB_STATE_COUNT_];
};
struct tally {
	struct tally_row *row;
	size_t count, capacity;
};

/* A job was accepted. `lane` NULL: the default queue. */
void tally_submitted(struct queue *queue, const char *lane, int64_t at);

/* An attempt was claimed, for a job that could have started since `queued_at` (0: nobody
 * knows). */
void tally_claimed(struct queue *queue, const char *lane, int64_t at, int64_t queued_at);

/* That attempt certainly never ran: as if it had not been claimed. To be called before
 * the job is queued again. 0 or -1. */
int tally_unclaimed(struct queue *queue, int64_t job_row, int number, struct err *err);

/* A job has become final: to be called after its row was written, which says the rest. 0
 * or -1. *ret_has_callback is what else that row says: it is not to be read once more. */
int tally_ended(struct queue *queue, int64_t job_row, bool *ret_has_callback,
		struct err *err);

/* For a savepoint inside the transaction: remembers how far it has counted; then either
 * tally_rollback (the counts are again what they were) or tally_keep. Both release the
 * mark. */
void tally_mark(const struct queue *queue, struct tally *ret);
void tally_rollback(struct queue *queue, struct tally *mark);
void tally_keep(struct tally *mark);

/* txn.c: writes what was counted, as part of the transaction; and forgets it, after a
 * commit or a rollback. */
int tally_flush(struct queue *queue, struct err *err);
void tally_reset(struct queue *queue);
void tally_release(struct tally *tally);

#endif
