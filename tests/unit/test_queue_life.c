/* test_queue_life.c - claiming, and every way an attempt and its job can end. */
#include "tests/unit/queue_fixture.h"

static void in_txn_started(struct fixture *f, const struct claim *c, int64_t at)
{
	assert_done(queue_begin(f->queue, &f->err), &f->err);
	assert_done(queue_attempt_started(f->queue, c->job.row, c->number, 4711, 99, at,
					  &f->err),
		    &f->err);
	assert_done(queue_commit(f->queue, &f->err), &f->err);
}

static void in_txn_stopping(struct fixture *f, const struct claim *c,
			    enum stop_reason reason)
{
	assert_done(queue_begin(f->queue, &f->err), &f->err);
	assert_done(
		queue_attempt_stopping(f->queue, c->job.row, c->number, reason, &f->err),
		&f->err);
	assert_done(queue_commit(f->queue, &f->err), &f->err);
}

static void in_txn_revoke(struct fixture *f, const struct claim *c)
{
	assert_done(queue_begin(f->queue, &f->err), &f->err);
	assert_done(queue_attempt_revoke(f->queue, c->job.row, c->number, &f->err),
		    &f->err);
	assert_done(queue_commit(f->queue, &f->err), &f->err);
}

static void in_txn_lost(struct fixture *f, const struct claim *c, const char *reason)
{
	assert_done(queue_begin(f->queue, &f->err), &f->err);
	assert_done(queue_attempt_lost(f->queue, c->job.row, c->number, reason, &f->err),
		    &f->err);
	assert_done(queue_commit(f->queue, &f->err), &f->err);
}

static void test_a_job_that_succeeds(void **state)
{
	struct fixture *f = *state;
	struct submitted submitted;
	struct claim_list list;
	struct attempt attempt;
	struct job job;
	struct attempt_end end = fixture_end(0);
	fixture_submit(f, "uid:1000", &submitted);
	fixture_claim(f, &list);
	const struct claim *claim = &list.item[0];
	assert_int_equal(claim->number, 1);
	fixture_assert_job(f, submitted.id, JOB_RUNNING, "starting");
	assert_int_equal(
		queue_attempt_get(f->queue, claim->job.row, 1, &attempt, &f->err), 1);
	assert_string_equal(attempt.state, "starting");
	assert_string_equal(attempt.outcome, "");
	assert_string_equal(attempt.stored, "live");
	attempt_release(&attempt);

	in_txn_started(f, claim, 1700000000000000);
	fixture_get(f, submitted.id, &job);
	assert_null(job.reason);
	assert_int_equal(job.started_at, 1700000000000000);
	assert_int_equal(job.version, 2); /* it came with the claim */
	job_release(&job);

	end.cpu_user_us = 11;
	end.cpu_system_us = 12;
	end.max_rss_bytes = 13;
	end.read_bytes = 14;
	end.written_bytes = 15;
	assert_int_equal(fixture_import(f, claim, &end), 1);
	fixture_get(f, submitted.id, &job);
	assert_int_equal(job.state, JOB_SUCCEEDED);
	assert_null(job.reason);
	assert_true(job.has_exit_code);
	assert_int_equal(job.exit_code, 0);
	assert_false(job.has_signal);
	assert_int_equal(job.finished_at, end.ended_at);
	assert_int_equal(job.version, 3);
	job_release(&job);
	assert_int_equal(
		queue_attempt_get(f->queue, claim->job.row, 1, &attempt, &f->err), 1);
	assert_string_equal(attempt.state, "ended");
	assert_string_equal(attempt.outcome, "exit");
	assert_string_equal(attempt.stored, "");
	assert_int_equal(attempt.pid, 4711);
	assert_int_equal(attempt.pid_started, 99);
	assert_int_equal(attempt.cpu_user_us, 11);
	assert_int_equal(attempt.cpu_system_us, 12);
	assert_int_equal(attempt.max_rss_bytes, 13);
	assert_int_equal(attempt.read_bytes, 14);
	assert_int_equal(attempt.written_bytes, 15);
	attempt_release(&attempt);
	fixture_assert_events(f, submitted.id,
			      "submitted queued by uid:1000|started running|"
			      "ended succeeded {\"attempt\":1,\"exit_code\":0}");
	claim_list_release(&list);
}

