/* test_queue_cascade.c - cancelling with all that depends on it, running all of it again,
 * and looking at it. */
#include "tests/unit/dependency_scene.h"

static const struct viewer OWNER = {.principal = "uid:1000"};

static enum cancel_result cancel(struct fixture *f, const struct viewer *viewer,
				 const char *id, bool is_forced)
{
	const struct cancel_wish wish = {
		.text = "all of it", .is_forced = is_forced, .is_cascade = true};
	enum cancel_result result = CANCEL_DONE;
	assert_done(queue_begin(f->queue, &f->err), &f->err);
	assert_done(queue_cancel(f->queue, viewer, id, &wish, &result, &f->err), &f->err);
	assert_done(queue_commit(f->queue, &f->err), &f->err);
	return result;
}

static void child_of(struct fixture *f, const char *owner,
		     const struct dependency_wish *wishes, size_t count,
		     struct submitted *ret)
{
	struct submission submission = fixture_submission();
	submission.owner = owner;
	submission.depends_on = wishes;
	submission.depends_count = count;
	scene_submit(f, &submission, ret);
}

/* --- cancelling --- */

static void test_a_cascade_cancels_all_and_skips_nothing(void **state)
{
	struct fixture *f = *state;
	struct submitted top, on_success, handler, cleanup, both;
	fixture_submit(f, "uid:1000", &top);
	scene_child(f, top.row, DEPENDS_SUCCESS, &on_success);
	scene_child(f, top.row, DEPENDS_FAILURE, &handler);
	scene_child(f, on_success.row, DEPENDS_ANY, &cleanup);
	const struct dependency_wish wishes[] = {
		{.parent_row = top.row, .condition = DEPENDS_SUCCESS},
		{.parent_row = cleanup.row, .condition = DEPENDS_SUCCESS}};
	child_of(f, "uid:1000", wishes, 2, &both);
	assert_int_equal(cancel(f, &OWNER, top.id, false), CANCEL_DONE);
	fixture_assert_sql(f->dir, "SELECT count(*) FROM jobs WHERE state = 'cancelled'",
			   "5");
	/* the deepest first: none after one that it depends on */
	fixture_assert_sql(
		f->dir,
		"SELECT count(*) FROM dependencies d JOIN events c ON c.job_id = "
		"d.job_id AND c.kind = 'ended' JOIN events p ON p.job_id = "
		"d.parent_id AND p.kind = 'ended' WHERE p.id < c.id",
		"0");
	fixture_assert_events(f, handler.id,
			      "submitted waiting by uid:1000 {\"reason\":\"dependency\"}|"
			      "ended cancelled by uid:1000 "
			      "{\"reason\":\"cancel\",\"text\":\"all of it\"}");
	assert_int_equal(cancel(f, &OWNER, top.id, false), CANCEL_DONE);
}

static void test_a_cascade_asks_running_dependants_to_stop(void **state)
{
	struct fixture *f = *state;
	struct scene_parent top;
	struct submitted child, below;
	struct claim_list list;
	struct stop_request request;
	scene_parent(f, END_RUNNING, &top);
	scene_child(f, top.job.row, DEPENDS_STARTED, &child);
	scene_reach(f, &top);
	scene_child(f, child.row, DEPENDS_FAILURE, &below);
	fixture_claim(f, &list);
	assert_string_equal(list.item[0].job.id, child.id);
	assert_int_equal(cancel(f, &OWNER, top.job.id, false), CANCEL_STOPPING);
	fixture_assert_job(f, below.id, JOB_CANCELLED, "cancel");
	fixture_assert_job(f, child.id, JOB_RUNNING, "cancel");
	assert_int_equal(queue_stop_requests(f->queue, top.job.row, &request, 1, &f->err),
			 1);
	assert_int_equal(request.job_row, child.row);
	assert_false(request.is_forced);
	/* asked again, now with force: both are asked once more */
	assert_int_equal(cancel(f, &OWNER, top.job.id, true), CANCEL_STOPPING);
	assert_int_equal(queue_stop_requests(f->queue, top.job.row, &request, 1, &f->err),
			 1);
	assert_true(request.is_forced);
	const struct attempt_end end = fixture_end(0);
	assert_int_equal(fixture_import(f, &list.item[0], &end), 1);
	fixture_assert_job(f, child.id, JOB_CANCELLED, "cancel");
	claim_list_release(&list);
}

