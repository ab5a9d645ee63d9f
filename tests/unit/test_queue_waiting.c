/* test_queue_waiting.c - jobs that wait for a time or a person: every move of each, and
 * what the wall clock does to them when it jumps. */
#include "tests/unit/queue_fixture.h"

#include "tests/unit/wall_clock.h"

#define HOUR (INT64_C(3600) * US_PER_S)
#define DAY (24 * HOUR)
#define RUN_AT (WALL_START_US + HOUR)
#define EXPIRES_AT (WALL_START_US + 10 * HOUR)

static void submit(struct fixture *f, const struct submission *submission,
		   struct submitted *ret)
{
	assert_done(queue_begin(f->queue, &f->err), &f->err);
	assert_done(queue_submit(f->queue, submission, ret, &f->err), &f->err);
	assert_done(queue_commit(f->queue, &f->err), &f->err);
}

static int due(struct fixture *f)
{
	assert_done(queue_begin(f->queue, &f->err), &f->err);
	const int moved = queue_due(f->queue, &f->err);
	assert_done(moved, &f->err);
	assert_done(queue_commit(f->queue, &f->err), &f->err);
	return moved;
}

static int change(struct fixture *f, const char *id, bool is_hold)
{
	const struct viewer viewer = {.principal = "uid:1000"};
	struct err err = ERR_INIT;
	assert_done(queue_begin(f->queue, &f->err), &f->err);
	const int result = queue_hold(f->queue, &viewer, id, is_hold, &f->err);
	assert_done(queue_commit(f->queue, &err), &err);
	return result;
}

/* Nobody else's claim: an empty list is fine. */
static size_t claim_some(struct fixture *f)
{
	struct claim_list list;
	assert_done(queue_begin(f->queue, &f->err), &f->err);
	if (f->epoch == 0)
		assert_done(queue_worker_register(f->queue, 4, &f->epoch, &f->err),
			    &f->err);
	assert_done(queue_claim(f->queue, f->turns, f->epoch, 100, &list, &f->err),
		    &f->err);
	assert_done(queue_commit(f->queue, &f->err), &f->err);
	const size_t count = list.count;
	claim_list_release(&list);
	return count;
}

/* --- every state x every thing that can happen to it --- */

enum scene {
	SCENE_RUN_AT,
	SCENE_RETRY,
	SCENE_HELD,
	SCENE_HELD_EARLY, /* with a run_at ahead */
	SCENE_HELD_RETRY,
	SCENE_QUEUED,
	SCENE_RUNNING,
	SCENE_SUCCEEDED,
	SCENE_FAILED,
	SCENE_CANCELLED,
	SCENE_LOST,
	SCENES
};

static void end_first(struct fixture *f, int exit_code)
{
	struct claim_list list;
	const struct attempt_end end = fixture_end(exit_code);
	fixture_claim(f, &list);
	assert_int_equal(fixture_import(f, &list.item[0], &end), 1);
	claim_list_release(&list);
}

static void lose_first(struct fixture *f)
{
	struct claim_list list;
	fixture_claim(f, &list);
	assert_done(queue_begin(f->queue, &f->err), &f->err);
	assert_done(
		queue_attempt_lost(f->queue, list.item[0].job.row, 1, "reboot", &f->err),
		&f->err);
	assert_done(queue_commit(f->queue, &f->err), &f->err);
	claim_list_release(&list);
}

/* A job in this situation; every one of them would expire. */
static void make_scene(struct fixture *f, enum scene scene, struct submitted *ret)
{
	struct submission submission = fixture_submission();
	enum cancel_result cancelled;
	submission.expires_at = EXPIRES_AT;
	submission.is_held = scene == SCENE_HELD || scene == SCENE_HELD_EARLY;
	if (scene == SCENE_RUN_AT || scene == SCENE_HELD_EARLY)
		submission.run_at = RUN_AT;
	if (scene == SCENE_RETRY || scene == SCENE_HELD_RETRY) {
		submission.max_attempts = 2;
		submission.retry = "{\"delay_s\":3600,\"jitter\":0}";
	}
	wall_set(WALL_START_US);
	submit(f, &submission, ret);
	if (scene == SCENE_RETRY || scene == SCENE_HELD_RETRY || scene == SCENE_FAILED)
		end_first(f, 1);
	if (scene == SCENE_HELD_RETRY)
		assert_int_equal(change(f, ret->id, true), 0);
	if (scene == SCENE_RUNNING)
		assert_int_equal(claim_some(f), 1);
	if (scene == SCENE_SUCCEEDED)
		end_first(f, 0);
	if (scene == SCENE_LOST)
		lose_first(f);
	if (scene == SCENE_CANCELLED)
		assert_int_equal(
			fixture_cancel(f, "uid:1000", ret->id, false, &cancelled), 0);
}

