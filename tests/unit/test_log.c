/* test_log.c - one line, one write(2), and nothing in a value can break either. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "common/log.h"
#include "common/mem.h"
#include "common/sys.h"
#include "common/text.h"
#include "tests/unit/unit.h"

#define FRONT "ts=2023-11-14T22:13:20.000000Z level=info prog=test ev="

static int fixed_clock(clockid_t clock, struct timespec *ret)
{
	(void)clock;
	*ret = (struct timespec){.tv_sec = 1700000000};
	return 0;
}

/* Writes the event with standard error in a pipe of packets, where each write(2) is one
 * read. Returns the bytes of the first; -1 when there was none. A second fails the test.
 */
static ssize_t capture(enum log_level level, const char *event,
		       const struct log_field *fields, char ret[LOG_LINE_BYTES * 2])
{
	const struct sys real = sys;
	const int saved = dup(STDERR_FILENO);
	char second = 0;
	int fds[2];

	assert_int_equal(pipe2(fds, O_DIRECT | O_NONBLOCK | O_CLOEXEC), 0);
	dup2(fds[1], STDERR_FILENO);
	sys.clock_gettime = fixed_clock;
	log_write(level, event, fields);
	sys = real;
	dup2(saved, STDERR_FILENO);
	close(saved);
	close(fds[1]);
	const ssize_t length = read(fds[0], ret, LOG_LINE_BYTES * 2 - 1);
	const ssize_t more = read(fds[0], &second, 1);

	close(fds[0]);
	assert_int_equal(more, 0);
	ret[length > 0 ? length : 0] = '\0';
	return length == 0 ? -1 : length;
}

static void expect_line(const struct log_field *fields, const char *expected)
{
	char line[LOG_LINE_BYTES * 2];
	char whole[LOG_LINE_BYTES];

	snprintf(whole, sizeof(whole), FRONT "ready%s\n", expected);
	assert_true(capture(LOG_INFO, "ready", fields, line) > 0);
	assert_string_equal(line, whole);
}

static void a_line_has_its_fields_in_order(void **state)
{
	(void)state;
	log_init("test", LOG_INFO);
	expect_line((const struct log_field[]){LOG_END}, "");
	expect_line((const struct log_field[]){LOG_TEXT("address", "127.0.0.1"),
					       LOG_INT("port", 8080), LOG_END},
		    " address=127.0.0.1 port=8080");
	expect_line((const struct log_field[]){LOG_INT("least", INT64_MIN),
					       LOG_INT("most", INT64_MAX), LOG_END},
		    " least=-9223372036854775808 most=9223372036854775807");
}

static void values_are_escaped(void **state)
{
	(void)state;
	static const struct {
		const char *value, *expected;
	} cases[] = {
		{"bare", "bare"},
		{"/usr/bin/ls-1.0_x~!@#%:;,'", "/usr/bin/ls-1.0_x~!@#%:;,'"},
		{NULL, "\"\""},
		{"", "\"\""},
		{"two words", "\"two words\""},
		{"a=b", "\"a=b\""},
		{"say \"hi\"", "\"say \\\"hi\\\"\""},
		{"back\\slash", "\"back\\\\slash\""},
		{"line\nts=forged level=error", "\"line\\nts=forged level=error\""},
		{"tab\there", "\"tab\\there\""},
		{"\r", "\"\\r\""},
		{"\x1b[2J", "\"\\x1b[2J\""},
		{"\x7f", "\"\\x7f\""},
		{"\x01", "\"\\x01\""},
		{"\xc3\xa4", "\"\\xc3\\xa4\""},
		{"\xff", "\"\\xff\""},
		{"\xc2\x9b"
		 "31m",
		 "\"\\xc2\\x9b31m\""},
	};

	log_init("test", LOG_INFO);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		char expected[200];

		snprintf(expected, sizeof(expected), " k=%s n=1", cases[i].expected);
		expect_line((const struct log_field[]){LOG_TEXT("k", cases[i].value),
						       LOG_INT("n", 1), LOG_END},
			    expected);
	}
}

static void levels_are_filtered_and_named(void **state)
{
	(void)state;
	static const struct {
		enum log_level level;
		const char *word;
	} levels[] = {{LOG_DEBUG, "level=debug "},
		      {LOG_INFO, "level=info "},
		      {LOG_WARN, "level=warn "},
		      {LOG_ERROR, "level=error "}};
	char line[LOG_LINE_BYTES * 2];

	for (size_t least = 0; least < ARRAY_SIZE(levels); least++) {
		log_init("test", levels[least].level);
		for (size_t i = 0; i < ARRAY_SIZE(levels); i++) {
			const ssize_t length =
				capture(levels[i].level, "e",
					(const struct log_field[]){LOG_END}, line);

			assert_int_equal(length > 0, i >= least);
			if (i >= least)
				assert_non_null(strstr(line, levels[i].word));
		}
	}
	log_init("test", LOG_INFO);
}