static void test_a_cascade_goes_on_in_the_next_transaction(void **state)
{
	struct fixture *f = *state;
	struct submission submission = fixture_submission();
	struct submitted top, job;
	struct dependency_wish wish = {.condition = DEPENDS_ANY};
	fixture_submit(f, "uid:1000", &top);
	submission.depends_on = &wish;
	submission.depends_count = 1;
	wish.parent_row = top.row;
	assert_done(queue_begin(f->queue, &f->err), &f->err);
	for (int i = 0; i < 2500; i++) { /* a chain, and as many side by side */
		assert_done(queue_submit(f->queue, &submission, &job, &f->err), &f->err);
		wish.parent_row = i < 1250 ? job.row : top.row;
	}
	assert_done(queue_commit(f->queue, &f->err), &f->err);
	assert_int_equal(cancel(f, &OWNER, top.id, false), CANCEL_MORE);
	fixture_assert_job(f, top.id, JOB_QUEUED, NULL);
	fixture_assert_sql(f->dir, "SELECT count(*) FROM jobs WHERE state = 'cancelled'",
			   "1000");
	assert_int_equal(cancel(f, &OWNER, top.id, false), CANCEL_MORE);
	assert_int_equal(cancel(f, &OWNER, top.id, false), CANCEL_DONE);
	fixture_assert_sql(f->dir, "SELECT count(*) FROM jobs WHERE state = 'cancelled'",
			   "2501");
	(void)scene_resolve(f);
}

/* Whose jobs one may not cancel are settled by what became of their parents. */
static void test_a_cascade_leaves_the_jobs_of_others(void **state)
{
	struct fixture *f = *state;
	struct submitted top, others, below;
	fixture_submit(f, "uid:1000", &top);
	const struct dependency_wish on_top = {.parent_row = top.row,
					       .condition = DEPENDS_FAILURE};
	child_of(f, "uid:2000", &on_top, 1, &others);
	scene_child(f, others.row, DEPENDS_SUCCESS, &below);
	assert_int_equal(cancel(f, &OWNER, top.id, false), CANCEL_DONE);
	fixture_assert_job(f, others.id, JOB_QUEUED, NULL);
	fixture_assert_job(f, below.id, JOB_WAITING, "dependency");
}

static void test_what_ended_otherwise_is_not_cancelled(void **state)
{
	struct fixture *f = *state;
	const struct cancel_wish wish = {.is_cascade = true};
	enum cancel_result result;
	struct scene_parent top;
	scene_parent(f, END_FAILED, &top);
	scene_reach(f, &top);
	assert_done(queue_begin(f->queue, &f->err), &f->err);
	assert_int_equal(
		queue_cancel(f->queue, &OWNER, top.job.id, &wish, &result, &f->err), -1);
	assert_int_equal(f->err.code, ERR_CONFLICT);
	assert_done(queue_commit(f->queue, &f->err), &f->err);
}

/* --- again --- */

static int rerun(struct fixture *f, const char *id, bool is_cascade, size_t max,
		 struct rerun *ret)
{
	assert_done(queue_begin(f->queue, &f->err), &f->err);
	const int result = queue_rerun(
		f->queue, &OWNER, id,
		&(const struct rerun_wish){.is_cascade = is_cascade, .max = max}, ret,
		&f->err);
	struct err err = ERR_INIT;
	assert_done(queue_commit(f->queue, &err), &err);
	return result;
}

