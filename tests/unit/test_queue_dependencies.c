/* test_queue_dependencies.c - what a job does whose parents end so, or so.
 *
 * Tables: every end of a parent, by every condition, for both rules, seen before the job
 * was submitted and after; and all pairs of parents. */
#include "tests/unit/dependency_scene.h"

#define PENDING DEPENDENCY_PENDING
#define MET DEPENDENCY_MET
#define NEVER DEPENDENCY_IMPOSSIBLE

/* As promised: by end of the parent; success, failure, any, started. */
static const enum dependency_state FATES[END_COUNT_][4] = {
	[END_HELD] = {PENDING, PENDING, PENDING, PENDING},
	[END_QUEUED] = {PENDING, PENDING, PENDING, PENDING},
	[END_CLAIMED] = {PENDING, PENDING, PENDING, PENDING},
	[END_RUNNING] = {PENDING, PENDING, PENDING, MET},
	[END_RETRYING] = {PENDING, PENDING, PENDING, MET},
	[END_SUCCEEDED] = {MET, NEVER, MET, MET},
	[END_FAILED] = {NEVER, MET, MET, MET},
	[END_START_FAILED] = {NEVER, MET, MET, NEVER},
	[END_EXPIRED] = {NEVER, MET, MET, NEVER},
	[END_LOST] = {NEVER, MET, MET, MET},
	[END_LOST_UNSTARTED] = {NEVER, MET, MET, NEVER},
	[END_CANCELLED] = {NEVER, MET, MET, NEVER},
	[END_STOPPED] = {NEVER, MET, MET, MET},
	[END_SKIPPED] = {NEVER, NEVER, MET, NEVER},
};

static enum dependency_state fate(enum scene_end end, enum dependency_condition condition)
{
	return FATES[end][condition - DEPENDS_SUCCESS];
}

/* What becomes of a job, by the fates of its dependencies. */
static enum job_state expected(bool is_any, const enum dependency_state *fates,
			       size_t count)
{
	size_t seen[3] = {0, 0, 0};
	for (size_t i = 0; i < count; i++)
		seen[fates[i]]++;
	if (is_any)
		return seen[MET] > 0	   ? JOB_QUEUED
		       : seen[PENDING] > 0 ? JOB_WAITING
					   : JOB_SKIPPED;
	return seen[NEVER] > 0	   ? JOB_SKIPPED
	       : seen[PENDING] > 0 ? JOB_WAITING
				   : JOB_QUEUED;
}

static const char *reason_of(enum job_state state)
{
	return state == JOB_QUEUED ? NULL : "dependency";
}

static void assert_child(struct fixture *f, const struct submitted *child,
			 enum job_state state, const char *what)
{
	struct job job;
	fixture_get(f, child->id, &job);
	if (job.state != state || !text_equal(job.reason, reason_of(state)) ||
	    (job.finished_at != 0) != (state == JOB_SKIPPED) ||
	    (job.queued_at != 0) != (state == JOB_QUEUED))
		fail_msg("%s: %s (%s), not %s", what, job_state_word(job.state),
			 job.reason != NULL ? job.reason : "-", job_state_word(state));
	job_release(&job);
}

static void assert_dependency(struct fixture *f, const struct submitted *child,
			      const struct submitted *parent, enum dependency_state state,
			      const char *what)
{
	struct dependency_list list;
	bool is_found = false;
	assert_done(
		queue_dependencies(f->queue, &FIXTURE_ADMIN, child->row, &list, &f->err),
		&f->err);
	for (size_t i = 0; i < list.count; i++) {
		if (list.item[i].parent_row != parent->row)
			continue;
		is_found = true;
		assert_string_equal(list.item[i].parent_id, parent->id);
		if (list.item[i].state != state)
			fail_msg("%s: %s, not %s", what,
				 dependency_state_word(list.item[i].state),
				 dependency_state_word(state));
	}
	assert_true(is_found);
	dependency_list_release(&list);
}

/* --- one parent --- */

static void one_parent(struct fixture *f, enum scene_end end,
		       enum dependency_condition condition, bool is_any, bool is_late)
{
	const enum dependency_state state = fate(end, condition);
	const enum job_state wanted = expected(is_any, &state, 1);
	AUTO_FREE char *what =
		mem_printf("%s, %s, %s, submitted %s", scene_end_word(end),
			   dependency_condition_word(condition), is_any ? "any" : "all",
			   is_late ? "afterwards" : "before");
	struct submission submission = fixture_submission();
	struct scene_parent parent;
	struct submitted child;

