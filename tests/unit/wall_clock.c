/* wall_clock.c - see wall_clock.h. */
#include "tests/unit/wall_clock.h"

#include "tests/unit/queue_fixture.h"

static int64_t wall_us;
static int (*real_gettime)(clockid_t clock, struct timespec *ret);

static int set_gettime(clockid_t clock, struct timespec *ret)
{
	if (clock != CLOCK_REALTIME)
		return real_gettime(clock, ret);
	ret->tv_sec = wall_us / US_PER_S;
	ret->tv_nsec = wall_us % US_PER_S * 1000;
	return 0;
}

int wall_setup(void **state)
{
	const int result = fixture_setup(state);
	wall_us = WALL_START_US;
	real_gettime = sys.clock_gettime;
	sys.clock_gettime = set_gettime;
	return result;
}

int wall_teardown(void **state)
{
	sys.clock_gettime = real_gettime;
	return fixture_teardown(state);
}

int64_t wall_now_us(void)
{
	return wall_us;
}

void wall_go_on(int64_t us)
{
	wall_us += us;
}

void wall_set(int64_t at_us)
{
	wall_us = at_us;
}
