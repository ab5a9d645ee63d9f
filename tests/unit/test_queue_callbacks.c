/* test_queue_callbacks.c - every start and every end is told once, to whom it was asked
 * for; and what the outbox says afterwards. */
#include "tests/unit/queue_fixture.h"

#include "tests/unit/wall_clock.h"

#define URL "https://app.example/done?key=1"
#define WANTS(words) "{\"on\":[" words "],\"url\":\"" URL "\"}"
#define EVERYTHING WANTS("\"started\",\"final\"")

static void submit(struct fixture *f, struct submission *submission, const char *callback,
		   struct submitted *ret)
{
	submission->callback = callback;
	assert_done(queue_begin(f->queue, &f->err), &f->err);
	assert_done(queue_submit(f->queue, submission, ret, &f->err), &f->err);
	assert_done(queue_commit(f->queue, &f->err), &f->err);
}

static void submit_plain(struct fixture *f, const char *callback, struct submitted *ret)
{
	struct submission submission = fixture_submission();
	submit(f, &submission, callback, ret);
}

/* "started 1 job.started|final 1 job.failed": the messages of a job, in their order. */
static void assert_messages(struct fixture *f, const char *id, const char *expected)
{
	AUTO_BUF struct buf text = BUF_INIT(4096);
	struct callback_list list;
	struct job job;
	fixture_get(f, id, &job);
	const struct callback_filter filter = {.job_row = job.row, .limit = 100};
	assert_done(
		queue_callback_list(f->queue, &FIXTURE_ADMIN, &filter, &list, &f->err),
		&f->err);
	for (size_t i = list.count; i-- > 0;) {
		cJSON *body = NULL;
		assert_done(json_parse(list.item[i].body, strlen(list.item[i].body), NULL,
				       &body, &f->err),
			    &f->err);
		assert_string_equal(list.item[i].job_id, id);
		(void)buf_printf(&text, "%s%s %d %s", text.length > 0 ? "|" : "",
				 list.item[i].kind, list.item[i].attempt,
				 cJSON_GetStringValue(json_get(body, "type")));
		cJSON_Delete(body);
	}
	assert_string_equal(buf_text(&text), expected);
	callback_list_release(&list);
	job_release(&job);
}

/* --- every way to be final --- */

static void end_claimed(struct fixture *f, struct attempt_end end)
{
	struct claim_list list;
	fixture_claim(f, &list);
	assert_int_equal(fixture_import(f, &list.item[0], &end), 1);
	claim_list_release(&list);
}

static void end_lost(struct fixture *f)
{
	struct claim_list list;
	fixture_claim(f, &list);
	assert_done(queue_begin(f->queue, &f->err), &f->err);
	assert_done(queue_attempt_started(f->queue, list.item[0].job.row, 1, 4711, 99,
					  1700000000000000, &f->err),
		    &f->err);
	assert_done(
		queue_attempt_lost(f->queue, list.item[0].job.row, 1, "reboot", &f->err),
		&f->err);
	assert_done(queue_commit(f->queue, &f->err), &f->err);
	claim_list_release(&list);
}

static void test_an_attempt_that_ends(void **state)
{
	struct fixture *f = *state;
	struct submitted job;
	submit_plain(f, EVERYTHING, &job);
	end_claimed(f, fixture_end(0));
	assert_messages(f, job.id, "started 1 job.started|final 1 job.succeeded");
	submit_plain(f, EVERYTHING, &job);
	end_claimed(f, fixture_end(3));
	assert_messages(f, job.id, "started 1 job.started|final 1 job.failed");
	submit_plain(f, EVERYTHING, &job);
	end_claimed(f, (struct attempt_end){.error = "exec: no such file"});
	assert_messages(f, job.id, "final 1 job.failed");
	submit_plain(f, EVERYTHING, &job);
	end_lost(f);
	assert_messages(f, job.id, "started 1 job.started|final 1 job.lost");
}