	scene_parent(f, end, &parent);
	const struct dependency_wish wish = {.parent_row = parent.job.row,
					     .condition = condition};
	submission.depends_on = &wish;
	submission.depends_count = 1;
	submission.is_any_enough = is_any;
	if (is_late)
		scene_reach(f, &parent);
	scene_submit(f, &submission, &child);
	if (is_late)
		assert_int_equal(child.state, wanted);
	else
		scene_reach(f, &parent);
	assert_child(f, &child, wanted, what);
	assert_dependency(f, &child, &parent.job, state, what);
	scene_clear(f, &parent);
}

static void test_every_end_by_every_condition(void **state)
{
	int cases = 0;
	for (int end = 0; end < END_COUNT_; end++)
		for (int condition = DEPENDS_SUCCESS; condition <= DEPENDS_STARTED;
		     condition++)
			for (int k = 0; k < 4; k++, cases++)
				one_parent(*state, (enum scene_end)end,
					   (enum dependency_condition)condition,
					   (k & 1) != 0, (k & 2) != 0);
	assert_int_equal(cases, 14 * 4 * 4);
}

/* --- two parents --- */

/* Ends of which each stands for others: still open, and the three kinds of being over. */
static const enum scene_end PAIRED[] = {END_HELD, END_SUCCEEDED, END_FAILED, END_SKIPPED};

struct pair {
	enum scene_end end[2];
	enum dependency_condition condition[2];
	bool is_any;
	int early; /* how many reach their ends before the job is submitted */
};

static void two_parents(struct fixture *f, const struct pair *pair)
{
	struct scene_parent parent[2];
	struct dependency_wish wish[2];
	enum dependency_state fates[2];
	struct submission submission = fixture_submission();
	struct submitted child;
	AUTO_FREE char *what =
		mem_printf("%s %s and %s %s, %s, %d before", scene_end_word(pair->end[0]),
			   dependency_condition_word(pair->condition[0]),
			   scene_end_word(pair->end[1]),
			   dependency_condition_word(pair->condition[1]),
			   pair->is_any ? "any" : "all", pair->early);

	for (int i = 0; i < 2; i++) {
		scene_parent(f, pair->end[i], &parent[i]);
		if (i < pair->early)
			scene_reach(f, &parent[i]);
		wish[i] = (struct dependency_wish){.parent_row = parent[i].job.row,
						   .condition = pair->condition[i]};
		fates[i] = fate(pair->end[i], pair->condition[i]);
	}
	submission.depends_on = wish;
	submission.depends_count = 2;
	submission.is_any_enough = pair->is_any;
	scene_submit(f, &submission, &child);
	for (int i = pair->early; i < 2; i++)
		scene_reach(f, &parent[i]);
	assert_child(f, &child, expected(pair->is_any, fates, 2), what);
	for (int i = 0; i < 2; i++) {
		assert_dependency(f, &child, &parent[i].job, fates[i], what);
		scene_clear(f, &parent[i]);
	}
}

static void all_pairs(struct fixture *f, bool is_any, int early)
{
	struct pair pair = {.is_any = is_any, .early = early};
	for (size_t a = 0; a < ARRAY_SIZE(PAIRED); a++)
		for (size_t b = 0; b < ARRAY_SIZE(PAIRED); b++)
			for (int k = 0; k < 16; k++) {
				pair.end[0] = PAIRED[a];
				pair.end[1] = PAIRED[b];
				pair.condition[0] =
					(enum dependency_condition)(1 + k / 4);
				pair.condition[1] =
					(enum dependency_condition)(1 + k % 4);
				two_parents(f, &pair);
			}
}

static void test_all_pairs_when_all_must_be_met(void **state)
{
	all_pairs(*state, false, 0);
}

static void test_all_pairs_when_any_is_enough(void **state)
{
	all_pairs(*state, true, 0);
}

static void test_pairs_of_which_one_had_ended_before(void **state)
{
	all_pairs(*state, false, 1);
	all_pairs(*state, true, 1);
}

/* --- waiting for more than parents --- */

