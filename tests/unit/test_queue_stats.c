/* test_queue_stats.c - what is counted while it happens is what a recount finds, whatever
 * is rolled back, taken back or comes too late. */
#include "queue/db.h"
#include "tests/unit/queue_fixture.h"
#include "tests/unit/wall_clock.h"

#define S US_PER_S
#define MINUTE (60 * S)

static void begin(struct fixture *f)
{
	assert_done(queue_begin(f->queue, &f->err), &f->err);
}

static void commit(struct fixture *f)
{
	assert_done(queue_commit(f->queue, &f->err), &f->err);
}

static void submit_to(struct fixture *f, const char *lane, struct submitted *ret)
{
	struct submission submission = fixture_submission();
	submission.queue = lane;
	begin(f);
	assert_done(queue_submit(f->queue, &submission, ret, &f->err), &f->err);
	commit(f);
}

static void get(struct fixture *f, struct stats *ret)
{
	assert_done(queue_stats(f->queue, ret, &f->err), &f->err);
}

static const struct stats_lane *lane(const struct stats *stats, const char *name)
{
	for (size_t i = 0; i < stats->lanes; i++)
		if (text_equal(stats->lane[i].name, name))
			return &stats->lane[i];
	fail_msg("no queue %s", name);
	return NULL;
}

static void assert_recount(struct fixture *f)
{
	fixture_assert_sql(
		f->dir,
		"SELECT count(*) FROM (SELECT queue, state, count(*) FROM jobs WHERE "
		"finished_at IS NOT NULL GROUP BY 1, 2 EXCEPT SELECT queue, state, count "
		"FROM job_totals)",
		"0");
	fixture_assert_sql(
		f->dir,
		"SELECT (SELECT sum(count) FROM job_totals) IS (SELECT sum(succeeded + "
		"failed + cancelled + skipped + lost) FROM job_minutes)",
		"1");
	AUTO_BUF struct buf findings = BUF_INIT(4096);
	const int found = queue_check(f->queue, &findings, &f->err);
	if (found != 0)
		fail_msg("%s", buf_text(&findings));
}

/* --- every end, by the way that leads to it --- */

static void end_by_exit(struct fixture *f, const struct claim *claim, int code)
{
	const struct attempt_end end = {.started_at = wall_now_us() - 3 * S,
					.ended_at = wall_now_us(),
					.pid = 7,
					.pid_started = 1,
					.has_exit_code = true,
					.exit_code = code};
	assert_int_equal(fixture_import(f, claim, &end), 1);
}

static void submit_expiring(struct fixture *f)
{
	struct submission submission = fixture_submission();
	struct submitted ignored;
	submission.is_held = true;
	submission.expires_at = wall_now_us() + S;
	begin(f);
	assert_done(queue_submit(f->queue, &submission, &ignored, &f->err), &f->err);
	commit(f);
}

static void test_every_end_is_counted_once(void **state)
{
	struct fixture *f = *state;
	struct submitted job[5];
	struct claim_list list;
	enum cancel_result result;
	struct stats stats;
	submit_expiring(f);
	for (size_t i = 0; i < ARRAY_SIZE(job); i++)
		submit_to(f, NULL, &job[i]);
	assert_int_equal(fixture_cancel(f, "uid:1000", job[4].id, false, &result), 0);
	wall_go_on(2 * S);
	for (int i = 0; i < 4; i++) {
		fixture_claim(f, &list);
		if (i < 2)
			end_by_exit(f, &list.item[0], i);
		begin(f);
		if (i == 2)
			assert_done(queue_attempt_lost(f->queue, list.item[0].job.row, 1,
						       "reboot", &f->err),
				    &f->err);
		commit(f);
		if (i == 3)
			assert_int_equal(
				fixture_cancel(f, "uid:1000", job[3].id, false, &result),
				0);
		if (i == 3)
			end_by_exit(f, &list.item[0], 0);
		claim_list_release(&list);
	}
	begin(f);
	assert_int_equal(queue_due(f->queue, &f->err), 1);
	commit(f);
	get(f, &stats);
	const struct stats_lane *all = &stats.all;
	assert_int_equal(all->jobs[JOB_SUCCEEDED], 1);
	assert_int_equal(all->jobs[JOB_FAILED], 2);
	assert_int_equal(all->jobs[JOB_CANCELLED], 2);
	assert_int_equal(all->jobs[JOB_LOST], 1);
	assert_int_equal(all->jobs[JOB_QUEUED] + all->jobs[JOB_RUNNING] +
				 all->jobs[JOB_WAITING],
			 0);
	for (int i = 0; i < STATS_SPAN_COUNT_; i++) {
		const struct stats_flow *flow = &all->flow[i];
		assert_int_equal(flow->submitted, 6);
		assert_int_equal(flow->started, 4);
		assert_int_equal(flow->wait_us, 8 * S);
		assert_int_equal(flow->ran, 3);
		assert_int_equal(flow->run_us, 9 * S);
		assert_int_equal(flow->ended[JOB_FAILED], 2);
	}
	stats_release(&stats);
	assert_recount(f);
}

