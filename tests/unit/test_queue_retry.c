/* test_queue_retry.c - every rule of retries: which ends, how often, after how long. */
#include "tests/unit/queue_fixture.h"

#include "tests/unit/wall_clock.h"

#define S US_PER_S

/* --- one attempt of a job with this rule ends so --- */

struct end_row {
	enum retry_cause cause;
	struct attempt_end end;
	enum job_state state; /* when it is not tried again */
};

/* clang-format off */
static const struct end_row ENDS[] = {
	{RETRY_EXIT,         {.has_exit_code = true, .exit_code = 3}, JOB_FAILED},
	{RETRY_SIGNAL,       {.has_signal = true, .signal = 11}, JOB_FAILED},
	{RETRY_TIMEOUT,      {.has_signal = true, .signal = 15, .stop_reason = STOP_TIMEOUT}, JOB_FAILED},
	{RETRY_OUTPUT_LIMIT, {.has_signal = true, .signal = 15, .stop_reason = STOP_OUTPUT_LIMIT}, JOB_FAILED},
	{RETRY_START_FAILED, {.error = "exec: no such file"}, JOB_FAILED},
	{RETRY_LOST,         {.has_signal = false}, JOB_LOST},
};
/* clang-format on */

static void submit_retry(struct fixture *f, int max_attempts, const char *rule,
			 struct submission *submission, struct submitted *ret)
{
	submission->max_attempts = max_attempts;
	submission->retry = rule;
	assert_done(queue_begin(f->queue, &f->err), &f->err);
	assert_done(queue_submit(f->queue, submission, ret, &f->err), &f->err);
	assert_done(queue_commit(f->queue, &f->err), &f->err);
}

static void end_attempt(struct fixture *f, const struct claim *claim,
			const struct end_row *row)
{
	assert_done(queue_begin(f->queue, &f->err), &f->err);
	const int result =
		row->cause == RETRY_LOST
			? queue_attempt_lost(f->queue, claim->job.row, claim->number,
					     "reboot", &f->err)
			: queue_attempt_import(f->queue, claim->job.row, claim->number,
					       &row->end, &f->err);
	assert_done(result, &f->err);
	assert_done(queue_commit(f->queue, &f->err), &f->err);
}

static void due_all(struct fixture *f)
{
	assert_done(queue_begin(f->queue, &f->err), &f->err);
	assert_done(queue_due(f->queue, &f->err), &f->err);
	assert_done(queue_commit(f->queue, &f->err), &f->err);
}

/* Claims the one queued job and ends it so. */
static void run_once(struct fixture *f, const struct end_row *row)
{
	struct claim_list list;
	fixture_claim(f, &list);
	end_attempt(f, &list.item[0], row);
	claim_list_release(&list);
}

static void assert_waits(struct fixture *f, const char *id, bool is_retried,
			 const struct end_row *row)
{
	struct job job;
	fixture_get(f, id, &job);
	if (is_retried != (job.state == JOB_WAITING))
		fail_msg("%s: %s", retry_cause_word(row->cause),
			 job_state_word(job.state));
	assert_int_equal(job.state, is_retried ? JOB_WAITING : row->state);
	if (is_retried)
		assert_string_equal(job.reason, "retry");
	assert_int_equal(job.has_exit_code, row->end.has_exit_code);
	assert_int_equal(job.has_signal, row->end.has_signal);
	assert_int_equal(job.stop_reason, is_retried ? STOP_NONE : row->end.stop_reason);
	job_release(&job);
}

static void test_each_word_covers_its_end_and_no_other(void **state)
{
	struct fixture *f = *state;
	for (unsigned word = 0; word < RETRY_CAUSE_COUNT_; word++)
		for (size_t i = 0; i < ARRAY_SIZE(ENDS); i++) {
			char rule[64];
			struct submitted submitted;
			struct submission submission = fixture_submission();
			(void)snprintf(rule, sizeof rule, "{\"on\":[\"%s\"]}",
				       retry_cause_word((enum retry_cause)word));
			submit_retry(f, 2, rule, &submission, &submitted);
			run_once(f, &ENDS[i]);
			assert_waits(f, submitted.id, word == (unsigned)ENDS[i].cause,
				     &ENDS[i]);
		}
}