static void test_a_held_job_stays_held_until_it_is_released(void **state)
{
	struct fixture *f = *state;
	struct scene_parent parent;
	struct submission submission = fixture_submission();
	struct submitted early, late;
	scene_parent(f, END_SUCCEEDED, &parent);
	const struct dependency_wish wish = {.parent_row = parent.job.row,
					     .condition = DEPENDS_SUCCESS};
	submission.depends_on = &wish;
	submission.depends_count = 1;
	submission.is_held = true;
	scene_submit(f, &submission, &early);
	scene_submit(f, &submission, &late);
	fixture_assert_job(f, early.id, JOB_WAITING, "hold");
	assert_done(queue_begin(f->queue, &f->err), &f->err);
	assert_done(queue_hold(f->queue, &FIXTURE_ADMIN, early.id, false, &f->err),
		    &f->err);
	assert_done(queue_commit(f->queue, &f->err), &f->err);
	fixture_assert_job(f, early.id, JOB_WAITING, "dependency");
	scene_reach(f, &parent);
	fixture_assert_job(f, early.id, JOB_QUEUED, NULL);
	fixture_assert_job(f, late.id, JOB_WAITING, "hold");
	assert_done(queue_begin(f->queue, &f->err), &f->err);
	assert_done(queue_hold(f->queue, &FIXTURE_ADMIN, late.id, false, &f->err),
		    &f->err);
	assert_done(queue_commit(f->queue, &f->err), &f->err);
	fixture_assert_job(f, late.id, JOB_QUEUED, NULL);
	fixture_assert_events(f, early.id,
			      "submitted waiting by uid:1000 {\"reason\":\"hold\"}|"
			      "released waiting by uid:0 {\"reason\":\"dependency\"}|"
			      "unblocked queued");
}

static void test_a_held_job_is_skipped_all_the_same(void **state)
{
	struct fixture *f = *state;
	struct scene_parent parent;
	struct submission submission = fixture_submission();
	struct submitted child;
	scene_parent(f, END_FAILED, &parent);
	const struct dependency_wish wish = {.parent_row = parent.job.row,
					     .condition = DEPENDS_SUCCESS};
	submission.depends_on = &wish;
	submission.depends_count = 1;
	submission.is_held = true;
	scene_submit(f, &submission, &child);
	scene_reach(f, &parent);
	fixture_assert_job(f, child.id, JOB_SKIPPED, "dependency");
	AUTO_FREE char *events =
		mem_printf("submitted waiting by uid:1000 {\"reason\":\"hold\"}|"
			   "ended skipped {\"reason\":\"dependency\",\"parent\":\"%s\","
			   "\"parent_state\":\"failed\"}",
			   parent.job.id);
	fixture_assert_events(f, child.id, events);
}

static void test_a_time_is_waited_for_after_the_parents(void **state)
{
	struct fixture *f = *state;
	struct scene_parent parent;
	struct submission submission = fixture_submission();
	struct submitted child;
	scene_parent(f, END_SUCCEEDED, &parent);
	const struct dependency_wish wish = {.parent_row = parent.job.row,
					     .condition = DEPENDS_SUCCESS};
	submission.depends_on = &wish;
	submission.depends_count = 1;
	submission.run_at = clock_now_us() + 3600 * US_PER_S;
	scene_submit(f, &submission, &child);
	fixture_assert_job(f, child.id, JOB_WAITING, "dependency");
	scene_reach(f, &parent);
	fixture_assert_job(f, child.id, JOB_WAITING, "run_at");
	submission.run_at = clock_now_us() - US_PER_S;
	scene_submit(f, &submission, &child);
	fixture_assert_job(f, child.id, JOB_QUEUED, NULL);
}

/* Times that are over end a job, whatever it waits for; and that is an end for others. */
static void test_what_waits_too_long_for_its_parents_fails(void **state)
{
	static const struct {
		int64_t expires_in_us, deadline_us;
	} rows[] = {{-US_PER_S, 0}, {0, 1}};
	struct fixture *f = *state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct scene_parent parent;
		struct submission submission = fixture_submission();
		struct submitted child, below;
		scene_parent(f, END_HELD, &parent);
		const struct dependency_wish wish = {.parent_row = parent.job.row,
						     .condition = DEPENDS_SUCCESS};
		submission.depends_on = &wish;
		submission.depends_count = 1;
		if (rows[i].expires_in_us != 0)
			submission.expires_at = clock_now_us() + rows[i].expires_in_us;
		submission.deadline_us = rows[i].deadline_us;
		scene_submit(f, &submission, &child);
		scene_child(f, child.row, DEPENDS_FAILURE, &below);
		scene_due(f);
		fixture_assert_job(f, child.id, JOB_FAILED, "expired");
		fixture_assert_job(f, below.id, JOB_QUEUED, NULL);
		scene_cancel(f, parent.job.id);
		fixture_assert_job(f, child.id, JOB_FAILED, "expired");
	}
}

