/* test_queue_random.c - many small webs of jobs, ended in any order: after every step
 * each job is where its parents put it.
 *
 * The numbers are drawn from a seed, so that a failure can be had again. */
#include "tests/unit/dependency_scene.h"

#define JOBS 10
#define WEBS 40

struct web {
	struct fixture *f;
	uint64_t seed;
	struct submitted job[JOBS];
	bool is_any[JOBS];
};

/* xorshift64* */
static uint32_t draw(struct web *web, uint32_t below)
{
	web->seed ^= web->seed >> 12;
	web->seed ^= web->seed << 25;
	web->seed ^= web->seed >> 27;
	return (uint32_t)((web->seed * UINT64_C(0x2545f4914f6cdd1d)) >> 33) % below;
}

/* Each depends on up to three of those before it. */
static void web_submit(struct web *web)
{
	for (uint32_t i = 0; i < JOBS; i++) {
		struct dependency_wish wish[3];
		struct submission submission = fixture_submission();
		const uint32_t count = i == 0 ? 0 : draw(web, 4);
		for (uint32_t k = 0; k < count; k++)
			wish[k] = (struct dependency_wish){
				.parent_row = web->job[draw(web, i)].row,
				.condition =
					(enum dependency_condition)(1 + draw(web, 4))};
		web->is_any[i] = draw(web, 2) == 1;
		submission.depends_on = wish;
		submission.depends_count = count;
		submission.is_any_enough = web->is_any[i];
		submission.is_held = draw(web, 6) == 0;
		if (draw(web, 3) == 0) {
			submission.retry = "{\"on\":[\"exit\"],\"delay_s\":0}";
			submission.max_attempts = 2;
		}
		scene_submit(web->f, &submission, &web->job[i]);
	}
}

/* --- what should be --- */

static bool has_started(struct web *web, const struct job *job)
{
	struct attempt_list list;
	bool is_found = false;
	assert_done(queue_attempt_list(web->f->queue, job->row, &list, &web->f->err),
		    &web->f->err);
	for (size_t i = 0; i < list.count; i++)
		is_found = is_found || list.item[i].started_at != 0;
	attempt_list_release(&list);
	return is_found;
}

/* What a parent has done for a dependency on it, in words of the documentation. */
static enum dependency_state fate(struct web *web, int64_t parent_row,
				  enum dependency_condition condition)
{
	struct job parent = {.row = 0};
	for (size_t i = 0; i < JOBS; i++)
		if (web->job[i].row == parent_row)
			fixture_get(web->f, web->job[i].id, &parent);
	const enum job_state state = parent.state;
	const bool is_over = job_state_is_final(state);
	const bool is_bad =
		state == JOB_FAILED || state == JOB_CANCELLED || state == JOB_LOST;
	const bool is_met = (condition == DEPENDS_SUCCESS && state == JOB_SUCCEEDED) ||
			    (condition == DEPENDS_FAILURE && is_bad) ||
			    (condition == DEPENDS_ANY && is_over) ||
			    (condition == DEPENDS_STARTED && has_started(web, &parent));
	job_release(&parent);
	return is_met	 ? DEPENDENCY_MET
	       : is_over ? DEPENDENCY_IMPOSSIBLE
			 : DEPENDENCY_PENDING;
}

static void assert_in_place(struct web *web, size_t i)
{
	size_t count[3] = {0, 0, 0};
	struct dependency_list list;
	struct job job;
	fixture_get(web->f, web->job[i].id, &job);
	assert_done(queue_dependencies(web->f->queue, &FIXTURE_ADMIN, job.row, &list,
				       &web->f->err),
		    &web->f->err);
	for (size_t k = 0; k < list.count; k++) {
		const enum dependency_state state =
			fate(web, list.item[k].parent_row, list.item[k].condition);
		assert_int_equal(list.item[k].state, state);
		count[state]++;
	}
	const bool may_go = web->is_any[i] ? count[DEPENDENCY_MET] > 0 || list.count == 0
					   : count[DEPENDENCY_MET] == list.count;
	const bool can_never =
		web->is_any[i]
			? list.count > 0 && count[DEPENDENCY_IMPOSSIBLE] == list.count
			: count[DEPENDENCY_IMPOSSIBLE] > 0;
	const bool is_held = text_equal(job.reason, "hold");
	if (job.state == JOB_SKIPPED)
		assert_true(can_never);
	else if (job.state == JOB_WAITING && text_equal(job.reason, "dependency"))
		assert_true(!may_go && !can_never);
	else if (job.state == JOB_WAITING && is_held)
		assert_false(can_never);
	else if (job.state != JOB_CANCELLED)
		assert_true(may_go);
	dependency_list_release(&list);
	job_release(&job);
}

