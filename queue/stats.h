/* stats.h - how many jobs there are, and what happened lately.
 *
 * Part of queue.h. What lives is counted by indexes that hold nothing else; what is over
 * was counted while it happened (see tally.h), so that asking costs the same however long
 * the history is. Counts are of all owners: they name nobody. */
#ifndef REEVE_QUEUE_STATS_H
#define REEVE_QUEUE_STATS_H

#include <stddef.h>
#include <stdint.h>

#include "common/common.h"

struct queue;

/* The stretches of time that are looked at: whole minutes and the one that is running, so
 * a little more than what the name says; `since` and `seconds` say it exactly. */
/* clang-format off */
#define STATS_SPANS(X) \
	X(SPAN_MINUTE, "minute", 1) \
	X(SPAN_HOUR,   "hour",   60) \
	X(SPAN_DAY,    "day",    1440)
/* clang-format on */
enum stats_span {
#define STATS_SPAN_ENUM_(value, word, minutes) value,
	STATS_SPANS(STATS_SPAN_ENUM_)
#undef STATS_SPAN_ENUM_
		STATS_SPAN_COUNT_
};
const char *stats_span_word(enum stats_span span);

/* Minutes older than the longest span, and an hour for clocks that are set. */
#define STATS_KEEP_MINUTES (1440 + 60)

#define STATS_STATES 9 /* indexes are enum job_state */

struct stats_flow {
	int64_t submitted;
	int64_t started, wait_us; /* attempts claimed, and their waits since they could */
	int64_t ended[STATS_STATES];
	int64_t ran, run_us; /* those of them that had a process, and their last runs */
};
struct stats_lane {
	char *name; /* heap; NULL: all queues */
	int64_t jobs[STATS_STATES];
	struct stats_flow flow[STATS_SPAN_COUNT_];
};
struct stats {
	int64_t at;
	int64_t since[STATS_SPAN_COUNT_];
	struct stats_lane all;
	struct stats_lane *lane; /* every queue that has or had jobs, by name */
	size_t lanes;
	int64_t database_bytes, wal_bytes; /* of the file, and of the log beside it */
};

int queue_stats(struct queue *queue, struct stats *ret, struct err *err);
void stats_release(struct stats *stats);

/* [write] Forgets minutes older than STATS_KEEP_MINUTES. How many rows, or -1. */
int queue_stats_forget(struct queue *queue, struct err *err);

#endif