static void test_only_the_last_attempt_counts(void **state)
{
	struct fixture *f = *state;
	struct scene_parent parent;
	struct submitted on_success, on_failure, on_start;
	char ran[JOB_ID_BYTES];
	scene_parent(f, END_RETRYING, &parent);
	scene_child(f, parent.job.row, DEPENDS_SUCCESS, &on_success);
	scene_child(f, parent.job.row, DEPENDS_FAILURE, &on_failure);
	scene_child(f, parent.job.row, DEPENDS_STARTED, &on_start);
	scene_reach(f, &parent);
	fixture_assert_job(f, on_success.id, JOB_WAITING, "dependency");
	fixture_assert_job(f, on_failure.id, JOB_WAITING, "dependency");
	fixture_assert_job(f, on_start.id, JOB_QUEUED, NULL);
	assert_int_equal(fixture_sql(f->dir,
				     "UPDATE jobs SET run_at = 1 WHERE reason = "
				     "'retry'",
				     NULL),
			 0);
	scene_due(f);
	scene_run_next(f, 0, ran);
	assert_string_equal(ran, parent.job.id);
	fixture_assert_job(f, on_success.id, JOB_QUEUED, NULL);
	fixture_assert_job(f, on_failure.id, JOB_SKIPPED, "dependency");
}

/* --- far down and far apart --- */

static void test_a_skip_goes_all_the_way_down(void **state)
{
	struct fixture *f = *state;
	struct scene_parent parent;
	struct submitted b, c, d, cleanup;
	scene_parent(f, END_FAILED, &parent);
	scene_child(f, parent.job.row, DEPENDS_SUCCESS, &b);
	scene_child(f, b.row, DEPENDS_SUCCESS, &c);
	scene_child(f, c.row, DEPENDS_FAILURE, &d);
	scene_child(f, d.row, DEPENDS_ANY, &cleanup);
	scene_reach(f, &parent);
	fixture_assert_job(f, b.id, JOB_SKIPPED, "dependency");
	fixture_assert_job(f, c.id, JOB_SKIPPED, "dependency");
	fixture_assert_job(f, d.id, JOB_SKIPPED, "dependency");
	fixture_assert_job(f, cleanup.id, JOB_QUEUED, NULL);
	struct submitted born;
	scene_child(f, d.row, DEPENDS_SUCCESS, &born);
	assert_int_equal(born.state, JOB_SKIPPED);
	assert_string_equal(born.reason, "dependency");
	AUTO_FREE char *events =
		mem_printf("submitted skipped by uid:1000 {\"reason\":\"dependency\","
			   "\"parent\":\"%s\",\"parent_state\":\"skipped\"}",
			   d.id);
	fixture_assert_events(f, born.id, events);
}

static void test_thousands_on_one_end_go_on_in_slices(void **state)
{
	struct fixture *f = *state;
	struct scene_parent parent;
	struct submission submission = fixture_submission();
	struct submitted child;
	scene_parent(f, END_SUCCEEDED, &parent);
	const struct dependency_wish wish = {.parent_row = parent.job.row,
					     .condition = DEPENDS_SUCCESS};
	submission.depends_on = &wish;
	submission.depends_count = 1;
	assert_done(queue_begin(f->queue, &f->err), &f->err);
	for (int i = 0; i < 2500; i++)
		assert_done(queue_submit(f->queue, &submission, &child, &f->err),
			    &f->err);
	assert_done(queue_commit(f->queue, &f->err), &f->err);
	scene_reach(f, &parent);
	fixture_assert_sql(f->dir, "SELECT count(*) FROM jobs WHERE state = 'queued'",
			   "1000");
	assert_int_equal(queue_unresolved(f->queue, &f->err), 1);
	scene_assert_sound(f);
	/* whoever opens it next goes on */
	queue_close(f->queue);
	assert_done(queue_open(&f->queue, f->dir, QUEUE_WRITE, &f->err), &f->err);
	assert_int_equal(scene_resolve(f), 2);
	fixture_assert_sql(f->dir, "SELECT count(*) FROM jobs WHERE state = 'queued'",
			   "2500");
}

