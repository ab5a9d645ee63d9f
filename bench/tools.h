/* tools.h - the few things that the benchmark's programs share. */
#ifndef REEVE_BENCH_TOOLS_H
#define REEVE_BENCH_TOOLS_H

#include <stddef.h>
#include <stdint.h>

/* Nanoseconds of CLOCK_MONOTONIC. */
int64_t now_ns(void);

/* Prints "PROGRAM: WHAT: strerror(errno)" and ends with 1. */
_Noreturn void die(const char *what);

/* A whole number between low and high, or a message naming the option and exit 2. */
int64_t number(const char *text, const char *option, int64_t low, int64_t high);

/* Seconds with decimals ("0.25"), up to an hour, as nanoseconds; or a message and exit 2.
 */
int64_t seconds_ns(const char *text, const char *option);

/* The whole of a file, with a NUL behind it; to be freed. Ends the program when it cannot
 * be read. */
char *read_file(const char *path, size_t *ret_bytes);

/* How long each of many things took. The first SAMPLES_MAX are kept. */
#define SAMPLES_MAX (1 << 22)
struct samples {
	uint32_t *us;
	size_t count;
};

void samples_init(struct samples *samples);
void samples_release(struct samples *samples);
void samples_add(struct samples *samples, int64_t took_ns);

/* Prints `"p50_ms": …, "p99_ms": …, "max_ms": …`: members of a JSON object. */
void samples_print(struct samples *samples);

#endif
