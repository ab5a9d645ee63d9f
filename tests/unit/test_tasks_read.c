/* test_tasks_read.c - reading definitions: what is wrong is found, with its place; and
 * putting values into arguments. */
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "queue/retry.h"
#include "tasks/tasks.h"
#include "tests/unit/unit.h"

/* --- one definition --- */

#define TASK(rest) "{\"name\": \"t\", \"executable\": \"/bin/echo\"" rest "}"
#define PARAM(rest) TASK(", \"parameters\": [{\"name\": \"x\", " rest "}]")
#define STRING "\"type\": \"string\""

/* 64 characters */
#define LONG_NAME "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-."

struct bad {
	const char *definition, *words;
};

/* clang-format off */
static const struct bad BAD[] = {
	{"[]", "expected an object"},
	{"{}", "needs a name"},
	{"{\"name\": \"t\"}", "needs an executable"},
	{"{\"executable\": \"/bin/echo\"}", "needs a name"},
	{"{\"name\": \"\", \"executable\": \"/bin/echo\"}", "name: "},
	{"{\"name\": \"a b\", \"executable\": \"/bin/echo\"}", "name: expected a letter"},
	{"{\"name\": \"../x\", \"executable\": \"/bin/echo\"}", "name: expected a letter"},
	{"{\"name\": 7, \"executable\": \"/bin/echo\"}", "name: expected a string"},
	{"{\"name\": \"t\", \"executable\": \"echo\"}", "executable: must begin with '/'"},
	{"{\"name\": \"t\", \"executable\": \"/bin/../x\"}", "executable: must not have '..'"},
	{"{\"name\": \"t\", \"executable\": \"/bin/@@x@@\"}", "executable: "},
	{"{\"name\": \"t\", \"executable\": \"/\"}", "executable: "},
	{TASK(", \"argments\": []"), "did you mean arguments?"},
	{TASK(", \"colour\": 1"), "colour: unknown"},
	{TASK(", \"queue\": 1"), "queue: expected the name of a queue"},
	{TASK(", \"queue\": \"\""), "queue: expected the name of a queue"},
	{TASK(", \"queue\": \"a b\""), "queue: expected the name of a queue"},
	{TASK(", \"queue\": \"a/b\""), "queue: expected the name of a queue"},
	{TASK(", \"queue\": \"" LONG_NAME "5\""), "queue: expected the name of a queue"},
	{TASK(", \"priority\": 101"), "priority: expected an integer from -100 to 100"},
	{TASK(", \"priority\": -101"), "priority: expected an integer from -100 to 100"},
	{TASK(", \"priority\": 0.5"), "priority: expected an integer from -100 to 100"},
	{TASK(", \"priority\": \"1\""), "priority: expected an integer from -100 to 100"},
	{TASK(", \"deadline_s\": 0"), "deadline_s: expected a number of seconds"},
	{TASK(", \"retry\": 3"), "retry: expected an object"},
	{TASK(", \"retry\": {\"atempts\": 3}"), "retry.atempts: unknown"},
	{TASK(", \"retry\": {\"max_attempt\": 3}"), "did you mean max_attempts?"},
	{TASK(", \"retry\": {\"max_attempts\": 0}"), "retry.max_attempts: expected an integer from 1 to 1000"},
	{TASK(", \"retry\": {\"max_attempts\": 1001}"), "retry.max_attempts: expected an integer from 1 to 1000"},
	{TASK(", \"retry\": {\"delay_s\": -1}"), "retry.delay_s: expected a number from 0 to 315360000"},
	{TASK(", \"retry\": {\"max_delay_s\": 315360001}"), "retry.max_delay_s: expected a number from 0 to 315360000"},
	{TASK(", \"retry\": {\"factor\": 0.9}"), "retry.factor: expected a number from 1 to 100"},
	{TASK(", \"retry\": {\"factor\": 101}"), "retry.factor: expected a number from 1 to 100"},
	{TASK(", \"retry\": {\"jitter\": 1.1}"), "retry.jitter: expected a number from 0 to 1"},
	{TASK(", \"retry\": {\"jitter\": \"0\"}"), "retry.jitter: expected a number from 0 to 1"},
	{TASK(", \"retry\": {\"on\": []}"), "retry.on: expected at least one word"},
	{TASK(", \"retry\": {\"on\": \"exit\"}"), "retry.on: expected a list"},
	{TASK(", \"retry\": {\"on\": [\"exit\", \"cancel\"]}"), "retry.on.1: expected one of exit"},
	{TASK(", \"retry\": {\"exit_codes\": []}"), "retry.exit_codes: expected a list"},
	{TASK(", \"retry\": {\"exit_codes\": [0]}"), "retry.exit_codes.0: expected an integer from 1 to 255"},
	{TASK(", \"retry\": {\"exit_codes\": [1, 256]}"), "retry.exit_codes.1: expected an integer from 1 to 255"},
	{TASK(", \"run_as\": \"media\""), "run_as: not supported by this version"},
	{TASK(", \"roles\": [\"full\"]"), "roles: not supported by this version"},
	{TASK(", \"principals\": []"), "principals: not supported by this version"},
	{TASK(", \"limits\": {\"memory_bytes\": 1}"), "limits.memory_bytes: not supported by this version"},
	{TASK(", \"arguments\": \"-v\""), "arguments: expected a list"},
	{TASK(", \"arguments\": [1]"), "arguments.0: expected a string"},
	{TASK(", \"arguments\": [\"ok\", \"@@nobody@@\"]"), "arguments.1: there is no parameter \"nobody\""},
	{TASK(", \"arguments\": [\"@@\"]"), "arguments.0: \"@@\" begins no"},
	{TASK(", \"arguments\": [\"a@@x\"]"), "arguments.0: \"@@\" begins no"},
	{TASK(", \"arguments\": [\"@@a b@@\"]"), "arguments.0: \"@@\" begins no"},
	{TASK(", \"environment\": [\"A=1\"]"), "environment: expected an object"},
	{TASK(", \"environment\": {\"A\": 1}"), "environment.A: expected a string"},
	{TASK(", \"environment\": {\"A B\": \"1\"}"), "environment.A B: expected the name"},
	{TASK(", \"environment\": {\"REEVE_JOB_ID\": \"1\"}"), "REEVE_"},
	{TASK(", \"allow_environment\": [\"*\"]"), "allow_environment.0: expected the name"},
	{TASK(", \"allow_environment\": \"LANG\""), "allow_environment: expected a list"},
	{TASK(", \"working_directory\": \"media\""), "working_directory: must begin with '/'"},
	{TASK(", \"timeout_s\": 0"), "timeout_s: expected a number of seconds"},
	{TASK(", \"timeout_s\": \"10\""), "timeout_s: expected a number of seconds"},
	{TASK(", \"timeout_s\": -1"), "timeout_s: expected a number of seconds"},
	{TASK(", \"kill_grace_s\": 1e9"), "kill_grace_s: expected a number of seconds"},
	{TASK(", \"limits\": {\"output_bytes\": 0}"), "limits.output_bytes: expected an integer"},
	{TASK(", \"limits\": {\"output_policy\": \"drop\"}"), "limits.output_policy: expected"},
	{TASK(", \"success_exit_codes\": []"), "success_exit_codes: expected a list"},
	{TASK(", \"success_exit_codes\": 0"), "success_exit_codes: expected a list"},
	{TASK(", \"success_exit_codes\": [256]"), "success_exit_codes.0: expected an integer"},
	{TASK(", \"success_exit_codes\": [-1]"), "success_exit_codes.0: expected an integer"},
	{TASK(", \"success_exit_codes\": [\"0\"]"), "success_exit_codes.0: expected an integer"},
	{TASK(", \"parameters\": {}"), "parameters: expected a list"},
	{TASK(", \"parameters\": [1]"), "parameters.0: expected an object"},
	{TASK(", \"parameters\": [{" STRING "}]"), "parameters.0: a parameter needs a name"},
	{TASK(", \"parameters\": [{\"name\": \"x\"}]"), "parameters.0: a parameter needs a type"},
	{TASK(", \"parameters\": [{\"name\": \"a.b\", " STRING "}]"), "parameters.0.name: expected a letter"},
	{TASK(", \"parameters\": [{\"name\": \"x\", " STRING "}, {\"name\": \"x\", " STRING "}]"), "\"x\" is there twice"},
	{PARAM("\"type\": \"text\""), "parameters.0.type: expected one of string, integer"},
	{PARAM("\"type\": 1"), "parameters.0.type: expected one of"},
	{PARAM(STRING ", \"patern\": \"a\""), "did you mean pattern?"},
	{PARAM(STRING ", \"pattern\": \"(\""), "pattern: at character"},
	{PARAM(STRING ", \"pattern\": \"[z-a]\""), "pattern: at character"},
	{PARAM(STRING ", \"pattern\": \"\""), "pattern: expected a regular expression"},
	{PARAM(STRING ", \"pattern\": 1"), "pattern: expected a regular expression"},
	{PARAM(STRING ", \"min\": 1"), "min: means nothing for a parameter of type string"},
	{PARAM(STRING ", \"beneath\": \"/a\""), "beneath: means nothing"},
	{PARAM(STRING ", \"values\": [\"a\"]"), "values: means nothing"},
	{PARAM("\"type\": \"integer\", \"pattern\": \"1\""), "pattern: means nothing"},
	{PARAM("\"type\": \"boolean\", \"allow_dash\": true"), "allow_dash: means nothing"},
	{PARAM("\"type\": \"integer\", \"min\": \"1\""), "min: expected a number"},
	{PARAM("\"type\": \"integer\", \"min\": 2, \"max\": 1"), "min is larger than max"},
	{PARAM(STRING ", \"min_length\": 2, \"max_length\": 1"), "min_length is larger"},
	{PARAM(STRING ", \"max_length\": -1"), "max_length: expected an integer"},
	{PARAM(STRING ", \"max_length\": 1.5"), "max_length: expected an integer"},
	{PARAM(STRING ", \"required\": \"yes\""), "required: expected true or false"},
	{PARAM(STRING ", \"required\": true, \"default\": \"a\""), "required, although it has a default"},
	{PARAM(STRING ", \"default\": 1"), "default: must be a string"},
	{PARAM(STRING ", \"default\": \"b\", \"pattern\": \"a\""), "default: does not match"},
	{PARAM("\"type\": \"integer\", \"default\": \"x\""), "default: must be an integer"},
	{PARAM("\"type\": \"enum\""), "an enum needs values"},
	{PARAM("\"type\": \"enum\", \"values\": []"), "values: expected at least one"},
	{PARAM("\"type\": \"enum\", \"values\": [1]"), "values.0: expected a string"},
	{PARAM("\"type\": \"enum\", \"values\": [\"a\", \"a\"]"), "\"a\" is there twice"},
	{PARAM("\"type\": \"enum\", \"values\": [\"a\"], \"default\": \"b\""), "default: must be one of"},
	{PARAM("\"type\": \"path\", \"beneath\": \"a\""), "beneath: must begin with '/'"},
	{PARAM("\"type\": \"path\", \"beneath\": \"/a/../b\""), "beneath: must not have '..'"},
	{PARAM("\"type\": \"path\", \"beneath\": \"/a\", \"default\": \"/ab\""), "default: must be below /a"},
	{PARAM("\"type\": \"path\", \"must_exist\": 1"), "must_exist: expected true or false"},
	{TASK(", \"arguments\": [\"@@x@@\"], \"parameters\": [{\"name\": \"x\", " STRING ", \"default\": \"-v\"}]"), "begins with '-'"},
};
/* clang-format on */

