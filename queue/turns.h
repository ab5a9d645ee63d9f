/* turns.h - which queued job is next; private to queue/ but for what lanes.h says.
 *
 * A lane is a queue and a priority. Its owners stand in a circle, in the order of their
 * names; a place in the turning is a round and an owner, and whoever was served last in a
 * priority is its place. The next owner is the first one behind that place, over all
 * queues that are open: so all have one job each in a round, wherever they are queued.
 *
 * A queue that is full or paused cannot serve while the turning goes on without it. It
 * keeps the place at which it was shut, and when it opens, the owners that it passed over
 * come first: else somebody who is always served elsewhere while it is shut would never
 * be served here. It is never behind by more than one round.
 *
 * Only seeks in the index jobs_queued are made, a few for each queue and each job taken,
 * however many jobs there are. */
#ifndef REEVE_QUEUE_TURNS_H
#define REEVE_QUEUE_TURNS_H

#include "queue/db.h"

/* Looks at every queue with queued jobs: is it open, and for how many? */
int turns_begin(struct queue *queue, struct turns *turns, struct err *err);

/* The row of the job whose turn it is: 1, 0 none may be claimed, -1. The caller claims it
 * before he asks again. */
int turns_next(struct queue *queue, struct turns *turns, int64_t *ret_row,
	       struct err *err);

/* How many more of a queue may run now: 0 when it is paused or full, INT64_MAX without a
 * limit. */
int lane_room(struct queue *queue, const char *name, int64_t *ret, struct err *err);

/* Its limit (-1: none), and whether it is paused; a queue without a row is neither. */
int lane_gate(struct queue *queue, const char *name, int64_t *ret_limit,
	      bool *ret_is_paused, struct err *err);

/* What lets a queue's jobs through: all of a struct lane but what waits and is queued,
 * which has to be counted. 1, 0 it has no row (*ret is as good), -1. */
int lane_gates(struct queue *queue, const char *name, struct lane *ret, struct err *err);

/* Is the queue paused? 1, 0, -1. */
int lane_is_paused(struct queue *queue, const char *name, struct err *err);

/* The next queue after `*name` with queued jobs, into it, and its highest priority (which
 * may be NULL): 1, 0 none, -1. */
int lane_after(struct queue *queue, char **name, int *ret_priority, struct err *err);

/* An event about the service or a queue. `json` is in its object, which is closed and
 * appended; ERR_TOO_LARGE when it did not fit. */
#define EVENT_DATA_BYTES (1 << 20)
int service_event(struct queue *queue, const char *kind, const char *principal,
		  struct json_writer *json, struct err *err);

/* How many queued jobs may be claimed before this one, which has not started, at most
 * `max`; see struct explanation (ahead.c). */
int turns_ahead(struct queue *queue, const struct job *job, int64_t max, int64_t *ret,
		struct err *err);

#endif
