/* test_sender_verdict.c - what each answer means, and when it is tried again. */
#include "tests/unit/unit.h"

#include "sender/verdict.h"

#define S US_PER_S
#define NOW (INT64_C(2000000000) * S)

static struct callback_try judge(int tries, int status, int64_t retry_after_s,
				 uint32_t random, char words[VERDICT_WORDS_BYTES])
{
	const struct callback callback = {.row = 7, .tries = tries};
	const struct seen seen = {.status = status, .retry_after_s = retry_after_s};
	struct callback_try result;
	verdict_of(&callback, &seen, NOW, random, words, &result);
	assert_true(result.row == 7 && result.at == NOW && result.status == status);
	return result;
}

static void test_each_status(void **state)
{
	static const struct {
		int status;
		enum callback_outcome outcome;
		const char *words; /* NULL: none */
	} rows[] = {
		{200, CALLBACK_DELIVERED, NULL},
		{202, CALLBACK_DELIVERED, NULL},
		{204, CALLBACK_DELIVERED, NULL},
		{299, CALLBACK_DELIVERED, NULL},
		{301, CALLBACK_AGAIN, "answered 301, and redirects are not followed"},
		{304, CALLBACK_AGAIN, "answered 304, and redirects are not followed"},
		{400, CALLBACK_AGAIN, "answered 400"},
		{404, CALLBACK_AGAIN, "answered 404"},
		{410, CALLBACK_DEAD, "the receiver is gone (answered 410)"},
		{429, CALLBACK_AGAIN, "answered 429"},
		{500, CALLBACK_AGAIN, "answered 500"},
		{999, CALLBACK_AGAIN, "answered 999"},
		{0, CALLBACK_AGAIN, "there was no answer"},
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		char words[VERDICT_WORDS_BYTES];
		const struct callback_try result = judge(0, rows[i].status, 0, 0, words);
		assert_int_equal(result.outcome, rows[i].outcome);
		if (rows[i].words == NULL)
			assert_null(result.error);
		else
			assert_string_equal(result.error, rows[i].words);
	}
}

static void test_the_whole_table(void **state)
{
	static const int64_t DELAYS_S[] = {0,	      5,	5 * 60,	   30 * 60,
					   2 * 3600,  5 * 3600, 10 * 3600, 14 * 3600,
					   20 * 3600, 24 * 3600};
	char words[VERDICT_WORDS_BYTES];
	(void)state;
	assert_int_equal(ARRAY_SIZE(DELAYS_S), CALLBACK_TRIES);
	assert_true(CALLBACK_DELAYS_US[0] == 0);
	for (int tries = 0; tries + 1 < CALLBACK_TRIES; tries++) {
		const int64_t delay_us = DELAYS_S[tries + 1] * S;
		int64_t least = INT64_MAX, most = 0;
		for (uint32_t random = 0; random < 60000; random += 7) {
			const struct callback_try result =
				judge(tries, 500, 0, random, words);
			const int64_t wait_us = result.next_at - NOW;
			assert_int_equal(result.outcome, CALLBACK_AGAIN);
			least = wait_us < least ? wait_us : least;
			most = wait_us > most ? wait_us : most;
		}
		/* it spreads over most of what is allowed, and no farther */
		assert_true(least >= delay_us / 100 * 85 && least < delay_us / 100 * 86);
		assert_true(most <= delay_us / 100 * 115 && most > delay_us / 100 * 114);
		assert_true(judge(tries, 500, 0, UINT32_MAX, words).next_at - NOW <=
			    delay_us / 100 * 115);
	}
	assert_int_equal(judge(CALLBACK_TRIES - 1, 500, 0, 0, words).outcome,
			 CALLBACK_DEAD);
	assert_int_equal(judge(CALLBACK_TRIES - 1, 503, 60, 0, words).outcome,
			 CALLBACK_DEAD);
	assert_int_equal(judge(CALLBACK_TRIES - 1, 200, 0, 0, words).outcome,
			 CALLBACK_DELIVERED);
	assert_int_equal(judge(INT32_MAX - 1, 500, 0, 0, words).outcome, CALLBACK_DEAD);
}

static void test_retry_after(void **state)
{
	static const struct {
		int tries, status;
		int64_t asked_s, wait_s; /* wait_s 0: as the table says */
	} rows[] = {
		{0, 429, 60, 60},
		{0, 503, 60, 60},
		{0, 500, 60, 0},
		{0, 301, 60, 0},
		{0, 429, 1, 0},
		{0, 429, 0, 0},
		{0, 429, 25 * 3600, 24 * 3600},
		{0, 503, INT64_MAX, 24 * 3600},
		{3, 429, 60, 0}, /* the table's two hours are more */
		{3, 429, 3 * 3600, 3 * 3600},
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		char words[VERDICT_WORDS_BYTES];
		const int64_t wait_us = judge(rows[i].tries, rows[i].status,
					      rows[i].asked_s, 15000, words)
						.next_at -
					NOW;
		assert_true(wait_us ==
			    (rows[i].wait_s != 0
				     ? rows[i].wait_s * S
				     : callback_wait_us(rows[i].tries + 1, 15000)));
	}
}

static void test_trouble_is_told(void **state)
{
	const struct callback callback = {.row = 7};
	const struct seen seen = {.trouble = "its certificate is not valid"};
	struct callback_try result;
	char words[VERDICT_WORDS_BYTES];
	(void)state;
	verdict_of(&callback, &seen, NOW, 0, words, &result);
	assert_int_equal(result.outcome, CALLBACK_AGAIN);
	assert_string_equal(result.error, "its certificate is not valid");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_each_status),
		cmocka_unit_test(test_the_whole_table),
		cmocka_unit_test(test_retry_after),
		cmocka_unit_test(test_trouble_is_told),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
