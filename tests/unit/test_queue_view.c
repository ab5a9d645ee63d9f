/* test_queue_view.c - jobs as they are shown, and stamps of what is committed. */
#include "tests/unit/dependency_scene.h"

#include "queue/db.h"

/* --- views --- */

static size_t field_bytes(const struct field *field)
{
	if (field->type == FIELD_UUID)
		return JOB_ID_BYTES;
	return field->type == FIELD_INT64 ? sizeof(int64_t) : sizeof(int);
}

static void assert_same_field(const struct field *field, const struct job *a,
			      const struct job *b)
{
	const char *at_a = (const char *)a + field->offset;
	const char *at_b = (const char *)b + field->offset;
	if (field->type == FIELD_TEXT) {
		const char *text_a, *text_b;
		memcpy(&text_a, at_a, sizeof text_a);
		memcpy(&text_b, at_b, sizeof text_b);
		assert_true(text_a == text_b || text_equal(text_a, text_b));
		return;
	}
	if (field->type == FIELD_UUID) {
		assert_string_equal(at_a, at_b);
		return;
	}
	assert_memory_equal(at_a, at_b, field_bytes(field));
	if (field->type == FIELD_FLAG)
		assert_int_equal(((const char *)a)[field->flag],
				 ((const char *)b)[field->flag]);
}

static void assert_same_attempt(const struct attempt *a, const struct attempt *b)
{
	assert_true(a->error == b->error || text_equal(a->error, b->error));
	assert_string_equal(a->state, b->state);
	assert_string_equal(a->outcome, b->outcome);
	assert_string_equal(a->stored, b->stored);
	assert_string_equal(a->encoding, b->encoding);
	assert_int_equal(a->number, b->number);
	assert_int_equal(a->claimed_at, b->claimed_at);
	assert_int_equal(a->ended_at, b->ended_at);
	assert_int_equal(a->exit_code, b->exit_code);
	assert_int_equal(a->has_exit_code, b->has_exit_code);
	assert_int_equal(a->stdout_bytes, b->stdout_bytes);
	assert_memory_equal(a->sha256, b->sha256, sizeof a->sha256);
}

/* The view says what the single questions say. */
static void assert_view(struct fixture *f, const char *id)
{
	struct job job;
	struct job_view view;
	struct attempt last;
	struct dependency_list depends;
	fixture_get(f, id, &job);
	const int has_last =
		queue_attempt_get(f->queue, job.row, job.attempt, &last, &f->err);
	assert_done(has_last, &f->err);
	assert_done(
		queue_dependencies(f->queue, &FIXTURE_ADMIN, job.row, &depends, &f->err),
		&f->err);
	assert_int_equal(job_view_open(f->queue, job.row, &view, &f->err), 1);
	for (size_t i = 0; i < JOB_FIELDS_COUNT; i++)
		assert_same_field(&JOB_FIELDS[i], &job, &view.job);
	assert_int_equal(view.has_last, has_last);
	assert_int_equal(view.has_parents, depends.count > 0);
	assert_int_equal(view.has_dependants, depends.dependants > 0);
	if (has_last)
		assert_same_attempt(&last, &view.last);
	job_view_close(f->queue);
	if (has_last)
		attempt_release(&last);
	dependency_list_release(&depends);
	job_release(&job);
}

static void test_a_view_says_what_the_questions_say(void **state)
{
	struct fixture *f = *state;
	struct submitted rich, child;
	struct submission submission = fixture_submission();
	submission.name = "a name";
	submission.queue = "other";
	submission.environment = "{\"A\":\"1\"}";
	submission.working_directory = "/tmp";
	submission.labels = "{\"b\":\"2\"}";
	submission.traceparent =
		"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
	submission.priority = 7;
	submission.timeout_us = 3 * US_PER_S;
	submission.kill_grace_us = 4 * US_PER_S;
	submission.output_bytes_max = 5;
	submission.output_policy = OUTPUT_STOP;
	submission.expires_at = clock_now_us() + 1000 * US_PER_S;
	submission.deadline_us = 2000 * US_PER_S;
	submission.unique_key = "k";
	submission.is_kept = true;
	submission.is_held = true;
	scene_submit(f, &submission, &rich);
	assert_view(f, rich.id);
	for (int end = 0; end < END_COUNT_; end++) {
		struct scene_parent parent;
		scene_parent(f, (enum scene_end)end, &parent);
		assert_view(f, parent.job.id);
		scene_child(f, parent.job.row, DEPENDS_ANY, &child);
		assert_view(f, parent.job.id);
		assert_view(f, child.id);
		scene_clear(f, &parent);
		(void)scene_resolve(f);
		assert_view(f, child.id);
	}
}

