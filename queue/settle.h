/* settle.h - what follows when a job ends, or starts: its dependants go on or are
 * skipped.
 *
 * Private to queue/. Every move to a final state goes through job_ended, after the job's
 * row and its event were written. */
#ifndef REEVE_QUEUE_SETTLE_H
#define REEVE_QUEUE_SETTLE_H

#include "queue/db.h"

/* [write] The one place for what follows an end. Where nothing depends on the job, it
 * costs one look into an index. */
int job_ended(struct queue *queue, int64_t row, enum job_state state, struct err *err);

/* [write] A process of it exists, or existed: for dependencies on `started`. */
int job_has_started(struct queue *queue, int64_t row, struct err *err);

/* What its dependencies say about a job that has not started. */
enum outlook { OUTLOOK_GO, OUTLOOK_WAIT, OUTLOOK_NEVER };
int job_outlook(struct queue *queue, int64_t row, enum outlook *ret, struct err *err);

/* [write] A job that waits or is queued becomes cancelled, with its event and what
 * follows (cancel.c). */
int job_cancel_unstarted(struct queue *queue, int64_t row, const char *principal,
			 const char *text, struct err *err);

/* [write] A waiting job becomes skipped, with its event and what follows. The parent that
 * is to blame, or "" when it is not known. */
int job_skip(struct queue *queue, int64_t row, const char *parent_id,
	     const char *parent_state, struct err *err);

#endif
