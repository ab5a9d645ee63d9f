/* test_queue_submit.c - what submitting promises: ids, keys, refusals, group commits. */
#include "tests/unit/queue_fixture.h"

static void test_a_job_comes_back_as_it_was_submitted(void **state)
{
	struct fixture *f = *state;
	struct submission s = fixture_submission();
	struct submitted submitted;
	struct job job;
	s.name = "thumb \"a\"";
	s.command = "[\"/bin/echo\",\"a b\",\"\\u00e9\"]";
	s.environment = "{\"LANG\":\"C.UTF-8\"}";
	s.working_directory = "/srv";
	s.labels = "{\"app\":\"library\"}";
	s.traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
	s.priority = -7;
	s.timeout_us = 1500000;
	s.kill_grace_us = 0;
	s.output_bytes_max = 0;
	s.output_policy = OUTPUT_STOP;
	assert_done(queue_begin(f->queue, &f->err), &f->err);
	assert_done(queue_submit(f->queue, &s, &submitted, &f->err), &f->err);
	assert_done(queue_commit(f->queue, &f->err), &f->err);
	assert_false(submitted.is_replay);
	fixture_get(f, submitted.id, &job);
	assert_string_equal(job.id, submitted.id);
	assert_int_equal(job.row, submitted.row);
	assert_int_equal(job.submitted_at, submitted.submitted_at);
	assert_string_equal(job.owner, "uid:1000");
	assert_string_equal(job.queue, "default");
	assert_string_equal(job.name, s.name);
	assert_string_equal(job.command, s.command);
	assert_string_equal(job.environment, s.environment);
	assert_string_equal(job.working_directory, "/srv");
	assert_string_equal(job.labels, s.labels);
	assert_string_equal(job.traceparent, s.traceparent);
	assert_int_equal(job.priority, -7);
	assert_int_equal(job.timeout_us, 1500000);
	assert_int_equal(job.kill_grace_us, 0);
	assert_int_equal(job.output_bytes_max, 0);
	assert_int_equal(job.output_policy, OUTPUT_STOP);
	assert_int_equal(job.state, JOB_QUEUED);
	assert_int_equal(job.version, 1);
	assert_int_equal(job.attempt, 0);
	assert_int_equal(job.started_at, 0);
	assert_false(job.has_exit_code);
	job_release(&job);
	fixture_assert_events(f, submitted.id, "submitted queued by uid:1000");
}

static void test_what_was_not_given_has_its_default(void **state)
{
	struct fixture *f = *state;
	struct submitted submitted;
	struct job job;
	fixture_submit(f, "uid:1000", &submitted);
	fixture_get(f, submitted.id, &job);
	assert_null(job.name);
	assert_null(job.environment);
	assert_null(job.working_directory);
	assert_int_equal(job.timeout_us, 0);
	assert_int_equal(job.kill_grace_us, -1);
	assert_int_equal(job.output_bytes_max, -1);
	assert_int_equal(job.output_policy, OUTPUT_TRUNCATE);
	job_release(&job);
}

static void test_ids_are_uuid7_and_increase(void **state)
{
	struct fixture *f = *state;
	const struct submission s = fixture_submission();
	struct submitted one;
	char last[JOB_ID_BYTES] = "";
	const int64_t before_ms = clock_now_us() / 1000;
	assert_done(queue_begin(f->queue, &f->err), &f->err);
	for (int i = 0; i < 3000; i++) {
		assert_done(queue_submit(f->queue, &s, &one, &f->err), &f->err);
		assert_true(job_id_is_valid(one.id));
		assert_int_equal(one.id[14], '7');
		assert_non_null(strchr("89ab", one.id[19]));
		assert_true(strcmp(last, one.id) < 0);
		memcpy(last, one.id, sizeof last);
	}
	assert_done(queue_commit(f->queue, &f->err), &f->err);
	char hex[13];
	(void)snprintf(hex, sizeof hex, "%.8s%.4s", last, last + 9);
	const int64_t ms = strtoll(hex, NULL, 16);
	assert_in_range(ms, before_ms, clock_now_us() / 1000 + 2);
}

