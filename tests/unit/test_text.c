/* test_text.c - reading numbers and durations, UTF-8, near names, hexadecimal. */
#include <stdlib.h>
#include <string.h>

#include "common/mem.h"
#include "common/text.h"
#include "tests/unit/unit.h"

static void equality_knows_null(void **state)
{
	(void)state;
	assert_true(text_equal(NULL, NULL));
	assert_false(text_equal(NULL, ""));
	assert_false(text_equal("", NULL));
	assert_true(text_equal("a", "a"));
	assert_false(text_equal("a", "A"));
	assert_true(text_has_prefix("abc", ""));
	assert_true(text_has_prefix("abc", "abc"));
	assert_false(text_has_prefix("abc", "abcd"));
	assert_false(text_has_prefix("abc", "b"));
}

static void secrets_are_equal_as_bytes(void **state)
{
	(void)state;
	assert_true(text_equal_secret("a\0b", 3, "a\0b", 3));
	assert_false(text_equal_secret("a\0b", 3, "a\0c", 3));
	assert_false(text_equal_secret("xbc", 3, "abc", 3));
	assert_false(text_equal_secret("abc", 3, "abcd", 4));
	assert_true(text_equal_secret("", 0, "", 0));
	/* Differences that cancel each other in a sum or an xor of all bytes. */
	assert_false(text_equal_secret("ab", 2, "ba", 2));
}

static void integers(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		int64_t min, max, expected;
		int result;
	} cases[] = {
		{"0", 0, 10, 0, 0},
		{"10", 0, 10, 10, 0},
		{"-5", -5, 10, -5, 0},
		{"1234567890", 0, INT64_MAX, 1234567890, 0},
		{"9223372036854775807", INT64_MIN, INT64_MAX, INT64_MAX, 0},
		{"-9223372036854775808", INT64_MIN, INT64_MAX, INT64_MIN, 0},
		{"7", 7, 7, 7, 0},
		{"11", 0, 10, 0, -1},
		{"-6", -5, 10, 0, -1},
		{"9223372036854775808", INT64_MIN, INT64_MAX, 0, -1},
		{"-9223372036854775809", INT64_MIN, INT64_MAX, 0, -1},
		{"99999999999999999999999", INT64_MIN, INT64_MAX, 0, -1},
		{"", 0, 10, 0, -1},
		{"-", -5, 10, 0, -1},
		{"-0", -5, 10, 0, -1},
		{"00", 0, 10, 0, -1},
		{"01", 0, 10, 0, -1},
		{"-01", -5, 10, 0, -1},
		{"+1", 0, 10, 0, -1},
		{" 1", 0, 10, 0, -1},
		{"1 ", 0, 10, 0, -1},
		{"1x", 0, 10, 0, -1},
		{"0x1", 0, 10, 0, -1},
		{"1.0", 0, 10, 0, -1},
		{"--1", -5, 10, 0, -1},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		int64_t value = -77;

		assert_int_equal(
			text_parse_int(cases[i].text, cases[i].min, cases[i].max, &value),
			cases[i].result);
		assert_int_equal(value, cases[i].result == 0 ? cases[i].expected : -77);
	}
}

static const struct {
	const char *text;
	int64_t us; /* -1: refused */
} duration_cases[] = {
	{"0", 0},
	{"90", 90000000},
	{"1.5", 1500000},
	{"30s", 30000000},
	{"5m", 300000000},
	{"2h", 7200000000},
	{"1d", 86400000000},
	{"0.5h", 1800000000},
	{"0.000001", 1},
	{"0.0000004", 0},
	{"0.0000005", 1},
	{"0.1", 100000},
	{"0.123456", 123456},
	{"1.999999", 1999999},
	{"1.25d", 108000000000},
	{"0.3333333333333333333333333s", 333333},
	{"36525d", 3155760000000000},
	{"3155760000", 3155760000000000},
	{"36525.1d", -1},
	{"3155760000d", -1}, /* more than 64 bits hold */
	{"213503983d", -1},  /* a little more than that: wraps to little */
	{"3155760000h", -1},
	{"36526d", -1},
	{"3155760000.1", -1},
	{"3155760001", -1},
	{"99999999999999999999999999", -1},
	{"", -1},
	{"s", -1},
	{".5", -1},
	{"5.", -1},
	{"5.s", -1},
	{"-1", -1},
	{"+1", -1},
	{"1 s", -1},
	{" 1", -1},
	{"1s ", -1},
	{"1S", -1},
	{"1ms", -1},
	{"1h30m", -1},
	{"1w", -1},
	{"1e3", -1},
	{"0x10", -1},
	{"inf", -1},
	{"nan", -1},
	{"1,5", -1},
};