static void level_words_are_read(void **state)
{
	(void)state;
	static const char *const bad[] = {"",	   "INFO",  "Info", "warning", "err",
					  "info ", " info", "0",    "debugx",  "fatal"};
	enum log_level level = LOG_INFO;

	assert_int_equal(log_level_parse("debug", &level), 0);
	assert_int_equal(level, LOG_DEBUG);
	assert_int_equal(log_level_parse("info", &level), 0);
	assert_int_equal(level, LOG_INFO);
	assert_int_equal(log_level_parse("error", &level), 0);
	assert_int_equal(level, LOG_ERROR);
	assert_int_equal(log_level_parse("warn", &level), 0);
	assert_int_equal(level, LOG_WARN);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_int_equal(log_level_parse(bad[i], &level), -1);
	assert_int_equal(level, LOG_WARN);
}

/* For each length around the maximum: one write, in bounds, ended, with quotes closed. */
static void long_lines_are_cut(const char *filler, bool is_quoted)
{
	static char value[LOG_LINE_BYTES * 2];
	char line[LOG_LINE_BYTES * 2];

	for (size_t bytes = LOG_LINE_BYTES - 160; bytes < LOG_LINE_BYTES + 40; bytes++) {
		memset(value, 'a', bytes);
		memcpy(value + bytes / 2, filler, strlen(filler));
		memcpy(value + bytes - strlen(filler), filler, strlen(filler));
		value[bytes] = '\0';
		const ssize_t length = capture(
			LOG_INFO, "ready",
			(const struct log_field[]){LOG_TEXT("text", value),
						   LOG_INT("number", 12345), LOG_END},
			line);
		const char *const quote = is_quoted ? "\"\n" : "\n";
		const bool is_whole = text_equal(line + length - 13, "number=12345\n");
		size_t quotes = 0;

		assert_in_range(length, 1, LOG_LINE_BYTES);
		assert_ptr_equal(strchr(line, '\n'), line + length - 1);
		if (!is_whole && !text_equal(line + length - 5, " ...\n")) {
			assert_string_equal(line + length - strlen(quote), quote);
			assert_memory_equal(line + length - strlen(quote) - 3, "...", 3);
		}
		for (ssize_t i = 0; i < length; i++)
			quotes += line[i] == '"';
		assert_int_equal(quotes, is_quoted ? 2 : 0);
	}
}

static void a_line_that_is_too_long_is_cut(void **state)
{
	(void)state;
	log_init("test", LOG_INFO);
	long_lines_are_cut("a", false);
	long_lines_are_cut(" ", true);
	long_lines_are_cut("\xff\xff\xff", true);
}

static void what_was_cut_is_followed_by_nothing(void **state)
{
	(void)state;
	static char value[LOG_LINE_BYTES * 2];
	char line[LOG_LINE_BYTES * 2];

	memset(value, 'a', sizeof(value) - 1);
	assert_true(capture(LOG_INFO, "ready",
			    (const struct log_field[]){LOG_TEXT("long", value),
						       LOG_INT("after", 1), LOG_END},
			    line) > 0);
	assert_null(strstr(line, "after"));
	assert_non_null(strstr(line, "aaa...\n"));
}

static void the_macro_writes_too(void **state)
{
	(void)state;
	const int saved = dup(STDERR_FILENO);
	char line[LOG_LINE_BYTES] = "";
	int fds[2];

	assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
	dup2(fds[1], STDERR_FILENO);
	log_event(LOG_WARN, "slow", LOG_TEXT("what", "disk"), LOG_INT("ms", 9), LOG_END);
	dup2(saved, STDERR_FILENO);
	close(saved);
	close(fds[1]);
	assert_true(read(fds[0], line, sizeof(line) - 1) > 0);
	close(fds[0]);
	assert_non_null(strstr(line, " level=warn prog=test ev=slow what=disk ms=9\n"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_line_has_its_fields_in_order),
		cmocka_unit_test(values_are_escaped),
		cmocka_unit_test(levels_are_filtered_and_named),
		cmocka_unit_test(level_words_are_read),
		cmocka_unit_test(a_line_that_is_too_long_is_cut),
		cmocka_unit_test(what_was_cut_is_followed_by_nothing),
		cmocka_unit_test(the_macro_writes_too),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
