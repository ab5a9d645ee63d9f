/* test_queue_change.c - changing jobs before they start: every state and every new time,
 * what is refused, and what the history says. */
#include "tests/unit/queue_fixture.h"

#include "tests/unit/wall_clock.h"

#define HOUR (INT64_C(3600) * US_PER_S)
#define SOON (WALL_START_US + HOUR)
#define LATER (WALL_START_US + 5 * HOUR)

static const struct viewer OWNER = {.principal = "uid:1000"};

static int change(struct fixture *f, const char *id, const struct job_change *change_to,
		  int64_t *ret_version)
{
	struct err err = ERR_INIT;
	f->err = err;
	assert_done(queue_begin(f->queue, &err), &err);
	const int result =
		queue_job_change(f->queue, &OWNER, id, change_to, ret_version, &f->err);
	assert_done(queue_commit(f->queue, &err), &err);
	return result;
}

static void must_change(struct fixture *f, const char *id,
			const struct job_change *change_to)
{
	int64_t version;
	assert_done(change(f, id, change_to, &version), &f->err);
}

static void submit(struct fixture *f, const struct submission *submission,
		   struct submitted *ret)
{
	assert_done(queue_begin(f->queue, &f->err), &f->err);
	assert_done(queue_submit(f->queue, submission, ret, &f->err), &f->err);
	assert_done(queue_commit(f->queue, &f->err), &f->err);
}

/* --- every scene x every new time --- */

enum scene {
	QUEUED,
	RUN_AT,
	HELD,
	HELD_EARLY,
	RETRY,
	RETRY_QUEUED,
	HELD_RETRY,
	GIVEN, /* a dependency, by hand, while it waited for its time */
	RUNNING,
	SUCCEEDED,
	CANCELLED,
	SCENES
};
static const char *const SCENE_WORDS[SCENES] = {
	[QUEUED] = "queued",
	[RUN_AT] = "run_at",
	[HELD] = "held",
	[HELD_EARLY] = "held early",
	[RETRY] = "retry",
	[RETRY_QUEUED] = "retry queued",
	[HELD_RETRY] = "held retry",
	[GIVEN] = "given a dependency",
	[RUNNING] = "running",
	[SUCCEEDED] = "succeeded",
	[CANCELLED] = "cancelled",
};

static void due(struct fixture *f)
{
	assert_done(queue_begin(f->queue, &f->err), &f->err);
	assert_true(queue_due(f->queue, &f->err) >= 0);
	assert_done(queue_commit(f->queue, &f->err), &f->err);
}

static void end_first(struct fixture *f, int exit_code)
{
	struct claim_list list;
	const struct attempt_end end = fixture_end(exit_code);
	fixture_claim(f, &list);
	assert_int_equal(fixture_import(f, &list.item[0], &end), 1);
	claim_list_release(&list);
}

static void hold(struct fixture *f, const char *id)
{
	assert_done(queue_begin(f->queue, &f->err), &f->err);
	assert_done(queue_hold(f->queue, &OWNER, id, true, &f->err), &f->err);
	assert_done(queue_commit(f->queue, &f->err), &f->err);
}

/* On one that is held, so that no claim meets it. */
static void give_dependency(struct fixture *f, int64_t row)
{
	struct submission submission = fixture_submission();
	struct submitted parent;
	submission.is_held = true;
	submit(f, &submission, &parent);
	AUTO_FREE char *sql = mem_printf("INSERT INTO dependencies (job_id, parent_id)"
					 " VALUES (%lld, %lld)",
					 (long long)row, (long long)parent.row);
	assert_int_equal(fixture_sql(f->dir, sql, NULL), 0);
}