static void test_bad_definitions(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(BAD); i++) {
		struct err err = ERR_INIT;
		struct task task;

		if (!task_parse(BAD[i].definition, &task, &err))
			fail_msg("took %s", BAD[i].definition);
		if (!strstr(err.text, BAD[i].words))
			fail_msg("%s: %s", BAD[i].definition, err.text);
		assert_int_equal(err.code, ERR_INVALID);
	}
}

/* --- what a submission gets --- */

/* Every word and every limit that a submission takes is one that a task may have. */
static void test_the_limits_of_defaults_are_those_of_a_submission(void **state)
{
	static const char *const GOOD[] = {
		TASK(", \"queue\": \"" LONG_NAME "\""),
		TASK(", \"priority\": 100"),
		TASK(", \"priority\": -100"),
		TASK(", \"deadline_s\": 0.001"),
		TASK(", \"retry\": {}"),
		TASK(", \"retry\": {\"max_attempts\": 1000, \"jitter\": 1, \"factor\": "
		     "1, "
		     "\"exit_codes\": [1, 255]}"),
	};
	AUTO_BUF struct buf text = BUF_INIT(4096);
	struct err err = ERR_INIT;
	struct task task;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(GOOD); i++) {
		if (task_parse(GOOD[i], &task, &err))
			fail_msg("%s: %s", GOOD[i], err.text);
		task_release(&task);
	}
	buf_printf(&text, "{\"name\": \"t\", \"executable\": \"/t\", \"retry\": {");
	buf_printf(&text, "\"delay_s\": %.0f, \"max_delay_s\": %.0f, \"factor\": %.15g, ",
		   (double)RETRY_DELAY_MAX_US / 1e6, (double)RETRY_DELAY_MAX_US / 1e6,
		   RETRY_FACTOR_MAX);
	buf_printf(&text, "\"on\": [");
	for (unsigned i = 0; i < RETRY_CAUSE_COUNT_; i++)
		buf_printf(&text, "%s\"%s\"", i ? ", " : "",
			   retry_cause_word((enum retry_cause)i));
	buf_printf(&text, "]}}");
	assert_int_equal(task_parse(buf_text(&text), &task, &err), 0);
	task_release(&task);
}

