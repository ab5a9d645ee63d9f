/* test_queue_tasks.c - what the queue keeps of tasks: the definition once for all jobs,
 * with each claim, and which exit codes are a success. And a file from before there were
 * tasks. */
#include <sqlite3.h>

#include "migrations.h"
#include "tests/unit/queue_fixture.h"

/* a migration is longer than the 4,095 characters every compiler must take */
#pragma GCC diagnostic ignored "-Woverlength-strings"

static const char DEFINITION[] = "{\"name\":\"t\",\"executable\":\"/bin/true\"}";

static struct submission task_submission(const char *codes)
{
	struct submission submission = fixture_submission();

	submission.task = "t";
	submission.task_definition = DEFINITION;
	digest_of(DEFINITION, strlen(DEFINITION), submission.task_hash);
	submission.parameters = "{\"x\":1}";
	submission.success_exit_codes = codes;
	return submission;
}

static void submit(struct fixture *f, const struct submission *submission,
		   struct submitted *ret)
{
	assert_done(queue_begin(f->queue, &f->err), &f->err);
	assert_done(queue_submit(f->queue, submission, ret, &f->err), &f->err);
	assert_done(queue_commit(f->queue, &f->err), &f->err);
}

static void test_a_definition_is_kept_once_and_claimed(void **state)
{
	struct fixture *f = *state;
	const struct submission submission = task_submission(NULL);
	struct submitted first, second;
	struct claim_list list;
	struct job job;

	submit(f, &submission, &first);
	submit(f, &submission, &second);
	assert_int_equal(fixture_number(f->dir, "SELECT count(*) FROM task_definitions"),
			 1);
	fixture_get(f, first.id, &job);
	assert_string_equal(job.task, "t");
	assert_string_equal(job.parameters, "{\"x\":1}");
	job_release(&job);
	fixture_claim(f, &list);
	assert_string_equal(list.item[0].task_definition, DEFINITION);
	claim_list_release(&list);
	fixture_assert_sql(f->dir, "SELECT definition FROM v_tasks", DEFINITION);
}

static void test_a_job_without_a_task_has_no_definition(void **state)
{
	struct fixture *f = *state;
	struct submitted submitted;
	struct claim_list list;

	fixture_submit(f, "uid:1", &submitted);
	fixture_claim(f, &list);
	assert_null(list.item[0].task_definition);
	assert_null(list.item[0].job.task);
	claim_list_release(&list);
}

struct code_row {
	const char *codes;
	int exit_code;
	enum job_state state;
};

static void test_success_exit_codes(void **state)
{
	static const struct code_row ROWS[] = {
		{NULL, 0, JOB_SUCCEEDED},      {NULL, 1, JOB_FAILED},
		{"[0]", 0, JOB_SUCCEEDED},     {"[0]", 3, JOB_FAILED},
		{"[0,3]", 3, JOB_SUCCEEDED},   {"[3]", 0, JOB_FAILED},
		{"[30]", 3, JOB_FAILED},       {"[1,2,255]", 255, JOB_SUCCEEDED},
		{"[1,2,255]", 25, JOB_FAILED},
	};
	struct fixture *f = *state;

	for (size_t i = 0; i < ARRAY_SIZE(ROWS); i++) {
		const struct submission submission = task_submission(ROWS[i].codes);
		const struct attempt_end end = fixture_end(ROWS[i].exit_code);
		const bool is_good = ROWS[i].state == JOB_SUCCEEDED;
		struct submitted submitted;
		struct claim_list list;

		submit(f, &submission, &submitted);
		fixture_claim(f, &list);
		assert_int_equal(fixture_import(f, &list.item[0], &end), 1);
		fixture_assert_job(f, submitted.id, ROWS[i].state,
				   is_good ? NULL : "exit");
		claim_list_release(&list);
	}
}

static void test_definitions_do_not_change(void **state)
{
	struct fixture *f = *state;
	const struct submission submission = task_submission(NULL);
	struct submitted submitted;

	submit(f, &submission, &submitted);
	assert_int_not_equal(
		fixture_sql(f->dir, "UPDATE task_definitions SET name = 'u'", NULL),
		SQLITE_OK);
	assert_int_not_equal(
		fixture_sql(f->dir,
			    "PRAGMA foreign_keys = ON; DELETE FROM task_definitions",
			    NULL),
		SQLITE_OK);
}

/* A file that the version before tasks made, with a job waiting in it. */
static void test_a_file_of_version_1_goes_on(void **state)
{
	static const char *const SQL[] = {
#define SQL_(number, name, sql) sql,
		MIGRATIONS(SQL_)
#undef SQL_
	};
	struct fixture fixture = {0};
	struct claim_list list;
	char path[128];
	sqlite3 *db;

	(void)state;
	fixture_make_dir(fixture.dir);
	(void)snprintf(path, sizeof(path), "%s/reeve.db", fixture.dir);
	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, SQL[0], NULL, NULL, NULL), SQLITE_OK);
	assert_int_equal(
		sqlite3_exec(db,
			     "INSERT INTO jobs (uuid, owner, command, submitted_at) "
			     "VALUES (randomblob(16), 'uid:1', '[\"/bin/true\"]', 1)",
			     NULL, NULL, NULL),
		SQLITE_OK);
	assert_int_equal(sqlite3_close(db), SQLITE_OK);
	assert_done(queue_open(&fixture.queue, fixture.dir, QUEUE_WRITE, &fixture.err),
		    &fixture.err);
	assert_true(fixture_number(fixture.dir, "PRAGMA user_version") >= 2);
	fixture_assert_sql(fixture.dir, "SELECT state FROM v_jobs WHERE task IS NULL",
			   "queued");
	fixture_claim(&fixture, &list);
	assert_null(list.item[0].job.parameters);
	claim_list_release(&list);
	queue_close(fixture.queue);
	fixture_remove_dir(fixture.dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			test_a_definition_is_kept_once_and_claimed, fixture_setup,
			fixture_teardown),
		cmocka_unit_test_setup_teardown(
			test_a_job_without_a_task_has_no_definition, fixture_setup,
			fixture_teardown),
		cmocka_unit_test_setup_teardown(test_success_exit_codes, fixture_setup,
						fixture_teardown),
		cmocka_unit_test_setup_teardown(test_definitions_do_not_change,
						fixture_setup, fixture_teardown),
		cmocka_unit_test(test_a_file_of_version_1_goes_on),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
