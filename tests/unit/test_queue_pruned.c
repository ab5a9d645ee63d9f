/* test_queue_pruned.c - a parent whose rows were let go: what is still known of it. */
#include <sqlite3.h>

#include "tests/unit/dependency_scene.h"

/* As retention leaves it: a tombstone, and nothing else. */
static void prune(struct fixture *f, const struct submitted *job)
{
	static const struct {
		const char *what, *column;
	} rows[] = {{"dependencies", "job_id"},
		    {"output", "job_id"},
		    {"attempts", "job_id"},
		    {"jobs", "id"}};
	AUTO_FREE char *remember =
		mem_printf("INSERT INTO tombstones SELECT id, uuid, "
			   "owner, state, finished_at, %lld FROM "
			   "jobs WHERE id = %lld",
			   (long long)clock_now_us(), (long long)job->row);
	assert_int_equal(fixture_sql(f->dir, remember, NULL), SQLITE_OK);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		AUTO_FREE char *forget =
			mem_printf("DELETE FROM %s WHERE %s = %lld", rows[i].what,
				   rows[i].column, (long long)job->row);
		assert_int_equal(fixture_sql(f->dir, forget, NULL), SQLITE_OK);
	}
}

/* A parent that succeeded and was pruned, and a child that has ended too. */
struct remains {
	struct submitted parent, child;
};

static void remains_make(struct fixture *f, struct remains *ret)
{
	char ran[JOB_ID_BYTES];
	fixture_submit(f, "uid:1000", &ret->parent);
	scene_child(f, ret->parent.row, DEPENDS_SUCCESS, &ret->child);
	scene_run_next(f, 0, ran);
	scene_run_next(f, 1, ran);
	assert_string_equal(ran, ret->child.id);
	prune(f, &ret->parent);
}

static void test_the_dependency_still_names_it(void **state)
{
	struct fixture *f = *state;
	struct remains r;
	struct dependency_list list;
	remains_make(f, &r);
	assert_done(
		queue_dependencies(f->queue, &FIXTURE_ADMIN, r.child.row, &list, &f->err),
		&f->err);
	assert_int_equal(list.count, 1);
	assert_string_equal(list.item[0].parent_id, r.parent.id);
	assert_int_equal(list.item[0].state, DEPENDENCY_MET);
	assert_true(list.item[0].is_pruned);
	dependency_list_release(&list);
}

static void test_a_graph_shows_how_it_ended(void **state)
{
	struct fixture *f = *state;
	struct remains r;
	struct graph graph;
	const struct viewer stranger = {.principal = "uid:2000"};
	remains_make(f, &r);
	assert_int_equal(
		queue_graph(f->queue, &FIXTURE_ADMIN, r.child.id, 10, &graph, &f->err),
		1);
	assert_int_equal(graph.jobs, 2);
	assert_int_equal(graph.edges, 1);
	assert_string_equal(graph.job[1].id, r.parent.id);
	assert_string_equal(graph.job[1].state, "succeeded");
	assert_null(graph.job[1].command);
	graph_release(&graph);
	assert_int_equal(
		queue_graph(f->queue, &stranger, r.child.id, 10, &graph, &f->err), 0);
}

static void test_nothing_new_can_depend_on_it(void **state)
{
	struct fixture *f = *state;
	struct remains r;
	struct rerun again;
	struct submitted job;
	remains_make(f, &r);
	const struct dependency_wish wish = {.parent_row = r.parent.row,
					     .condition = DEPENDS_ANY};
	struct submission submission = fixture_submission();
	submission.depends_on = &wish;
	submission.depends_count = 1;
	assert_done(queue_begin(f->queue, &f->err), &f->err);
	assert_int_equal(queue_submit(f->queue, &submission, &job, &f->err), -1);
	assert_int_equal(f->err.code, ERR_INVALID);
	/* alone the child needs nothing of it */
	assert_done(queue_rerun(f->queue, &FIXTURE_ADMIN, r.child.id,
				&(const struct rerun_wish){.max = 1}, &again, &f->err),
		    &f->err);
	assert_done(queue_commit(f->queue, &f->err), &f->err);
}