static void durations(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(duration_cases); i++) {
		int64_t us = -1;
		const int result = text_parse_duration_us(duration_cases[i].text, &us);

		if (us != duration_cases[i].us)
			fail_msg("%s gave %lld", duration_cases[i].text, (long long)us);
		assert_int_equal(result, duration_cases[i].us < 0 ? -1 : 0);
	}
}

static void utf8_is_strict(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		size_t length;
		int bad; /* offset, -1: well-formed */
	} cases[] = {
		{"", 0, -1},
		{"plain", 5, -1},
		{"a\0b", 3, -1},
		{"\xc3\xa4", 2, -1},
		{"\xe2\x82\xac", 3, -1},
		{"\xf0\x9f\x92\xa9", 4, -1},
		{"\xed\x9f\xbf", 3, -1},     /* U+D7FF, before the surrogates */
		{"\xee\x80\x80", 3, -1},     /* U+E000, after them */
		{"\xf4\x8f\xbf\xbf", 4, -1}, /* U+10FFFF */
		{"\xef\xbf\xbf", 3, -1},     /* a noncharacter is well-formed */
		{"\xc2\x80\xdf\xbf", 4, -1}, /* the ends of two bytes */
		{"\x80", 1, 0},		     /* continuation alone */
		{"ab\xbf", 3, 2},
		{"\xc0\x80", 2, 0}, /* overlong NUL */
		{"\xc1\xbf", 2, 0},
		{"\xe0\x9f\xbf", 3, 0}, /* overlong */
		{"\xf0\x8f\xbf\xbf", 4, 0},
		{"\xed\xa0\x80", 3, 0}, /* surrogates */
		{"x\xed\xbf\xbf", 4, 1},
		{"\xf4\x90\x80\x80", 4, 0}, /* over U+10FFFF */
		{"\xf5\x80\x80\x80", 4, 0},
		{"\xff", 1, 0},
		{"ok\xc3", 3, 2}, /* cut off */
		{"ok\xe2\x82", 4, 2},
		{"ok\xf0\x9f\x92", 5, 2},
		{"\xc3(", 2, 0},
		{"\xe2\x82(", 3, 0},
		{"\xf0\x9f\x92(", 4, 0},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		/* On the heap and exactly as long, so that a sanitizer sees one byte
		 * too far. */
		AUTO_FREE char *const copy = malloc(cases[i].length + !cases[i].length);
		size_t bad = 77;

		memcpy(copy, cases[i].text, cases[i].length);
		assert_int_equal(text_is_utf8(copy, cases[i].length, &bad),
				 cases[i].bad < 0);
		assert_int_equal(bad, cases[i].bad < 0 ? 77 : cases[i].bad);
		assert_int_equal(text_is_utf8(copy, cases[i].length, NULL),
				 cases[i].bad < 0);
	}
}

static void shortening_leaves_whole_characters(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		size_t length, expected;
	} cases[] = {
		{"abc", 3, 3},
		{"abc", 0, 0},
		{"a\xc3\xa4", 3, 3},
		{"a\xc3\xa4", 2, 1},
		{"\xe2\x82\xac", 3, 3},
		{"\xe2\x82\xac", 2, 0},
		{"\xe2\x82\xac", 1, 0},
		{"x\xf0\x9f\x92\xa9", 5, 5},
		{"x\xf0\x9f\x92\xa9", 4, 1},
		{"x\xf0\x9f\x92\xa9", 3, 1},
		{"x\xf0\x9f\x92\xa9", 2, 1},
		{"\x80\x80\x80\x80\x80", 5, 5}, /* broken before: not made worse */
		{"\xff\x80", 2, 2},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		assert_int_equal(text_whole_utf8(cases[i].text, cases[i].length),
				 cases[i].expected);
}