static void test_the_default_covers_exit_and_signal(void **state)
{
	struct fixture *f = *state;
	for (size_t i = 0; i < ARRAY_SIZE(ENDS); i++) {
		struct submitted submitted;
		struct submission submission = fixture_submission();
		submit_retry(f, 2, "{}", &submission, &submitted);
		run_once(f, &ENDS[i]);
		assert_waits(f, submitted.id,
			     ENDS[i].cause == RETRY_EXIT || ENDS[i].cause == RETRY_SIGNAL,
			     &ENDS[i]);
	}
}

static void test_success_and_no_rule_end_a_job(void **state)
{
	struct fixture *f = *state;
	const struct end_row good = {.end = {.has_exit_code = true}};
	struct submitted submitted;
	struct submission submission = fixture_submission();
	submit_retry(f, 9, "{\"on\":[\"exit\"]}", &submission, &submitted);
	run_once(f, &good);
	fixture_assert_job(f, submitted.id, JOB_SUCCEEDED, NULL);
	submit_retry(f, 9, NULL, &submission, &submitted);
	run_once(f, &ENDS[0]);
	fixture_assert_job(f, submitted.id, JOB_FAILED, "exit");
}

/* --- exit codes --- */

static void test_exit_codes(void **state)
{
	static const struct {
		const char *rule;
		int code;
		bool is_retried;
	} rows[] = {
		{"{\"exit_codes\":null}", 1, true},
		{"{\"exit_codes\":[75]}", 75, true},
		{"{\"exit_codes\":[75]}", 74, false},
		{"{\"exit_codes\":[1,255]}", 255, true},
		{"{\"exit_codes\":[1,255]}", 254, false},
		{"{\"exit_codes\":[75],\"on\":[\"signal\"]}", 75, false},
		{"{\"exit_codes\":[]}", 1, false},
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct retry rule;
		struct err err = ERR_INIT;
		assert_done(retry_parse(rows[i].rule, &rule, &err), &err);
		assert_int_equal(retry_covers(&rule, RETRY_EXIT, rows[i].code),
				 rows[i].is_retried);
	}
	struct retry rule;
	struct err err = ERR_INIT;
	assert_done(retry_parse("{\"exit_codes\":[75]}", &rule, &err), &err);
	assert_true(retry_covers(&rule, RETRY_SIGNAL, 0)); /* they are about exit only */
	assert_false(retry_covers(&rule, RETRY_EXIT, -1));
	assert_false(retry_covers(&rule, RETRY_EXIT, 256));
	assert_false(retry_covers(&rule, RETRY_CAUSE_COUNT_, 75));
	assert_false(retry_covers(&rule, RETRY_OOM, 0));
	assert_done(retry_parse("{\"on\":[\"oom\"]}", &rule, &err), &err);
	assert_true(retry_covers(&rule, RETRY_OOM, 0));
}

/* --- how often --- */

static void test_max_attempts_counts_the_first(void **state)
{
	struct fixture *f = *state;
	for (int max = 1; max <= 4; max++) {
		struct submitted submitted;
		struct submission submission = fixture_submission();
		submit_retry(f, max, "{\"delay_s\":0}", &submission, &submitted);
		for (int n = 1; n <= max; n++) {
			due_all(f);
			run_once(f, &ENDS[0]);
			assert_waits(f, submitted.id, n < max, &ENDS[0]);
		}
	}
}

static void test_what_never_ran_uses_nothing_up(void **state)
{
	struct fixture *f = *state;
	struct submitted submitted;
	struct submission submission = fixture_submission();
	struct claim_list list;
	struct job job;
	submit_retry(f, 2, "{\"delay_s\":10,\"factor\":3,\"jitter\":0}", &submission,
		     &submitted);
	for (int n = 0; n < 3; n++) {
		fixture_claim(f, &list);
		assert_done(queue_begin(f->queue, &f->err), &f->err);
		assert_done(queue_attempt_revoke(f->queue, list.item[0].job.row,
						 list.item[0].number, &f->err),
			    &f->err);
		assert_done(queue_commit(f->queue, &f->err), &f->err);
		claim_list_release(&list);
	}
	run_once(f, &ENDS[0]);
	fixture_get(f, submitted.id, &job);
	assert_int_equal(job.state, JOB_WAITING);
	assert_int_equal(job.attempt, 4);
	assert_int_equal(job.run_at, wall_now_us() + 10 * S); /* the delay after one */
	job_release(&job);
	wall_go_on(10 * S);
	due_all(f);
	run_once(f, &ENDS[0]);
	fixture_assert_job(f, submitted.id, JOB_FAILED, "exit");
}

