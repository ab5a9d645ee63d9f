/* test_queue_chain_head.c - the chain goes on where its oldest events were pruned, and
 * who tampers with that is found out. */
#include <sqlite3.h>

#include "tests/unit/old_jobs.h"
#include "tests/unit/wall_clock.h"

/* All seven jobs; then the events of the three oldest go. */
static void prune_the_events(struct fixture *f, struct submitted jobs[OLD_JOBS])
{
	struct config config;
	struct retention_report report;
	old_jobs_make(f, jobs);
	policy_read(f, "{\"events_max_age_s\": 3499200}", &config); /* 40.5 days */
	retention_finish(f, &config.retention, true, &report);
	assert_int_equal(report.events, 9);
	retention_finish(f, &config.retention, false, &report);
	assert_int_equal(report.events, 9);
	config_release(&config);
}

static void test_the_chain_goes_on_from_its_head(void **state)
{
	struct fixture *f = *state;
	struct submitted jobs[OLD_JOBS];
	struct verify_result result;
	prune_the_events(f, jobs);
	assert_sound(f);
	assert_int_equal(queue_verify(f->queue, f->dir, &result, &f->err), 0);
	assert_int_equal(result.pruned, 9);
	fixture_assert_sql(f->dir, "SELECT min(id) FROM events", "10");
	fixture_assert_sql(f->dir, "SELECT event_id FROM chain_heads", "9");
	fixture_assert_sql(f->dir,
			   "SELECT json_extract(data, '$.through') || ' ' || "
			   "json_extract(data, '$.events') FROM events WHERE kind = "
			   "'pruned'",
			   "9 9");
	/* the third job is there, though none of its events are */
	fixture_assert_job(f, jobs[2].id, JOB_FAILED, "exit");
	fixture_assert_events(f, jobs[2].id, "");
	/* nothing but its own trace has become old: no new one is made of that */
	struct config config;
	struct retention_report report;
	wall_go_on(50 * DAY_US);
	policy_read(f,
		    "{\"output_max_age_s\": 0, \"rows_max_age_s\": 0, "
		    "\"events_max_age_s\": 3499200}",
		    &config);
	retention_finish(f, &config.retention, false, &report);
	assert_int_equal(report.events, 14); /* 12 of jobs, jobs_pruned, pruned */
	wall_go_on(50 * DAY_US);
	retention_finish(f, &config.retention, false, &report);
	assert_int_equal(report.events, 0);
	assert_sound(f);
	config_release(&config);
}

static void test_tampering_is_found_behind_a_head(void **state)
{
	static const struct {
		const char *sql, *found;
	} cases[] = {
		{"DROP TRIGGER events_no_update; UPDATE events SET at = at + 1 WHERE id "
		 "= 12",
		 "event 12 was changed"},
		{"DROP TRIGGER events_no_delete; DELETE FROM events WHERE id <= 12",
		 "event 13 does not follow"},
		{"DELETE FROM chain_heads", "event 10 does not follow"},
		{"UPDATE chain_heads SET hash = zeroblob(32)", "event 10 was changed"},
		{"UPDATE chain_heads SET before = before + 1",
		 "event 10 is said to be the first"},
		/* a cut through the open door: the head is right, but nobody made it */
		{"INSERT INTO chain_heads SELECT id, hash, at + 1, 1 FROM events WHERE "
		 "id = 12; DELETE FROM events WHERE id <= 12",
		 "event 13 is said to be the first"},
		/* a job that is made to disappear */
		{"INSERT INTO tombstones SELECT id, uuid, owner, state, finished_at, "
		 "3000000000000000 FROM jobs WHERE id = 7; DELETE FROM output WHERE "
		 "job_id = 7; DELETE FROM attempts WHERE job_id = 7; DELETE FROM "
		 "job_stdin WHERE job_id = 7; DELETE FROM jobs WHERE id = 7",
		 "1 tombstones of jobs"},
		{"DROP TRIGGER tombstones_no_update; UPDATE tombstones SET owner = "
		 "'uid:0' WHERE job_id = 1",
		 "tombstones that event 22 tells of"},
		{"DROP TRIGGER tombstones_no_delete; DELETE FROM tombstones WHERE job_id "
		 "= 1",
		 "tombstones that event 22 tells of"},
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		void *own = NULL;
		struct submitted jobs[OLD_JOBS];
		assert_int_equal(wall_setup(&own), 0);
		struct fixture *f = own;
		prune_the_events(f, jobs);
		assert_int_equal(fixture_sql(f->dir, cases[i].sql, NULL), SQLITE_OK);
		assert_unsound(f, cases[i].found);
		(void)wall_teardown(&own);
	}
}

/* A job that is taken out by force, or behind a tombstone that is said to be old. */
static void test_a_vanished_job_is_found(void **state)
{
	static const char *const sqls[] = {
		"DROP TRIGGER jobs_no_delete; DROP TRIGGER attempts_no_delete; DROP "
		"TRIGGER output_no_delete",
		"INSERT INTO tombstones SELECT id, uuid, owner, state, finished_at, 1 "
		"FROM jobs WHERE id = 7",
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(sqls); i++) {
		void *own = NULL;
		struct submitted jobs[OLD_JOBS];
		AUTO_BUF struct buf found = BUF_INIT(1 << 16);
		assert_int_equal(wall_setup(&own), 0);
		struct fixture *f = own;
		prune_the_events(f, jobs);
		assert_int_equal(fixture_sql(f->dir, sqls[i], NULL), SQLITE_OK);
		assert_int_equal(
			fixture_sql(f->dir,
				    "DELETE FROM output WHERE job_id = 7; DELETE FROM "
				    "attempts WHERE job_id = 7; DELETE FROM job_stdin "
				    "WHERE job_id = 7; DELETE FROM jobs WHERE id = 7",
				    NULL),
			SQLITE_OK);
		assert_int_equal(queue_check(f->queue, &found, &f->err), 1);
		assert_non_null(strstr(buf_text(&found), "job row 7, submitted by event "
							 "19, is gone"));
		(void)wall_teardown(&own);
	}
}

static void test_the_doors_are_shut(void **state)
{
	static const char *const refused[] = {
		"DELETE FROM jobs WHERE id = 7",
		"DELETE FROM attempts WHERE job_id = 7",
		"DELETE FROM output WHERE job_id = 7",
		"UPDATE attempts SET exit_code = 0 WHERE job_id = 7",
		"UPDATE output SET sha256 = zeroblob(32) WHERE job_id = 7",
		"DELETE FROM events WHERE id = 12",
		"DELETE FROM tombstones",
		"UPDATE tombstones SET state = 'failed'",
		"INSERT INTO tombstones SELECT * FROM tombstones",
	};
	struct fixture *f = *state;
	struct submitted jobs[OLD_JOBS];
	prune_the_events(f, jobs);
	for (size_t i = 0; i < ARRAY_SIZE(refused); i++)
		assert_int_equal(fixture_sql(f->dir, refused[i], NULL),
				 SQLITE_CONSTRAINT);
	assert_sound(f);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, wall_setup, wall_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_the_chain_goes_on_from_its_head),
		cmocka_unit_test(test_tampering_is_found_behind_a_head),
		cmocka_unit_test(test_a_vanished_job_is_found),
		TEST(test_the_doors_are_shut),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
