/* test_signals.c - names of signals, read and written. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <signal.h>

#include "common/common.h"

static void test_every_standard_signal_by_name_and_number(void **state)
{
	(void)state;
	for (int number = 1; number <= 31; number++) {
		char prefixed[16], digits[4];
		const char *name = signal_name(number);
		assert_non_null(name);
		(void)snprintf(prefixed, sizeof prefixed, "SIG%s", name);
		(void)snprintf(digits, sizeof digits, "%d", number);
		assert_int_equal(signal_parse(name), number);
		assert_int_equal(signal_parse(prefixed), number);
		assert_int_equal(signal_parse(digits), number);
	}
	assert_string_equal(signal_name(SIGTERM), "TERM");
	assert_string_equal(signal_name(SIGUSR1), "USR1");
	assert_int_equal(signal_parse("IO"), SIGIO);
	assert_int_equal(signal_parse("SIGIOT"), SIGABRT);
	assert_int_equal(signal_parse("CLD"), SIGCHLD);
}

static void test_what_is_none(void **state)
{
	static const char *const words[] = {
		"",	      "SIG",   "term", "Term",	"0",	 "32", "64",
		"-1",	      "09",    "+9",   " TERM", "TERM ", "9 ", "EXIT",
		"SIGSIGTERM", "RTMIN", "1e1",  "TERM,", "NULL"};
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		if (signal_parse(words[i]) != -1)
			fail_msg("\"%s\" is %d", words[i], signal_parse(words[i]));
	assert_null(signal_name(0));
	assert_null(signal_name(32));
	assert_null(signal_name(-1));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_standard_signal_by_name_and_number),
		cmocka_unit_test(test_what_is_none),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