static void test_a_start_is_told_once(void **state)
{
	struct fixture *f = *state;
	struct submitted job;
	struct claim_list list;
	const struct attempt_end end = fixture_end(0);
	submit_plain(f, EVERYTHING, &job);
	fixture_claim(f, &list);
	assert_messages(f, job.id, "");
	for (int i = 0; i < 2; i++) {
		assert_done(queue_begin(f->queue, &f->err), &f->err);
		assert_done(queue_attempt_started(f->queue, list.item[0].job.row, 1, 4711,
						  99, 1700000000000000, &f->err),
			    &f->err);
		assert_done(queue_commit(f->queue, &f->err), &f->err);
		assert_messages(f, job.id, "started 1 job.started");
	}
	assert_int_equal(fixture_import(f, &list.item[0], &end), 1);
	assert_messages(f, job.id, "started 1 job.started|final 1 job.succeeded");
	claim_list_release(&list);
}

static void test_each_attempt_starts(void **state)
{
	struct fixture *f = *state;
	struct submission submission = fixture_submission();
	struct submitted job;
	submission.max_attempts = 2;
	submission.retry = "{\"delay_s\":0}";
	submit(f, &submission, EVERYTHING, &job);
	end_claimed(f, fixture_end(3));
	assert_messages(f, job.id, "started 1 job.started");
	wall_go_on(3600 * US_PER_S);
	assert_done(queue_begin(f->queue, &f->err), &f->err);
	assert_done(queue_due(f->queue, &f->err), &f->err);
	assert_done(queue_commit(f->queue, &f->err), &f->err);
	end_claimed(f, fixture_end(4));
	assert_messages(f, job.id,
			"started 1 job.started|started 2 job.started|final 2 job.failed");
}

static void test_ends_without_an_attempt(void **state)
{
	struct fixture *f = *state;
	struct submission submission = fixture_submission();
	struct submitted job, parent;
	enum cancel_result result;
	submit_plain(f, EVERYTHING, &job);
	assert_done(fixture_cancel(f, "uid:1000", job.id, false, &result), &f->err);
	assert_messages(f, job.id, "final 0 job.cancelled");

	submission.expires_at = wall_now_us() + US_PER_S;
	submit(f, &submission, EVERYTHING, &job);
	wall_go_on(2 * US_PER_S);
	assert_done(queue_begin(f->queue, &f->err), &f->err);
	assert_done(queue_due(f->queue, &f->err), &f->err);
	assert_done(queue_commit(f->queue, &f->err), &f->err);
	assert_messages(f, job.id, "final 0 job.failed");

	/* skipped at once, since its parent has failed; and later, with what waits for it
	 */
	fixture_run_job(f, "uid:1000", 3, &parent);
	const struct dependency_wish late = {.parent_row = parent.row,
					     .condition = DEPENDS_SUCCESS};
	submission = fixture_submission();
	submission.depends_on = &late;
	submission.depends_count = 1;
	submit(f, &submission, EVERYTHING, &job);
	assert_messages(f, job.id, "final 0 job.skipped");
}

static void test_cancelled_while_it_runs(void **state)
{
	struct fixture *f = *state;
	struct submitted job;
	struct claim_list list;
	enum cancel_result result;
	const struct attempt_end end = fixture_end(0);
	submit_plain(f, EVERYTHING, &job);
	fixture_claim(f, &list);
	assert_done(fixture_cancel(f, "uid:1000", job.id, false, &result), &f->err);
	assert_messages(f, job.id, "");
	assert_int_equal(fixture_import(f, &list.item[0], &end), 1);
	assert_messages(f, job.id, "started 1 job.started|final 1 job.cancelled");
	claim_list_release(&list);

	/* and one whose process never was */
	submit_plain(f, EVERYTHING, &job);
	fixture_claim(f, &list);
	assert_done(fixture_cancel(f, "uid:1000", job.id, false, &result), &f->err);
	assert_done(queue_begin(f->queue, &f->err), &f->err);
	assert_done(queue_attempt_revoke(f->queue, job.row, 1, &f->err), &f->err);
	assert_done(queue_commit(f->queue, &f->err), &f->err);
	assert_messages(f, job.id, "final 1 job.cancelled");
	claim_list_release(&list);
}

