/* crowd.c - waking many for one thing, not too often (see crowd.h). */
#include "httpapi/crowd.h"

/* What waking one costs, and twice as much again for everybody else: measured, 1,000
 * followers of a job that writes without a pause leave more than half of the machine. */
#define QUIET_EACH_US 100
#define QUIET_MAX_US (250 * US_PER_MS)

void crowd_join(struct crowd *crowd, struct waiter *waiter)
{
	crowd_leave(waiter);
	waiter->crowd = crowd;
	waiter->crowd_next = crowd->first;
	waiter->crowd_link = &crowd->first;
	if (waiter->crowd_next)
		waiter->crowd_next->crowd_link = &waiter->crowd_next;
	crowd->first = waiter;
	crowd->count++;
}

void crowd_leave(struct waiter *waiter)
{
	if (!waiter->crowd)
		return;
	*waiter->crowd_link = waiter->crowd_next;
	if (waiter->crowd_next)
		waiter->crowd_next->crowd_link = waiter->crowd_link;
	waiter->crowd->count--;
	waiter->crowd = NULL;
}

static int64_t quiet_us(const struct crowd *crowd)
{
	if (crowd->count < 2)
		return 0;
	const int64_t us = (int64_t)crowd->count * QUIET_EACH_US;
	return us < QUIET_MAX_US ? us : QUIET_MAX_US;
}

int64_t crowd_settle(struct crowd *crowd, int64_t now_us)
{
	if (!crowd->is_owed)
		return INT64_MAX;
	if (now_us < crowd->quiet_us)
		return crowd->quiet_us;
	crowd->is_owed = false;
	crowd->quiet_us = now_us + quiet_us(crowd);
	for (struct waiter *at = crowd->first; at; at = at->crowd_next) {
		if (crowd->is_bell)
			atomic_store(&at->is_newer, true);
		waiter_ring(at);
	}
	return INT64_MAX;
}

void crowd_ring(struct crowd *crowd, int64_t now_us)
{
	crowd->is_owed = true;
	crowd_settle(crowd, now_us);
}
