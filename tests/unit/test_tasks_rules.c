/* test_tasks_rules.c - every rule of a parameter, each with values that keep it and at
 * least three that break it; one row per value. */
#include "tasks/tasks.h"
#include "tests/unit/unit.h"

/* A rule in JSON, a value in JSON, and the argument it becomes: NULL, it is refused. */
struct row {
	const char *rule, *value, *argument;
};

#define T(type) "\"type\": \"" type "\""

/* clang-format off */
static const struct row ROWS[] = {
	/* string */
	{T("string"), "\"a b\"", "a b"},
	{T("string"), "\"\"", ""},
	{T("string"), "\"$(id); `id` 'x' \\\"y\\\"\"", "$(id); `id` 'x' \"y\""},
	{T("string"), "\"line\\ntwo\"", "line\ntwo"},
	{T("string"), "\"gr\\u00fc\\u00dfe\"", "gr\xc3\xbc\xc3\x9f" "e"},
	{T("string"), "\"@@x@@\"", "@@x@@"},
	{T("string"), "1", NULL},
	{T("string"), "true", NULL},
	{T("string"), "[\"a\"]", NULL},
	{T("string"), "{\"a\": 1}", NULL},
	/* integer */
	{T("integer"), "0", "0"},
	{T("integer"), "42", "42"},
	{T("integer"), "\"42\"", "42"},
	{T("integer"), "1e2", "100"},
	{T("integer"), "9007199254740992", "9007199254740992"},
	{T("integer"), "1.5", NULL},
	{T("integer"), "\"\"", NULL},
	{T("integer"), "\"abc\"", NULL},
	{T("integer"), "\"1.0\"", NULL},
	{T("integer"), "\" 1\"", NULL},
	{T("integer"), "\"1\\n\"", NULL},
	{T("integer"), "\"+1\"", NULL},
	{T("integer"), "\"01\"", NULL},
	{T("integer"), "\"0x10\"", NULL},
	{T("integer"), "\"9007199254740993\"", NULL},
	{T("integer"), "\"99999999999999999999\"", NULL},
	{T("integer"), "true", NULL},
	{T("integer"), "[1]", NULL},
	/* number */
	{T("number"), "0.5", "0.5"},
	{T("number"), "7", "7"},
	{T("number"), "\"2.5\"", "2.5"},
	{T("number"), "\"1e3\"", "1000"},
	{T("number"), "\"\"", NULL},
	{T("number"), "\"1,5\"", NULL},
	{T("number"), "\"nan\"", NULL},
	{T("number"), "\"inf\"", NULL},
	{T("number"), "\"0x1p3\"", NULL},
	{T("number"), "\" 1\"", NULL},
	{T("number"), "\"1 \"", NULL},
	{T("number"), "\".5\"", NULL},
	{T("number"), "\"1e999\"", NULL},
	{T("number"), "\"[1]\"", NULL},
	{T("number"), "false", NULL},
	{T("number"), "{}", NULL},
	/* boolean */
	{T("boolean"), "true", "true"},
	{T("boolean"), "false", "false"},
	{T("boolean"), "\"true\"", "true"},
	{T("boolean"), "\"yes\"", NULL},
	{T("boolean"), "\"TRUE\"", NULL},
	{T("boolean"), "\"\"", NULL},
	{T("boolean"), "1", NULL},
	{T("boolean"), "0", NULL},
	/* enum */
	{T("enum") ", \"values\": [\"low\", \"high\"]", "\"low\"", "low"},
	{T("enum") ", \"values\": [\"low\", \"high\"]", "\"high\"", "high"},
	{T("enum") ", \"values\": [\"\"]", "\"\"", ""},
	{T("enum") ", \"values\": [\"low\", \"high\"]", "\"Low\"", NULL},
	{T("enum") ", \"values\": [\"low\", \"high\"]", "\"lo\"", NULL},
	{T("enum") ", \"values\": [\"low\", \"high\"]", "\"low \"", NULL},
	{T("enum") ", \"values\": [\"low\", \"high\"]", "\"\"", NULL},
	{T("enum") ", \"values\": [\"1\"]", "1", NULL},
	/* path, without a directory */
	{T("path"), "\"/a/b\"", "/a/b"},
	{T("path"), "\"//a/./b//c/\"", "/a/b/c"},
	{T("path"), "\"/a/...\"", "/a/..."},
	{T("path"), "\"/a b;c\"", "/a b;c"},
	{T("path"), "\"\"", NULL},
	{T("path"), "\"a/b\"", NULL},
	{T("path"), "\"./a\"", NULL},
	{T("path"), "\"/a/../b\"", NULL},
	{T("path"), "\"/..\"", NULL},
	{T("path"), "\"/a/b/..\"", NULL},
	{T("path"), "\"/a\\nb\"", NULL},
	{T("path"), "\"/a\\tb\"", NULL},
	{T("path"), "\"/a\\u007f\"", NULL},
	{T("path"), "\"~/a\"", NULL},
	{T("path"), "\"-/a\"", NULL},
	{T("path"), "7", NULL},
	/* must_exist */
	{T("path") ", \"must_exist\": true", "\"/proc/self/status\"", "/proc/self/status"},
	{T("path") ", \"must_exist\": true", "\"/no/such/file\"", NULL},
	{T("path") ", \"must_exist\": true", "\"/proc/self/status/x\"", NULL},
	{T("path") ", \"must_exist\": true", "\"/proc/self/nothing\"", NULL},
	{T("path") ", \"must_exist\": false", "\"/no/such/file\"", "/no/such/file"},
	/* pattern: the whole value, by characters */
	{T("string") ", \"pattern\": \"[0-9]+\"", "\"123\"", "123"},
	{T("string") ", \"pattern\": \"[0-9]+\"", "\"123\\n\"", NULL},
	{T("string") ", \"pattern\": \"[0-9]+$\"", "\"123\\n\"", NULL},
	{T("string") ", \"pattern\": \"[0-9]+\"", "\"x123\"", NULL},
	{T("string") ", \"pattern\": \"[0-9]+\"", "\"123x\"", NULL},
	{T("string") ", \"pattern\": \"[0-9]+\"", "\"\"", NULL},
	{T("string") ", \"pattern\": \"[0-9]+\"", "\"12\\n34\"", NULL},
	{T("string") ", \"pattern\": \"[0-9]+\"", "\"\\u0661\"", NULL},
	{T("string") ", \"pattern\": \"(?m)^[0-9]+$\"", "\"1\\nrm\"", NULL},
	{T("string") ", \"pattern\": \"a|ab\"", "\"ab\"", "ab"},
	{T("string") ", \"pattern\": \"a|b\"", "\"axb\"", NULL},
	{T("string") ", \"pattern\": \"a.c\"", "\"a\\u00e9c\"", "a\xc3\xa9" "c"},
	{T("string") ", \"pattern\": \"a.c\"", "\"a\\nc\"", NULL},
	{T("string") ", \"pattern\": \"(?i)yes\"", "\"YES\"", "YES"},
	{T("path") ", \"pattern\": \".*[.]png\"", "\"/a.png\"", "/a.png"},
	{T("path") ", \"pattern\": \".*[.]png\"", "\"/a.jpg\"", NULL},
	{T("path") ", \"pattern\": \".*[.]png\"", "\"/a.png.sh\"", NULL},
	{T("path") ", \"pattern\": \".*[.]png\"", "\"/a.PNG\"", NULL},
	/* a pattern that would take for ever is given up */
	{T("string") ", \"pattern\": \"(a+)+b\"", "\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaba\"", NULL},
	{T("string") ", \"pattern\": \"(a|aa)+b\"", "\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaba\"", NULL},
	{T("string") ", \"pattern\": \"([a-z]+.?)*b\"", "\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaba\"", NULL},
	/* min, max */
	{T("integer") ", \"min\": 1, \"max\": 10", "1", "1"},
	{T("integer") ", \"min\": 1, \"max\": 10", "10", "10"},
	{T("integer") ", \"min\": 1, \"max\": 10", "0", NULL},
	{T("integer") ", \"min\": 1, \"max\": 10", "11", NULL},
	{T("integer") ", \"min\": 1, \"max\": 10", "\"-1\"", NULL},
	{T("integer") ", \"min\": 1, \"max\": 10", "\"11\"", NULL},
	{T("integer") ", \"min\": 1", "-9007199254740992", NULL},
	{T("integer") ", \"max\": 10", "9007199254740992", NULL},
	{T("number") ", \"min\": 0.5, \"max\": 1.5", "0.5", "0.5"},
	{T("number") ", \"min\": 0.5, \"max\": 1.5", "1.5", "1.5"},
	{T("number") ", \"min\": 0.5, \"max\": 1.5", "0.4999", NULL},
	{T("number") ", \"min\": 0.5, \"max\": 1.5", "1.5001", NULL},
	{T("number") ", \"min\": 0.5, \"max\": 1.5", "\"-1e300\"", NULL},
	{T("number") ", \"min\": 0.5, \"max\": 1.5", "\"2\"", NULL},
	/* min_length, max_length: characters, not bytes */
	{T("string") ", \"min_length\": 2, \"max_length\": 3", "\"ab\"", "ab"},
	{T("string") ", \"min_length\": 2, \"max_length\": 3", "\"\\u00fc\\u00fc\\u00fc\"", "\xc3\xbc\xc3\xbc\xc3\xbc"},
	{T("string") ", \"min_length\": 2, \"max_length\": 3", "\"\"", NULL},
	{T("string") ", \"min_length\": 2, \"max_length\": 3", "\"a\"", NULL},
	{T("string") ", \"min_length\": 2, \"max_length\": 3", "\"\\u00fc\"", NULL},
	{T("string") ", \"min_length\": 2, \"max_length\": 3", "\"abcd\"", NULL},
	{T("string") ", \"min_length\": 2, \"max_length\": 3", "\"abc\\n\"", NULL},
	{T("string") ", \"max_length\": 0", "\"\"", ""},
	{T("string") ", \"max_length\": 0", "\"x\"", NULL},
	{T("path") ", \"max_length\": 4", "\"/abc\"", "/abc"},
	{T("path") ", \"max_length\": 4", "\"/abcd\"", NULL},
	{T("path") ", \"max_length\": 4", "\"/a//b\"", NULL},
	{T("path") ", \"min_length\": 4", "\"/a\"", NULL},
	/* allow_dash: the argument is the value alone */
	{T("string"), "\"-rf\"", NULL},
	{T("string"), "\"-\"", NULL},
	{T("string"), "\"--output=/etc/passwd\"", NULL},
	{T("integer"), "-1", NULL},
	{T("integer"), "\"-1\"", NULL},
	{T("number"), "-0.5", NULL},
	{T("enum") ", \"values\": [\"-x\"]", "\"-x\"", NULL},
	{T("string"), "\" -rf\"", " -rf"},
	{T("string"), "\"\\u2212rf\"", "\xe2\x88\x92rf"},
	{T("string") ", \"allow_dash\": true", "\"-rf\"", "-rf"},
	{T("string") ", \"allow_dash\": false", "\"-rf\"", NULL},
	{T("integer") ", \"allow_dash\": true", "-1", "-1"},
	{T("number") ", \"allow_dash\": true", "\"-0.5\"", "-0.5"},
	{T("enum") ", \"values\": [\"-x\"], \"allow_dash\": true", "\"-x\"", "-x"},
	/* required, default: nothing given, or null, which is the same */
	{T("string"), NULL, NULL},
	{T("string"), "null", NULL},
	{T("string") ", \"required\": true", NULL, NULL},
	{T("integer"), NULL, NULL},
	{T("boolean"), NULL, NULL},
	{T("enum") ", \"values\": [\"a\"]", NULL, NULL},
	{T("path"), NULL, NULL},
	{T("string") ", \"required\": false", NULL, ""},
	{T("string") ", \"default\": \"d\"", NULL, "d"},
	{T("string") ", \"default\": \"d\"", "null", "d"},
	{T("string") ", \"default\": \"d\"", "\"\"", ""},
	{T("integer") ", \"default\": 5", NULL, "5"},
	{T("number") ", \"default\": 0.25", NULL, "0.25"},
	{T("boolean") ", \"default\": false", NULL, "false"},
	{T("enum") ", \"values\": [\"a\", \"b\"], \"default\": \"b\"", NULL, "b"},
	{T("path") ", \"default\": \"/x//y\"", NULL, "/x/y"},
};
/* clang-format on */

