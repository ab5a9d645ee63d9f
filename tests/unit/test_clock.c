/* test_clock.c - RFC 3339 in both directions, the clocks behind the seam, the boot id. */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "common/clock.h"
#include "common/mem.h"
#include "common/sys.h"
#include "tests/unit/unit.h"

static int fixed_clock(clockid_t clock, struct timespec *ret)
{
	ret->tv_sec = clock == CLOCK_REALTIME ? 1700000000 : 42;
	ret->tv_nsec = 123456789;
	return clock == CLOCK_REALTIME || clock == CLOCK_BOOTTIME ? 0 : -1;
}

static void clocks_are_read_through_the_seam(void **state)
{
	(void)state;
	const struct sys real = sys;

	sys.clock_gettime = fixed_clock;
	assert_int_equal(clock_now_us(), INT64_C(1700000000123456));
	assert_int_equal(clock_boot_us(), INT64_C(42123456));
	sys = real;
	assert_true(clock_now_us() > INT64_C(1700000000123456));
	const int64_t before = clock_boot_us();

	assert_true(clock_boot_us() >= before);
}

static void times_are_written_and_read_back(void **state)
{
	(void)state;
	static const struct {
		int64_t at_us;
		const char *text;
	} cases[] = {
		{0, "1970-01-01T00:00:00.000000Z"},
		{1, "1970-01-01T00:00:00.000001Z"},
		{-1, "1969-12-31T23:59:59.999999Z"},
		{-86400000001, "1969-12-30T23:59:59.999999Z"},
		{1763681580123456, "2025-11-20T23:33:00.123456Z"},
		{951782400000000, "2000-02-29T00:00:00.000000Z"},
		{951868799999999, "2000-02-29T23:59:59.999999Z"},
		{4107542399000000, "2100-02-28T23:59:59.000000Z"},
		{4107542400000000, "2100-03-01T00:00:00.000000Z"},
		{1709164800000000, "2024-02-29T00:00:00.000000Z"},
		{1735689599999999, "2024-12-31T23:59:59.999999Z"},
		{-62135596800000000, "0001-01-01T00:00:00.000000Z"},
		{253402300799999999, "9999-12-31T23:59:59.999999Z"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		char text[CLOCK_TEXT_BYTES];
		int64_t at_us = -77;

		clock_format(cases[i].at_us, text);
		assert_string_equal(text, cases[i].text);
		assert_int_equal(clock_parse(text, &at_us), 0);
		assert_int_equal(at_us, cases[i].at_us);
	}
}

static void every_day_agrees_with_the_c_library(void **state)
{
	(void)state;
	/* From 1600 to 2400: two whole cycles of the calendar. */
	for (int64_t day = -135140; day < 157054; day++) {
		const time_t seconds = (time_t)(day * 86400 + 43199);
		struct tm parts;
		char expected[40];
		char text[CLOCK_TEXT_BYTES];

		assert_non_null(gmtime_r(&seconds, &parts));
		strftime(expected, sizeof(expected), "%Y-%m-%dT%H:%M:%S.000000Z", &parts);
		clock_format((int64_t)seconds * US_PER_S, text);
		if (strcmp(text, expected) != 0)
			fail_msg("%s instead of %s", text, expected);
	}
}

static void times_out_of_range_become_the_nearest(void **state)
{
	(void)state;
	char text[CLOCK_TEXT_BYTES];

	clock_format(INT64_MIN, text);
	assert_string_equal(text, "0001-01-01T00:00:00.000000Z");
	clock_format(INT64_MAX, text);
	assert_string_equal(text, "9999-12-31T23:59:59.999999Z");
}

static void other_ways_to_write_a_time_are_read(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		int64_t at_us;
	} cases[] = {
		{"1970-01-01T00:00:00Z", 0},
		{"1970-01-01t00:00:00z", 0},
		{"1970-01-01T01:00:00+01:00", 0},
		{"1969-12-31T18:30:00-05:30", 0},
		{"1970-01-01T00:00:00-00:00", 0},
		{"1970-01-01T23:59:00+23:59", 0},
		{"1970-01-01T00:00:00.5Z", 500000},
		{"1970-01-01T00:00:00.1234567Z", 123456},
		{"1970-01-01T00:00:00.99999999999999999999Z", 999999},
		{"1969-12-31T23:59:59.5Z", -500000},
		{"2016-12-31T23:59:60Z", 1483228800000000},
		{"2016-12-31T23:59:60.25Z", 1483228800250000},
		{"2017-01-01T01:59:60+02:00", 1483228800000000},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		int64_t at_us = -77;

		assert_int_equal(clock_parse(cases[i].text, &at_us), 0);
		assert_int_equal(at_us, cases[i].at_us);
	}
}

