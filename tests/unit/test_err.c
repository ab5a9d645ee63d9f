/* test_err.c - errors: kinds, texts, what errno means, reading them back from HTTP. */
#include <errno.h>
#include <string.h>

#include "common/err.h"
#include "common/mem.h"
#include "common/text.h"
#include "tests/unit/unit.h"

static void set_fills_and_returns_minus_one(void **state)
{
	(void)state;
	struct err err = ERR_INIT;

	assert_int_equal(err.code, ERR_NONE);
	assert_int_equal(err_set(&err, ERR_NOT_FOUND, "no job %s", "x"), -1);
	assert_int_equal(err.code, ERR_NOT_FOUND);
	assert_string_equal(err.text, "no job x");
	assert_int_equal(err_set(NULL, ERR_NOT_FOUND, "no job %s", "x"), -1);
	assert_int_equal(err_sys(NULL, ERR_INTERNAL, EIO, "read"), -1);
	assert_int_equal(err_wrap(NULL, "queue"), -1);
}

static void text_of_itself_may_be_an_argument(void **state)
{
	(void)state;
	struct err err = ERR_INIT;

	err_set(&err, ERR_CONFLICT, "inner");
	err_set(&err, ERR_INVALID, "outer (%s)", err.text);
	assert_string_equal(err.text, "outer (inner)");
}

static void wrap_puts_words_in_front_and_keeps_the_kind(void **state)
{
	(void)state;
	struct err err = ERR_INIT;

	err_set(&err, ERR_GONE, "inner");
	assert_int_equal(err_wrap(&err, "job %d", 7), -1);
	assert_int_equal(err.code, ERR_GONE);
	assert_string_equal(err.text, "job 7: inner");
}

static void too_long_is_cut_between_characters(void **state)
{
	(void)state;
	struct err err = ERR_INIT;
	char text[600];

	/* At each of four offsets the cut falls on another byte of the character. */
	for (size_t shift = 0; shift < 4; shift++) {
		memset(text, 'a', shift);
		for (size_t i = shift; i + 4 < sizeof(text); i += 4)
			memcpy(text + i, "\xf0\x9f\x92\xa9", 4);
		text[580] = '\0';
		err_set(&err, ERR_INVALID, "%s", text);
		assert_true(strlen(err.text) > sizeof(err.text) - 5);
		assert_true(text_is_utf8(err.text, strlen(err.text), NULL));
	}
}

static void errno_tells_a_full_machine_from_a_broken_one(void **state)
{
	(void)state;
	static const struct {
		enum err_code code;
		int number;
		enum err_code expected;
	} cases[] = {
		{ERR_INTERNAL, ENOSPC, ERR_OUT_OF_SPACE},
		{ERR_INTERNAL, EDQUOT, ERR_OUT_OF_SPACE},
		{ERR_INTERNAL, EMFILE, ERR_UNAVAILABLE},
		{ERR_INTERNAL, ENFILE, ERR_UNAVAILABLE},
		{ERR_INTERNAL, ENOMEM, ERR_UNAVAILABLE},
		{ERR_INTERNAL, EAGAIN, ERR_UNAVAILABLE},
		{ERR_INTERNAL, EIO, ERR_INTERNAL},
		{ERR_INTERNAL, EACCES, ERR_INTERNAL},
		{ERR_INTERNAL, 0, ERR_INTERNAL},
		{ERR_NOT_FOUND, ENOENT, ERR_NOT_FOUND},
		{ERR_INVALID, ENOSPC, ERR_INVALID},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct err err = ERR_INIT;
		char expected[200];

		assert_int_equal(
			err_sys(&err, cases[i].code, cases[i].number, "open %s", "f"),
			-1);
		assert_int_equal(err.code, cases[i].expected);
		snprintf(expected, sizeof(expected), "open f: %s",
			 strerror(cases[i].number));
		assert_string_equal(err.text, expected);
	}
}

static void rows_answer_for_each_kind(void **state)
{
	(void)state;
	assert_string_equal(err_word(ERR_TOO_LARGE), "too_large");
	assert_int_equal(err_http_status(ERR_TOO_LARGE), 413);
	assert_int_equal(err_exit_code(ERR_NOT_FOUND), 3);
	assert_int_equal(err_exit_code(ERR_UNAUTHENTICATED), 4);
	assert_true(err_is_retryable(ERR_OUT_OF_SPACE));
	assert_false(err_is_retryable(ERR_INVALID));
	for (int code = ERR_NONE; code <= (int)ERR_OUT_OF_SPACE; code++) {
		const struct err err = {.code = (enum err_code)code};
		assert_int_equal(err_is_refusal(&err), code == ERR_INVALID ||
							       code == ERR_NOT_FOUND ||
							       code == ERR_CONFLICT ||
							       code == ERR_PRECONDITION ||
							       code == ERR_TOO_LARGE);
	}
	assert_string_equal(err_word(ERR_NONE), "internal");
	assert_string_equal(err_word((enum err_code)999), "internal");
	assert_int_equal(err_http_status((enum err_code)999), 500);
}

static void kinds_come_back_from_http(void **state)
{
	(void)state;
	for (enum err_code code = ERR_INVALID; code <= ERR_OUT_OF_SPACE; code++)
		assert_int_equal(err_from_http(err_http_status(code), err_word(code)),
				 code);
	assert_int_equal(err_from_http(404, NULL), ERR_NOT_FOUND);
	assert_int_equal(err_from_http(404, "unheard_of"), ERR_NOT_FOUND);
	assert_int_equal(err_from_http(502, "out_of_space"), ERR_OUT_OF_SPACE);
	assert_int_equal(err_from_http(502, NULL), ERR_INTERNAL);
	assert_int_equal(err_from_http(0, NULL), ERR_INTERNAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(set_fills_and_returns_minus_one),
		cmocka_unit_test(text_of_itself_may_be_an_argument),
		cmocka_unit_test(wrap_puts_words_in_front_and_keeps_the_kind),
		cmocka_unit_test(too_long_is_cut_between_characters),
		cmocka_unit_test(errno_tells_a_full_machine_from_a_broken_one),
		cmocka_unit_test(rows_answer_for_each_kind),
		cmocka_unit_test(kinds_come_back_from_http),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
