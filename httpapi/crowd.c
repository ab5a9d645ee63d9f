/* crowd.c - waking many for one thing, not too often (see crowd.h). */
#include "httpapi/crowd.h"

/* How many are woken at a time, and the pause for each of them: several times what it
 * costs to wake one and to send it something, on both sides of the connection. So a
 * thousand are woken four times a second. */
#define FEW 16
#define PAUSE_EACH_US 250

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
	struct crowd *crowd = waiter->crowd;
	if (!crowd)
		return;
	if (crowd->next == waiter)
		crowd->next = waiter->crowd_next;
	*waiter->crowd_link = waiter->crowd_next;
	if (waiter->crowd_next)
		waiter->crowd_next->crowd_link = waiter->crowd_link;
	crowd->count--;
	waiter->crowd = NULL;
}

int64_t crowd_settle(struct crowd *crowd, int64_t now_us)
{
	if (!crowd->next && !crowd->is_owed)
		return INT64_MAX;
	if (now_us < crowd->pause_us)
		return crowd->pause_us;
	if (!crowd->next) {
		crowd->is_owed = false;
		crowd->next = crowd->first;
	}
	int rung = 0;
	for (; crowd->next && rung < FEW; rung++) {
		struct waiter *waiter = crowd->next;
		crowd->next = waiter->crowd_next;
		if (crowd->is_bell)
			atomic_store(&waiter->is_newer, true);
		waiter_ring(waiter);
	}
	crowd->pause_us = crowd->count < 2 ? 0 : now_us + rung * PAUSE_EACH_US;
	return crowd->next || crowd->is_owed ? crowd->pause_us : INT64_MAX;
}

void crowd_ring(struct crowd *crowd, int64_t now_us)
{
	crowd->is_owed = true;
	crowd_settle(crowd, now_us);
}

bool crowd_rest(struct crowd *crowd)
{
	/* Who waits for any change is not one of many who send the same. */
	if (crowd->is_bell || crowd->count <= FEW)
		return false;
	crowd->is_owed = true;
	return true;
}