static int do_hold(struct fixture *f, const char *id)
{
	return change(f, id, true);
}

static int do_release(struct fixture *f, const char *id)
{
	return change(f, id, false);
}

static int do_cancel(struct fixture *f, const char *id)
{
	enum cancel_result result;
	return fixture_cancel(f, "uid:1000", id, false, &result);
}

/* The run_at comes, then something else happens. */
static int do_due(struct fixture *f, const char *id)
{
	(void)id;
	wall_set(RUN_AT);
	(void)due(f);
	return 0;
}

static int do_release_late(struct fixture *f, const char *id)
{
	wall_set(RUN_AT + 1);
	return change(f, id, false);
}

static int do_expire(struct fixture *f, const char *id)
{
	(void)id;
	wall_set(EXPIRES_AT);
	(void)due(f);
	return 0;
}

static int do_not_yet(struct fixture *f, const char *id)
{
	(void)id;
	wall_set(RUN_AT - 1);
	assert_int_equal(due(f), 0);
	return 0;
}

/* What becomes of it: "state reason", or "409" when it is refused. */
struct happening {
	const char *name;
	int (*act)(struct fixture *f, const char *id);
	const char *becomes[SCENES];
};

/* clang-format off */
static const struct happening HAPPENINGS[] = {
	{"hold", do_hold, {
		[SCENE_RUN_AT] = "waiting hold", [SCENE_RETRY] = "waiting hold", [SCENE_HELD] = "waiting hold",
		[SCENE_HELD_EARLY] = "waiting hold", [SCENE_HELD_RETRY] = "waiting hold", [SCENE_QUEUED] = "waiting hold",
		[SCENE_RUNNING] = "409", [SCENE_SUCCEEDED] = "409", [SCENE_FAILED] = "409", [SCENE_CANCELLED] = "409",
		[SCENE_LOST] = "409"}},
	{"release", do_release, {
		[SCENE_RUN_AT] = "waiting run_at", [SCENE_RETRY] = "waiting retry", [SCENE_HELD] = "queued -",
		[SCENE_HELD_EARLY] = "waiting run_at", [SCENE_HELD_RETRY] = "waiting retry", [SCENE_QUEUED] = "queued -",
		[SCENE_RUNNING] = "running starting", [SCENE_SUCCEEDED] = "409", [SCENE_FAILED] = "409",
		[SCENE_CANCELLED] = "409", [SCENE_LOST] = "409"}},
	{"release when its time is over", do_release_late, {
		[SCENE_RUN_AT] = "waiting run_at", [SCENE_RETRY] = "waiting retry", [SCENE_HELD] = "queued -",
		[SCENE_HELD_EARLY] = "queued -", [SCENE_HELD_RETRY] = "queued -", [SCENE_QUEUED] = "queued -",
		[SCENE_RUNNING] = "running starting", [SCENE_SUCCEEDED] = "409", [SCENE_FAILED] = "409",
		[SCENE_CANCELLED] = "409", [SCENE_LOST] = "409"}},
	{"cancel", do_cancel, {
		[SCENE_RUN_AT] = "cancelled cancel", [SCENE_RETRY] = "cancelled cancel", [SCENE_HELD] = "cancelled cancel",
		[SCENE_HELD_EARLY] = "cancelled cancel", [SCENE_HELD_RETRY] = "cancelled cancel",
		[SCENE_QUEUED] = "cancelled cancel", [SCENE_RUNNING] = "running cancel", [SCENE_SUCCEEDED] = "409",
		[SCENE_FAILED] = "409", [SCENE_CANCELLED] = "cancelled cancel", [SCENE_LOST] = "409"}},
	{"its time has not come", do_not_yet, {
		[SCENE_RUN_AT] = "waiting run_at", [SCENE_RETRY] = "waiting retry", [SCENE_HELD] = "waiting hold",
		[SCENE_HELD_EARLY] = "waiting hold", [SCENE_HELD_RETRY] = "waiting hold", [SCENE_QUEUED] = "queued -",
		[SCENE_RUNNING] = "running starting", [SCENE_SUCCEEDED] = "succeeded -", [SCENE_FAILED] = "failed exit",
		[SCENE_CANCELLED] = "cancelled cancel", [SCENE_LOST] = "lost reboot"}},
	{"its time comes", do_due, {
		[SCENE_RUN_AT] = "queued -", [SCENE_RETRY] = "queued -", [SCENE_HELD] = "waiting hold",
		[SCENE_HELD_EARLY] = "waiting hold", [SCENE_HELD_RETRY] = "waiting hold", [SCENE_QUEUED] = "queued -",
		[SCENE_RUNNING] = "running starting", [SCENE_SUCCEEDED] = "succeeded -", [SCENE_FAILED] = "failed exit",
		[SCENE_CANCELLED] = "cancelled cancel", [SCENE_LOST] = "lost reboot"}},
	{"its time is over", do_expire, {
		[SCENE_RUN_AT] = "failed expired", [SCENE_RETRY] = "failed expired", [SCENE_HELD] = "failed expired",
		[SCENE_HELD_EARLY] = "failed expired", [SCENE_HELD_RETRY] = "failed expired", [SCENE_QUEUED] = "failed expired",
		[SCENE_RUNNING] = "running starting", [SCENE_SUCCEEDED] = "succeeded -", [SCENE_FAILED] = "failed exit",
		[SCENE_CANCELLED] = "cancelled cancel", [SCENE_LOST] = "lost reboot"}},
};
/* clang-format on */

