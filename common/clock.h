/* clock.h - what time it is, and how it is written.
 *
 * Wall time is INTEGER microseconds since 1970-01-01 UTC (`..._at`); durations come from
 * CLOCK_BOOTTIME, which no administrator can set and which counts through a suspend. Both
 * go through the seam in sys.h, so tests can set them. */
#ifndef REEVE_CLOCK_H
#define REEVE_CLOCK_H

#include <stddef.h>
#include <stdint.h>

#define US_PER_S INT64_C(1000000)
#define US_PER_MS INT64_C(1000)

/* Microseconds since the epoch (CLOCK_REALTIME). */
int64_t clock_now_us(void);

/* Microseconds since boot, counting suspends (CLOCK_BOOTTIME). Only differences mean
 * anything. */
int64_t clock_boot_us(void);

/* "2026-11-20T23:33:00.123456Z" (RFC 3339, always six fraction digits, so that text order
 * is time order). Years 1 to 9999. */
#define CLOCK_TEXT_BYTES 28
void clock_format(int64_t at_us, char ret[CLOCK_TEXT_BYTES]);

/* Reads an RFC 3339 date-time with any offset and any number of fraction digits (those
 * past the sixth are dropped; a leap second reads as the next second). 0 or -1. */
int clock_parse(const char *text, int64_t *ret_at_us);

/* This boot's id (/proc/sys/kernel/random/boot_id) as 36 characters and a NUL. Read once.
 */
#define CLOCK_BOOT_ID_BYTES 37
const char *clock_boot_id(void);

#endif