static struct task task_with(const char *rule)
{
	AUTO_FREE char *text =
		mem_printf("{\"name\": \"t\", \"executable\": \"/bin/echo\","
			   " \"arguments\": [\"@@x@@\"], \"parameters\": "
			   "[{\"name\": \"x\", %s}]}",
			   rule);
	struct err err = ERR_INIT;
	struct task task;

	if (task_parse(text, &task, &err))
		fail_msg("%s: %s", rule, err.text);
	return task;
}

static void test_one(const struct row *row)
{
	AUTO_FREE char *text =
		row->value ? mem_printf("{\"x\": %s}", row->value) : mem_strdup("{}");
	struct task task = task_with(row->rule);
	struct task_call call = {0};
	struct problems problems;
	cJSON *parameters = NULL;

	problems_init(&problems);
	assert_int_equal(json_parse(text, strlen(text), NULL, &parameters, NULL), 0);
	tasks_call(&task, parameters, &problems, &call);
	if (!row->argument && !problems.total)
		fail_msg("%s took %s", row->rule, text);
	if (row->argument && problems.total)
		fail_msg("%s refused %s: %s", row->rule, text, problems.item[0].detail);
	if (row->argument) {
		assert_int_equal(call.argv.count, 2);
		assert_string_equal(call.argv.item[1], row->argument);
	} else {
		assert_string_equal(problems.item[0].pointer, "#/parameters/x");
		assert_int_equal(call.argv.count, 0);
	}
	cJSON_Delete(parameters);
	problems_release(&problems);
	task_call_release(&call);
	task_release(&task);
}

