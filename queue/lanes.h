/* lanes.h - named queues with limits and pauses, draining, and why a job does not run.
 *
 * Part of queue.h. What users call a queue is called a lane here, since `struct queue` is
 * the handle: a row of the table `queues`.
 *
 * Which queued job is next:
 *   1. Nothing while the service is draining. Nothing of a queue that is paused or has as
 *      many running jobs as its limit says (claimed ones count); that never holds back
 *      another queue.
 *   2. The highest priority first, over all open queues.
 *   3. Inside one priority owners take turns, in the order of their names and round and
 *      round: each has one job in a round, over all queues together. So a thousand jobs
 *      of one owner delay another owner's one by one job. The owners that a queue passed
 *      over while it was shut come first when it opens (once, not for every round that
 *      they missed): else it could be always the same ones that find it open.
 *   4. Inside an owner's turn the job that has been queued for the longest: `queued_at`
 *      is when it became eligible (submitted, due, released, retried; a revoked attempt
 *      keeps its job's old place), then the order of submission. */
#ifndef REEVE_QUEUE_LANES_H
#define REEVE_QUEUE_LANES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/common.h"
#include "queue/dependencies.h"

struct job;
struct queue;
struct viewer;

/* --- turns --- */

/* Whose turn it is, between one claim and the next. In memory only: after a restart the
 * turns begin anew. */
struct turns;
struct turns *turns_new(void);
void turns_free(struct turns *turns);

/* For a worker that claims ahead of free slots. How many of a queue's running jobs are
 * too many now, claimed ones that were not started included: all (INT64_MAX) while it is
 * paused or the service is draining, else as many as its limit was lowered below. */
int queue_claims_over(struct queue *queue, const char *name, int64_t *ret,
		      struct err *err);

/* Is a queued job to be claimed before others of this priority are started: one of a
 * higher priority, or, unless `owners` is NULL, one of this priority whose owner is not
 * among them? 1, 0, -1. */
int queue_claim_rather(struct queue *queue, int priority, const char *const *owners,
		       size_t count, struct err *err);

/* --- queues --- */

/* Makes the rows say what the configuration says: those named are there with their
 * limits, `default` always is, others are not configured any more (they stay, with their
 * jobs). What was set by queue_lane_limit and pauses stay. In a transaction of its own;
 * nothing is written when nothing differs. */
int queue_lanes_configure(struct queue *queue, const struct queue_settings *settings,
			  struct err *err);

struct lane {
	char *name;
	bool is_configured;
	int64_t max_running;		/* in force; -1: none */
	int64_t configured_max_running; /* -1: none */
	bool is_limit_set;		/* by queue_lane_limit */
	int64_t waiting, queued, running;
	int64_t oldest_queued_at;	 /* 0: none is queued */
	int64_t paused_at, paused_until; /* 0: not paused; no end */
	char *paused_by, *pause_reason;
};
struct lane_list {
	struct lane *item;
	size_t count;
};
/* 1, 0 there is no such queue (no row, no living jobs), -1. */
int queue_lane_get(struct queue *queue, const char *name, struct lane *ret,
		   struct err *err);
/* All that are configured, have a row, or have living jobs; by name. */
int queue_lane_list(struct queue *queue, struct lane_list *ret, struct err *err);
void lane_release(struct lane *lane);
void lane_list_release(struct lane_list *list);

/* [write] All with their event (queue_paused, queue_resumed, queue_limited).
 * ERR_NOT_FOUND when there is no such queue. Pausing again changes who, why and until
 * when; resuming one that is not paused, or setting the limit it has, writes nothing.
 * `until` 0: until somebody resumes it; else queue_due does (an event queue_resumed
 * without principal). `max_running` -1: no limit, whatever the configuration says;
 * LANE_AS_CONFIGURED: forget what was set. */