static void test_whoever_cancels_wants_no_other_attempt(void **state)
{
	struct fixture *f = *state;
	for (size_t i = 0; i < ARRAY_SIZE(ENDS); i++) {
		struct submitted submitted;
		struct submission submission = fixture_submission();
		struct claim_list list;
		enum cancel_result result;
		submit_retry(f, 9,
			     "{\"on\":[\"exit\",\"signal\",\"timeout\",\"output_limit\","
			     "\"start_failed\",\"lost\"]}",
			     &submission, &submitted);
		fixture_claim(f, &list);
		assert_int_equal(
			fixture_cancel(f, "uid:1000", submitted.id, false, &result), 0);
		end_attempt(f, &list.item[0], &ENDS[i]);
		claim_list_release(&list);
		fixture_assert_job(f, submitted.id,
				   ENDS[i].cause == RETRY_LOST ? JOB_LOST : JOB_CANCELLED,
				   ENDS[i].cause == RETRY_LOST ? "reboot" : "cancel");
	}
}

/* --- after how long --- */

static void test_the_arithmetic(void **state)
{
	static const struct {
		int64_t delay_us, max_delay_us;
		double factor, jitter;
		int used;
		double sample;
		int64_t expected_us;
	} rows[] = {
		{10 * S, 3600 * S, 2, 0, 1, 0.5, 10 * S},
		{10 * S, 3600 * S, 2, 0, 2, 0.5, 20 * S},
		{10 * S, 3600 * S, 2, 0, 3, 0.5, 40 * S},
		{10 * S, 3600 * S, 2, 0, 9, 0.5, 2560 * S},
		{10 * S, 3600 * S, 2, 0, 10, 0.5, 3600 * S},
		{10 * S, 3600 * S, 2, 0, 1000, 0.5, 3600 * S},
		{10 * S, 3600 * S, 1, 0, 1000, 0.5, 10 * S},
		{10 * S, 3600 * S, 1.5, 0, 3, 0.5, 22500000},
		{10 * S, 5 * S, 2, 0, 1, 0.5, 5 * S},
		{0, 3600 * S, 100, 0.5, 1000, 1, 0},
		{10 * S, 0, 2, 1, 1, 1, 0},
		{10 * S, 3600 * S, 2, 0.1, 1, 0, 9 * S},
		{10 * S, 3600 * S, 2, 0.1, 1, 0.5, 10 * S},
		{10 * S, 3600 * S, 2, 0.1, 1, 1, 11 * S},
		{10 * S, 3600 * S, 2, 1, 1, 0, 0},
		{10 * S, 3600 * S, 2, 1, 1, 1, 20 * S},
		{10 * S, 3600 * S, 2, 0.5, 1000, 1, 5400 * S}, /* jitter comes last */
		{RETRY_DELAY_MAX_US, RETRY_DELAY_MAX_US, 100, 1, 1000, 1,
		 RETRY_DELAY_MAX_US},
		{INT64_MAX, INT64_MAX, 1e308, 1, INT32_MAX, 1, RETRY_DELAY_MAX_US},
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const struct retry rule = {.delay_us = rows[i].delay_us,
					   .max_delay_us = rows[i].max_delay_us,
					   .factor = rows[i].factor,
					   .jitter = rows[i].jitter};
		const int64_t delay = retry_delay_us(&rule, rows[i].used, rows[i].sample);
		const int64_t off = delay - rows[i].expected_us;
		if (off < -1 || off > 1)
			fail_msg("row %zu: %lld", i, (long long)delay);
	}
}

static void test_the_delay_is_sampled_within_its_bounds_and_stored(void **state)
{
	struct fixture *f = *state;
	int64_t least = INT64_MAX, most = 0;
	for (int i = 0; i < 50; i++) {
		struct submitted submitted;
		struct submission submission = fixture_submission();
		struct job job;
		submit_retry(f, 2, "{\"delay_s\":100,\"jitter\":0.5}", &submission,
			     &submitted);
		run_once(f, &ENDS[0]);
		fixture_get(f, submitted.id, &job);
		const int64_t delay = job.run_at - wall_now_us();
		assert_in_range(delay, 50 * S, 150 * S);
		least = delay < least ? delay : least;
		most = delay > most ? delay : most;
		job_release(&job);
	}
	assert_true(most - least > 10 * S); /* 50 samples: else by a chance of 1e-40 */
}