static int submit_key(struct fixture *f, const char *owner, const char *key, uint8_t body,
		      struct submitted *ret)
{
	struct submission s = fixture_submission();
	s.owner = owner;
	s.idempotency_key = key;
	memset(s.body_hash, body, sizeof s.body_hash);
	assert_done(queue_begin(f->queue, &f->err), &f->err);
	f->err.code = ERR_NONE;
	const int result = queue_submit(f->queue, &s, ret, &f->err);
	struct err err = ERR_INIT;
	assert_done(queue_commit(f->queue, &err), &err);
	return result;
}

static void test_a_key_makes_one_job(void **state)
{
	struct fixture *f = *state;
	struct submitted first, again, other;
	assert_int_equal(submit_key(f, "uid:1", "k", 1, &first), 0);
	assert_false(first.is_replay);
	assert_int_equal(submit_key(f, "uid:1", "k", 1, &again), 0);
	assert_true(again.is_replay);
	assert_string_equal(again.id, first.id);
	assert_int_equal(again.row, first.row);
	assert_int_equal(again.submitted_at, first.submitted_at);
	/* the same key with another body is refused, and nothing is stored */
	assert_int_equal(submit_key(f, "uid:1", "k", 2, &other), -1);
	assert_int_equal(f->err.code, ERR_INVALID);
	/* another principal's key is another key */
	assert_int_equal(submit_key(f, "uid:2", "k", 2, &other), 0);
	assert_false(other.is_replay);
	assert_string_not_equal(other.id, first.id);
	assert_int_equal(fixture_number(f->dir, "SELECT count(*) FROM jobs"), 2);
	assert_int_equal(fixture_number(f->dir, "SELECT count(*) FROM events"), 2);
}

static void test_a_replay_shows_the_job_as_accepted(void **state)
{
	struct fixture *f = *state;
	struct submitted submitted;
	struct job job;
	fixture_run_job(f, "uid:1000", 3, &submitted);
	assert_int_equal(queue_job_as_submitted(f->queue, submitted.id, &job, &f->err),
			 1);
	assert_int_equal(job.state, JOB_QUEUED);
	assert_null(job.reason);
	assert_int_equal(job.version, 1);
	assert_int_equal(job.attempt, 0);
	assert_int_equal(job.started_at, 0);
	assert_int_equal(job.finished_at, 0);
	assert_false(job.has_exit_code);
	assert_int_equal(job.submitted_at, submitted.submitted_at);
	job_release(&job);
}

static void test_old_keys_are_forgotten_oldest_first(void **state)
{
	struct fixture *f = *state;
	struct submitted job;
	assert_int_equal(submit_key(f, "uid:1", "a", 1, &job), 0);
	assert_int_equal(submit_key(f, "uid:1", "b", 1, &job), 0);
	assert_int_equal(submit_key(f, "uid:1", "c", 1, &job), 0);
	assert_int_equal(fixture_sql(f->dir,
				     "UPDATE idempotency SET created_at = 1 WHERE key = "
				     "'b'; UPDATE idempotency SET created_at = 2 WHERE "
				     "key = 'a'",
				     NULL),
			 0);
	assert_done(queue_begin(f->queue, &f->err), &f->err);
	assert_int_equal(queue_idempotency_expire(f->queue, 60 * US_PER_S, 1, &f->err),
			 1);
	assert_done(queue_commit(f->queue, &f->err), &f->err);
	fixture_assert_sql(f->dir, "SELECT group_concat(key) FROM idempotency", "a,c");
	assert_done(queue_begin(f->queue, &f->err), &f->err);
	assert_int_equal(queue_idempotency_expire(f->queue, 60 * US_PER_S, 9, &f->err),
			 1);
	assert_done(queue_commit(f->queue, &f->err), &f->err);
	fixture_assert_sql(f->dir, "SELECT group_concat(key) FROM idempotency", "c");
	assert_int_equal(fixture_number(f->dir, "SELECT count(*) FROM jobs"), 3);
}

