/* test_queue_states.c - the life cycle is one list, and the database itself guards it. */
#include <sqlite3.h>

#include "tests/unit/queue_fixture.h"

static void test_states_are_the_rows(void **state)
{
	struct fixture *f = *state;
	char sql[256];
	for (int i = 1; i < JOB_STATE_COUNT_; i++) {
		const char *word = job_state_word((enum job_state)i);
		assert_int_equal(job_state_parse(word), i);
		(void)snprintf(sql, sizeof sql,
			       "SELECT is_final FROM job_states WHERE state = '%s'",
			       word);
		fixture_assert_sql(f->dir, sql,
				   job_state_is_final((enum job_state)i) ? "1" : "0");
	}
	assert_int_equal(fixture_number(f->dir, "SELECT count(*) FROM job_states"),
			 JOB_STATE_COUNT_ - 1);
}

static void test_moves_are_the_rows(void **state)
{
	struct fixture *f = *state;
	char sql[256];
	for (int from = 1; from < JOB_STATE_COUNT_; from++)
		for (int to = 1; to < JOB_STATE_COUNT_; to++) {
			(void)snprintf(
				sql, sizeof sql,
				"SELECT count(*) FROM job_moves WHERE from_state = "
				"'%s' AND to_state = '%s'",
				job_state_word((enum job_state)from),
				job_state_word((enum job_state)to));
			assert_int_equal(fixture_number(f->dir, sql),
					 job_move_is_legal((enum job_state)from,
							   (enum job_state)to));
		}
}

static void test_words_that_are_none(void **state)
{
	(void)state;
	assert_int_equal(job_state_parse("Queued"), JOB_STATE_NONE);
	assert_int_equal(job_state_parse(""), JOB_STATE_NONE);
	assert_int_equal(job_state_parse(NULL), JOB_STATE_NONE);
	assert_int_equal(stop_reason_parse(NULL), STOP_NONE);
	assert_int_equal(stop_reason_parse("kill"), STOP_NONE);
	assert_int_equal(stop_reason_parse("timeout"), STOP_TIMEOUT);
	assert_null(stop_reason_word(STOP_NONE));
	assert_string_equal(stop_reason_word(STOP_OUTPUT_LIMIT), "output_limit");
	assert_false(job_move_is_legal(JOB_STATE_NONE, JOB_QUEUED));
	assert_false(job_move_is_legal(JOB_QUEUED, JOB_STATE_COUNT_));
}

/* SQL that moves the job, keeping whatever else must hold of that state. */
static void move_sql(enum job_state state, char ret[256])
{
	(void)snprintf(ret, 256,
		       "UPDATE jobs SET state = '%s', attempt = 1, finished_at = %s",
		       job_state_word(state), job_state_is_final(state) ? "1" : "NULL");
}

/* Puts the job into a state as only somebody who first drops the triggers could. */
static void force_state(const char *dir, enum job_state state)
{
	static const char *const guards[] = {"jobs_move", "jobs_final"};
	char sql[256];
	char trigger[ARRAY_SIZE(guards)][FIXTURE_TEXT_BYTES];
	for (size_t i = 0; i < ARRAY_SIZE(guards); i++) {
		snprintf(sql, sizeof sql,
			 "SELECT sql FROM sqlite_schema WHERE name = '%s'", guards[i]);
		assert_int_equal(fixture_sql(dir, sql, trigger[i]), SQLITE_OK);
		snprintf(sql, sizeof sql, "DROP TRIGGER %s", guards[i]);
		assert_int_equal(fixture_sql(dir, sql, NULL), SQLITE_OK);
	}
	move_sql(state, sql);
	assert_int_equal(fixture_sql(dir, sql, NULL), SQLITE_OK);
	for (size_t i = 0; i < ARRAY_SIZE(guards); i++)
		assert_int_equal(fixture_sql(dir, trigger[i], NULL), SQLITE_OK);
}

static void test_only_listed_moves_succeed(void **state)
{
	struct fixture *f = *state;
	struct submitted job;
	char sql[256];
	fixture_submit(f, "uid:1000", &job);
	for (int from = 1; from < JOB_STATE_COUNT_; from++)
		for (int to = 1; to < JOB_STATE_COUNT_; to++) {
			const bool is_legal =
				from == to ? !job_state_is_final((enum job_state)from)
					   : job_move_is_legal((enum job_state)from,
							       (enum job_state)to);
			force_state(f->dir, (enum job_state)from);
			move_sql((enum job_state)to, sql);
			const int code = fixture_sql(f->dir, sql, NULL);
			if ((code == SQLITE_OK) != is_legal)
				fail_msg("from %s to %s: code %d",
					 job_state_word((enum job_state)from),
					 job_state_word((enum job_state)to), code);
		}
}

static void test_finished_job_cannot_run_again(void **state)
{
	struct fixture *f = *state;
	struct submitted job;
	fixture_run_job(f, "uid:1000", 0, &job);
	assert_int_equal(fixture_sql(f->dir, "UPDATE jobs SET state = 'running'", NULL),
			 SQLITE_CONSTRAINT);
	fixture_assert_job(f, job.id, JOB_SUCCEEDED, NULL);
}

static void test_a_job_is_not_born_final(void **state)
{
	struct fixture *f = *state;
	assert_int_equal(fixture_sql(f->dir,
				     "INSERT INTO jobs (uuid, owner, state, command, "
				     "submitted_at) VALUES (randomblob(16), 'uid:1', "
				     "'succeeded', '[]', 1)",
				     NULL),
			 SQLITE_CONSTRAINT);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)

static void test_what_is_over_stays(void **state)
{
	struct fixture *fixture = *state;
	struct submitted job;
	fixture_run_job(fixture, "uid:1", 3, &job);
	assert_int_equal(
		fixture_sql(fixture->dir, "UPDATE jobs SET exit_code = 0", NULL) & 0xff,
		SQLITE_CONSTRAINT);
	assert_int_equal(fixture_sql(fixture->dir, "DELETE FROM jobs", NULL) & 0xff,
			 SQLITE_CONSTRAINT);
	fixture_assert_sql(fixture->dir, "SELECT exit_code FROM jobs", "3");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_states_are_the_rows),
		TEST(test_moves_are_the_rows),
		TEST(test_words_that_are_none),
		TEST(test_only_listed_moves_succeed),
		TEST(test_finished_job_cannot_run_again),
		TEST(test_what_is_over_stays),
		TEST(test_a_job_is_not_born_final),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