/* --- arguments --- */

static const char THREE[] = TASK(
	", \"arguments\": [\"@@a@@\", \"x@@a@@y@@b@@\", \"plain\", \"@@b@@@@c@@\", "
	"\"-@@c@@\"],"
	" \"parameters\": [{\"name\": \"a\", " STRING "}, {\"name\": \"b\", " STRING
	", \"required\": false}, {\"name\": \"c\", " STRING ", \"required\": false}]");

static void call_three(const char *parameters, struct problems *problems,
		       struct task_call *ret)
{
	struct task task;
	struct err err = ERR_INIT;
	cJSON *tree = NULL;

	problems_init(problems);
	assert_int_equal(task_parse(THREE, &task, &err), 0);
	assert_int_equal(json_parse(parameters, strlen(parameters), NULL, &tree, NULL),
			 0);
	tasks_call(&task, tree, problems, ret);
	cJSON_Delete(tree);
	task_release(&task);
}

static void test_values_stay_in_their_element(void **state)
{
	static const char *const EXPECTED[] = {
		"/bin/echo", "1 2 @@b@@ $HOME", "x1 2 @@b@@ $HOMEy*", "plain", "*", "-"};
	struct problems problems;
	struct task_call call = {0};

	(void)state;
	call_three("{\"a\": \"1 2 @@b@@ $HOME\", \"b\": \"*\"}", &problems, &call);
	assert_int_equal(problems.total, 0);
	assert_int_equal(call.argv.count, ARRAY_SIZE(EXPECTED));
	for (size_t i = 0; i < ARRAY_SIZE(EXPECTED); i++)
		assert_string_equal(call.argv.item[i], EXPECTED[i]);
	assert_string_equal(call.parameters, "{\"a\":\"1 2 @@b@@ $HOME\",\"b\":\"*\"}");
	assert_true(task_call_is(
		&call, "[\"/bin/echo\",\"1 2 @@b@@ $HOME\",\"x1 2 @@b@@ $HOMEy*\","
		       "\"plain\",\"*\",\"-\"]"));
	assert_false(task_call_is(&call, "[\"/bin/echo\"]"));
	assert_false(task_call_is(&call, "nonsense"));
	task_call_release(&call);
}

