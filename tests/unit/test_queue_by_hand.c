/* test_queue_by_hand.c - dependencies written with the sqlite3 shell: what is refused,
 * and that the rest works like any other. */
#include <sqlite3.h>

#include "tests/unit/dependency_scene.h"

/* Two that are held, a and b, one that is queued, c, and one that is over, o. */
struct three {
	struct submitted a, b, c, o;
};

static void three_submit(struct fixture *f, struct three *ret)
{
	struct submission held = fixture_submission();
	held.is_held = true;
	fixture_run_job(f, "uid:1000", 0, &ret->o);
	scene_submit(f, &held, &ret->a);
	scene_submit(f, &held, &ret->b);
	fixture_submit(f, "uid:1000", &ret->c);
}

/* With their letters for the rows, and d for one that is not there. */
static int by_hand(struct fixture *f, const struct three *three, const char *sql)
{
	AUTO_BUF struct buf text = BUF_INIT(1024);
	(void)buf_printf(
		&text,
		"WITH r AS (SELECT %lld AS a, %lld AS b, %lld AS c, %lld AS o, 4711 AS "
		"d) ",
		(long long)three->a.row, (long long)three->b.row, (long long)three->c.row,
		(long long)three->o.row);
	(void)buf_append_text(&text, sql);
	return fixture_sql(f->dir, buf_text(&text), NULL) & 0xff;
}

#define ADD "INSERT INTO dependencies (job_id, parent_id) SELECT "
#define ADD_SETTLED                                                                      \
	"INSERT INTO dependencies (job_id, parent_id, condition, state) SELECT "

static void test_what_cannot_be_is_refused(void **state)
{
	static const struct {
		const char *what, *sql;
		int code;
	} rows[] = {
		{"a good one", ADD "b, a FROM r", SQLITE_OK},
		{"the same again", ADD "b, a FROM r", SQLITE_CONSTRAINT},
		{"an unknown parent", ADD "a, d FROM r", SQLITE_CONSTRAINT},
		{"an unknown child", ADD "d, a FROM r", SQLITE_CONSTRAINT},
		{"itself", ADD "a, a FROM r", SQLITE_CONSTRAINT},
		{"one that is queued", ADD "c, a FROM r", SQLITE_CONSTRAINT},
		{"a circle of two", ADD "a, b FROM r", SQLITE_CONSTRAINT},
		{"an unknown condition", ADD_SETTLED "a, c, 'end', 'pending' FROM r",
		 SQLITE_CONSTRAINT},
		{"an unknown state", ADD_SETTLED "a, c, 'any', 'done' FROM r",
		 SQLITE_CONSTRAINT},
		{"met before anything happened",
		 ADD_SETTLED "a, c, 'success', 'met' FROM r", SQLITE_CONSTRAINT},
		{"impossible before anything happened",
		 ADD_SETTLED "a, c, 'success', 'impossible' FROM r", SQLITE_CONSTRAINT},
		{"met by one that has ended, for one that waits",
		 ADD_SETTLED "a, o, 'success', 'met' FROM r", SQLITE_CONSTRAINT},
		{"the same for one that is not there",
		 ADD_SETTLED "d, o, 'success', 'met' FROM r", SQLITE_CONSTRAINT},
		{"settling it", "UPDATE dependencies SET state = 'met'",
		 SQLITE_CONSTRAINT},
		{"settling it otherwise", "UPDATE dependencies SET state = 'impossible'",
		 SQLITE_CONSTRAINT},
		{"another condition", "UPDATE dependencies SET condition = 'any'",
		 SQLITE_CONSTRAINT},
		{"another parent",
		 "UPDATE dependencies SET parent_id = (SELECT c FROM r)",
		 SQLITE_CONSTRAINT},
		{"another child", "UPDATE dependencies SET job_id = (SELECT c FROM r)",
		 SQLITE_CONSTRAINT},
		{"forgetting it", "DELETE FROM dependencies", SQLITE_CONSTRAINT},
		{"no change", "UPDATE dependencies SET state = state", SQLITE_OK},
	};
	struct fixture *f = *state;
	struct three three = {.a = {.row = 0}};
	three_submit(f, &three);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const int code = by_hand(f, &three, rows[i].sql);
		if (code != rows[i].code)
			fail_msg("%s: %d", rows[i].what, code);
	}
	fixture_assert_sql(f->dir, "SELECT count(*) FROM dependencies", "1");
}