/* A message that is not committed with its job is not there. */
static void test_a_rollback_takes_it_along(void **state)
{
	struct fixture *f = *state;
	struct submitted job;
	struct claim_list list;
	const struct attempt_end end = fixture_end(0);
	submit_plain(f, EVERYTHING, &job);
	fixture_claim(f, &list);
	assert_done(queue_begin(f->queue, &f->err), &f->err);
	assert_int_equal(queue_attempt_import(f->queue, job.row, 1, &end, &f->err), 1);
	queue_rollback(f->queue);
	assert_messages(f, job.id, "");
	assert_int_equal(fixture_import(f, &list.item[0], &end), 1);
	assert_int_equal(fixture_import(f, &list.item[0], &end), 0);
	assert_messages(f, job.id, "started 1 job.started|final 1 job.succeeded");
	claim_list_release(&list);
}

static void test_skipped_with_its_parent(void **state)
{
	struct fixture *f = *state;
	struct submission submission = fixture_submission();
	struct submitted parent, child, grandchild;
	struct dependency_wish wish = {.condition = DEPENDS_SUCCESS};
	submit_plain(f, NULL, &parent);
	submission.depends_on = &wish;
	submission.depends_count = 1;
	wish.parent_row = parent.row;
	submit(f, &submission, EVERYTHING, &child);
	wish.parent_row = child.row;
	submit(f, &submission, WANTS("\"skipped\""), &grandchild);
	end_claimed(f, fixture_end(3));
	assert_messages(f, parent.id, "");
	assert_messages(f, child.id, "final 0 job.skipped");
	assert_messages(f, grandchild.id, "final 0 job.skipped");
}

static void test_only_what_was_asked_for(void **state)
{
	static const struct {
		const char *callback, *expected;
	} rows[] = {
		{NULL, ""},
		{WANTS("\"started\""), "started 1 job.started"},
		{WANTS("\"final\""), "final 1 job.failed"},
		{WANTS("\"failed\""), "final 1 job.failed"},
		{WANTS("\"final\",\"failed\""), "final 1 job.failed"},
		{WANTS("\"succeeded\",\"cancelled\",\"skipped\",\"lost\""), ""},
	};
	struct fixture *f = *state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct submitted job;
		submit_plain(f, rows[i].callback, &job);
		end_claimed(f, fixture_end(3));
		assert_messages(f, job.id, rows[i].expected);
	}
}

/* What nobody can read asks for nothing, and keeps no job from starting or ending. */
static void test_what_was_broken_by_hand(void **state)
{
	static const char *const BROKEN[] = {"{x}", "{\"on\":[\"final\"}", "{}",
					     "{\"on\":{\"final\":1}}",
					     "{\"on\":[\"final\"]}"};
	struct fixture *f = *state;
	for (size_t i = 0; i < ARRAY_SIZE(BROKEN); i++) {
		struct submitted job, other;
		AUTO_FREE char *update = mem_printf(
			"UPDATE jobs SET callback = '%s' WHERE state = 'queued'",
			BROKEN[i]);
		char text[FIXTURE_TEXT_BYTES];
		submit_plain(f, EVERYTHING, &job);
		assert_int_equal(fixture_sql(f->dir, update, text), 0);
		end_claimed(f, fixture_end(0));
		assert_messages(f, job.id, "");
		submit_plain(f, EVERYTHING, &other);
		end_claimed(f, fixture_end(0));
		assert_messages(f, other.id,
				"started 1 job.started|final 1 job.succeeded");
	}
}

static void test_a_rerun_tells_too(void **state)
{
	struct fixture *f = *state;
	struct submitted job;
	struct rerun rerun;
	const struct rerun_wish wish = {.max = 10};
	submit_plain(f, EVERYTHING, &job);
	end_claimed(f, fixture_end(0));
	assert_done(queue_begin(f->queue, &f->err), &f->err);
	assert_done(queue_rerun(f->queue, &FIXTURE_ADMIN, job.id, &wish, &rerun, &f->err),
		    &f->err);
	assert_done(queue_commit(f->queue, &f->err), &f->err);
	end_claimed(f, fixture_end(0));
	assert_messages(f, rerun.id, "started 1 job.started|final 1 job.succeeded");
}