/* top failed; low depends on it and on one that was pruned meanwhile. */
static void test_a_cascade_that_needs_it_is_refused(void **state)
{
	struct fixture *f = *state;
	struct submitted gone, top, low;
	struct submission submission = fixture_submission();
	struct rerun again;
	char ran[JOB_ID_BYTES];
	fixture_submit(f, "uid:1000", &gone);
	scene_run_next(f, 0, ran);
	fixture_submit(f, "uid:1000", &top);
	const struct dependency_wish wishes[] = {
		{.parent_row = gone.row, .condition = DEPENDS_SUCCESS},
		{.parent_row = top.row, .condition = DEPENDS_SUCCESS}};
	submission.depends_on = wishes;
	submission.depends_count = 2;
	scene_submit(f, &submission, &low);
	scene_run_next(f, 1, ran);
	prune(f, &gone);
	assert_done(queue_begin(f->queue, &f->err), &f->err);
	assert_int_equal(
		queue_rerun(f->queue, &FIXTURE_ADMIN, top.id,
			    &(const struct rerun_wish){.is_cascade = true, .max = 10},
			    &again, &f->err),
		-1);
	assert_int_equal(f->err.code, ERR_CONFLICT);
	assert_non_null(strstr(f->err.text, low.id));
	assert_done(queue_commit(f->queue, &f->err), &f->err);
	fixture_assert_sql(f->dir, "SELECT count(*) FROM jobs", "2");
	AUTO_BUF struct buf findings = BUF_INIT(1 << 16);
	assert_done(queue_check(f->queue, &findings, &f->err), &f->err);
	assert_string_equal(buf_text(&findings), "");
}

static void test_its_output_is_gone(void **state)
{
	struct fixture *f = *state;
	struct remains r;
	struct output *output = NULL;
	struct attempt last;
	remains_make(f, &r);
	assert_int_equal(
		queue_input_open(f->queue, f->dir, r.parent.row, &output, &last, &f->err),
		-1);
	assert_int_equal(f->err.code, ERR_GONE);
	assert_non_null(strstr(f->err.text, r.parent.id));
	/* and one that failed has none that could be read */
	assert_int_equal(
		queue_input_open(f->queue, f->dir, r.child.row, &output, &last, &f->err),
		-1);
	assert_int_equal(f->err.code, ERR_CONFLICT);
	assert_non_null(strstr(f->err.text, r.child.id));
}

static void test_a_key_still_answers_with_its_id(void **state)
{
	struct fixture *f = *state;
	struct submission item = fixture_submission();
	struct submitted first, again, one = {.row = 0}, other;
	char id[JOB_ID_BYTES], ran[JOB_ID_BYTES];
	struct batch_submitted made = {.id = id, .item = &one};
	const struct batch batch = {.owner = "uid:1000",
				    .idempotency_key = "batch",
				    .item = &item,
				    .count = 1};
	struct submission keyed = fixture_submission();
	keyed.idempotency_key = "key";
	scene_submit(f, &keyed, &first);
	assert_done(queue_begin(f->queue, &f->err), &f->err);
	assert_done(queue_submit_batch(f->queue, &batch, &made, &f->err), &f->err);
	assert_done(queue_commit(f->queue, &f->err), &f->err);
	scene_run_next(f, 0, ran);
	scene_run_next(f, 0, ran);
	prune(f, &first);
	prune(f, &one);
	scene_submit(f, &keyed, &again);
	assert_true(again.is_replay);
	assert_string_equal(again.id, first.id);
	made.item = &other;
	assert_done(queue_begin(f->queue, &f->err), &f->err);
	assert_done(queue_submit_batch(f->queue, &batch, &made, &f->err), &f->err);
	assert_done(queue_commit(f->queue, &f->err), &f->err);
	assert_true(made.is_replay);
	assert_string_equal(other.id, one.id);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_the_dependency_still_names_it),
		TEST(test_a_graph_shows_how_it_ended),
		TEST(test_nothing_new_can_depend_on_it),
		TEST(test_a_cascade_that_needs_it_is_refused),
		TEST(test_its_output_is_gone),
		TEST(test_a_key_still_answers_with_its_id),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