/* --- what may happen --- */

static bool is_anything_queued(struct web *web)
{
	return fixture_number(web->f->dir,
			      "SELECT count(*) FROM jobs WHERE state = 'queued'") > 0;
}

static void run_one(struct web *web)
{
	char ran[JOB_ID_BYTES];
	if (is_anything_queued(web))
		scene_run_next(web->f, draw(web, 2) == 0 ? 0 : 3, ran);
}

static void lose_one(struct web *web)
{
	struct claim_list list;
	struct fixture *f = web->f;
	if (!is_anything_queued(web))
		return;
	fixture_claim(f, &list);
	assert_done(queue_begin(f->queue, &f->err), &f->err);
	if (draw(web, 2) == 0)
		assert_done(queue_attempt_started(f->queue, list.item[0].job.row,
						  list.item[0].number, 4711, 9,
						  clock_now_us(), &f->err),
			    &f->err);
	assert_done(queue_attempt_lost(f->queue, list.item[0].job.row,
				       list.item[0].number, "reboot", &f->err),
		    &f->err);
	assert_done(queue_commit(f->queue, &f->err), &f->err);
	claim_list_release(&list);
}

static void cancel_one(struct web *web)
{
	const struct submitted *submitted = &web->job[draw(web, JOBS)];
	struct job job;
	fixture_get(web->f, submitted->id, &job);
	if (!job_state_is_final(job.state))
		scene_cancel(web->f, submitted->id);
	job_release(&job);
}

static void hold_one(struct web *web, bool is_hold)
{
	const struct submitted *submitted = &web->job[draw(web, JOBS)];
	struct fixture *f = web->f;
	struct job job;
	fixture_get(f, submitted->id, &job);
	if (!job_state_is_final(job.state)) {
		assert_done(queue_begin(f->queue, &f->err), &f->err);
		assert_done(queue_hold(f->queue, &FIXTURE_ADMIN, submitted->id, is_hold,
				       &f->err),
			    &f->err);
		assert_done(queue_commit(f->queue, &f->err), &f->err);
	}
	job_release(&job);
}

static void step(struct web *web)
{
	const uint32_t what = draw(web, 20);
	if (what < 10)
		run_one(web);
	else if (what < 12)
		lose_one(web);
	else if (what < 13)
		cancel_one(web);
	else if (what < 15)
		hold_one(web, true);
	else if (what < 18)
		hold_one(web, false);
	else
		scene_due(web->f);
}

static void end_all(struct web *web)
{
	for (size_t i = 0; i < JOBS; i++) {
		struct job job;
		fixture_get(web->f, web->job[i].id, &job);
		if (!job_state_is_final(job.state))
			scene_cancel(web->f, web->job[i].id);
		job_release(&job);
	}
}

static void test_every_job_is_where_its_parents_put_it(void **state)
{
	for (uint64_t seed = 1; seed <= WEBS; seed++) {
		struct web web = {.f = *state, .seed = seed * 7919};
		web_submit(&web);
		for (int steps = 0; steps < 25; steps++) {
			for (size_t i = 0; i < JOBS; i++)
				assert_in_place(&web, i);
			step(&web);
		}
		end_all(&web);
		for (size_t i = 0; i < JOBS; i++)
			assert_in_place(&web, i);
		assert_int_equal(queue_unresolved(web.f->queue, &web.f->err), 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			test_every_job_is_where_its_parents_put_it, fixture_setup,
			scene_teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
