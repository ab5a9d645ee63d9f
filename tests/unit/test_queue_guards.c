/* test_queue_guards.c - what a person in the sqlite3 shell cannot do: each is refused,
 * and the file is as it was. */
#include <sqlite3.h>

#include "tests/unit/dependency_scene.h"

/* Job 1 has ended; 2 is held, and 3 waits for it. */
static void people_make(struct fixture *f)
{
	struct submitted ended, held, child;
	struct submission submission = fixture_submission();
	fixture_run_job(f, "uid:1000", 0, &ended);
	submission.is_held = true;
	scene_submit(f, &submission, &held);
	scene_child(f, held.row, DEPENDS_SUCCESS, &child);
}

static const char *const REFUSED[] = {
	"REPLACE INTO jobs (id, uuid, owner, state, command, submitted_at) "
	"SELECT id, uuid, owner, 'queued', command, submitted_at FROM jobs WHERE id = 1",
	"REPLACE INTO jobs (uuid, owner, state, command, submitted_at) "
	"SELECT uuid, owner, 'queued', command, submitted_at FROM jobs WHERE id = 1",
	"UPDATE OR REPLACE jobs SET uuid = (SELECT uuid FROM jobs WHERE id = 1) WHERE id "
	"= 2",
	"UPDATE OR REPLACE jobs SET id = 1 WHERE id = 2",
	"UPDATE jobs SET owner = 'uid:1' WHERE id = 2",
	"UPDATE jobs SET state = 'queued', reason = NULL WHERE id = 3",
	"UPDATE jobs SET state = 'cancelled', finished_at = 1 WHERE id = 2",
	"INSERT INTO job_moves VALUES ('succeeded', 'queued', 'x')",
	"UPDATE job_moves SET to_state = 'queued'",
	"DELETE FROM job_moves",
	"UPDATE dependency_rules SET outcome = 'met'",
	"DELETE FROM dependency_rules",
	"DELETE FROM queues WHERE name = 'default'",
};

static void test_refused(void **state)
{
	struct fixture *f = *state;
	people_make(f);
	for (size_t i = 0; i < ARRAY_SIZE(REFUSED); i++) {
		char said[FIXTURE_TEXT_BYTES];
		static const char counted[] = "SELECT count(*) FROM jobs WHERE state = "
					      "'queued' OR state = 'cancelled'";
		if (fixture_sql(f->dir, REFUSED[i], NULL) != SQLITE_CONSTRAINT)
			fail_msg("%s: was not refused", REFUSED[i]);
		assert_int_equal(fixture_sql(f->dir, counted, said), SQLITE_OK);
		assert_string_equal(said, "0");
	}
	fixture_assert_sql(f->dir, "SELECT count(*) FROM jobs", "3");
	fixture_assert_sql(f->dir, "SELECT count(*) FROM queues", "1");
	scene_assert_sound(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_refused, fixture_setup,
						fixture_teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