/* Each in a queue of its own: nothing else is there to be claimed or to become due. */
static void check_happening(const struct happening *row, enum scene scene)
{
	void *state;
	struct submitted job_id;
	struct job before, after;
	char text[64];
	assert_int_equal(wall_setup(&state), 0);
	struct fixture *f = state;
	make_scene(f, scene, &job_id);
	fixture_get(f, job_id.id, &before);
	const int result = row->act(f, job_id.id);
	fixture_get(f, job_id.id, &after);
	(void)snprintf(text, sizeof text, "%s %s", job_state_word(after.state),
		       after.reason != NULL ? after.reason : "-");
	if (result < 0) {
		assert_int_equal(f->err.code, ERR_CONFLICT);
		(void)snprintf(text, sizeof text, "409");
		assert_int_equal(after.state, before.state);
	}
	if (strcmp(text, row->becomes[scene]) != 0)
		fail_msg("%s, scene %d: %s instead of %s", row->name, (int)scene, text,
			 row->becomes[scene]);
	/* a new version exactly when something changed, and the event that says so */
	const bool is_same = after.state == before.state &&
			     (after.reason == NULL || before.reason == NULL
				      ? after.reason == before.reason
				      : strcmp(after.reason, before.reason) == 0);
	assert_int_equal(after.version, before.version + !is_same);
	AUTO_BUF struct buf findings = BUF_INIT(4096);
	assert_int_equal(queue_check(f->queue, &findings, &f->err), 0);
	job_release(&before);
	job_release(&after);
	(void)wall_teardown(&state);
}

static void test_everything_that_can_happen(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(HAPPENINGS); i++)
		for (int scene = 0; scene < SCENES; scene++)
			check_happening(&HAPPENINGS[i], (enum scene)scene);
}

static void test_another_owners_job_is_not_there(void **state)
{
	struct fixture *f = *state;
	const struct viewer stranger = {.principal = "uid:1001"};
	struct submitted job;
	struct err err = ERR_INIT;
	fixture_submit(f, "uid:1000", &job);
	assert_done(queue_begin(f->queue, &f->err), &f->err);
	assert_int_equal(queue_hold(f->queue, &stranger, job.id, true, &err), -1);
	assert_int_equal(err.code, ERR_NOT_FOUND);
	queue_rollback(f->queue);
	fixture_assert_job(f, job.id, JOB_QUEUED, NULL);
}

/* --- births --- */

static void test_how_a_job_is_born(void **state)
{
	static const struct {
		int64_t run_at;
		bool is_held;
		const char *reason; /* NULL: queued */
		const char *event;
	} rows[] = {
		{0, false, NULL, "submitted queued by uid:1000"},
		{WALL_START_US, false, NULL,
		 "submitted queued by uid:1000 "
		 "{\"run_at\":\"2033-05-18T03:33:20.000000Z\"}"},
		{WALL_START_US - 1, false, NULL,
		 "submitted queued by uid:1000 "
		 "{\"run_at\":\"2033-05-18T03:33:19.999999Z\"}"},
		{WALL_START_US + 1, false, "run_at",
		 "submitted waiting by uid:1000 "
		 "{\"reason\":\"run_at\",\"run_at\":\"2033-05-18T03:33:20.000001Z\"}"},
		{0, true, "hold", "submitted waiting by uid:1000 {\"reason\":\"hold\"}"},
		{WALL_START_US + 1, true, "hold",
		 "submitted waiting by uid:1000 "
		 "{\"reason\":\"hold\",\"run_at\":\"2033-05-18T03:33:20.000001Z\"}"},
	};
	struct fixture *f = *state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct submission submission = fixture_submission();
		struct submitted submitted, imagined;
		struct job job;
		submission.run_at = rows[i].run_at;
		submission.is_held = rows[i].is_held;
		queue_birth(&submission, &imagined);
		submit(f, &submission, &submitted);
		assert_int_equal(imagined.state, submitted.state);
		assert_true(text_equal(imagined.reason, submitted.reason));
		fixture_assert_job(f, submitted.id,
				   rows[i].reason != NULL ? JOB_WAITING : JOB_QUEUED,
				   rows[i].reason);
		fixture_assert_events(f, submitted.id, rows[i].event);
		assert_int_equal(
			queue_job_as_submitted(f->queue, submitted.id, &job, &f->err), 1);
		assert_int_equal(job.run_at, rows[i].run_at);
		assert_int_equal(job.state,
				 rows[i].reason != NULL ? JOB_WAITING : JOB_QUEUED);
		job_release(&job);
	}
}