static void test_importing_twice_counts_once(void **state)
{
	struct fixture *f = *state;
	struct submitted job;
	struct claim_list list;
	const struct attempt_end end = fixture_end(0);
	submit_to(f, NULL, &job);
	fixture_claim(f, &list);
	assert_int_equal(fixture_import(f, &list.item[0], &end), 1);
	assert_int_equal(fixture_import(f, &list.item[0], &end), 0);
	claim_list_release(&list);
	fixture_assert_sql(f->dir, "SELECT count FROM job_totals", "1");
	assert_recount(f);
}

static void test_a_retry_is_no_end_and_another_start(void **state)
{
	struct fixture *f = *state;
	struct submission submission = fixture_submission();
	struct submitted job;
	struct claim_list list;
	struct stats stats;
	submission.max_attempts = 2;
	submission.retry = "{\"delay_s\":0,\"jitter\":0}";
	begin(f);
	assert_done(queue_submit(f->queue, &submission, &job, &f->err), &f->err);
	commit(f);
	for (int n = 0; n < 2; n++) {
		begin(f);
		assert_true(queue_due(f->queue, &f->err) >= 0);
		commit(f);
		fixture_claim(f, &list);
		end_by_exit(f, &list.item[0], 1);
		claim_list_release(&list);
	}
	get(f, &stats);
	assert_int_equal(stats.all.flow[SPAN_HOUR].started, 2);
	assert_int_equal(stats.all.flow[SPAN_HOUR].ended[JOB_FAILED], 1);
	assert_int_equal(stats.all.jobs[JOB_FAILED], 1);
	stats_release(&stats);
	assert_recount(f);
}

static int cancel_job(struct fixture *f, const char *id)
{
	enum cancel_result result;
	return fixture_cancel(f, "uid:1000", id, false, &result);
}

/* It waits an hour for its next attempt, has run for three seconds, and ends. */
static void test_the_wait_for_a_retry_is_no_run(void **state)
{
	struct fixture *f = *state;
	struct stats stats;
	for (int i = 0; i < 2; i++) {
		const bool is_expiry = i == 1;
		struct submission submission = fixture_submission();
		struct submitted job;
		struct claim_list list;
		submission.max_attempts = 2;
		submission.retry = "{\"delay_s\":3600,\"jitter\":0}";
		submission.deadline_us = is_expiry ? 7200 * S : 0;
		begin(f);
		assert_done(queue_submit(f->queue, &submission, &job, &f->err), &f->err);
		commit(f);
		fixture_claim(f, &list);
		end_by_exit(f, &list.item[0], 1);
		claim_list_release(&list);
		if (is_expiry)
			fixture_assert_job(f, job.id, JOB_WAITING, "retry");
		wall_go_on(50 * MINUTE);
		if (!is_expiry)
			assert_int_equal(cancel_job(f, job.id), 0);
		wall_go_on(is_expiry ? 100 * MINUTE : 0);
		begin(f);
		assert_int_equal(queue_due(f->queue, &f->err), is_expiry);
		commit(f);
		get(f, &stats);
		assert_int_equal(stats.all.flow[SPAN_DAY].ran, i + 1);
		assert_int_equal(stats.all.flow[SPAN_DAY].run_us, (i + 1) * 3 * S);
		stats_release(&stats);
	}
	assert_recount(f);
}