/* How an attempt ended -> what its job is. */
struct ending {
	const char *what;
	struct attempt_end end;
	enum stop_reason recorded; /* in the database before the end */
	enum job_state state;
	const char *reason, *outcome, *event;
};

/* clang-format off */
static const struct ending ENDINGS[] = {
	{.what = "exit code 3", .end = {.has_exit_code = true, .exit_code = 3},
	 .state = JOB_FAILED, .reason = "exit", .outcome = "exit",
	 .event = "{\"attempt\":1,\"exit_code\":3,\"reason\":\"exit\"}"},
	{.what = "signal", .end = {.has_signal = true, .signal = 11},
	 .state = JOB_FAILED, .reason = "signal", .outcome = "signal",
	 .event = "{\"attempt\":1,\"signal\":11,\"reason\":\"signal\"}"},
	{.what = "could not start", .end = {.error = "exec: no such file"},
	 .state = JOB_FAILED, .reason = "start_failed", .outcome = "start_failed",
	 .event = "{\"attempt\":1,\"reason\":\"start_failed\"}"},
	{.what = "timeout the shim knew of", .end = {.has_signal = true, .signal = 15, .stop_reason = STOP_TIMEOUT},
	 .state = JOB_FAILED, .reason = "timeout", .outcome = "timeout",
	 .event = "{\"attempt\":1,\"signal\":15,\"reason\":\"timeout\"}"},
	{.what = "output limit", .end = {.has_signal = true, .signal = 15, .stop_reason = STOP_OUTPUT_LIMIT},
	 .state = JOB_FAILED, .reason = "output_limit", .outcome = "output_limit",
	 .event = "{\"attempt\":1,\"signal\":15,\"reason\":\"output_limit\"}"},
	{.what = "exit 0 after a timeout is still the timeout",
	 .end = {.has_exit_code = true, .stop_reason = STOP_TIMEOUT},
	 .state = JOB_FAILED, .reason = "timeout", .outcome = "timeout",
	 .event = "{\"attempt\":1,\"exit_code\":0,\"reason\":\"timeout\"}"},
	{.what = "cancelled, then exit 0 in its grace",
	 .end = {.has_exit_code = true, .stop_reason = STOP_CANCEL}, .recorded = STOP_CANCEL,
	 .state = JOB_CANCELLED, .reason = "cancel", .outcome = "cancel",
	 .event = "{\"attempt\":1,\"exit_code\":0,\"reason\":\"cancel\"}"},
	{.what = "the first recorded reason wins: cancel before timeout",
	 .end = {.has_signal = true, .signal = 9, .stop_reason = STOP_TIMEOUT}, .recorded = STOP_CANCEL,
	 .state = JOB_CANCELLED, .reason = "cancel", .outcome = "cancel",
	 .event = "{\"attempt\":1,\"signal\":9,\"reason\":\"cancel\"}"},
	{.what = "the first recorded reason wins: timeout before cancel",
	 .end = {.has_signal = true, .signal = 9, .stop_reason = STOP_CANCEL}, .recorded = STOP_TIMEOUT,
	 .state = JOB_FAILED, .reason = "timeout", .outcome = "timeout",
	 .event = "{\"attempt\":1,\"signal\":9,\"reason\":\"timeout\"}"},
};
/* clang-format on */