/* A replayed key is answered as the first time, whatever has become of run_at since. */
static void test_as_submitted_after_a_retry(void **state)
{
	struct fixture *f = *state;
	struct submission submission = fixture_submission();
	struct submitted submitted;
	struct job job;
	submission.run_at = RUN_AT;
	submission.max_attempts = 3;
	submission.retry = "{}";
	submit(f, &submission, &submitted);
	wall_set(RUN_AT);
	assert_int_equal(due(f), 1);
	end_first(f, 1);
	fixture_assert_job(f, submitted.id, JOB_WAITING, "retry");
	assert_int_equal(queue_job_as_submitted(f->queue, submitted.id, &job, &f->err),
			 1);
	assert_int_equal(job.state, JOB_WAITING);
	assert_string_equal(job.reason, "run_at");
	assert_int_equal(job.run_at, RUN_AT);
	assert_int_equal(job.version, 1);
	job_release(&job);
}

/* --- the clock --- */

static void test_a_clock_that_jumps_starts_nothing_early_or_twice(void **state)
{
	struct fixture *f = *state;
	struct submission submission = fixture_submission();
	struct submitted submitted;
	int64_t at = 0;
	submission.run_at = WALL_START_US + 3 * DAY;
	submit(f, &submission, &submitted);
	wall_go_on(DAY);
	assert_int_equal(due(f), 0);
	assert_int_equal(claim_some(f), 0);
	wall_go_on(-DAY);
	assert_int_equal(due(f), 0);
	assert_int_equal(queue_due_next(f->queue, &at, &f->err), 1);
	assert_int_equal(at, submission.run_at);
	wall_set(submission.run_at - 1);
	assert_int_equal(due(f), 0);
	wall_set(submission.run_at);
	assert_int_equal(due(f), 1);
	wall_go_on(-2 * DAY); /* what has become due stays so */
	assert_int_equal(due(f), 0);
	assert_int_equal(claim_some(f), 1);
	wall_go_on(3 * DAY);
	assert_int_equal(due(f), 0);
	assert_int_equal(claim_some(f), 0);
	fixture_assert_job(f, submitted.id, JOB_RUNNING, "starting");
	assert_int_equal(queue_due_next(f->queue, &at, &f->err), 0);
}

static void test_the_next_time_is_the_earliest_of_all_kinds(void **state)
{
	struct fixture *f = *state;
	struct submission submission = fixture_submission();
	struct submitted submitted;
	int64_t at = 7;
	assert_int_equal(queue_due_next(f->queue, &at, &f->err), 0);
	assert_int_equal(at, 7);
	submission.deadline_us = 3 * HOUR;
	submit(f, &submission, &submitted);
	assert_int_equal(queue_due_next(f->queue, &at, &f->err), 1);
	assert_int_equal(at, WALL_START_US + 3 * HOUR);
	submission.expires_at = WALL_START_US + 2 * HOUR;
	submit(f, &submission, &submitted);
	assert_int_equal(queue_due_next(f->queue, &at, &f->err), 1);
	assert_int_equal(at, submission.expires_at);
	submission.run_at = WALL_START_US + HOUR;
	submit(f, &submission, &submitted);
	assert_int_equal(queue_due_next(f->queue, &at, &f->err), 1);
	assert_int_equal(at, submission.run_at);
	submission.run_at = WALL_START_US + 1;
	submission.is_held = true; /* waits for a person, not for its time */
	submit(f, &submission, &submitted);
	assert_int_equal(queue_due_next(f->queue, &at, &f->err), 1);
	assert_int_equal(at, WALL_START_US + HOUR);
}