static void test_what_never_ran_was_not_started(void **state)
{
	struct fixture *f = *state;
	struct submitted job;
	struct claim_list list;
	struct stats stats;
	submit_to(f, NULL, &job);
	wall_go_on(5 * S);
	fixture_claim(f, &list);
	wall_go_on(3 * MINUTE); /* taken back in another minute than it was claimed in */
	begin(f);
	assert_done(queue_attempt_revoke(f->queue, list.item[0].job.row, 1, &f->err),
		    &f->err);
	commit(f);
	claim_list_release(&list);
	fixture_assert_sql(f->dir,
			   "SELECT sum(claimed) || ' ' || sum(wait_us) || ' ' || "
			   "max(claimed) FROM job_minutes",
			   "0 0 0");
	get(f, &stats);
	assert_int_equal(stats.all.jobs[JOB_QUEUED], 1);
	stats_release(&stats);
}

/* --- transactions --- */

static void test_a_rollback_counts_nothing(void **state)
{
	struct fixture *f = *state;
	const struct submission submission = fixture_submission();
	struct submitted job;
	begin(f);
	for (int i = 0; i < 3; i++)
		assert_done(queue_submit(f->queue, &submission, &job, &f->err), &f->err);
	queue_rollback(f->queue);
	submit_to(f, NULL, &job); /* and leaves nothing for the next one */
	fixture_assert_sql(f->dir, "SELECT sum(submitted) FROM job_minutes", "1");
}

static void test_a_refused_job_is_not_counted(void **state)
{
	struct fixture *f = *state;
	struct submission submission = fixture_submission();
	struct submitted job;
	submission.labels = "no json";
	begin(f);
	assert_int_equal(queue_submit(f->queue, &submission, &job, &f->err), -1);
	commit(f);
	fixture_assert_sql(f->dir, "SELECT count(*) FROM job_minutes", "0");
}

static void test_a_repeated_key_is_not_counted(void **state)
{
	struct fixture *f = *state;
	struct submission submission = fixture_submission();
	struct submitted job;
	submission.idempotency_key = "k";
	for (int i = 0; i < 2; i++) {
		begin(f);
		assert_done(queue_submit(f->queue, &submission, &job, &f->err), &f->err);
		commit(f);
	}
	fixture_assert_sql(f->dir, "SELECT sum(submitted) FROM job_minutes", "1");
}

static void test_a_mark_takes_counts_back(void **state)
{
	struct fixture *f = *state;
	struct tally mark;
	begin(f);
	tally_submitted(f->queue, "a", wall_now_us());
	tally_mark(f->queue, &mark);
	tally_submitted(f->queue, "a", wall_now_us());
	tally_submitted(f->queue, "b", wall_now_us());
	tally_rollback(f->queue, &mark);
	tally_mark(f->queue, &mark);
	tally_submitted(f->queue, "c", wall_now_us());
	tally_keep(&mark);
	tally_submitted(f->queue, "a", wall_now_us());
	commit(f);
	fixture_assert_sql(
		f->dir, "SELECT group_concat(queue || submitted, ' ') FROM job_minutes",
		"a2 c1");
}

static void test_many_jobs_are_one_row(void **state)
{
	struct fixture *f = *state;
	const struct submission submission = fixture_submission();
	struct submitted job;
	begin(f);
	for (int i = 0; i < 500; i++)
		assert_done(queue_submit(f->queue, &submission, &job, &f->err), &f->err);
	commit(f);
	fixture_assert_sql(f->dir,
			   "SELECT count(*) || ' ' || sum(submitted) FROM job_minutes",
			   "1 500");
}

/* --- queues and time --- */