/* Once one row points upwards, circles are looked for behind every new one. */
static void test_no_circle_can_be_closed(void **state)
{
	struct fixture *f = *state;
	struct submission held = fixture_submission();
	struct submitted job[5];
	struct three three = {.a = {.row = 0}};
	held.is_held = true;
	for (int i = 0; i < 5; i++)
		scene_submit(f, &held, &job[i]);
	/* 1 needs 3 (upwards), 3 needs 0, 4 needs 1 */
	three = (struct three){.a = job[1], .b = job[3], .c = job[0]};
	assert_int_equal(by_hand(f, &three, ADD "a, b FROM r"), SQLITE_OK);
	assert_int_equal(by_hand(f, &three, ADD "b, c FROM r"), SQLITE_OK);
	three.c = job[4];
	assert_int_equal(by_hand(f, &three, ADD "c, a FROM r"), SQLITE_OK);
	/* 3 needs 1: downwards, and yet a circle through the one that points upwards */
	assert_int_equal(by_hand(f, &three, ADD "b, a FROM r"), SQLITE_CONSTRAINT);
	/* 0 needs 4: 0 - 4 - 1 - 3 - 0 */
	three = (struct three){.a = job[0], .b = job[4]};
	assert_int_equal(by_hand(f, &three, ADD "a, b FROM r"), SQLITE_CONSTRAINT);
	/* 2 needs 4 is fine, and then 4 needs 2 is not */
	three.a = job[2];
	assert_int_equal(by_hand(f, &three, ADD "a, b FROM r"), SQLITE_OK);
	assert_int_equal(by_hand(f, &three, ADD "b, a FROM r"), SQLITE_CONSTRAINT);
}

static void release(struct fixture *f, const char *id)
{
	assert_done(queue_begin(f->queue, &f->err), &f->err);
	assert_done(queue_hold(f->queue, &FIXTURE_ADMIN, id, false, &f->err), &f->err);
	assert_done(queue_commit(f->queue, &f->err), &f->err);
}

static void test_a_held_job_is_given_a_parent(void **state)
{
	struct fixture *f = *state;
	struct three three = {.a = {.row = 0}};
	char ran[JOB_ID_BYTES];
	three_submit(f, &three);
	assert_int_equal(by_hand(f, &three, ADD "b, c FROM r"), SQLITE_OK);
	assert_int_equal(queue_unresolved(f->queue, &f->err), 0);
	release(f, three.b.id);
	fixture_assert_job(f, three.b.id, JOB_WAITING, "dependency");
	scene_run_next(f, 0, ran);
	assert_string_equal(ran, three.c.id);
	fixture_assert_job(f, three.b.id, JOB_QUEUED, NULL);
}