static void test_a_rerun_is_like_the_old_one(void **state)
{
	struct fixture *f = *state;
	struct submission submission = fixture_submission();
	struct submitted old;
	struct rerun again;
	struct claim_list list;
	char ran[JOB_ID_BYTES];
	submission.name = "nightly";
	submission.queue = "big";
	submission.command = "[\"/bin/cat\",\"-\"]";
	submission.environment = "{\"A\":\"b\"}";
	submission.labels = "{\"team\":\"x\"}";
	submission.stdin_data = "given";
	submission.stdin_bytes = 5;
	submission.priority = 7;
	submission.timeout_us = 5 * US_PER_S;
	submission.retry = "{\"on\":[\"signal\"],\"delay_s\":1}";
	submission.max_attempts = 3;
	submission.unique_key = "nightly";
	submission.run_at = clock_now_us() - US_PER_S;
	submission.expires_at = clock_now_us() + 3600 * US_PER_S;
	scene_submit(f, &submission, &old);
	scene_run_next(f, 1, ran);
	assert_done(rerun(f, ran, false, 1, &again), &f->err);
	assert_int_equal(again.jobs, 1);
	assert_string_equal(again.batch, "");
	fixture_claim(f, &list);
	const struct claim *claim = &list.item[0];
	const struct job *job = &claim->job;
	assert_string_equal(job->id, again.id);
	assert_string_equal(job->rerun_of, old.id);
	assert_string_equal(job->owner, "uid:1000");
	assert_string_equal(job->name, "nightly");
	assert_string_equal(job->queue, "big");
	assert_string_equal(job->command, submission.command);
	assert_string_equal(job->environment, submission.environment);
	assert_string_equal(job->labels, submission.labels);
	assert_string_equal(job->retry, submission.retry);
	assert_int_equal(job->max_attempts, 3);
	assert_int_equal(job->priority, 7);
	assert_int_equal(job->timeout_us, 5 * US_PER_S);
	assert_int_equal(job->run_at + job->expires_at, 0);
	assert_null(job->unique_key);
	assert_int_equal(claim->stdin_bytes, 5);
	assert_memory_equal(claim->stdin_data, "given", 5);
	claim_list_release(&list);
	fixture_assert_sql(f->dir,
			   "SELECT count(*) FROM job_labels WHERE label = 'team=x'", "2");
}

static void test_what_has_not_ended_is_not_run_again(void **state)
{
	struct fixture *f = *state;
	struct rerun again;
	struct submitted job;
	fixture_submit(f, "uid:1000", &job);
	assert_int_equal(rerun(f, job.id, true, 10, &again), -1);
	assert_int_equal(f->err.code, ERR_CONFLICT);
	assert_int_equal(
		rerun(f, "01890000-0000-7000-8000-000000000000", false, 10, &again), -1);
	assert_int_equal(f->err.code, ERR_NOT_FOUND);
	fixture_submit(f, "uid:2000", &job);
	scene_cancel(f, job.id);
	assert_int_equal(rerun(f, job.id, false, 10, &again), -1);
	assert_int_equal(f->err.code, ERR_NOT_FOUND);
}

/* top failed; low needs top and side (which succeeded); handler ran because top failed.
 */
struct pipeline {
	struct submitted top, side, middle, low, handler;
};

static void pipeline_run(struct fixture *f, struct pipeline *p)
{
	char ran[JOB_ID_BYTES];
	fixture_submit(f, "uid:1000", &p->top);
	scene_run_next(f, 0, ran);
	p->side = p->top; /* the first one is the side */
	fixture_submit(f, "uid:1000", &p->top);
	scene_child(f, p->top.row, DEPENDS_SUCCESS, &p->middle);
	const struct dependency_wish wishes[] = {
		{.parent_row = p->middle.row, .condition = DEPENDS_SUCCESS},
		{.parent_row = p->top.row, .condition = DEPENDS_ANY},
		{.parent_row = p->side.row, .condition = DEPENDS_SUCCESS}};
	struct submission submission = fixture_submission();
	submission.depends_on = wishes;
	submission.depends_count = 3;
	submission.stdin_from = &wishes[0];
	scene_submit(f, &submission, &p->low);
	scene_child(f, p->top.row, DEPENDS_FAILURE, &p->handler);
	scene_run_next(f, 1, ran);
	assert_string_equal(ran, p->top.id);
	scene_run_next(f, 0, ran);
	assert_string_equal(ran, p->handler.id);
	fixture_assert_job(f, p->low.id, JOB_SKIPPED, "dependency");
}

/* The new job made like this one, in a batch. */
static void made_like(struct fixture *f, const char *batch, const struct submitted *old,
		      struct job *ret)
{
	AUTO_FREE char *sql = mem_printf(
		"SELECT v.id FROM jobs j JOIN v_jobs v ON v.job_id = j.id WHERE "
		"lower(hex(j.batch)) = replace('%s', '-', '') AND lower(hex(j.rerun_of)) "
		"= replace('%s', '-', '')",
		batch, old->id);
	char id[FIXTURE_TEXT_BYTES];
	assert_int_equal(fixture_sql(f->dir, sql, id), 0);
	fixture_get(f, id, ret);
}

