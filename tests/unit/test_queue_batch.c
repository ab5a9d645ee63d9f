/* test_queue_batch.c - many submissions, all or none; and work that is alive only once.
 */
#include "tests/unit/dependency_scene.h"

#define ITEMS 4

static int submit_batch(struct fixture *f, const struct submission *items, size_t count,
			const char *key, struct batch_submitted *ret)
{
	const struct batch batch = {.owner = "uid:1000",
				    .idempotency_key = key,
				    .body_hash = {7},
				    .item = items,
				    .count = count};
	assert_done(queue_begin(f->queue, &f->err), &f->err);
	const int result = queue_submit_batch(f->queue, &batch, ret, &f->err);
	struct err err = ERR_INIT;
	assert_done(queue_commit(f->queue, &err), &err);
	return result;
}

/* A diamond: one, two that need it, and one that needs both. */
struct diamond {
	struct dependency_wish wish[4];
	struct submission item[ITEMS];
};

static void diamond_init(struct diamond *diamond)
{
	static const size_t parents[] = {0, 0, 1, 2};
	for (size_t i = 0; i < ARRAY_SIZE(parents); i++)
		diamond->wish[i] = (struct dependency_wish){.parent_item = parents[i],
							    .condition = DEPENDS_SUCCESS};
	for (size_t i = 0; i < ITEMS; i++)
		diamond->item[i] = fixture_submission();
	diamond->item[1].depends_on = &diamond->wish[0];
	diamond->item[2].depends_on = &diamond->wish[1];
	diamond->item[3].depends_on = &diamond->wish[2];
	diamond->item[1].depends_count = diamond->item[2].depends_count = 1;
	diamond->item[3].depends_count = 2;
}

static void test_a_diamond_runs_from_top_to_bottom(void **state)
{
	struct fixture *f = *state;
	struct diamond diamond;
	struct submitted items[ITEMS];
	struct batch_submitted ret = {.item = items};
	char id[JOB_ID_BYTES], ran[JOB_ID_BYTES];
	ret.id = id;
	diamond_init(&diamond);
	assert_done(submit_batch(f, diamond.item, ITEMS, NULL, &ret), &f->err);
	assert_int_equal(items[0].state, JOB_QUEUED);
	for (size_t i = 1; i < ITEMS; i++) {
		assert_int_equal(items[i].state, JOB_WAITING);
		assert_string_equal(items[i].reason, "dependency");
	}
	static const size_t order[] = {0, 1, 2, 3};
	for (size_t i = 0; i < ARRAY_SIZE(order); i++) {
		struct job job;
		scene_run_next(f, 0, ran);
		assert_string_equal(ran, items[order[i]].id);
		fixture_get(f, ran, &job);
		assert_string_equal(job.batch, id);
		job_release(&job);
	}
}

static void test_children_of_items_that_never_run_are_born_skipped(void **state)
{
	struct fixture *f = *state;
	struct diamond diamond;
	struct scene_parent parent;
	struct submitted items[ITEMS];
	char id[JOB_ID_BYTES];
	struct batch_submitted ret = {.id = id, .item = items};
	diamond_init(&diamond);
	scene_parent(f, END_FAILED, &parent);
	scene_reach(f, &parent);
	const struct dependency_wish above = {.parent_row = parent.job.row,
					      .condition = DEPENDS_SUCCESS};
	diamond.item[0].depends_on = &above;
	diamond.item[0].depends_count = 1;
	diamond.wish[1].condition = DEPENDS_ANY;
	assert_done(submit_batch(f, diamond.item, ITEMS, NULL, &ret), &f->err);
	static const enum job_state states[] = {JOB_SKIPPED, JOB_SKIPPED, JOB_QUEUED,
						JOB_SKIPPED};
	for (size_t i = 0; i < ITEMS; i++) {
		assert_int_equal(items[i].state, states[i]);
		fixture_assert_job(f, items[i].id, states[i],
				   states[i] == JOB_SKIPPED ? "dependency" : NULL);
	}
}

/* Whatever makes one item impossible leaves nothing of all, and the writes that share the
 * transaction stand. */