static void test_queues_are_counted_apart(void **state)
{
	struct fixture *f = *state;
	struct submitted job;
	struct stats stats;
	submit_to(f, "b", &job);
	submit_to(f, "b", &job);
	submit_to(f, "a", &job);
	submit_to(f, NULL, &job);
	get(f, &stats);
	assert_int_equal(stats.lanes, 3);
	assert_string_equal(stats.lane[0].name, "a");
	assert_int_equal(lane(&stats, "b")->jobs[JOB_QUEUED], 2);
	assert_int_equal(lane(&stats, "b")->flow[SPAN_DAY].submitted, 2);
	assert_int_equal(lane(&stats, "default")->jobs[JOB_QUEUED], 1);
	assert_int_equal(stats.all.jobs[JOB_QUEUED], 4);
	stats_release(&stats);
}

static void test_each_span_reaches_so_far_back(void **state)
{
	/* after the submission; which spans still show it */
	static const struct {
		int64_t later_us;
		bool is_in[STATS_SPAN_COUNT_];
	} rows[] = {
		{0, {true, true, true}},
		{MINUTE, {true, true, true}},
		{2 * MINUTE, {false, true, true}},
		{60 * MINUTE, {false, true, true}},
		{61 * MINUTE, {false, false, true}},
		{1440 * MINUTE, {false, false, true}},
		{1441 * MINUTE, {false, false, false}},
		{-MINUTE, {false, false, false}}, /* the clock was set back */
	};
	struct fixture *f = *state;
	struct submitted job;
	wall_set(WALL_START_US - WALL_START_US % MINUTE);
	const int64_t start = wall_now_us();
	submit_to(f, NULL, &job);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct stats stats;
		wall_set(start + rows[i].later_us);
		get(f, &stats);
		for (int k = 0; k < STATS_SPAN_COUNT_; k++) {
			if (stats.all.flow[k].submitted != rows[i].is_in[k])
				fail_msg("row %zu, span %s", i,
					 stats_span_word((enum stats_span)k));
			assert_true(stats.since[k] <= stats.at);
		}
		stats_release(&stats);
	}
}

static void test_old_minutes_are_forgotten_and_totals_stay(void **state)
{
	struct fixture *f = *state;
	struct submitted job;
	struct claim_list list;
	submit_to(f, NULL, &job);
	fixture_claim(f, &list);
	end_by_exit(f, &list.item[0], 0);
	claim_list_release(&list);
	wall_go_on((int64_t)STATS_KEEP_MINUTES * MINUTE);
	begin(f);
	assert_int_equal(queue_stats_forget(f->queue, &f->err), 0);
	commit(f);
	wall_go_on(2 * MINUTE);
	begin(f);
	assert_true(queue_stats_forget(f->queue, &f->err) >= 1);
	commit(f);
	fixture_assert_sql(f->dir, "SELECT count(*) FROM job_minutes", "0");
	fixture_assert_sql(f->dir, "SELECT count FROM job_totals", "1");
}

static void test_check_finds_too_low_totals_only(void **state)
{
	struct fixture *f = *state;
	struct submitted job;
	AUTO_BUF struct buf findings = BUF_INIT(4096);
	fixture_run_job(f, "uid:1000", 3, &job);
	assert_int_equal(fixture_sql(f->dir, "UPDATE job_totals SET count = 9", NULL), 0);
	assert_int_equal(queue_check(f->queue, &findings, &f->err), 0);
	assert_int_equal(fixture_sql(f->dir, "UPDATE job_totals SET count = 0", NULL), 0);
	assert_int_equal(queue_check(f->queue, &findings, &f->err), 1);
	assert_string_equal(buf_text(&findings),
			    "totals: 1 jobs are failed, but only 0 were counted\n");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, wall_setup, wall_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_every_end_is_counted_once),
		TEST(test_importing_twice_counts_once),
		TEST(test_a_retry_is_no_end_and_another_start),
		TEST(test_the_wait_for_a_retry_is_no_run),
		TEST(test_what_never_ran_was_not_started),
		TEST(test_a_rollback_counts_nothing),
		TEST(test_a_refused_job_is_not_counted),
		TEST(test_a_repeated_key_is_not_counted),
		TEST(test_a_mark_takes_counts_back),
		TEST(test_many_jobs_are_one_row),
		TEST(test_queues_are_counted_apart),
		TEST(test_each_span_reaches_so_far_back),
		TEST(test_old_minutes_are_forgotten_and_totals_stay),
		TEST(test_check_finds_too_low_totals_only),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