static void test_a_long_chain_is_skipped_in_slices(void **state)
{
	struct fixture *f = *state;
	struct scene_parent parent;
	struct submission submission = fixture_submission();
	struct submitted job;
	struct dependency_wish wish = {.condition = DEPENDS_SUCCESS};
	scene_parent(f, END_CANCELLED, &parent);
	wish.parent_row = parent.job.row;
	submission.depends_on = &wish;
	submission.depends_count = 1;
	assert_done(queue_begin(f->queue, &f->err), &f->err);
	for (int i = 0; i < 3000; i++) {
		assert_done(queue_submit(f->queue, &submission, &job, &f->err), &f->err);
		wish.parent_row = job.row;
	}
	assert_done(queue_commit(f->queue, &f->err), &f->err);
	scene_reach(f, &parent);
	fixture_assert_sql(f->dir, "SELECT count(*) FROM jobs WHERE state = 'skipped'",
			   "1000");
	scene_assert_sound(f);
	assert_int_equal(scene_resolve(f), 3);
	fixture_assert_job(f, job.id, JOB_SKIPPED, "dependency");
	fixture_assert_sql(f->dir, "SELECT count(*) FROM jobs WHERE state = 'skipped'",
			   "3000");
}

/* Several ends in one transaction share its slice. */
static void test_a_transaction_settles_one_slice_in_all(void **state)
{
	struct fixture *f = *state;
	struct scene_parent parents[3];
	enum cancel_result result;
	const struct cancel_wish cancel = {.text = NULL};
	for (int p = 0; p < 3; p++) {
		struct submission submission = fixture_submission();
		struct submitted child;
		scene_parent(f, END_CANCELLED, &parents[p]);
		const struct dependency_wish wish = {.parent_row = parents[p].job.row,
						     .condition = DEPENDS_ANY};
		submission.depends_on = &wish;
		submission.depends_count = 1;
		assert_done(queue_begin(f->queue, &f->err), &f->err);
		for (int i = 0; i < 600; i++)
			assert_done(queue_submit(f->queue, &submission, &child, &f->err),
				    &f->err);
		assert_done(queue_commit(f->queue, &f->err), &f->err);
	}
	assert_done(queue_begin(f->queue, &f->err), &f->err);
	for (int p = 0; p < 3; p++)
		assert_done(queue_cancel(f->queue, &FIXTURE_ADMIN, parents[p].job.id,
					 &cancel, &result, &f->err),
			    &f->err);
	assert_done(queue_commit(f->queue, &f->err), &f->err);
	fixture_assert_sql(f->dir, "SELECT count(*) FROM jobs WHERE state = 'queued'",
			   "1000");
	scene_assert_sound(f);
	assert_int_equal(scene_resolve(f), 1);
	fixture_assert_sql(f->dir, "SELECT count(*) FROM jobs WHERE state = 'queued'",
			   "1800");
}

/* --- refusals --- */

static void test_a_parent_must_be_there(void **state)
{
	struct fixture *f = *state;
	const struct dependency_wish wish = {.parent_row = 4711,
					     .condition = DEPENDS_SUCCESS};
	struct submission submission = fixture_submission();
	struct submitted job;
	submission.depends_on = &wish;
	submission.depends_count = 1;
	assert_done(queue_begin(f->queue, &f->err), &f->err);
	assert_int_equal(queue_submit(f->queue, &submission, &job, &f->err), -1);
	assert_int_equal(f->err.code, ERR_INVALID);
	submission.depends_count = 0;
	assert_done(queue_submit(f->queue, &submission, &job, &f->err), &f->err);
	assert_done(queue_commit(f->queue, &f->err), &f->err);
	fixture_assert_sql(f->dir, "SELECT count(*) FROM jobs", "1");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, scene_teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_every_end_by_every_condition),
		TEST(test_all_pairs_when_all_must_be_met),
		TEST(test_all_pairs_when_any_is_enough),
		TEST(test_pairs_of_which_one_had_ended_before),
		TEST(test_a_held_job_stays_held_until_it_is_released),
		TEST(test_a_held_job_is_skipped_all_the_same),
		TEST(test_a_time_is_waited_for_after_the_parents),
		TEST(test_what_waits_too_long_for_its_parents_fails),
		TEST(test_only_the_last_attempt_counts),
		TEST(test_a_skip_goes_all_the_way_down),
		TEST(test_thousands_on_one_end_go_on_in_slices),
		TEST(test_a_long_chain_is_skipped_in_slices),
		TEST(test_a_transaction_settles_one_slice_in_all),
		TEST(test_a_parent_must_be_there),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
