/* config_retention.h - how long jobs, outputs and events are kept: the setting.
 *
 * A rule says for which jobs it is (by queue, task and outcome; what it does not name may
 * be anything) and how much of them is kept. The first rule that fits a job is the one
 * for it; where it says nothing of outputs or rows, or where none fits, the ages of the
 * policy hold. What the limits mean is in queue/retention.h. */
#ifndef REEVE_CONFIG_RETENTION_H
#define REEVE_CONFIG_RETENTION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* How a job can have ended; a test compares them with the final states of queue.h. */
/* clang-format off */
#define RETENTION_OUTCOMES(X) \
	X(OUTCOME_SUCCEEDED, "succeeded") \
	X(OUTCOME_FAILED,    "failed") \
	X(OUTCOME_CANCELLED, "cancelled") \
	X(OUTCOME_SKIPPED,   "skipped") \
	X(OUTCOME_LOST,      "lost")
/* clang-format on */
enum retention_outcome {
#define RETENTION_OUTCOME_ENUM_(value, word) value,
	RETENTION_OUTCOMES(RETENTION_OUTCOME_ENUM_)
#undef RETENTION_OUTCOME_ENUM_
		OUTCOME_COUNT_
};
const char *retention_outcome_word(enum retention_outcome outcome);
/* Its number, or -1. */
int retention_outcome_parse(const char *word);

/* Each is the most that is kept; -1: no such limit. */
struct retention_limits {
	int64_t max_age_us, keep_last, max_bytes;
};

struct retention_rule {
	char *queue, *task; /* NULL: any; a task is never "any command" */
	unsigned outcomes;  /* 1 << enum retention_outcome, of each that it is for */
	bool has_output, has_rows;
	struct retention_limits output, rows; /* if it has them */
};

struct retention_rules {
	struct retention_rule *item;
	size_t count;
};

/* By value, so that a run goes on by the policy that it began with. */
struct retention_policy {
	struct retention_rules rules;
	int64_t output_age_us, rows_age_us, events_age_us; /* 0: for ever */
	int64_t every_us;				   /* 0: only by hand */
	int64_t slice; /* most jobs or events in one transaction */
};

#endif