static void test_one_bad_item_leaves_nothing(void **state)
{
	static const struct {
		const char *command;
		int64_t parent_row;
		size_t parent_item;
		enum err_code code;
	} rows[] = {
		{"not a list", 0, 0, ERR_INVALID},
		{NULL, 4711, 0, ERR_INVALID},
		{NULL, 0, 2, ERR_INVALID},
		{NULL, 0, 9, ERR_INVALID},
	};
	struct fixture *f = *state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct diamond diamond;
		struct submitted items[ITEMS], before, after;
		char id[JOB_ID_BYTES];
		struct batch_submitted ret = {.id = id, .item = items};
		const struct submission good = fixture_submission();
		diamond_init(&diamond);
		if (rows[i].command != NULL)
			diamond.item[2].command = rows[i].command;
		diamond.wish[1].parent_row = rows[i].parent_row;
		diamond.wish[1].parent_item = rows[i].parent_item;
		const struct batch batch = {.owner = "uid:1000",
					    .idempotency_key = "k",
					    .item = diamond.item,
					    .count = ITEMS};
		assert_done(queue_begin(f->queue, &f->err), &f->err);
		assert_done(queue_submit(f->queue, &good, &before, &f->err), &f->err);
		assert_int_equal(queue_submit_batch(f->queue, &batch, &ret, &f->err), -1);
		assert_int_equal(f->err.code, rows[i].code);
		assert_int_equal(ret.failed_item, 2);
		assert_done(queue_submit(f->queue, &good, &after, &f->err), &f->err);
		assert_done(queue_commit(f->queue, &f->err), &f->err);
		assert_int_equal(fixture_number(f->dir, "SELECT count(*) FROM jobs"),
				 2 * ((int64_t)i + 1));
		fixture_assert_sql(f->dir,
				   "SELECT (SELECT count(*) FROM dependencies) + (SELECT "
				   "count(*) FROM idempotency) + (SELECT count(*) FROM "
				   "batch_items)",
				   "0");
		scene_assert_sound(f); /* the chain of events too */
	}
}

static void test_a_batch_is_answered_again_by_its_key(void **state)
{
	struct fixture *f = *state;
	struct diamond diamond;
	struct submitted first[ITEMS], again[ITEMS];
	char first_id[JOB_ID_BYTES], again_id[JOB_ID_BYTES], ran[JOB_ID_BYTES];
	struct batch_submitted ret = {.id = first_id, .item = first};
	struct batch_submitted replay = {.id = again_id, .item = again};
	diamond_init(&diamond);
	diamond.item[2].unique_key = "only one";
	struct submission alone = fixture_submission();
	struct submitted living;
	alone.unique_key = "only one";
	scene_submit(f, &alone, &living);
	assert_done(submit_batch(f, diamond.item, ITEMS, "key", &ret), &f->err);
	assert_false(ret.is_replay);
	assert_true(first[2].is_existing);
	assert_string_equal(first[2].id, living.id);
	scene_run_next(f, 1, ran);
	scene_run_next(f, 1, ran);
	assert_done(submit_batch(f, diamond.item, ITEMS, "key", &replay), &f->err);
	assert_true(replay.is_replay);
	assert_string_equal(again_id, first_id);
	for (size_t i = 0; i < ITEMS; i++) {
		assert_true(again[i].is_replay);
		assert_string_equal(again[i].id, first[i].id);
		assert_int_equal(again[i].row, first[i].row);
		assert_int_equal(again[i].submitted_at, first[i].submitted_at);
	}
	fixture_assert_sql(f->dir, "SELECT count(*) FROM jobs", "4");
	/* another request with this key, and a single one */
	assert_done(queue_begin(f->queue, &f->err), &f->err);
	const struct batch other = {.owner = "uid:1000",
				    .idempotency_key = "key",
				    .body_hash = {8},
				    .item = diamond.item,
				    .count = 1};
	assert_int_equal(queue_submit_batch(f->queue, &other, &replay, &f->err), -1);
	assert_int_equal(f->err.code, ERR_INVALID);
	alone.unique_key = NULL;
	alone.idempotency_key = "key";
	assert_int_equal(queue_submit(f->queue, &alone, &living, &f->err), -1);
	assert_int_equal(f->err.code, ERR_INVALID);
	assert_done(queue_commit(f->queue, &f->err), &f->err);
	/* with the key goes what was kept for it */
	assert_done(queue_begin(f->queue, &f->err), &f->err);
	assert_int_equal(queue_idempotency_expire(f->queue, -US_PER_S, 10, &f->err), 1);
	assert_done(queue_commit(f->queue, &f->err), &f->err);
	fixture_assert_sql(f->dir, "SELECT count(*) FROM batch_items", "0");
}