static void control_characters_are_seen(void **state)
{
	(void)state;
	assert_false(text_has_control("plain text", 10));
	assert_false(text_has_control("\xc3\xa4~ ", 4));
	assert_false(text_has_control("a\n", 1));
	assert_true(text_has_control("a\n", 2));
	assert_true(text_has_control("\0", 1));
	assert_true(text_has_control("\x1f", 1));
	assert_true(text_has_control("\x7f", 1));
	assert_true(text_has_control("\x1b[2J", 4));
}

static void the_nearest_name_is_found(void **state)
{
	(void)state;
	static const char *const names[] = {"timeout_s", "stdin",    "name", "labels",
					    "args",	 "priority", "ab"};
	static const struct {
		const char *wrong, *expected;
	} cases[] = {
		{"timeout_s", "timeout_s"},
		{"timeout", "timeout_s"},
		{"timeouts", "timeout_s"},
		{"tiemout_s", "timeout_s"}, /* a swap is one edit */
		{"timeout_sec", "timeout_s"},
		{"timeoot-s", "timeout_s"},
		{"stdni", "stdin"},
		{"label", "labels"},
		{"arg", "args"},
		{"nmae", "name"},
		{"prioritiy", "priority"},
		{"tiemotu-s", NULL}, /* three edits */
		{"command", NULL},
		{"", NULL},
		{"b", NULL}, /* as many edits as letters */
		{"xy", NULL},
		{"timeout_second", NULL},
	};
	char long_name[200];

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		const char *const nearest =
			text_nearest(cases[i].wrong, names, ARRAY_SIZE(names));

		if (!text_equal(nearest, cases[i].expected))
			fail_msg("%s gave %s", cases[i].wrong, nearest);
	}
	memset(long_name, 'a', sizeof(long_name) - 1);
	long_name[sizeof(long_name) - 1] = '\0';
	assert_null(text_nearest(long_name, names, ARRAY_SIZE(names)));
	assert_null(text_nearest("name", (const char *const[]){long_name}, 1));
	assert_null(text_nearest("name", NULL, 0));
}

static void the_nearer_of_two_wins(void **state)
{
	(void)state;
	static const char *const names[] = {"abcdef", "abcdxy", "abcdey"};

	assert_string_equal(text_nearest("abcdez", names, 3), "abcdef");
	assert_string_equal(text_nearest("abcdyx", names, 3), "abcdxy");
}

static void hexadecimal_goes_both_ways(void **state)
{
	(void)state;
	static const char *const bad[] = {"",	       "00",	   "00ff7",  "00ff7g",
					  "00ff7f0",   "00ff7f00", " 0ff7f", "0x0ff7",
					  "00ff7\xc3", "00-f7f"};
	unsigned char bytes[3] = {0x00, 0xff, 0x7a};
	char text[7];

	text_hex(bytes, 3, text);
	assert_string_equal(text, "00ff7a");
	text_hex(bytes, 0, text);
	assert_string_equal(text, "");
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_int_equal(text_unhex(bad[i], bytes, 3), -1);
	assert_memory_equal(bytes, "\x00\xff\x7a", 3);
	assert_int_equal(text_unhex("aBcDeF", bytes, 3), 0);
	assert_memory_equal(bytes, "\xab\xcd\xef", 3);
	assert_int_equal(text_unhex("", bytes, 0), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(equality_knows_null),
		cmocka_unit_test(secrets_are_equal_as_bytes),
		cmocka_unit_test(integers),
		cmocka_unit_test(durations),
		cmocka_unit_test(utf8_is_strict),
		cmocka_unit_test(shortening_leaves_whole_characters),
		cmocka_unit_test(control_characters_are_seen),
		cmocka_unit_test(the_nearest_name_is_found),
		cmocka_unit_test(the_nearer_of_two_wins),
		cmocka_unit_test(hexadecimal_goes_both_ways),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