/* A row about what is over already is settled by the worker, which finds it by itself. */
static void test_parents_that_ended_settle_what_is_written_late(void **state)
{
	static const struct {
		enum scene_end end;
		const char *condition;
		enum job_state held, released;
	} rows[] = {
		{END_SUCCEEDED, "success", JOB_WAITING, JOB_QUEUED},
		{END_SUCCEEDED, "failure", JOB_SKIPPED, JOB_SKIPPED},
		{END_FAILED, "success", JOB_SKIPPED, JOB_SKIPPED},
		{END_CANCELLED, "any", JOB_WAITING, JOB_QUEUED},
		{END_CANCELLED, "started", JOB_SKIPPED, JOB_SKIPPED},
		{END_RUNNING, "started", JOB_WAITING, JOB_QUEUED},
		{END_RETRYING, "started", JOB_WAITING, JOB_QUEUED},
	};
	struct fixture *f = *state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct submission held = fixture_submission();
		struct scene_parent parent;
		struct three three = {.a = {.row = 0}};
		held.is_held = true;
		scene_parent(f, rows[i].end, &parent);
		scene_reach(f, &parent);
		scene_submit(f, &held, &three.b);
		three.a = parent.job;
		three.c = parent.job;
		AUTO_FREE char *sql =
			mem_printf("INSERT INTO dependencies (job_id, parent_id, "
				   "condition) SELECT b, a, '%s' FROM r",
				   rows[i].condition);
		assert_int_equal(by_hand(f, &three, sql), SQLITE_OK);
		assert_int_equal(queue_unresolved(f->queue, &f->err), 1);
		(void)scene_resolve(f);
		fixture_assert_job(f, three.b.id, rows[i].held,
				   rows[i].held == JOB_WAITING ? "hold" : "dependency");
		if (rows[i].held == JOB_WAITING)
			release(f, three.b.id);
		fixture_assert_job(f, three.b.id, rows[i].released,
				   rows[i].released == JOB_QUEUED ? NULL : "dependency");
		scene_clear(f, &parent);
		if (rows[i].released == JOB_QUEUED)
			scene_cancel(f, three.b.id);
	}
}

/* A parent that runs is nothing to settle: nobody is woken for it. */
static void test_a_parent_that_runs_settles_nothing_yet(void **state)
{
	struct fixture *f = *state;
	struct scene_parent parent;
	struct submission held = fixture_submission();
	struct three three = {.a = {.row = 0}};
	held.is_held = true;
	scene_parent(f, END_RUNNING, &parent);
	scene_reach(f, &parent);
	scene_submit(f, &held, &three.b);
	three.a = three.c = parent.job;
	assert_int_equal(by_hand(f, &three, ADD "b, a FROM r"), SQLITE_OK);
	assert_int_equal(queue_unresolved(f->queue, &f->err), 0);
}

/* Given a parent while it waited for its time: when that comes, it waits for the parent.
 */
static void test_a_job_that_waits_for_its_time_is_given_a_parent(void **state)
{
	struct fixture *f = *state;
	struct submission later = fixture_submission();
	struct three three = {.a = {.row = 0}};
	char ran[JOB_ID_BYTES];
	three_submit(f, &three);
	later.run_at = clock_now_us() + 3600 * US_PER_S;
	scene_submit(f, &later, &three.b);
	assert_int_equal(by_hand(f, &three, ADD "b, c FROM r"), SQLITE_OK);
	assert_int_equal(fixture_sql(f->dir,
				     "UPDATE jobs SET run_at = 1 WHERE reason = 'run_at'",
				     NULL),
			 SQLITE_OK);
	scene_due(f);
	fixture_assert_job(f, three.b.id, JOB_WAITING, "dependency");
	scene_run_next(f, 0, ran);
	assert_string_equal(ran, three.c.id);
	fixture_assert_job(f, three.b.id, JOB_QUEUED, NULL);
}

/* The rules themselves say something about every end. */
static void test_every_end_decides_every_dependency(void **state)
{
	struct fixture *f = *state;
	fixture_assert_sql(
		f->dir,
		"SELECT count(*) FROM job_states s, (SELECT 0 AS has_started "
		"UNION SELECT 1) h, (SELECT DISTINCT condition FROM "
		"dependency_rules) c WHERE s.is_final AND NOT EXISTS (SELECT 1 "
		"FROM dependency_rules r WHERE r.parent_state = s.state AND "
		"r.has_started = h.has_started AND r.condition = c.condition)",
		"0");
	fixture_assert_sql(f->dir,
			   "SELECT count(DISTINCT condition) FROM dependency_rules", "4");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, scene_teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_what_cannot_be_is_refused),
		TEST(test_no_circle_can_be_closed),
		TEST(test_a_held_job_is_given_a_parent),
		TEST(test_parents_that_ended_settle_what_is_written_late),
		TEST(test_a_parent_that_runs_settles_nothing_yet),
		TEST(test_a_job_that_waits_for_its_time_is_given_a_parent),
		TEST(test_every_end_decides_every_dependency),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