/* What stands at the beginning decides, also when an empty value stands before it. */
static void test_a_dash_at_the_beginning_of_an_element(void **state)
{
	struct problems problems;
	struct task_call call = {0};

	(void)state;
	call_three("{\"a\": \"1\", \"c\": \"-rf\"}", &problems, &call);
	assert_int_equal(problems.total, 1);
	assert_string_equal(problems.item[0].pointer, "#/parameters/c");
	problems_release(&problems);
	call_three("{\"a\": \"1\", \"b\": \"x\", \"c\": \"-rf\"}", &problems, &call);
	assert_int_equal(problems.total, 0);
	assert_string_equal(call.argv.item[4], "x-rf");
	assert_string_equal(call.argv.item[5], "--rf");
	task_call_release(&call);
}

static void test_all_problems_at_once(void **state)
{
	struct problems problems;
	struct task_call call = {0};

	(void)state;
	call_three("{\"b\": 1, \"aa\": \"x\", \"d/e\": \"y\"}", &problems, &call);
	assert_int_equal(problems.total, 4);
	assert_string_equal(problems.item[0].pointer, "#/parameters/aa");
	assert_string_equal(problems.item[1].pointer, "#/parameters/d~1e");
	assert_string_equal(problems.item[2].pointer, "#/parameters/a");
	assert_string_equal(problems.item[2].detail, "is required");
	assert_string_equal(problems.item[3].pointer, "#/parameters/b");
	problems_release(&problems);
	call_three("[]", &problems, &call);
	assert_string_equal(problems.item[0].pointer, "#/parameters");
	problems_release(&problems);
}

/* --- a configuration and its directory --- */

static int load(const char *dir, const char *config_text, struct tasks *ret,
		struct err *err)
{
	AUTO_FREE char *path = mem_printf("%s/reeve.json", dir);
	struct config config;
	int result;

	scratch_file(dir, "reeve.json", config_text, 0600);
	if (config_load(&config, path, err))
		fail_msg("%s", err->text);
	result = tasks_load(ret, &config, err);
	config_release(&config);
	return result;
}

