/* crowd.h - waiters that one thing wakes: a growing file, the doorbell.
 *
 * Waking one costs some microseconds, and what wakes them may come a hundred thousand
 * times a second. So a crowd is woken at once if it was quiet, and then not again before
 * a time that grows with its number: one is always woken at once, and a thousand take a
 * bounded share of the machine. All of it under the watcher's lock. */
#ifndef REEVE_HTTPAPI_CROWD_H
#define REEVE_HTTPAPI_CROWD_H

#include "httpapi/waiter.h"

struct crowd {
	struct waiter *first;
	size_t count;
	bool is_bell;	  /* what wakes it may be any change: is_newer is set as well */
	bool is_owed;	  /* to be woken as soon as its time has come */
	int64_t quiet_us; /* until then (CLOCK_BOOTTIME) it is not woken again */
};

void crowd_join(struct crowd *crowd, struct waiter *waiter);

/* Out of the crowd that it is in, if any. */
void crowd_leave(struct waiter *waiter);

/* What they wait for has happened: all are rung, now or when it is time. */
void crowd_ring(struct crowd *crowd, int64_t now_us);

/* Rings them if that is owed and it is time. When to come back; INT64_MAX: not before
 * crowd_ring. */
int64_t crowd_settle(struct crowd *crowd, int64_t now_us);

#endif
