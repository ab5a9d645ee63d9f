/* tools.c - the few things that the benchmark's programs share. */
#include "bench/tools.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

int64_t now_ns(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

void die(const char *what)
{
	perror(what);
	exit(1);
}

int64_t number(const char *text, const char *option, int64_t low, int64_t high)
{
	char *end = NULL;
	errno = 0;
	const long long value = text ? strtoll(text, &end, 10) : 0;
	if (!text || errno || end == text || *end || value < low || value > high) {
		fprintf(stderr, "%s: a number from %lld to %lld\n", option,
			(long long)low, (long long)high);
		exit(2);
	}
	return value;
}