#define LANE_AS_CONFIGURED (-2)
int queue_lane_pause(struct queue *queue, const char *principal, const char *name,
		     const char *reason, int64_t until, struct err *err);
int queue_lane_resume(struct queue *queue, const char *principal, const char *name,
		      struct err *err);
int queue_lane_limit(struct queue *queue, const char *principal, const char *name,
		     int64_t max_running, struct err *err);

/* [write] Nothing is started any more until undrained, whoever restarts; what runs goes
 * on. With events `draining` and `undrained`. Asking twice is fine. */
int queue_drain(struct queue *queue, const char *principal, const char *reason,
		struct err *err);
int queue_undrain(struct queue *queue, const char *principal, struct err *err);

struct drain {
	int64_t since;
	char *by, *reason; /* heap */
};
/* 1 draining, 0 not, -1. */
int queue_drain_get(struct queue *queue, struct drain *ret, struct err *err);
void drain_release(struct drain *drain);

/* How many jobs run, over all queues (claimed ones count). */
int queue_running(struct queue *queue, int64_t *ret, struct err *err);

/* --- explaining --- */

/* Why a queued job has not started: "draining", "queue_paused" or "queue_limit", the
 * first of them that holds. 1, 0 none of them (also when it is not queued), -1. */
int queue_queued_reason(struct queue *queue, const struct job *job, const char **ret_word,
			struct err *err);

/* clang-format off */
#define HINDRANCES(X) \
	X(HINDRANCE_DEPENDENCY,  "dependency") \
	X(HINDRANCE_RUN_AT,      "run_at") \
	X(HINDRANCE_HOLD,        "hold") \
	X(HINDRANCE_RETRY,       "retry") \
	X(HINDRANCE_PAUSED,      "queue_paused") \
	X(HINDRANCE_FULL,        "queue_limit") \
	X(HINDRANCE_DRAINING,    "draining") \
	X(HINDRANCE_NO_SLOT,     "no_free_slot") \
	X(HINDRANCE_NO_WORKER,   "no_worker")
/* clang-format on */
enum hindrance_kind {
#define HINDRANCE_ENUM_(value, word) value,
	HINDRANCES(HINDRANCE_ENUM_)
#undef HINDRANCE_ENUM_
		HINDRANCE_COUNT_
};
const char *hindrance_word(enum hindrance_kind kind);

/* One reason why a job does not run yet. Fields that say nothing for the kind are 0, NULL
 * or "". */
struct hindrance {
	enum hindrance_kind kind;
	int64_t until;	    /* it passes by itself then; 0: not by itself */
	char *by, *text;    /* who, and their words (heap) */
	char parent_id[37]; /* dependency; "" for one that the viewer may not see */
	enum dependency_condition condition;
	int64_t running, limit; /* full queue, no free slot */
	int64_t since; /* hold, paused, draining; no worker: its last heartbeat */
};

/* Older than this, a worker's heartbeat is no sign of life. */
#define WORKER_ALIVE_US (15 * INT64_C(1000000))

#define EXPLAIN_AHEAD_MAX 1000
struct explanation {
	char state[12];
	/* what would hold it back now even if the others went, in the order of HINDRANCES
	 */
	struct hindrance *item;
	size_t count; /* 0: it runs, has ended, or starts at any moment */
	/* Queued jobs that may be started before it by the rules as they stand, if it
	 * were queued now; of other owners of its priority the most that their turns can
	 * give them. Jobs in paused queues do not count, but for its own queue's. 0 when
	 * it runs or has ended; at most EXPLAIN_AHEAD_MAX. */
	int64_t ahead;
	bool is_ahead_capped;
	int64_t earliest_at; /* it will not start before: the latest `until` of its
				hindrances; 0: no time stands in its way */
};
/* 1, 0 no such job, -1. */
int queue_explain(struct queue *queue, const struct viewer *viewer, const char *id,
		  struct explanation *ret, struct err *err);
void explanation_release(struct explanation *explanation);

#endif