static void test_what_is_due_and_over_is_over(void **state)
{
	struct fixture *f = *state;
	struct submission submission = fixture_submission();
	struct submitted expired, overdue;
	submission.run_at = RUN_AT;
	submission.expires_at = RUN_AT + 1;
	submit(f, &submission, &expired);
	submission.expires_at = 0;
	submission.deadline_us = HOUR;
	submit(f, &submission, &overdue);
	wall_set(RUN_AT + HOUR);
	assert_int_equal(due(f), 2);
	assert_int_equal(claim_some(f), 0);
	fixture_assert_events(
		f, expired.id,
		"submitted waiting by uid:1000 "
		"{\"reason\":\"run_at\",\"run_at\":\"2033-05-18T04:33:20.000000Z\"}|"
		"ended failed {\"reason\":\"expired\",\"limit\":\"expires_at\"}");
	fixture_assert_events(
		f, overdue.id,
		"submitted waiting by uid:1000 "
		"{\"reason\":\"run_at\",\"run_at\":\"2033-05-18T04:33:20.000000Z\"}|"
		"ended failed {\"reason\":\"expired\",\"limit\":\"deadline_s\"}");
}

static void test_due_goes_in_slices_the_earliest_first(void **state)
{
	struct fixture *f = *state;
	struct submission submission = fixture_submission();
	struct submitted submitted;
	assert_done(queue_begin(f->queue, &f->err), &f->err);
	for (int i = 0; i < QUEUE_DUE_MAX + 1; i++) {
		submission.run_at = RUN_AT - i;
		assert_done(queue_submit(f->queue, &submission, &submitted, &f->err),
			    &f->err);
	}
	assert_done(queue_commit(f->queue, &f->err), &f->err);
	wall_set(RUN_AT);
	assert_int_equal(due(f), QUEUE_DUE_MAX);
	assert_int_equal(
		fixture_number(f->dir, "SELECT id FROM jobs WHERE state = 'waiting'"), 1);
	assert_int_equal(due(f), 1);
	assert_int_equal(due(f), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, wall_setup, wall_teardown)

/* Each depends on the one before it, all have one time in which they are over, and that
 * has come: the first one's end skips the second, which was picked with it. */
static void check_chain(struct fixture *f, int64_t expires_at, int64_t deadline_us,
			enum dependency_condition condition, const char *expected)
{
	struct submitted job[3] = {0};
	char found[FIXTURE_TEXT_BYTES];
	wall_set(WALL_START_US);
	for (size_t i = 0; i < ARRAY_SIZE(job); i++) {
		struct submission submission = fixture_submission();
		const struct dependency_wish wish = {
			.parent_row = i > 0 ? job[i - 1].row : 0,
			.condition = condition,
		};
		submission.expires_at = expires_at;
		submission.deadline_us = deadline_us;
		submission.depends_on = &wish;
		submission.depends_count = i > 0;
		submit(f, &submission, &job[i]);
	}
	wall_set(EXPIRES_AT);
	while (due(f) > 0)
		;
	assert_int_equal(
		fixture_sql(f->dir,
			    "SELECT group_concat(state || ' ' || reason, '|')"
			    " FROM (SELECT * FROM jobs ORDER BY id DESC LIMIT 3)",
			    found),
		0);
	assert_string_equal(found, expected);
}

static void test_what_is_over_together_with_its_dependants(void **state)
{
	struct fixture *f = *state;
	static const char *const skipped =
		"skipped dependency|skipped dependency|failed expired";
	static const char *const expired = "failed expired|failed expired|failed expired";
	check_chain(f, EXPIRES_AT, 0, DEPENDS_SUCCESS, skipped);
	check_chain(f, 0, HOUR, DEPENDS_SUCCESS, skipped);
	check_chain(f, EXPIRES_AT, 10 * HOUR, DEPENDS_SUCCESS, skipped);
	check_chain(f, EXPIRES_AT, 0, DEPENDS_FAILURE, expired);
	check_chain(f, 0, HOUR, DEPENDS_ANY, expired);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_everything_that_can_happen),
		TEST(test_another_owners_job_is_not_there),
		TEST(test_how_a_job_is_born),
		TEST(test_as_submitted_after_a_retry),
		TEST(test_a_clock_that_jumps_starts_nothing_early_or_twice),
		TEST(test_the_next_time_is_the_earliest_of_all_kinds),
		TEST(test_what_is_due_and_over_is_over),
		TEST(test_what_is_over_together_with_its_dependants),
		TEST(test_due_goes_in_slices_the_earliest_first),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
