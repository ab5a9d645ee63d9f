/* test_problem.c - all faults at once, each with a pointer that a client can follow. */
#include <string.h>

#include "common/mem.h"
#include "common/problem.h"
#include "common/text.h"
#include "tests/unit/unit.h"

static void faults_are_kept_in_order(void **state)
{
	(void)state;
	struct problems problems;

	problems_init(&problems);
	problems_add(&problems, "#/args/3", "must be %s", "text");
	problems_add_element(&problems, "#/args", 17, "is %d too long", 5);
	problems_add_member(&problems, "#", "name", "is required");
	assert_int_equal(problems.count, 3);
	assert_int_equal(problems.total, 3);
	assert_string_equal(problems.item[0].pointer, "#/args/3");
	assert_string_equal(problems.item[0].detail, "must be text");
	assert_string_equal(problems.item[1].pointer, "#/args/17");
	assert_string_equal(problems.item[1].detail, "is 5 too long");
	assert_string_equal(problems.item[2].pointer, "#/name");
	assert_string_equal(problems.item[2].detail, "is required");
	problems_release(&problems);
	assert_int_equal(problems.count, 0);
	assert_int_equal(problems.total, 0);
}

/* RFC 6901 sections 3 and 6: the pointers of its example, as fragments, and more. */
static void keys_become_pointers(void **state)
{
	(void)state;
	static const struct {
		const char *key, *pointer;
	} cases[] = {
		{"foo", "#/foo"},
		{"", "#/"},
		{"a/b", "#/a~1b"},
		{"c%d", "#/c%25d"},
		{"e^f", "#/e%5Ef"},
		{"g|h", "#/g%7Ch"},
		{"i\\j", "#/i%5Cj"},
		{"k\"l", "#/k%22l"},
		{" ", "#/%20"},
		{"m~n", "#/m~0n"},
		{"~1", "#/~01"},
		{"#", "#/%23"},
		{"\xc3\xa4", "#/%C3%A4"},
		{"\n\x1b\x7f", "#/%0A%1B%7F"},
		{"-._!$&'()*+,;=:@?", "#/-._!$&'()*+,;=:@?"},
		{"<script>", "#/%3Cscript%3E"},
		{"[0]{1}`", "#/%5B0%5D%7B1%7D%60"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct problems problems;

		problems_init(&problems);
		problems_add_member(&problems, "#", cases[i].key, "wrong");
		assert_string_equal(problems.item[0].pointer, cases[i].pointer);
		problems_release(&problems);
	}
}

/* A reader that knows its own part alone is told where that part stands. */
static void pointers_are_below_the_base(void **state)
{
	(void)state;
	struct problems problems;

	problems_init(&problems);
	problems.base = "#/jobs/17";
	problems_add(&problems, "#", "wrong");
	problems_add(&problems, "#/args/3", "wrong");
	problems_add_member(&problems, "#", "a/b", "wrong");
	problems_add_element(&problems, "#/depends_on", 2, "wrong");
	problems_add(&problems, "?limit", "wrong");
	problems.base = NULL;
	problems_add(&problems, "#/jobs", "wrong");
	assert_string_equal(problems.item[0].pointer, "#/jobs/17");
	assert_string_equal(problems.item[1].pointer, "#/jobs/17/args/3");
	assert_string_equal(problems.item[2].pointer, "#/jobs/17/a~1b");
	assert_string_equal(problems.item[3].pointer, "#/jobs/17/depends_on/2");
	assert_string_equal(problems.item[4].pointer, "?limit");
	assert_string_equal(problems.item[5].pointer, "#/jobs");
	problems_release(&problems);
}

static void parents_are_kept_as_they_are(void **state)
{
	(void)state;
	struct problems problems;

	problems_init(&problems);
	problems_add_member(&problems, "#/labels", "a/b", "wrong");
	problems_add_member(&problems, problems.item[0].pointer, "c", "wrong");
	problems_add_element(&problems, "#/x~1y", 0, "wrong");
	assert_string_equal(problems.item[0].pointer, "#/labels/a~1b");
	assert_string_equal(problems.item[1].pointer, "#/labels/a~1b/c");
	assert_string_equal(problems.item[2].pointer, "#/x~1y/0");
	problems_release(&problems);
}

static void past_the_bound_only_the_count_grows(void **state)
{
	(void)state;
	struct problems problems;

	problems_init(&problems);
	for (size_t i = 0; i < PROBLEM_MAX + 100; i++)
		problems_add_element(&problems, "#/args", i, "wrong");
	assert_int_equal(problems.count, PROBLEM_MAX);
	assert_int_equal(problems.total, PROBLEM_MAX + 100);
	assert_string_equal(problems.item[PROBLEM_MAX - 1].pointer, "#/args/63");
	problems_release(&problems);
}

static void a_cut_detail_stays_whole_characters(void **state)
{
	(void)state;
	char text[2000];

	for (size_t i = 0; i + 3 < sizeof(text); i += 3)
		memcpy(text + i, "\xe2\x82\xac", 4);
	for (int shift = 0; shift < 3; shift++) {
		struct problems problems;

		problems_init(&problems);
		problems_add(&problems, "#", "%.*s%s", shift, "xyz", text);
		assert_true(text_is_utf8(problems.item[0].detail,
					 strlen(problems.item[0].detail), NULL));
		problems_release(&problems);
	}
}

static void what_a_client_chose_comes_back_bounded(void **state)
{
	(void)state;
	static char key[100000];
	struct problems problems;

	for (size_t i = 0; i + 3 < sizeof(key); i += 3)
		memcpy(key + i, "\xe2\x82\xac", 3);
	problems_init(&problems);
	problems_add_member(&problems, "#", key, "unknown member %s", key);
	assert_true(strlen(problems.item[0].pointer) <= 1024);
	assert_memory_equal(problems.item[0].pointer, "#/%E2%82%AC%E2", 14);
	/* Cut between escapes and between characters. */
	assert_int_equal((strlen(problems.item[0].pointer) - 2) % 3, 0);
	assert_true(strlen(problems.item[0].detail) < 1000);
	assert_true(text_is_utf8(problems.item[0].detail, strlen(problems.item[0].detail),
				 NULL));
	problems_release(&problems);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(faults_are_kept_in_order),
		cmocka_unit_test(keys_become_pointers),
		cmocka_unit_test(pointers_are_below_the_base),
		cmocka_unit_test(parents_are_kept_as_they_are),
		cmocka_unit_test(past_the_bound_only_the_count_grows),
		cmocka_unit_test(a_cut_detail_stays_whole_characters),
		cmocka_unit_test(what_a_client_chose_comes_back_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