static void make_scene(struct fixture *f, enum scene scene, struct submitted *ret)
{
	struct submission submission = fixture_submission();
	struct claim_list list;
	enum cancel_result result;
	const bool is_early = scene == RUN_AT || scene == HELD_EARLY || scene == GIVEN;
	submission.run_at = is_early ? SOON : 0;
	submission.is_held = scene == HELD || scene == HELD_EARLY;
	submission.max_attempts = 5;
	submission.retry = "{\"delay_s\":60,\"jitter\":0}";
	submit(f, &submission, ret);
	if (scene == RETRY || scene == RETRY_QUEUED || scene == HELD_RETRY)
		end_first(f, 1);
	if (scene == HELD_RETRY)
		hold(f, ret->id);
	if (scene == GIVEN)
		give_dependency(f, ret->row);
	if (scene == RETRY_QUEUED) {
		wall_go_on(60 * US_PER_S);
		due(f);
	}
	if (scene == RUNNING) {
		fixture_claim(f, &list);
		claim_list_release(&list);
	}
	if (scene == SUCCEEDED)
		end_first(f, 0);
	if (scene == CANCELLED)
		assert_int_equal(fixture_cancel(f, "uid:1000", ret->id, false, &result),
				 0);
}

/* What a scene is after its run_at was changed; "" for refused. */
struct time_row {
	int64_t run_at;
	const char *then[SCENES];
};

/* clang-format off */
static const struct time_row TIMES[] = {
	{LATER, {[QUEUED] = "waiting run_at", [RUN_AT] = "waiting run_at", [HELD] = "waiting hold",
		 [HELD_EARLY] = "waiting hold", [RETRY] = "waiting retry", [RETRY_QUEUED] = "waiting retry",
		 [HELD_RETRY] = "waiting hold", [GIVEN] = "waiting run_at", [RUNNING] = "", [SUCCEEDED] = "", [CANCELLED] = ""}},
	{0,     {[QUEUED] = "queued", [RUN_AT] = "queued", [HELD] = "waiting hold",
		 [HELD_EARLY] = "waiting hold", [RETRY] = "queued", [RETRY_QUEUED] = "queued",
		 [HELD_RETRY] = "waiting hold", [GIVEN] = "waiting dependency", [RUNNING] = "", [SUCCEEDED] = "", [CANCELLED] = ""}},
	{1,     {[QUEUED] = "queued", [RUN_AT] = "queued", [HELD] = "waiting hold",
		 [HELD_EARLY] = "waiting hold", [RETRY] = "queued", [RETRY_QUEUED] = "queued",
		 [HELD_RETRY] = "waiting hold", [GIVEN] = "waiting dependency", [RUNNING] = "", [SUCCEEDED] = "", [CANCELLED] = ""}},
};
/* clang-format on */

static void assert_stands(struct fixture *f, const char *id, const char *expected,
			  const char *scene)
{
	struct job job;
	char is[40];
	fixture_get(f, id, &job);
	(void)snprintf(is, sizeof is, "%s%s%s", job_state_word(job.state),
		       job.reason != NULL ? " " : "", job.reason ? job.reason : "");
	if (!text_equal(is, expected))
		fail_msg("%s: %s, not %s", scene, is, expected);
	if (job.state == JOB_QUEUED)
		assert_true(job.queued_at > 0 && job.queued_at <= wall_now_us());
	job_release(&job);
}

static void test_each_state_and_each_time(void **state)
{
	struct fixture *f = *state;
	for (size_t i = 0; i < ARRAY_SIZE(TIMES); i++)
		for (int scene = 0; scene < SCENES; scene++) {
			const char *then = TIMES[i].then[scene];
			struct submitted job;
			enum cancel_result result;
			int64_t version;
			wall_set(WALL_START_US);
			make_scene(f, (enum scene)scene, &job);
			const int changed = change(
				f, job.id,
				&(const struct job_change){.has_run_at = true,
							   .run_at = TIMES[i].run_at},
				&version);
			if (then[0] == '\0') {
				assert_int_equal(changed, -1);
				assert_int_equal(f->err.code, ERR_CONFLICT);
			} else {
				assert_done(changed, &f->err);
				assert_stands(f, job.id, then, SCENE_WORDS[scene]);
			}
			/* out of the way of the next one */
			(void)fixture_cancel(f, "uid:1000", job.id, false, &result);
			if (scene == RUNNING)
				(void)fixture_sql(f->dir,
						  "UPDATE jobs SET state = 'lost' WHERE "
						  "state = 'running'",
						  NULL);
		}
}