static void check_ending(struct fixture *f, const struct ending *row)
{
	struct submitted submitted;
	struct claim_list list;
	struct job job;
	struct attempt attempt;
	enum cancel_result result;
	fixture_submit(f, "uid:1000", &submitted);
	fixture_claim(f, &list);
	if (row->recorded == STOP_CANCEL)
		assert_int_equal(
			fixture_cancel(f, "uid:1000", submitted.id, false, &result), 0);
	else if (row->recorded != STOP_NONE)
		in_txn_stopping(f, &list.item[0], row->recorded);
	assert_int_equal(fixture_import(f, &list.item[0], &row->end), 1);
	fixture_get(f, submitted.id, &job);
	assert_string_equal(job_state_word(job.state), job_state_word(row->state));
	assert_string_equal(job.reason, row->reason);
	assert_int_equal(job.has_exit_code, row->end.has_exit_code);
	assert_int_equal(job.exit_code, row->end.exit_code);
	assert_int_equal(job.has_signal, row->end.has_signal);
	assert_int_equal(job.signal, row->end.signal);
	assert_true(job.finished_at > 0);
	assert_int_equal(queue_attempt_get(f->queue, job.row, 1, &attempt, &f->err), 1);
	assert_string_equal(attempt.outcome, row->outcome);
	if (row->end.error[0] != '\0')
		assert_string_equal(attempt.error, row->end.error);
	attempt_release(&attempt);
	fixture_assert_sql(f->dir, "SELECT data FROM events ORDER BY id DESC LIMIT 1",
			   row->event);
	job_release(&job);
	claim_list_release(&list);
}

static void test_every_ending(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(ENDINGS); i++) {
		print_message("# %s\n", ENDINGS[i].what);
		check_ending(*state, &ENDINGS[i]);
	}
}

static void test_importing_twice_changes_nothing(void **state)
{
	struct fixture *f = *state;
	struct submitted submitted;
	struct claim_list list;
	const struct attempt_end first = fixture_end(0), second = fixture_end(9);
	char before[FIXTURE_TEXT_BYTES];
	fixture_submit(f, "uid:1000", &submitted);
	fixture_claim(f, &list);
	assert_int_equal(fixture_import(f, &list.item[0], &first), 1);
	const char *all = "SELECT count(*) || max(version) || max(exit_code) || (SELECT "
			  "count(*) FROM events) FROM jobs";
	assert_int_equal(fixture_sql(f->dir, all, before), 0);
	assert_int_equal(fixture_import(f, &list.item[0], &second), 0);
	in_txn_lost(f, &list.item[0], "shim_died");
	in_txn_revoke(f, &list.item[0]);
	in_txn_stopping(f, &list.item[0], STOP_TIMEOUT);
	in_txn_started(f, &list.item[0], 5);
	fixture_assert_sql(f->dir, all, before);
	fixture_assert_job(f, submitted.id, JOB_SUCCEEDED, NULL);
	claim_list_release(&list);
}

static void test_an_unknown_attempt_is_refused(void **state)
{
	struct fixture *f = *state;
	const struct attempt_end end = fixture_end(0);
	assert_done(queue_begin(f->queue, &f->err), &f->err);
	assert_int_equal(queue_attempt_import(f->queue, 77, 1, &end, &f->err), -1);
	assert_int_equal(f->err.code, ERR_NOT_FOUND);
	queue_rollback(f->queue);
}

static void test_lost_is_said_and_final(void **state)
{
	struct fixture *f = *state;
	struct submitted submitted;
	struct claim_list list;
	struct job job;
	fixture_submit(f, "uid:1000", &submitted);
	fixture_claim(f, &list);
	in_txn_lost(f, &list.item[0], "reboot");
	fixture_get(f, submitted.id, &job);
	assert_int_equal(job.state, JOB_LOST);
	assert_string_equal(job.reason, "reboot");
	assert_false(job.has_exit_code || job.has_signal);
	assert_true(job.finished_at > 0);
	job_release(&job);
	fixture_assert_events(f, submitted.id,
			      "submitted queued by uid:1000|started running|"
			      "ended lost {\"attempt\":1,\"reason\":\"reboot\"}");
	fixture_assert_sql(f->dir, "SELECT state || ' ' || outcome FROM attempts",
			   "lost reboot");
	claim_list_release(&list);
}

