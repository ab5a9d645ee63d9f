/* waiter.c - suspend and resume, exactly once each (see waiter.h). */
#include "httpapi/waiter.h"

bool waiter_park(struct waiter *waiter)
{
	int expected = WAITER_RUNG;
	if (atomic_compare_exchange_strong(&waiter->turn, &expected, WAITER_AWAKE))
		return false;
	MHD_suspend_connection(waiter->connection);
	expected = WAITER_AWAKE;
	if (atomic_compare_exchange_strong(&waiter->turn, &expected, WAITER_PARKED))
		return true;
	/* Rung between the two looks: whoever rang saw us awake, so we resume. */
	atomic_store(&waiter->turn, WAITER_AWAKE);
	MHD_resume_connection(waiter->connection);
	return true;
}

void waiter_leave(struct waiter *waiter)
{
	int expected = WAITER_AWAKE;
	if (atomic_compare_exchange_strong(&waiter->turn, &expected, WAITER_PARKED))
		return;
	atomic_store(&waiter->turn, WAITER_AWAKE);
	MHD_resume_connection(waiter->connection);
}

void waiter_ring(struct waiter *waiter)
{
	int expected = WAITER_AWAKE;
	if (atomic_compare_exchange_strong(&waiter->turn, &expected, WAITER_RUNG))
		return;
	expected = WAITER_PARKED;
	if (atomic_compare_exchange_strong(&waiter->turn, &expected, WAITER_AWAKE))
		MHD_resume_connection(waiter->connection);
}
