/* crowd.h - waiters that one thing wakes: a growing file, the doorbell.
 *
 * Waking one costs some microseconds, and what wakes them may come a hundred thousand
 * times a second. So they are woken in rounds, a few at a time, each few followed by a
 * pause in which others have the machine: one alone is always woken at once, and the more
 * there are the longer a round takes. What happens during a round leads to another one.
 * All of it under the watcher's lock. */
#ifndef REEVE_HTTPAPI_CROWD_H
#define REEVE_HTTPAPI_CROWD_H

#include "httpapi/waiter.h"

struct crowd {
	struct waiter *first;
	size_t count;
	struct waiter *next; /* of this round; NULL: there is none under way */
	bool is_bell;	     /* it may be any change: is_newer is set as well */
	bool is_owed;	     /* another round is due */
	int64_t pause_us;    /* until then (CLOCK_BOOTTIME) nobody is woken */
};

void crowd_join(struct crowd *crowd, struct waiter *waiter);

/* Out of the crowd that it is in, if any. */
void crowd_leave(struct waiter *waiter);

/* What they wait for has happened: all will be rung. */
void crowd_ring(struct crowd *crowd, int64_t now_us);

/* One of them has got a share of what there is, and there is more. False: they are few,
 * it may go on at once, as may everybody in the bell's crowd; true: it is to park, and
 * will be rung in the next round. */
bool crowd_rest(struct crowd *crowd);

/* Rings the next few if it is time. When to come back; INT64_MAX: no need. */
int64_t crowd_settle(struct crowd *crowd, int64_t now_us);

#endif