static void test_priority_name_and_labels_wherever_it_has_not_started(void **state)
{
	struct fixture *f = *state;
	for (int scene = 0; scene < RUNNING; scene++) {
		struct submitted submitted;
		struct job before, after;
		enum cancel_result result;
		wall_set(WALL_START_US);
		make_scene(f, (enum scene)scene, &submitted);
		fixture_get(f, submitted.id, &before);
		must_change(f, submitted.id,
			    &(const struct job_change){.has_priority = true,
						       .priority = 7,
						       .has_name = true,
						       .name = "new",
						       .has_labels = true,
						       .labels = "{\"a\":\"b\"}"});
		fixture_get(f, submitted.id, &after);
		assert_int_equal(after.priority, 7);
		assert_string_equal(after.name, "new");
		assert_string_equal(after.labels, "{\"a\":\"b\"}");
		assert_int_equal(after.version, before.version + 1);
		assert_int_equal(after.state, before.state);
		assert_true(text_equal(after.reason, before.reason));
		assert_int_equal(after.run_at, before.run_at);
		assert_int_equal(after.queued_at, before.queued_at);
		job_release(&before);
		job_release(&after);
		(void)fixture_cancel(f, "uid:1000", submitted.id, false, &result);
	}
}

/* --- keep --- */

static void test_keep_in_every_state(void **state)
{
	struct fixture *f = *state;
	for (int scene = 0; scene < SCENES; scene++) {
		struct submitted submitted;
		struct job job;
		enum cancel_result result;
		wall_set(WALL_START_US);
		make_scene(f, (enum scene)scene, &submitted);
		fixture_get(f, submitted.id, &job);
		const int64_t version = job.version;
		const bool is_final = job_state_is_final(job.state);
		job_release(&job);
		for (int i = 0; i < 2; i++) /* the second time is no change */
			must_change(f, submitted.id,
				    &(const struct job_change){.has_keep = true,
							       .is_kept = true});
		fixture_assert_sql(f->dir,
				   "SELECT count(*) || min(by) || min(at) FROM kept_jobs",
				   scene == RETRY_QUEUED ? "1uid:10002000000060000000"
							 : "1uid:10002000000000000000");
		fixture_get(f, submitted.id, &job);
		assert_int_equal(job.version, version + !is_final);
		job_release(&job);
		must_change(f, submitted.id,
			    &(const struct job_change){.has_keep = true});
		fixture_assert_sql(f->dir, "SELECT count(*) FROM kept_jobs", "0");
		fixture_assert_sql(
			f->dir,
			"SELECT group_concat(data, ' ') FROM events WHERE kind "
			"= 'changed' AND job_id = (SELECT max(job_id) FROM events WHERE "
			"kind = 'changed')",
			"{\"keep\":{\"old\":false,\"new\":true}} "
			"{\"keep\":{\"old\":true,\"new\":false}}");
		(void)fixture_cancel(f, "uid:1000", submitted.id, false, &result);
		if (scene == RUNNING)
			(void)fixture_sql(
				f->dir,
				"UPDATE jobs SET state = 'lost' WHERE state = 'running'",
				NULL);
	}
}

static void test_keep_does_not_open_the_rest(void **state)
{
	struct fixture *f = *state;
	struct submitted submitted;
	int64_t version;
	make_scene(f, SUCCEEDED, &submitted);
	assert_int_equal(change(f, submitted.id,
				&(const struct job_change){.has_keep = true,
							   .is_kept = true,
							   .has_name = true,
							   .name = "x"},
				&version),
			 -1);
	assert_int_equal(f->err.code, ERR_CONFLICT);
	fixture_assert_sql(f->dir, "SELECT count(*) FROM kept_jobs", "0");
}

/* --- versions --- */

