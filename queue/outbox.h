/* outbox.h - writing what others are to be told, in the transaction that makes it true.
 *
 * Private to queue/. See callbacks.h for what becomes of it. */
#ifndef REEVE_QUEUE_OUTBOX_H
#define REEVE_QUEUE_OUTBOX_H

#include "queue/db.h"

/* [write] This attempt has, or had, a process. Nothing for a job that has no callback or
 * none for this, and nothing the second time. After the attempt's row was written. */
int outbox_started(struct queue *queue, int64_t job_row, int number, struct err *err);

/* [write] The job has become final: after its row and its output's were written. */
int outbox_ended(struct queue *queue, int64_t job_row, struct err *err);

#endif