static void test_list_and_directory_together(void **state)
{
	char *dir = scratch_make();
	AUTO_FREE char *tasks_d = mem_printf("%s/tasks.d", dir);
	struct tasks tasks = {0};
	struct err err = ERR_INIT;

	(void)state;
	assert_int_equal(mkdir(tasks_d, 0700), 0);
	scratch_file(tasks_d, "b.json", "// a file has one task\n" TASK(""), 0600);
	scratch_file(tasks_d, ".b.json.swp", "not json", 0600);
	scratch_file(tasks_d, "b.json~", "not json", 0600);
	scratch_file(tasks_d, "README", "not json", 0600);
	assert_int_equal(load(dir,
			      "{\"tasks\": [{\"name\": \"z\", \"executable\": \"/z\"},"
			      " {\"name\": \"a\", \"executable\": \"/a\"}]}",
			      &tasks, &err),
			 0);
	assert_int_equal(tasks.count, 3);
	assert_string_equal(tasks.item[0].name, "a");
	assert_string_equal(tasks.item[1].name, "t");
	assert_non_null(tasks_find(&tasks, "z"));
	assert_null(tasks_find(&tasks, "Z"));
	assert_null(tasks_find(&tasks, NULL));
	tasks_release(&tasks);
	scratch_remove(dir);
}

static void test_faults_say_where(void **state)
{
	char *dir = scratch_make();
	AUTO_FREE char *tasks_d = mem_printf("%s/tasks.d", dir);
	AUTO_FREE char *first = mem_printf(
		"%s/reeve.json:3:36: tasks.0.arguments.0: there is no parameter", dir);
	AUTO_FREE char *second =
		mem_printf("%s/x.json:2:2: timeout_s: expected a number", tasks_d);
	AUTO_FREE char *third = mem_printf("%s/y.json:1:2: ", tasks_d);
	struct tasks tasks = {0};
	struct err err = ERR_INIT;

	(void)state;
	assert_int_equal(mkdir(tasks_d, 0700), 0);
	scratch_file(tasks_d, "x.json",
		     "{\"name\": \"x\", \"executable\": \"/x\",\n\t\"timeout_s\": 0}",
		     0600);
	assert_int_equal(load(dir,
			      "{\n\t\"tasks\": [{\"name\": \"t\",\n"
			      "\t\"executable\": \"/t\", \"arguments\": [\"@@q@@\"]}]}",
			      &tasks, &err),
			 -1);
	assert_non_null(strstr(err.text, first));
	assert_non_null(strstr(err.text, second));
	scratch_file(tasks_d, "x.json", "{}", 0600);
	scratch_file(tasks_d, "y.json", "{,}", 0600);
	assert_int_equal(load(dir, "{}", &tasks, &err), -1);
	assert_non_null(strstr(err.text, third));
	scratch_remove(dir);
}

static void test_a_name_is_there_once(void **state)
{
	char *dir = scratch_make();
	struct tasks tasks = {0};
	struct err err = ERR_INIT;

	(void)state;
	assert_int_equal(load(dir,
			      "{\"tasks\": [{\"name\": \"z\", \"executable\": \"/z\"},"
			      " {\"name\": \"z\", \"executable\": \"/a\"}]}",
			      &tasks, &err),
			 -1);
	assert_non_null(strstr(err.text, "\"z\" is there already, at "));
	assert_non_null(strstr(err.text, "reeve.json:1:12"));
	scratch_remove(dir);
}

static void test_the_hash_is_that_of_the_text(void **state)
{
	struct task one, two, other;
	struct err err = ERR_INIT;

	(void)state;
	assert_int_equal(task_parse(TASK(""), &one, &err), 0);
	assert_int_equal(task_parse(one.definition, &two, &err), 0);
	assert_int_equal(task_parse(TASK(", \"timeout_s\": 1"), &other, &err), 0);
	assert_memory_equal(one.hash, two.hash, DIGEST_BYTES);
	assert_memory_not_equal(one.hash, other.hash, DIGEST_BYTES);
	task_release(&one);
	task_release(&two);
	task_release(&other);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_bad_definitions),
		cmocka_unit_test(test_the_limits_of_defaults_are_those_of_a_submission),
		cmocka_unit_test(test_values_stay_in_their_element),
		cmocka_unit_test(test_a_dash_at_the_beginning_of_an_element),
		cmocka_unit_test(test_all_problems_at_once),
		cmocka_unit_test(test_list_and_directory_together),
		cmocka_unit_test(test_faults_say_where),
		cmocka_unit_test(test_a_name_is_there_once),
		cmocka_unit_test(test_the_hash_is_that_of_the_text),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