static void test_a_cascade_runs_all_of_it_again(void **state)
{
	struct fixture *f = *state;
	struct pipeline p;
	struct rerun again;
	struct job top, middle, low, handler;
	char ran[JOB_ID_BYTES];
	pipeline_run(f, &p);
	assert_done(rerun(f, p.top.id, true, 10, &again), &f->err);
	assert_int_equal(again.jobs, 4);
	made_like(f, again.batch, &p.top, &top);
	made_like(f, again.batch, &p.middle, &middle);
	made_like(f, again.batch, &p.low, &low);
	made_like(f, again.batch, &p.handler, &handler);
	assert_string_equal(top.id, again.id);
	assert_int_equal(top.state, JOB_QUEUED);
	assert_int_equal(middle.state, JOB_WAITING);
	assert_int_equal(low.stdin_from, middle.row);
	AUTO_FREE char *edges = mem_printf(
		"SELECT group_concat(parent_id || ' ' || condition || ' ' || state) FROM "
		"(SELECT * FROM dependencies WHERE job_id = %lld ORDER BY parent_id)",
		(long long)low.row);
	AUTO_FREE char *wanted = mem_printf(
		"%lld success met,%lld any pending,%lld success pending",
		(long long)p.side.row, (long long)top.row, (long long)middle.row);
	fixture_assert_sql(f->dir, edges, wanted);
	scene_run_next(f, 0, ran);
	assert_string_equal(ran, top.id);
	fixture_assert_job(f, handler.id, JOB_SKIPPED, "dependency");
	scene_run_next(f, 0, ran);
	assert_string_equal(ran, middle.id);
	scene_run_next(f, 0, ran);
	assert_string_equal(ran, low.id);
	job_release(&top);
	job_release(&middle);
	job_release(&low);
	job_release(&handler);
}

static void test_a_cascade_has_a_limit_and_leaves_nothing(void **state)
{
	struct fixture *f = *state;
	struct pipeline p;
	struct rerun again;
	pipeline_run(f, &p);
	const int64_t before = fixture_number(f->dir, "SELECT count(*) FROM jobs");
	assert_done(queue_begin(f->queue, &f->err), &f->err);
	assert_int_equal(
		queue_rerun(f->queue, &OWNER, p.top.id,
			    &(const struct rerun_wish){.is_cascade = true, .max = 3},
			    &again, &f->err),
		-1);
	assert_int_equal(f->err.code, ERR_TOO_LARGE);
	queue_rollback(f->queue);
	assert_int_equal(fixture_number(f->dir, "SELECT count(*) FROM jobs"), before);
	assert_done(rerun(f, p.top.id, true, 4, &again), &f->err);
}

/* A job that reads another's output reads it again; that it was skipped does not matter.
 */
static void test_a_rerun_still_reads_from_where_it_did(void **state)
{
	struct fixture *f = *state;
	struct pipeline p;
	struct rerun again;
	struct job job;
	pipeline_run(f, &p);
	assert_done(rerun(f, p.low.id, false, 1, &again), &f->err);
	fixture_get(f, again.id, &job);
	assert_int_equal(job.stdin_from, p.middle.row);
	assert_int_equal(job.state, JOB_SKIPPED); /* middle was skipped */
	job_release(&job);
	AUTO_FREE char *events = mem_printf(
		"submitted skipped by uid:1000 {\"reason\":\"dependency\",\"parent\":"
		"\"%s\",\"parent_state\":\"skipped\",\"rerun_of\":\"%s\"}",
		p.middle.id, p.low.id);
	fixture_assert_events(f, again.id, events);
}

/* --- looking --- */

static const struct graph_job *graph_find(const struct graph *graph, const char *id)
{
	for (size_t i = 0; i < graph->jobs; i++)
		if (text_equal(graph->job[i].id, id))
			return &graph->job[i];
	return NULL;
}

static void test_a_graph_shows_what_hangs_together(void **state)
{
	struct fixture *f = *state;
	struct pipeline p;
	struct graph graph;
	struct submitted apart;
	pipeline_run(f, &p);
	fixture_submit(f, "uid:1000", &apart);
	assert_int_equal(queue_graph(f->queue, &OWNER, p.middle.id, 100, &graph, &f->err),
			 1);
	assert_int_equal(graph.jobs, 5);
	assert_int_equal(graph.edges, 5);
	assert_false(graph.is_cut);
	assert_string_equal(graph.job[0].id, p.middle.id);
	assert_string_equal(graph_find(&graph, p.handler.id)->state, "succeeded");
	assert_string_equal(graph_find(&graph, p.low.id)->state, "skipped");
	assert_null(graph_find(&graph, apart.id));
	size_t impossible = 0;
	for (size_t i = 0; i < graph.edges; i++)
		impossible += graph.edge[i].state == DEPENDENCY_IMPOSSIBLE;
	assert_int_equal(impossible, 2);
	graph_release(&graph);
	assert_int_equal(queue_graph(f->queue, &OWNER, apart.id, 100, &graph, &f->err),
			 1);
	assert_int_equal(graph.jobs + graph.edges, 1);
	graph_release(&graph);
	assert_int_equal(queue_graph(f->queue, &OWNER, p.top.id, 3, &graph, &f->err), 1);
	assert_int_equal(graph.jobs, 3);
	assert_true(graph.is_cut);
	graph_release(&graph);
}