static void test_revoked_goes_back_and_runs_under_a_new_number(void **state)
{
	struct fixture *f = *state;
	struct submitted submitted;
	struct claim_list list;
	const struct attempt_end end = fixture_end(0);
	fixture_submit(f, "uid:1000", &submitted);
	fixture_claim(f, &list);
	in_txn_revoke(f, &list.item[0]);
	claim_list_release(&list);
	fixture_assert_job(f, submitted.id, JOB_QUEUED, NULL);
	fixture_claim(f, &list);
	assert_int_equal(list.item[0].number, 2);
	assert_int_equal(fixture_import(f, &list.item[0], &end), 1);
	claim_list_release(&list);
	fixture_assert_events(f, submitted.id,
			      "submitted queued by uid:1000|started running|"
			      "requeued queued {\"attempt\":1}|started running|"
			      "ended succeeded {\"attempt\":2,\"exit_code\":0}");
	fixture_assert_sql(f->dir, "SELECT group_concat(outcome) FROM attempts",
			   "revoked,exit");
}

static void test_revoked_after_a_cancel_is_cancelled(void **state)
{
	struct fixture *f = *state;
	struct submitted submitted;
	struct claim_list list;
	enum cancel_result result;
	fixture_submit(f, "uid:1000", &submitted);
	fixture_claim(f, &list);
	assert_int_equal(fixture_cancel(f, "uid:1000", submitted.id, false, &result), 0);
	assert_int_equal(result, CANCEL_STOPPING);
	in_txn_revoke(f, &list.item[0]);
	fixture_assert_job(f, submitted.id, JOB_CANCELLED, "cancel");
	fixture_assert_events(
		f, submitted.id,
		"submitted queued by uid:1000|started running|"
		"stopping - by uid:1000 {\"reason\":\"cancel\",\"force\":false,"
		"\"text\":\"enough\"}|"
		"ended cancelled by uid:1000 {\"attempt\":1,\"reason\":\"cancel\"}");
	claim_list_release(&list);
}

static void test_cancel_before_it_starts_is_final(void **state)
{
	struct fixture *f = *state;
	struct submitted submitted;
	enum cancel_result result;
	struct job job;
	fixture_submit(f, "uid:1000", &submitted);
	assert_int_equal(fixture_cancel(f, "uid:1000", submitted.id, false, &result), 0);
	assert_int_equal(result, CANCEL_DONE);
	fixture_get(f, submitted.id, &job);
	assert_int_equal(job.state, JOB_CANCELLED);
	assert_string_equal(job.stop_by, "uid:1000");
	assert_string_equal(job.stop_text, "enough");
	assert_true(job.finished_at > 0);
	job_release(&job);
	/* asking again is fine, and leaves no second event */
	assert_int_equal(fixture_cancel(f, "uid:1000", submitted.id, true, &result), 0);
	assert_int_equal(result, CANCEL_DONE);
	fixture_assert_events(f, submitted.id,
			      "submitted queued by uid:1000|ended cancelled by uid:1000 "
			      "{\"reason\":\"cancel\",\"text\":\"enough\"}");
	/* and it is not claimed any more */
	struct claim_list list;
	assert_done(queue_begin(f->queue, &f->err), &f->err);
	assert_done(queue_worker_register(f->queue, 1, &f->epoch, &f->err), &f->err);
	assert_done(queue_claim(f->queue, f->turns, f->epoch, 5, &list, &f->err),
		    &f->err);
	assert_done(queue_commit(f->queue, &f->err), &f->err);
	assert_int_equal(list.count, 0);
}