static void test_every_rule(void **state)
{
	(void)state;
	assert_true(ARRAY_SIZE(ROWS) >= 120);
	for (size_t i = 0; i < ARRAY_SIZE(ROWS); i++)
		test_one(&ROWS[i]);
}

/* Not merely refused because it does not match: the comparison was given up. */
static void test_hard_patterns_are_given_up(void **state)
{
	static const char *const HARD[] = {"(a+)+b", "(a|aa)+b", "(a*)*b"};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(HARD); i++) {
		AUTO_FREE char *rule =
			mem_printf(T("string") ", \"pattern\": \"%s\"", HARD[i]);
		struct task task = task_with(rule);
		struct task_call call = {0};
		struct problems problems;
		cJSON *given = cJSON_CreateObject();

		cJSON_AddStringToObject(given, "x",
					"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaba");
		problems_init(&problems);
		tasks_call(&task, given, &problems, &call);
		assert_int_equal(problems.total, 1);
		assert_non_null(strstr(problems.item[0].detail, "too hard"));
		cJSON_Delete(given);
		problems_release(&problems);
		task_release(&task);
	}
}

/* What is kept with the job is what was checked: typed, with defaults, and calling the
 * task with it again gives the same argv. */
static void test_what_is_kept_calls_the_same(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(ROWS); i++) {
		AUTO_FREE char *text = NULL;
		struct task task;
		struct task_call first = {0}, second = {0};
		struct problems problems;
		cJSON *given = NULL, *kept = NULL;

		if (!ROWS[i].argument || !ROWS[i].value)
			continue;
		text = mem_printf("{\"x\": %s}", ROWS[i].value);
		task = task_with(ROWS[i].rule);
		problems_init(&problems);
		assert_int_equal(json_parse(text, strlen(text), NULL, &given, NULL), 0);
		tasks_call(&task, given, &problems, &first);
		assert_int_equal(json_parse(first.parameters, strlen(first.parameters),
					    NULL, &kept, NULL),
				 0);
		tasks_call(&task, kept, &problems, &second);
		assert_int_equal(problems.total, 0);
		assert_string_equal(first.argv.item[1], second.argv.item[1]);
		assert_string_equal(first.parameters, second.parameters);
		cJSON_Delete(given);
		cJSON_Delete(kept);
		task_call_release(&first);
		task_call_release(&second);
		task_release(&task);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_rule),
		cmocka_unit_test(test_hard_patterns_are_given_up),
		cmocka_unit_test(test_what_is_kept_calls_the_same),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
