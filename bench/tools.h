/* tools.h - the few things that the benchmark's programs share. */
#ifndef REEVE_BENCH_TOOLS_H
#define REEVE_BENCH_TOOLS_H

#include <stdint.h>

/* Nanoseconds of CLOCK_MONOTONIC. */
int64_t now_ns(void);

/* Prints "PROGRAM: WHAT: strerror(errno)" and ends with 1. */
_Noreturn void die(const char *what);

/* A whole number between low and high, or a message naming the option and exit 2. */
int64_t number(const char *text, const char *option, int64_t low, int64_t high);

#endif