static void test_a_graph_hides_the_jobs_of_others(void **state)
{
	struct fixture *f = *state;
	struct submitted top, others, mine;
	struct graph graph;
	struct dependency_list list;
	fixture_submit(f, "uid:1000", &top);
	const struct dependency_wish on_top = {.parent_row = top.row,
					       .condition = DEPENDS_ANY};
	child_of(f, "uid:2000", &on_top, 1, &others);
	scene_child(f, others.row, DEPENDS_ANY, &mine);
	assert_int_equal(queue_graph(f->queue, &OWNER, top.id, 100, &graph, &f->err), 1);
	assert_int_equal(graph.jobs + graph.edges, 1);
	graph_release(&graph);
	assert_int_equal(queue_graph(f->queue, &OWNER, others.id, 100, &graph, &f->err),
			 0);
	assert_int_equal(
		queue_graph(f->queue, &FIXTURE_ADMIN, top.id, 100, &graph, &f->err), 1);
	assert_int_equal(graph.jobs, 3);
	graph_release(&graph);
	assert_done(queue_dependencies(f->queue, &OWNER, mine.row, &list, &f->err),
		    &f->err);
	assert_int_equal(list.count, 1);
	assert_string_equal(list.item[0].parent_id, "");
	dependency_list_release(&list);
	assert_done(queue_dependencies(f->queue, &OWNER, top.row, &list, &f->err),
		    &f->err);
	assert_int_equal(list.count, 0);
	assert_int_equal(list.dependants, 0);
	dependency_list_release(&list);
	/* one of its own, by two conditions, is one job */
	const struct dependency_wish twice[] = {
		{.parent_row = top.row, .condition = DEPENDS_ANY},
		{.parent_row = top.row, .condition = DEPENDS_STARTED},
	};
	child_of(f, "uid:1000", twice, ARRAY_SIZE(twice), &mine);
	assert_done(queue_dependencies(f->queue, &OWNER, top.row, &list, &f->err),
		    &f->err);
	assert_int_equal(list.dependants, 1);
	dependency_list_release(&list);
	assert_done(queue_dependencies(f->queue, &FIXTURE_ADMIN, top.row, &list, &f->err),
		    &f->err);
	assert_int_equal(list.dependants, 2);
	dependency_list_release(&list);
}

static void test_a_row_is_found_by_a_prefix_too(void **state)
{
	struct fixture *f = *state;
	struct submitted job;
	char prefix[37];
	int64_t row = 0;
	fixture_submit(f, "uid:1000", &job);
	(void)snprintf(prefix, sizeof prefix, "%.20s", job.id);
	assert_int_equal(queue_job_row(f->queue, &OWNER, prefix, &row, &f->err), 1);
	assert_int_equal(row, job.row);
	const struct viewer stranger = {.principal = "uid:3000"};
	assert_int_equal(queue_job_row(f->queue, &stranger, job.id, &row, &f->err), 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, scene_teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_a_cascade_cancels_all_and_skips_nothing),
		TEST(test_a_cascade_asks_running_dependants_to_stop),
		TEST(test_a_cascade_goes_on_in_the_next_transaction),
		TEST(test_a_cascade_leaves_the_jobs_of_others),
		TEST(test_what_ended_otherwise_is_not_cancelled),
		TEST(test_a_rerun_is_like_the_old_one),
		TEST(test_what_has_not_ended_is_not_run_again),
		TEST(test_a_cascade_runs_all_of_it_again),
		TEST(test_a_cascade_has_a_limit_and_leaves_nothing),
		TEST(test_a_rerun_still_reads_from_where_it_did),
		TEST(test_a_graph_shows_what_hangs_together),
		TEST(test_a_graph_hides_the_jobs_of_others),
		TEST(test_a_row_is_found_by_a_prefix_too),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
