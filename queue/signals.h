/* signals.h - signals that people send to running jobs.
 *
 * Part of queue.h. The intake only writes down what is wanted; the worker sends it, to
 * the process it knows, and says in the job's history what became of it. A worker that
 * sets about to send one says so first, in a transaction of its own: should it die then,
 * nobody sends the same one again, and the history says that it is not known. */
#ifndef REEVE_QUEUE_SIGNALS_H
#define REEVE_QUEUE_SIGNALS_H

#include <stdint.h>

#include "common/common.h"

struct queue;
struct viewer;

/* What became of one: the member `delivered` of its event `signalled`, and why. */
/* clang-format off */
#define SIGNAL_FATES(X) \
	X(SIGNAL_DELIVERED, "true",  NULL) \
	X(SIGNAL_TOO_LATE,  "false", "the attempt had ended") \
	X(SIGNAL_REFUSED,   "false", "the kernel refused it") \
	X(SIGNAL_UNKNOWN,   "null",  "the worker died before it could say")
/* clang-format on */
enum signal_fate {
#define SIGNAL_FATE_ENUM_(fate, delivered, why) fate,
	SIGNAL_FATES(SIGNAL_FATE_ENUM_)
#undef SIGNAL_FATE_ENUM_
		SIGNAL_FATE_COUNT_
};

/* [write] Wants this signal sent to the main process of a job's present attempt.
 * ERR_NOT_FOUND; ERR_CONFLICT when it does not run. */
int queue_signal(struct queue *queue, const struct viewer *viewer, const char *id,
		 int signal, struct err *err);

struct signal_request {
	int64_t id, job_row;
	int number; /* of the attempt */
	int signal;
	int64_t sent_by; /* epoch of the worker that set about to send it; 0: none */
};
/* Fills up to `max`, oldest first, with ids above `after`. The count or -1. */
int queue_signal_requests(struct queue *queue, int64_t after, struct signal_request *ret,
			  int max, struct err *err);

/* [write] This worker sets about to send it. */
int queue_signal_take(struct queue *queue, int64_t id, int64_t epoch, struct err *err);

/* [write] Says in the job's history what became of it, and forgets it. */
int queue_signal_settle(struct queue *queue, int64_t id, enum signal_fate fate,
			struct err *err);

#endif