static void what_is_no_time_is_refused(void **state)
{
	(void)state;
	static const char *const cases[] = {
		"",
		"now",
		"2025",
		"2025-01-01",
		"2025-01-01T00:00:00",
		"2025-01-01 00:00:00Z",
		"2025-01-01T00:00Z",
		"2025-1-01T00:00:00Z",
		"2025-01-01T0:00:00Z",
		"25-01-01T00:00:00Z",
		"02025-01-01T00:00:00Z",
		"0000-01-01T00:00:00Z",
		"2025-00-01T00:00:00Z",
		"2025-13-01T00:00:00Z",
		"2025-01-00T00:00:00Z",
		"2025-01-32T00:00:00Z",
		"2025-04-31T00:00:00Z",
		"2025-02-29T00:00:00Z",
		"2100-02-29T00:00:00Z",
		"2025-01-01T24:00:00Z",
		"2025-01-01T00:60:00Z",
		"2025-01-01T00:00:61Z",
		"2025-01-01T12:00:60Z",
		"2025-01-01T00:00:00.Z",
		"2025-01-01T00:00:00,5Z",
		"2025-01-01T00:00:00ZZ",
		"2025-01-01T00:00:00Z ",
		" 2025-01-01T00:00:00Z",
		"2025-01-01T00:00:00+1:00",
		"2025-01-01T00:00:00+0100",
		"2025-01-01T00:00:00+01",
		"2025-01-01T00:00:00+24:00",
		"2025-01-01T00:00:00+01:60",
		"-025-01-01T00:00:00Z",
		"2025-01-01T00:00:-1Z",
		"2025-01-01T00:00:00.-5Z",
		"0001-01-01T00:00:00+00:01",
		"9999-12-31T23:59:59-00:01",
		"9999-12-31T23:59:60Z",
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		int64_t at_us = -77;

		if (clock_parse(cases[i], &at_us) != -1)
			fail_msg("%s was read", cases[i]);
		assert_int_equal(at_us, -77);
	}
}

static void the_boot_id_is_the_kernels(void **state)
{
	(void)state;
	char expected[64] = "";
	FILE *const file = fopen("/proc/sys/kernel/random/boot_id", "re");

	assert_non_null(file);
	assert_non_null(fgets(expected, sizeof(expected), file));
	fclose(file);
	expected[strcspn(expected, "\n")] = '\0';
	assert_int_equal(strlen(expected), CLOCK_BOOT_ID_BYTES - 1);
	assert_string_equal(clock_boot_id(), expected);
	assert_ptr_equal(clock_boot_id(), clock_boot_id());
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(clocks_are_read_through_the_seam),
		cmocka_unit_test(times_are_written_and_read_back),
		cmocka_unit_test(every_day_agrees_with_the_c_library),
		cmocka_unit_test(times_out_of_range_become_the_nearest),
		cmocka_unit_test(other_ways_to_write_a_time_are_read),
		cmocka_unit_test(what_is_no_time_is_refused),
		cmocka_unit_test(the_boot_id_is_the_kernels),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
