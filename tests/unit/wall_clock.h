/* wall_clock.h - a queue (queue_fixture.h) whose wall clock stands still until the test
 * moves it. Nothing waits for real hours. */
#ifndef REEVE_TESTS_WALL_CLOCK_H
#define REEVE_TESTS_WALL_CLOCK_H

#include <stdint.h>

/* Setup and teardown of a cmocka test: the fixture, and the clock through the seam. */
int wall_setup(void **state);
int wall_teardown(void **state);

int64_t wall_now_us(void);
void wall_go_on(int64_t us); /* backwards when negative */
void wall_set(int64_t at_us);

#define WALL_START_US (INT64_C(2000000000) * 1000000)

#endif