static void test_cancel_while_it_runs_asks_the_worker(void **state)
{
	struct fixture *f = *state;
	struct submitted submitted;
	struct claim_list list;
	struct stop_request request[4];
	enum cancel_result result;
	fixture_submit(f, "uid:1000", &submitted);
	fixture_claim(f, &list);
	const int64_t row = list.item[0].job.row;
	assert_int_equal(queue_stop_requests(f->queue, 0, request, 4, &f->err), 0);
	assert_int_equal(fixture_cancel(f, "uid:1000", submitted.id, false, &result), 0);
	assert_int_equal(result, CANCEL_STOPPING);
	fixture_assert_job(f, submitted.id, JOB_RUNNING, "cancel");
	assert_int_equal(queue_stop_requests(f->queue, 0, request, 4, &f->err), 1);
	assert_int_equal(request[0].job_row, row);
	assert_int_equal(request[0].number, 1);
	assert_false(request[0].is_forced);
	assert_int_equal(queue_stop_requests(f->queue, row, request, 4, &f->err), 0);
	/* `started` must not hide why it is stopping */
	in_txn_started(f, &list.item[0], 5);
	fixture_assert_job(f, submitted.id, JOB_RUNNING, "cancel");
	/* force may be added later, once */
	assert_int_equal(fixture_cancel(f, "uid:1000", submitted.id, true, &result), 0);
	assert_int_equal(fixture_cancel(f, "uid:1000", submitted.id, true, &result), 0);
	assert_int_equal(fixture_cancel(f, "uid:1000", submitted.id, false, &result), 0);
	assert_int_equal(queue_stop_requests(f->queue, 0, request, 4, &f->err), 1);
	assert_true(request[0].is_forced);
	assert_int_equal(
		fixture_number(f->dir,
			       "SELECT count(*) FROM events WHERE kind = 'stopping'"),
		2);
	const struct attempt_end end = fixture_end(0);
	assert_int_equal(fixture_import(f, &list.item[0], &end), 1);
	assert_int_equal(queue_stop_requests(f->queue, 0, request, 4, &f->err), 0);
	claim_list_release(&list);
}

/* A stop that the shim began is no request to the worker, until somebody also asks. */
static void test_a_timeout_shows_and_can_still_be_forced(void **state)
{
	struct fixture *f = *state;
	struct submitted submitted;
	struct claim_list list;
	struct stop_request request[4];
	enum cancel_result result;
	fixture_submit(f, "uid:1000", &submitted);
	fixture_claim(f, &list);
	in_txn_stopping(f, &list.item[0], STOP_TIMEOUT);
	in_txn_stopping(f, &list.item[0], STOP_OUTPUT_LIMIT); /* too late */
	fixture_assert_job(f, submitted.id, JOB_RUNNING, "timeout");
	assert_int_equal(queue_stop_requests(f->queue, 0, request, 4, &f->err), 0);
	assert_int_equal(fixture_cancel(f, "uid:1000", submitted.id, true, &result), 0);
	assert_int_equal(result, CANCEL_STOPPING);
	fixture_assert_job(f, submitted.id, JOB_RUNNING, "timeout");
	assert_int_equal(queue_stop_requests(f->queue, 0, request, 4, &f->err), 1);
	assert_true(request[0].is_forced);
	claim_list_release(&list);
}

static void test_cancelling_what_has_ended_is_a_conflict(void **state)
{
	struct fixture *f = *state;
	struct submitted submitted;
	enum cancel_result result;
	fixture_run_job(f, "uid:1000", 0, &submitted);
	assert_int_equal(fixture_cancel(f, "uid:1000", submitted.id, false, &result), -1);
	assert_int_equal(f->err.code, ERR_CONFLICT);
	fixture_assert_job(f, submitted.id, JOB_SUCCEEDED, NULL);
}

static void submit_priority(struct fixture *f, int priority, struct submitted *ret)
{
	struct submission s = fixture_submission();
	s.priority = priority;
	assert_done(queue_begin(f->queue, &f->err), &f->err);
	assert_done(queue_submit(f->queue, &s, ret, &f->err), &f->err);
	assert_done(queue_commit(f->queue, &f->err), &f->err);
}

static void test_claims_go_by_priority_then_age(void **state)
{
	struct fixture *f = *state;
	struct submitted low, old, new, high;
	struct claim_list list;
	submit_priority(f, -1, &low);
	submit_priority(f, 0, &old);
	submit_priority(f, 0, &new);
	submit_priority(f, 5, &high);
	assert_done(queue_begin(f->queue, &f->err), &f->err);
	assert_done(queue_worker_register(f->queue, 1, &f->epoch, &f->err), &f->err);
	assert_done(queue_claim(f->queue, f->turns, f->epoch, 3, &list, &f->err),
		    &f->err);
	assert_done(queue_commit(f->queue, &f->err), &f->err);
	assert_int_equal(list.count, 3);
	assert_string_equal(list.item[0].job.id, high.id);
	assert_string_equal(list.item[1].job.id, old.id);
	assert_string_equal(list.item[2].job.id, new.id);
	assert_int_equal(list.item[0].job.state, JOB_RUNNING);
	assert_string_equal(list.item[0].job.command, "[\"/bin/true\"]");
	fixture_assert_job(f, low.id, JOB_QUEUED, NULL);
	claim_list_release(&list);
}