static void test_there_is_no_view_of_nothing(void **state)
{
	struct fixture *f = *state;
	struct job_view view;
	assert_int_equal(job_view_open(f->queue, 17, &view, &f->err), 0);
}

/* --- stamps --- */

static struct queue_stamp stamp(struct queue *queue)
{
	struct queue_stamp ret;
	assert_true(queue_stamp_take(queue, &ret));
	return ret;
}

static void assert_stamp(struct queue *queue, const struct queue_stamp *before,
			 bool is_same)
{
	const struct queue_stamp now = stamp(queue);
	assert_int_equal(queue_stamp_equal(&now, before), is_same);
}

/* Whoever commits, wherever it is, in whatever process, and however little. */
static void test_a_stamp_lasts_until_something_is_committed(void **state)
{
	static const char *const changes[] = {
		"INSERT INTO queues (name, max_running) VALUES ('q', 1)",
		"UPDATE queues SET max_running = 2",
		"PRAGMA user_version = 17",
		"CREATE TABLE other (a)",
		"DROP TABLE other",
	};
	struct fixture *f = *state;
	struct queue *reader;
	struct submitted made;
	assert_done(queue_open(&reader, f->dir, QUEUE_READ, &f->err), &f->err);
	struct queue_stamp before = stamp(reader);
	assert_stamp(f->queue, &before, true);
	fixture_number(f->dir, "SELECT count(*) FROM jobs");
	assert_int_equal(fixture_sql(f->dir,
				     "BEGIN IMMEDIATE; INSERT INTO queues (name) VALUES "
				     "('r'); ROLLBACK",
				     NULL),
			 0);
	assert_stamp(reader, &before, true);
	fixture_submit(f, "uid:1000", &made);
	assert_stamp(reader, &before, false);
	for (size_t i = 0; i < ARRAY_SIZE(changes); i++) {
		before = stamp(reader);
		assert_int_equal(fixture_sql(f->dir, changes[i], NULL), 0);
		assert_stamp(reader, &before, false);
		const struct queue_stamp now = stamp(reader);
		assert_stamp(f->queue, &now, true);
	}
	queue_close(reader);
}

/* The log begins anew after a checkpoint: no state from before comes again. */
static void test_no_stamp_comes_twice(void **state)
{
	enum { COMMITS = 60 };
	struct fixture *f = *state;
	struct queue_stamp seen[COMMITS];
	struct submitted made;
	for (size_t i = 0; i < COMMITS; i++) {
		fixture_submit(f, "uid:1000", &made);
		if (i % 7 == 3)
			assert_done(queue_checkpoint(f->queue, 0, &f->err), &f->err);
		if (i % 7 == 5)
			assert_int_equal(fixture_sql(f->dir,
						     "PRAGMA wal_checkpoint(RESTART)",
						     NULL),
					 0);
		seen[i] = stamp(f->queue);
		for (size_t k = 0; k < i; k++)
			assert_false(queue_stamp_equal(&seen[i], &seen[k]));
	}
}

/* An open snapshot is older than a stamp that is taken now. */
static void test_a_stamp_is_of_now_not_of_the_snapshot(void **state)
{
	struct fixture *f = *state;
	struct queue *reader;
	struct submitted made;
	int64_t last;
	assert_done(queue_open(&reader, f->dir, QUEUE_READ, &f->err), &f->err);
	const struct queue_stamp before = stamp(reader);
	assert_done(queue_snapshot_begin(reader, &f->err), &f->err);
	assert_done(queue_event_last(reader, &last, &f->err), &f->err);
	assert_stamp(reader, &before, true);
	fixture_submit(f, "uid:1000", &made);
	assert_stamp(reader, &before, false);
	queue_snapshot_end(reader);
	queue_close(reader);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_a_view_says_what_the_questions_say,
						fixture_setup, scene_teardown),
		TEST(test_there_is_no_view_of_nothing),
		TEST(test_a_stamp_lasts_until_something_is_committed),
		TEST(test_no_stamp_comes_twice),
		TEST(test_a_stamp_is_of_now_not_of_the_snapshot),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