/* --- what is in a message --- */

static void only_message(struct fixture *f, const char *id, struct callback *ret)
{
	struct callback_list list;
	struct job job;
	fixture_get(f, id, &job);
	const struct callback_filter filter = {.job_row = job.row, .limit = 100};
	assert_done(
		queue_callback_list(f->queue, &FIXTURE_ADMIN, &filter, &list, &f->err),
		&f->err);
	assert_int_equal(list.count, 1);
	*ret = list.item[0];
	free(list.item);
	job_release(&job);
}

static void test_the_body(void **state)
{
	struct fixture *f = *state;
	struct submission submission = fixture_submission();
	struct submitted job;
	struct callback message;
	struct attempt_end end = fixture_end(3);
	end.content = "abcde";
	end.content_bytes = 5;
	end.stdout_bytes = 3;
	end.stderr_bytes = 2;
	submission.name = "say \"hi\"";
	submission.labels = "{\"app\":\"library\"}";
	submission.environment = "{\"PASSWORD\":\"hush\"}";
	submit(f, &submission, WANTS("\"final\""), &job);
	end_claimed(f, end);
	only_message(f, job.id, &message);
	AUTO_FREE char *expected = mem_printf(
		"{\"type\":\"job.failed\",\"timestamp\":\"2023-11-14T22:13:21.500000Z\","
		"\"data\":{\"id\":\"%s\",\"name\":\"say \\\"hi\\\"\",\"task\":null,"
		"\"queue\":\"default\",\"labels\":{\"app\":\"library\"},"
		"\"owner\":\"uid:1000\",\"state\":\"failed\",\"reason\":\"exit\","
		"\"attempt\":1,\"exit_code\":3,\"signal\":null,"
		"\"submitted_at\":\"2033-05-18T03:33:20.000000Z\","
		"\"started_at\":\"2023-11-14T22:13:20.000000Z\","
		"\"finished_at\":\"2023-11-14T22:13:21.500000Z\","
		"\"output\":{\"stdout_bytes\":3,\"stderr_bytes\":2,\"dropped_bytes\":0},"
		"\"batch\":null,\"rerun_of\":null}}",
		job.id);
	assert_string_equal(message.body, expected);
	assert_string_equal(message.url, URL);
	assert_string_equal(message.host, "app.example:443");
	assert_string_equal(message.owner, "uid:1000");
	assert_string_equal(message.state, "pending");
	assert_int_equal(message.tries, 0);
	assert_true(message.next_at == wall_now_us());
	assert_int_equal(strlen(message.webhook_id), 36);
	callback_release(&message);
}

static void test_the_body_of_a_start(void **state)
{
	struct fixture *f = *state;
	struct submitted job;
	struct callback message;
	submit_plain(f, WANTS("\"started\""), &job);
	end_claimed(f, fixture_end(3));
	only_message(f, job.id, &message);
	assert_non_null(strstr(message.body, "\"state\":\"running\",\"reason\":null,"
					     "\"attempt\":1,\"exit_code\":null"));
	assert_non_null(strstr(message.body,
			       "\"started_at\":\"2023-11-14T22:13:20.000000Z\","
			       "\"finished_at\":null,\"batch\":null"));
	callback_release(&message);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, wall_setup, wall_teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_an_attempt_that_ends),
		TEST(test_a_start_is_told_once),
		TEST(test_each_attempt_starts),
		TEST(test_ends_without_an_attempt),
		TEST(test_cancelled_while_it_runs),
		TEST(test_a_rollback_takes_it_along),
		TEST(test_skipped_with_its_parent),
		TEST(test_only_what_was_asked_for),
		TEST(test_a_rerun_tells_too),
		TEST(test_what_was_broken_by_hand),
		TEST(test_the_body),
		TEST(test_the_body_of_a_start),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