static void test_only_the_version_that_was_seen(void **state)
{
	static const struct {
		int64_t version[3];
		size_t count;
		bool is_changed;
	} rows[] = {
		{{1}, 1, true},	   {{2}, 1, false},	 {{0}, 0, false},
		{{9, 1}, 2, true}, {{9, 8, 1}, 3, true}, {{9, 8, 2}, 3, false},
	};
	struct fixture *f = *state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct submitted submitted;
		int64_t version = 0;
		make_scene(f, HELD, &submitted);
		const int result =
			change(f, submitted.id,
			       &(const struct job_change){.has_name = true,
							  .name = "x",
							  .has_versions = true,
							  .version = rows[i].version,
							  .versions = rows[i].count},
			       &version);
		assert_int_equal(result, rows[i].is_changed ? 0 : -1);
		assert_int_equal(version, 1);
		if (result != 0)
			assert_int_equal(f->err.code, ERR_PRECONDITION);
		fixture_assert_sql(f->dir,
				   "SELECT count(*) FROM events WHERE kind = 'changed' "
				   "AND job_id = (SELECT max(id) FROM jobs)",
				   rows[i].is_changed ? "1" : "0");
	}
}

/* --- the history --- */

static void test_the_event_has_old_and_new(void **state)
{
	struct fixture *f = *state;
	struct submission submission = fixture_submission();
	struct submitted submitted;
	submission.name = "old";
	submission.labels = "{\"a\":\"1\"}";
	submit(f, &submission, &submitted);
	must_change(f, submitted.id,
		    &(const struct job_change){.has_priority = true,
					       .priority = -3,
					       .has_name = true,
					       .has_labels = true,
					       .labels = "{\"b\":\"2\"}",
					       .has_run_at = true,
					       .run_at = SOON});
	fixture_assert_sql(
		f->dir,
		"SELECT state || ' ' || principal || ' ' || data FROM events WHERE kind "
		"= "
		"'changed'",
		"waiting uid:1000 {\"name\":{\"old\":\"old\",\"new\":null},\"priority\":{"
		"\"old\":0,\"new\":-3},\"labels\":{\"old\":{\"a\":\"1\"},\"new\":{\"b\":"
		"\"2\"}},\"run_at\":{\"old\":null,\"new\":\"2033-05-18T04:33:20."
		"000000Z\"}"
		",\"reason\":\"run_at\"}");
	AUTO_BUF struct buf findings = BUF_INIT(4096);
	assert_int_equal(queue_check(f->queue, &findings, &f->err), 0);
}

static void test_nothing_new_is_no_change(void **state)
{
	struct fixture *f = *state;
	struct submission submission = fixture_submission();
	struct submitted submitted;
	struct job job;
	submission.name = "n";
	submission.labels = "{}";
	submit(f, &submission, &submitted);
	must_change(f, submitted.id,
		    &(const struct job_change){.has_priority = true,
					       .has_name = true,
					       .name = "n",
					       .has_labels = true,
					       .has_run_at = true,
					       .has_keep = true});
	fixture_get(f, submitted.id, &job);
	assert_int_equal(job.version, 1);
	job_release(&job);
	fixture_assert_sql(f->dir, "SELECT group_concat(kind) FROM events", "submitted");
}

static void test_labels_are_found_by_the_new_ones_only(void **state)
{
	struct fixture *f = *state;
	struct submitted submitted, other;
	make_scene(f, HELD, &other);
	must_change(f, other.id,
		    &(const struct job_change){.has_labels = true,
					       .labels = "{\"a\":\"1\"}"});
	make_scene(f, HELD, &submitted);
	static const char *const labels[] = {"{\"a\":\"1\",\"b\":\"2\"}",
					     "{\"b\":\"3\",\"c\":\"\"}", NULL};
	static const char *const found[] = {"a=1,a=1,b=2", "a=1,b=3,c=", "a=1"};
	for (size_t i = 0; i < ARRAY_SIZE(labels); i++) {
		must_change(f, submitted.id,
			    &(const struct job_change){.has_labels = true,
						       .labels = labels[i]});
		fixture_assert_sql(f->dir,
				   "SELECT group_concat(label) FROM (SELECT label FROM "
				   "job_labels ORDER BY label, job_id)",
				   found[i]);
	}
}

/* --- what is refused --- */