static void test_a_superseded_worker_cannot_write(void **state)
{
	struct fixture *f = *state;
	struct submitted submitted;
	struct claim_list list;
	struct worker_info info;
	int64_t old_epoch, new_epoch;
	fixture_submit(f, "uid:1000", &submitted);
	assert_done(queue_begin(f->queue, &f->err), &f->err);
	assert_done(queue_worker_register(f->queue, 1, &old_epoch, &f->err), &f->err);
	assert_done(queue_worker_heartbeat(f->queue, old_epoch, 3, &f->err), &f->err);
	assert_done(queue_worker_register(f->queue, 2, &new_epoch, &f->err), &f->err);
	assert_true(new_epoch > old_epoch);
	assert_int_equal(queue_claim(f->queue, f->turns, old_epoch, 1, &list, &f->err),
			 -1);
	assert_int_equal(f->err.code, ERR_CONFLICT);
	assert_int_equal(queue_worker_heartbeat(f->queue, old_epoch, 0, &f->err), -1);
	assert_int_equal(f->err.code, ERR_CONFLICT);
	assert_done(queue_worker_heartbeat(f->queue, new_epoch, 7, &f->err), &f->err);
	assert_done(queue_commit(f->queue, &f->err), &f->err);
	assert_int_equal(queue_worker_last(f->queue, &info, &f->err), 1);
	assert_int_equal(info.epoch, new_epoch);
	assert_int_equal(info.slots, 2);
	assert_int_equal(info.running, 7);
	assert_int_equal(info.stopped_at, 0);
	assert_true(info.heartbeat_at >= info.started_at);
	assert_done(queue_begin(f->queue, &f->err), &f->err);
	assert_done(queue_worker_retire(f->queue, new_epoch, &f->err), &f->err);
	assert_done(queue_commit(f->queue, &f->err), &f->err);
	assert_int_equal(queue_worker_last(f->queue, &info, &f->err), 1);
	assert_true(info.stopped_at > 0);
	fixture_assert_job(f, submitted.id, JOB_QUEUED, NULL);
}

static void test_live_attempts_are_those_that_have_not_ended(void **state)
{
	struct fixture *f = *state;
	struct submitted done, alive;
	struct claim_list list;
	struct live_list live;
	fixture_run_job(f, "uid:1000", 0, &done);
	fixture_submit(f, "uid:1000", &alive);
	fixture_claim(f, &list);
	assert_done(queue_attempts_live(f->queue, &live, &f->err), &f->err);
	assert_int_equal(live.count, 1);
	assert_string_equal(live.item[0].job_id, alive.id);
	assert_int_equal(live.item[0].job_row, list.item[0].job.row);
	assert_int_equal(live.item[0].number, 1);
	assert_int_equal(live.item[0].worker_epoch, f->epoch);
	assert_string_equal(live.item[0].boot_id, clock_boot_id());
	live_list_release(&live);
	claim_list_release(&list);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_a_job_that_succeeds),
		TEST(test_every_ending),
		TEST(test_importing_twice_changes_nothing),
		TEST(test_an_unknown_attempt_is_refused),
		TEST(test_lost_is_said_and_final),
		TEST(test_revoked_goes_back_and_runs_under_a_new_number),
		TEST(test_revoked_after_a_cancel_is_cancelled),
		TEST(test_cancel_before_it_starts_is_final),
		TEST(test_cancel_while_it_runs_asks_the_worker),
		TEST(test_a_timeout_shows_and_can_still_be_forced),
		TEST(test_cancelling_what_has_ended_is_a_conflict),
		TEST(test_claims_go_by_priority_then_age),
		TEST(test_a_superseded_worker_cannot_write),
		TEST(test_live_attempts_are_those_that_have_not_ended),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
