/* retry.h - which ends of an attempt are tried again, and after how long.
 *
 * A rule is stored with its job as a JSON object, complete with its defaults, and shown
 * as it is stored; how many attempts there may be is a column of its own. Part of
 * queue.h. Needs no database. */
#ifndef REEVE_QUEUE_RETRY_H
#define REEVE_QUEUE_RETRY_H

#include <stdbool.h>
#include <stdint.h>

#include "common/common.h"

/* How an attempt can end that is worth another: the words of `retry.on`, which are those
 * of a failed job's reason, and `lost`. */
/* clang-format off */
#define RETRY_CAUSES(X) \
	X(RETRY_EXIT,         "exit") \
	X(RETRY_SIGNAL,       "signal") \
	X(RETRY_TIMEOUT,      "timeout") \
	X(RETRY_OOM,          "oom") \
	X(RETRY_OUTPUT_LIMIT, "output_limit") \
	X(RETRY_START_FAILED, "start_failed") \
	X(RETRY_LOST,         "lost")
/* clang-format on */

enum retry_cause {
#define RETRY_CAUSE_ENUM_(cause, word) cause,
	RETRY_CAUSES(RETRY_CAUSE_ENUM_)
#undef RETRY_CAUSE_ENUM_
		RETRY_CAUSE_COUNT_
};

const char *retry_cause_word(enum retry_cause cause);
/* RETRY_CAUSE_COUNT_ when it is none. */
enum retry_cause retry_cause_parse(const char *word);

#define RETRY_DELAY_MAX_US (INT64_C(10) * 365 * 86400 * US_PER_S)
#define RETRY_FACTOR_MAX 100.0
#define RETRY_EXIT_CODES 256

struct retry {
	int64_t delay_us, max_delay_us;
	double factor, jitter;
	unsigned on; /* 1 << cause */
	bool has_exit_codes;
	bool exit_code[RETRY_EXIT_CODES]; /* with has_exit_codes: only these */
};

/* What a request leaves open: 10 s, doubling, at most an hour, give or take
 * a tenth; after `exit` and `signal`. */
void retry_init(struct retry *ret);

/* As the JSON object that is stored and shown. */
void retry_format(const struct retry *retry, struct buf *out);

/* Reads what retry_format wrote; a member that is missing has its default. 0, or -1 when
 * it is no JSON object. */
int retry_parse(const char *text, struct retry *ret, struct err *err);

/* Is this end tried again, as far as its kind goes? `exit_code` counts for RETRY_EXIT. */
bool retry_covers(const struct retry *retry, enum retry_cause cause, int exit_code);

/* The delay after the `used`-th attempt (1, 2, ...):
 *     min(max_delay, delay * factor^(used - 1)) * (1 + jitter * s),
 * s going from -1 to 1 as `sample` goes from 0 to 1. Saturates; never negative. */
int64_t retry_delay_us(const struct retry *retry, int used, double sample);

#endif
