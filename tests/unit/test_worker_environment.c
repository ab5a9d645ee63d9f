/* test_worker_environment.c - environment and argv of a job, from what its row says. */
#include "tests/unit/unit.h"
#include "worker/environment.h"

static char PATH_OF_JOBS[] = "/usr/bin:/bin", NAME[] = "someone",
	    HOME[] = "/home/someone";
static const struct config CONFIG = {.search_path = PATH_OF_JOBS};
static const struct account ACCOUNT = {.name = NAME, .home = HOME};

static const char *find(char *const *words, const char *name)
{
	const size_t length = strlen(name);
	const char *found = NULL;

	for (size_t i = 0; words[i] != NULL; i++) {
		if (strncmp(words[i], name, length) == 0 && words[i][length] == '=') {
			assert_null(found); /* never twice */
			found = words[i] + length + 1;
		}
	}
	return found;
}

static size_t count(char *const *words)
{
	size_t result = 0;

	while (words[result] != NULL)
		result++;
	return result;
}

static struct claim claim_with(const char *environment)
{
	struct claim claim = {.number = 3};

	snprintf(claim.job.id, sizeof(claim.job.id), "%s",
		 "01a1fe12-e90b-7249-8227-5f9edd479054");
	claim.job.queue = mem_strdup("fast");
	claim.job.environment = mem_strdup(environment);
	return claim;
}

static void claim_end(struct claim *claim, char **words)
{
	free(claim->job.queue);
	free(claim->job.environment);
	words_free(words);
}

static void test_nothing_asked_gives_the_fixed_ones(void **state)
{
	struct claim claim = claim_with(NULL);
	char **words = NULL;

	(void)state;
	assert_int_equal(setenv("LD_PRELOAD_LIKE", "x", 1), 0);
	assert_int_equal(environment_of(&CONFIG, &ACCOUNT, &claim, &words, NULL), 0);
	assert_int_equal(count(words), 7);
	assert_string_equal(find(words, "PATH"), PATH_OF_JOBS);
	assert_string_equal(find(words, "HOME"), HOME);
	assert_string_equal(find(words, "USER"), NAME);
	assert_string_equal(find(words, "LANG"), "C.UTF-8");
	assert_string_equal(find(words, "REEVE_JOB_ID"), claim.job.id);
	assert_string_equal(find(words, "REEVE_ATTEMPT"), "3");
	assert_string_equal(find(words, "REEVE_QUEUE"), "fast");
	claim_end(&claim, words);
}

static void test_the_request_adds_and_replaces_but_not_ours(void **state)
{
	struct claim claim =
		claim_with("{\"LANG\":\"de\",\"A\":\"\",\"REEVE_ATTEMPT\":\"9\","
			   "\"TRACEPARENT\":\"forged\",\"LAN\":\"x=y\"}");
	char traceparent[] = "00-1-2-01";
	char **words = NULL;

	(void)state;
	claim.job.traceparent = traceparent;
	assert_int_equal(environment_of(&CONFIG, &ACCOUNT, &claim, &words, NULL), 0);
	assert_string_equal(find(words, "LANG"), "de");
	assert_string_equal(find(words, "LAN"), "x=y");
	assert_string_equal(find(words, "A"), "");
	assert_string_equal(find(words, "REEVE_ATTEMPT"), "3");
	assert_string_equal(find(words, "TRACEPARENT"), traceparent);
	claim_end(&claim, words);
}

static void test_bad_rows_are_said(void **state)
{
	static const char *const BAD[] = {"{", "{\"A\":1}", "{\"A\":null}", "nonsense"};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(BAD); i++) {
		struct claim claim = claim_with(BAD[i]);
		char **words = NULL;

		assert_int_equal(environment_of(&CONFIG, &ACCOUNT, &claim, &words, NULL),
				 -1);
		assert_null(words);
		claim_end(&claim, NULL);
	}
}

static void test_argv(void **state)
{
	static const char *const BAD[] = {"", "[]", "{}", "\"x\"", "[1]", "[\"a\",null]"};
	char **words = NULL;

	(void)state;
	assert_int_equal(argv_of("[\"/bin/echo\",\"\",\"a b\\n\"]", &words, NULL), 0);
	assert_int_equal(count(words), 3);
	assert_string_equal(words[1], "");
	assert_string_equal(words[2], "a b\n");
	words_free(words);
	for (size_t i = 0; i < ARRAY_SIZE(BAD); i++)
		assert_int_equal(argv_of(BAD[i], &words, NULL), -1);
}

static void test_account_is_absolute(void **state)
{
	struct account account;

	(void)state;
	account_init(&account);
	assert_true(account.name[0] != '\0');
	assert_int_equal(account.home[0], '/');
	account_release(&account);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_nothing_asked_gives_the_fixed_ones),
		cmocka_unit_test(test_the_request_adds_and_replaces_but_not_ours),
		cmocka_unit_test(test_bad_rows_are_said),
		cmocka_unit_test(test_argv),
		cmocka_unit_test(test_account_is_absolute),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