static void test_another_attempt_must_fit_before_the_ends(void **state)
{
	static const struct {
		int64_t expires_us, deadline_us; /* after now */
		bool is_retried;
	} rows[] = {
		{0, 0, true},		{11 * S, 0, true},	{10 * S, 0, false},
		{9 * S, 0, false},	{0, 11 * S, true},	{0, 10 * S, false},
		{11 * S, 9 * S, false}, {9 * S, 11 * S, false}, {11 * S, 11 * S, true},
	};
	struct fixture *f = *state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct submitted submitted;
		struct submission submission = fixture_submission();
		if (rows[i].expires_us > 0)
			submission.expires_at = wall_now_us() + rows[i].expires_us;
		submission.deadline_us = rows[i].deadline_us;
		submit_retry(f, 2, "{\"delay_s\":10,\"jitter\":0}", &submission,
			     &submitted);
		run_once(f, &ENDS[0]);
		assert_waits(f, submitted.id, rows[i].is_retried, &ENDS[0]);
	}
}

/* --- as text --- */

static void test_the_text_reads_back(void **state)
{
	(void)state;
	AUTO_BUF struct buf text = BUF_INIT(8192), again = BUF_INIT(8192);
	struct retry rule, read;
	struct err err = ERR_INIT;
	retry_init(&rule);
	retry_format(&rule, &text);
	assert_string_equal(buf_text(&text),
			    "{\"delay_s\":10,\"factor\":2,\"max_delay_s\":3600,"
			    "\"jitter\":0.1,\"on\":[\"exit\",\"signal\"],"
			    "\"exit_codes\":null}");
	rule = (struct retry){.delay_us = 1500000,
			      .max_delay_us = RETRY_DELAY_MAX_US,
			      .factor = 1.25,
			      .jitter = 1,
			      .on = 1U << RETRY_LOST,
			      .has_exit_codes = true,
			      .exit_code = {[1] = true, [255] = true}};
	buf_reset(&text);
	retry_format(&rule, &text);
	assert_done(retry_parse(buf_text(&text), &read, &err), &err);
	retry_format(&read, &again);
	assert_string_equal(buf_text(&text), buf_text(&again));
	assert_int_equal(read.delay_us, 1500000);
	assert_int_equal(read.max_delay_us, RETRY_DELAY_MAX_US);
}

/* A rule that somebody wrote by hand never keeps an end from being recorded. */
static void test_a_rule_that_cannot_be_read_is_none(void **state)
{
	static const char *const rules[] = {"{,}", "{}}", "{\"on\":[}}"};
	struct fixture *f = *state;
	for (size_t i = 0; i < ARRAY_SIZE(rules); i++) {
		struct submitted submitted;
		struct submission submission = fixture_submission();
		char sql[128];
		submit_retry(f, 2, "{}", &submission, &submitted);
		(void)snprintf(sql, sizeof sql,
			       "UPDATE jobs SET retry = '%s' WHERE state = 'queued'",
			       rules[i]);
		assert_int_equal(fixture_sql(f->dir, sql, NULL), 0);
		run_once(f, &ENDS[0]);
		fixture_assert_job(f, submitted.id, JOB_FAILED, "exit");
	}
	struct retry rule;
	struct err err = ERR_INIT;
	assert_done(
		retry_parse(
			"{\"delay_s\":-5,\"factor\":1000000,\"jitter\":7,\"on\":[\"x\"]}",
			&rule, &err),
		&err);
	assert_int_equal(rule.delay_us, 0);
	assert_true(rule.factor <= RETRY_FACTOR_MAX && rule.jitter <= 1);
	assert_int_equal(rule.on, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, wall_setup, wall_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_each_word_covers_its_end_and_no_other),
		TEST(test_the_default_covers_exit_and_signal),
		TEST(test_success_and_no_rule_end_a_job),
		TEST(test_exit_codes),
		TEST(test_max_attempts_counts_the_first),
		TEST(test_what_never_ran_uses_nothing_up),
		TEST(test_whoever_cancels_wants_no_other_attempt),
		TEST(test_the_arithmetic),
		TEST(test_the_delay_is_sampled_within_its_bounds_and_stored),
		TEST(test_another_attempt_must_fit_before_the_ends),
		TEST(test_the_text_reads_back),
		TEST(test_a_rule_that_cannot_be_read_is_none),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