static void test_a_replay_shows_how_each_was_born(void **state)
{
	struct fixture *f = *state;
	struct diamond diamond;
	struct scene_parent parent;
	struct submitted items[ITEMS];
	char id[JOB_ID_BYTES];
	struct batch_submitted ret = {.id = id, .item = items};
	diamond_init(&diamond);
	scene_parent(f, END_FAILED, &parent);
	scene_reach(f, &parent);
	diamond.wish[0].parent_row = parent.job.row;
	assert_done(submit_batch(f, diamond.item, ITEMS, "key", &ret), &f->err);
	scene_cancel(f, items[0].id);
	for (size_t i = 0; i < ITEMS; i++) {
		struct job job;
		assert_int_equal(
			queue_job_as_submitted(f->queue, items[i].id, &job, &f->err), 1);
		assert_int_equal(job.state, items[i].state);
		assert_true(text_equal(job.reason, items[i].reason));
		assert_int_equal(job.finished_at != 0, items[i].state == JOB_SKIPPED);
		assert_int_equal(job.version, 1);
		job_release(&job);
	}
}

static void test_what_goes_with_each_item_is_written(void **state)
{
	struct fixture *f = *state;
	struct submission item = fixture_submission();
	struct submitted submitted;
	char id[JOB_ID_BYTES];
	struct batch_submitted ret = {.id = id, .item = &submitted};
	item.labels = "{\"team\":\"a=b\",\"x\":\"\"}";
	item.is_kept = true;
	assert_done(submit_batch(f, &item, 1, NULL, &ret), &f->err);
	fixture_assert_sql(f->dir,
			   "SELECT group_concat(label, '|') FROM job_labels WHERE job_id "
			   "= 1",
			   "team=a=b|x=");
	fixture_assert_sql(f->dir, "SELECT job_id || by FROM kept_jobs", "1uid:1000");
}

/* --- work that is alive once --- */

enum wanted { SAME, NEW, REFUSED };

static const struct {
	enum scene_end living;
	enum wanted by_return, by_reject, by_replace;
} UNIQUES[] = {
	{END_HELD, SAME, REFUSED, NEW},
	{END_QUEUED, SAME, REFUSED, NEW},
	{END_CLAIMED, SAME, REFUSED, REFUSED},
	{END_RUNNING, SAME, REFUSED, REFUSED},
	{END_RETRYING, SAME, REFUSED, REFUSED},
	{END_SUCCEEDED, NEW, NEW, NEW},
	{END_FAILED, NEW, NEW, NEW},
	{END_LOST, NEW, NEW, NEW},
	{END_CANCELLED, NEW, NEW, NEW},
	{END_SKIPPED, NEW, NEW, NEW},
};

static void one_unique(struct fixture *f, size_t row, enum unique_conflict conflict,
		       enum wanted wanted)
{
	struct scene_parent parent;
	struct submission submission = fixture_submission();
	struct submitted second;
	AUTO_FREE char *key = mem_printf("%zu-%d", row, (int)conflict);
	AUTO_FREE char *name_it = mem_printf(
		"UPDATE jobs SET unique_key = '%s' WHERE id = (SELECT max(id) FROM jobs)",
		key);

	scene_parent(f, UNIQUES[row].living, &parent);
	assert_int_equal(fixture_sql(f->dir, name_it, NULL), 0);
	scene_reach(f, &parent);
	submission.unique_key = key;
	submission.unique_conflict = conflict;
	assert_done(queue_begin(f->queue, &f->err), &f->err);
	const int result = queue_submit(f->queue, &submission, &second, &f->err);
	const struct err said = f->err;
	assert_done(queue_commit(f->queue, &f->err), &f->err);
	if (wanted == REFUSED) {
		assert_int_equal(result, -1);
		assert_int_equal(said.code, ERR_CONFLICT);
		assert_non_null(strstr(said.text, parent.job.id));
	} else {
		assert_done(result, &said);
		assert_int_equal(second.is_existing, wanted == SAME);
		assert_int_equal(strcmp(second.id, parent.job.id) == 0, wanted == SAME);
	}
	if (wanted == NEW && (parent.end == END_HELD || parent.end == END_QUEUED)) {
		struct job old;
		fixture_get(f, parent.job.id, &old);
		assert_int_equal(old.state, JOB_CANCELLED);
		assert_string_equal(old.stop_text, "replaced");
		assert_string_equal(old.stop_by, "uid:1000");
		job_release(&old);
	}
	if (wanted == NEW)
		scene_cancel(f, second.id);
	else
		scene_clear(f, &parent);
}