/* One bad request in a group commit must not cost the others their jobs. */
static void test_a_refusal_leaves_the_others(void **state)
{
	struct fixture *f = *state;
	struct submission good = fixture_submission(), bad = fixture_submission();
	struct submitted first, none, last;
	bad.priority = 101;
	assert_done(queue_begin(f->queue, &f->err), &f->err);
	assert_done(queue_submit(f->queue, &good, &first, &f->err), &f->err);
	assert_int_equal(queue_submit(f->queue, &bad, &none, &f->err), -1);
	assert_int_equal(f->err.code, ERR_INVALID);
	bad = good;
	bad.command = "{\"not\":\"argv\"}";
	assert_int_equal(queue_submit(f->queue, &bad, &none, &f->err), -1);
	assert_int_equal(f->err.code, ERR_INVALID);
	assert_done(queue_submit(f->queue, &good, &last, &f->err), &f->err);
	assert_done(queue_commit(f->queue, &f->err), &f->err);
	fixture_assert_job(f, first.id, JOB_QUEUED, NULL);
	fixture_assert_job(f, last.id, JOB_QUEUED, NULL);
	assert_int_equal(fixture_number(f->dir, "SELECT count(*) FROM jobs"), 2);
	assert_int_equal(fixture_number(f->dir, "SELECT count(*) FROM events"), 2);
}

static void test_rolled_back_is_gone(void **state)
{
	struct fixture *f = *state;
	const struct submission s = fixture_submission();
	struct submitted lost, kept;
	struct verify_result verified;
	assert_done(queue_begin(f->queue, &f->err), &f->err);
	assert_done(queue_submit(f->queue, &s, &lost, &f->err), &f->err);
	queue_rollback(f->queue);
	queue_rollback(f->queue); /* nothing happens */
	fixture_submit(f, "uid:1000", &kept);
	assert_int_equal(fixture_number(f->dir, "SELECT count(*) FROM jobs"), 1);
	/* the chain goes on from what was committed */
	assert_int_equal(queue_verify(f->queue, f->dir, &verified, &f->err), 0);
	assert_int_equal(verified.events, 1);
}

static void test_writing_needs_a_transaction(void **state)
{
	struct fixture *f = *state;
	const struct submission s = fixture_submission();
	struct submitted job;
	assert_int_equal(queue_submit(f->queue, &s, &job, &f->err), -1);
	assert_int_equal(f->err.code, ERR_INTERNAL);
	assert_int_equal(queue_commit(f->queue, &f->err), -1);
	assert_int_equal(fixture_number(f->dir, "SELECT count(*) FROM jobs"), 0);
}

static void test_stdin_reaches_the_claim(void **state)
{
	struct fixture *f = *state;
	struct submission s = fixture_submission();
	struct submitted job;
	struct claim_list list;
	uint8_t bytes[256];
	for (int i = 0; i < 256; i++)
		bytes[i] = (uint8_t)i;
	s.stdin_data = bytes;
	s.stdin_bytes = sizeof bytes;
	assert_done(queue_begin(f->queue, &f->err), &f->err);
	assert_done(queue_submit(f->queue, &s, &job, &f->err), &f->err);
	s.stdin_bytes = 0; /* given, and empty */
	assert_done(queue_submit(f->queue, &s, &job, &f->err), &f->err);
	s.stdin_data = NULL; /* /dev/null */
	assert_done(queue_submit(f->queue, &s, &job, &f->err), &f->err);
	assert_done(queue_commit(f->queue, &f->err), &f->err);
	fixture_claim(f, &list);
	assert_int_equal(list.item[0].stdin_bytes, 256);
	assert_memory_equal(list.item[0].stdin_data, bytes, 256);
	claim_list_release(&list);
	fixture_claim(f, &list);
	assert_non_null(list.item[0].stdin_data);
	assert_int_equal(list.item[0].stdin_bytes, 0);
	claim_list_release(&list);
	fixture_claim(f, &list);
	assert_null(list.item[0].stdin_data);
	claim_list_release(&list);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_a_job_comes_back_as_it_was_submitted),
		TEST(test_what_was_not_given_has_its_default),
		TEST(test_ids_are_uuid7_and_increase),
		TEST(test_a_key_makes_one_job),
		TEST(test_a_replay_shows_the_job_as_accepted),
		TEST(test_old_keys_are_forgotten_oldest_first),
		TEST(test_a_refusal_leaves_the_others),
		TEST(test_rolled_back_is_gone),
		TEST(test_writing_needs_a_transaction),
		TEST(test_stdin_reaches_the_claim),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