static void test_a_start_after_its_latest_start_is_refused(void **state)
{
	struct fixture *f = *state;
	struct submission submission = fixture_submission();
	struct submitted submitted;
	int64_t version;
	submission.expires_at = SOON;
	submit(f, &submission, &submitted);
	assert_int_equal(
		change(f, submitted.id,
		       &(const struct job_change){.has_run_at = true, .run_at = SOON},
		       &version),
		-1);
	assert_int_equal(f->err.code, ERR_INVALID);
	must_change(f, submitted.id,
		    &(const struct job_change){.has_run_at = true, .run_at = SOON - 1});
	must_change(f, submitted.id, &(const struct job_change){.has_run_at = true});
	assert_stands(f, submitted.id, "queued", "expiring");
}

static void release(struct fixture *f, const char *id)
{
	assert_done(queue_begin(f->queue, &f->err), &f->err);
	assert_done(queue_hold(f->queue, &OWNER, id, false, &f->err), &f->err);
	assert_done(queue_commit(f->queue, &f->err), &f->err);
}

/* Claimed ahead and given back: it never ran, so its time is no retry's, and it may be
 * given a dependency, which is looked at like any. */
static void test_a_revoked_attempt_is_no_run(void **state)
{
	struct fixture *f = *state;
	struct submitted job;
	struct claim_list list;
	struct explanation explanation;
	enum cancel_result result;
	char parent[FIXTURE_TEXT_BYTES];
	const struct submission submission = fixture_submission();
	submit(f, &submission, &job);
	fixture_claim(f, &list);
	assert_done(queue_begin(f->queue, &f->err), &f->err);
	assert_done(queue_attempt_revoke(f->queue, job.row, 1, &f->err), &f->err);
	assert_done(queue_commit(f->queue, &f->err), &f->err);
	claim_list_release(&list);
	must_change(f, job.id,
		    &(const struct job_change){.has_run_at = true, .run_at = LATER});
	assert_stands(f, job.id, "waiting run_at", "changed");
	assert_int_equal(queue_explain(f->queue, &OWNER, job.id, &explanation, &f->err),
			 1);
	assert_int_equal(explanation.item[0].kind, HINDRANCE_RUN_AT);
	assert_int_not_equal(explanation.item[1].kind, HINDRANCE_RETRY);
	explanation_release(&explanation);
	hold(f, job.id);
	release(f, job.id);
	assert_stands(f, job.id, "waiting run_at", "released");
	hold(f, job.id);
	give_dependency(f, job.row);
	release(f, job.id);
	assert_stands(f, job.id, "waiting dependency", "released again");
	assert_int_equal(fixture_sql(f->dir,
				     "SELECT id FROM v_jobs ORDER BY job_id DESC LIMIT 1",
				     parent),
			 0);
	assert_int_equal(fixture_cancel(f, "uid:1000", parent, false, &result), 0);
	assert_stands(f, job.id, "skipped dependency", "its parent is cancelled");
}

static void test_to_others_it_is_not_there(void **state)
{
	struct fixture *f = *state;
	const struct viewer stranger = {.principal = "uid:1001"};
	const struct job_change new_name = {.has_name = true, .name = "x"};
	struct submitted submitted;
	int64_t version;
	make_scene(f, HELD, &submitted);
	assert_done(queue_begin(f->queue, &f->err), &f->err);
	assert_int_equal(queue_job_change(f->queue, &stranger, submitted.id, &new_name,
					  &version, &f->err),
			 -1);
	assert_int_equal(f->err.code, ERR_NOT_FOUND);
	queue_rollback(f->queue);
	fixture_assert_sql(f->dir, "SELECT group_concat(kind) FROM events", "submitted");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, wall_setup, wall_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_each_state_and_each_time),
		TEST(test_priority_name_and_labels_wherever_it_has_not_started),
		TEST(test_keep_in_every_state),
		TEST(test_keep_does_not_open_the_rest),
		TEST(test_only_the_version_that_was_seen),
		TEST(test_the_event_has_old_and_new),
		TEST(test_nothing_new_is_no_change),
		TEST(test_labels_are_found_by_the_new_ones_only),
		TEST(test_a_start_after_its_latest_start_is_refused),
		TEST(test_a_revoked_attempt_is_no_run),
		TEST(test_to_others_it_is_not_there),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