static void test_unique_work(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(UNIQUES); i++) {
		one_unique(*state, i, UNIQUE_RETURN, UNIQUES[i].by_return);
		one_unique(*state, i, UNIQUE_REJECT, UNIQUES[i].by_reject);
		one_unique(*state, i, UNIQUE_REPLACE, UNIQUES[i].by_replace);
	}
}

static void test_each_owner_has_work_of_its_own(void **state)
{
	struct fixture *f = *state;
	struct submission submission = fixture_submission();
	struct submitted one, other;
	submission.unique_key = "nightly";
	submission.unique_conflict = UNIQUE_REJECT;
	scene_submit(f, &submission, &one);
	submission.owner = "uid:2000";
	scene_submit(f, &submission, &other);
	assert_string_not_equal(one.id, other.id);
}

static void test_a_key_remembers_the_living_one_it_was_answered_with(void **state)
{
	struct fixture *f = *state;
	struct submission submission = fixture_submission();
	struct submitted first, second, third;
	char ran[JOB_ID_BYTES];
	submission.unique_key = "nightly";
	scene_submit(f, &submission, &first);
	submission.idempotency_key = "key";
	scene_submit(f, &submission, &second);
	assert_true(second.is_existing);
	scene_run_next(f, 0, ran);
	scene_submit(f, &submission, &third);
	assert_true(third.is_replay);
	assert_string_equal(third.id, first.id);
}

/* The one that was to make room stays when the new one cannot be taken. */
static void test_a_refused_replacement_replaces_nothing(void **state)
{
	struct fixture *f = *state;
	struct submission submission = fixture_submission();
	struct submitted first, second;
	submission.unique_key = "nightly";
	scene_submit(f, &submission, &first);
	submission.unique_conflict = UNIQUE_REPLACE;
	submission.command = "not a list";
	assert_done(queue_begin(f->queue, &f->err), &f->err);
	assert_int_equal(queue_submit(f->queue, &submission, &second, &f->err), -1);
	assert_int_equal(f->err.code, ERR_INVALID);
	submission = fixture_submission();
	assert_done(queue_submit(f->queue, &submission, &second, &f->err), &f->err);
	assert_done(queue_commit(f->queue, &f->err), &f->err);
	fixture_assert_job(f, first.id, JOB_QUEUED, NULL);
}

/* Whoever waited for the replaced one learns that it was cancelled. */
static void test_a_replacement_is_an_end_for_dependants(void **state)
{
	struct fixture *f = *state;
	struct submission submission = fixture_submission();
	struct submitted first, second, child;
	submission.unique_key = "nightly";
	scene_submit(f, &submission, &first);
	scene_child(f, first.row, DEPENDS_SUCCESS, &child);
	submission.unique_conflict = UNIQUE_REPLACE;
	scene_submit(f, &submission, &second);
	fixture_assert_job(f, first.id, JOB_CANCELLED, "cancel");
	fixture_assert_job(f, child.id, JOB_SKIPPED, "dependency");
	fixture_assert_events(f, first.id,
			      "submitted queued by uid:1000|ended cancelled by uid:1000 "
			      "{\"reason\":\"cancel\",\"text\":\"replaced\"}");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, scene_teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_a_diamond_runs_from_top_to_bottom),
		TEST(test_children_of_items_that_never_run_are_born_skipped),
		TEST(test_one_bad_item_leaves_nothing),
		TEST(test_a_batch_is_answered_again_by_its_key),
		TEST(test_a_replay_shows_how_each_was_born),
		TEST(test_what_goes_with_each_item_is_written),
		TEST(test_unique_work),
		TEST(test_each_owner_has_work_of_its_own),
		TEST(test_a_key_remembers_the_living_one_it_was_answered_with),
		TEST(test_a_refused_replacement_replaces_nothing),
		TEST(test_a_replacement_is_an_end_for_dependants),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
