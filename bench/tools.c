/* tools.c - the few things that the benchmark's programs share. */
#include "bench/tools.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
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

int64_t seconds_ns(const char *text, const char *option)
{
	char *end = NULL;
	const double value = text ? strtod(text, &end) : 0;
	if (!text || end == text || *end || !(value > 0 && value <= 3600)) {
		fprintf(stderr, "%s: seconds, more than 0, at most 3600\n", option);
		exit(2);
	}
	return (int64_t)(value * 1e9);
}

char *read_file(const char *path, size_t *ret_bytes)
{
	struct stat status;
	FILE *const file = fopen(path, "r");
	if (!file || fstat(fileno(file), &status) < 0)
		die(path);
	char *const ret = malloc((size_t)status.st_size + 1);
	if (!ret)
		die("malloc");
	const size_t bytes = fread(ret, 1, (size_t)status.st_size, file);
	if (ferror(file))
		die(path);
	fclose(file);
	ret[bytes] = '\0';
	if (ret_bytes)
		*ret_bytes = bytes;
	return ret;
}

void samples_init(struct samples *samples)
{
	samples->count = 0;
	samples->us = malloc(SAMPLES_MAX * sizeof *samples->us);
	if (!samples->us)
		die("malloc");
}

void samples_release(struct samples *samples)
{
	free(samples->us);
	samples->us = NULL;
}

void samples_add(struct samples *samples, int64_t took_ns)
{
	if (samples->count < SAMPLES_MAX)
		samples->us[samples->count++] = (uint32_t)(took_ns / 1000);
}

static int by_value(const void *a, const void *b)
{
	const uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
	return (x > y) - (x < y);
}

static double part_ms(const struct samples *samples, double part)
{
	if (!samples->count)
		return 0;
	return samples->us[(size_t)((double)(samples->count - 1) * part)] / 1e3;
}

void samples_print(struct samples *samples)
{
	qsort(samples->us, samples->count, sizeof *samples->us, by_value);
	printf("\"p50_ms\": %.3f, \"p99_ms\": %.3f, \"max_ms\": %.3f",
	       part_ms(samples, 0.5), part_ms(samples, 0.99), part_ms(samples, 1));
}
