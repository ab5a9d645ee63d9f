/* test_queue_read.c - questions about jobs: who sees what, pages, prefixes, changes. */
#include "tests/unit/queue_fixture.h"

static const struct viewer ALICE = {.principal = "uid:1000"};
static const struct viewer BOB = {.principal = "uid:2000"};

static void test_anothers_job_is_not_there(void **state)
{
	struct fixture *f = *state;
	struct submitted alices;
	struct job job;
	struct job_list list;
	enum cancel_result result;
	char prefix[JOB_ID_BYTES];
	const struct list_page page = {.limit = 10};
	const struct job_filter filter = {.sort = SORT_DEFAULT};
	const struct job_filter by_owner = {
		.any[FILTER_OWNER] = {.value = {"uid:1000"}, .count = 1}};
	fixture_submit(f, "uid:1000", &alices);
	assert_int_equal(queue_job_get(f->queue, &ALICE, alices.id, &job, &f->err), 1);
	job_release(&job);
	assert_int_equal(queue_job_get(f->queue, &BOB, alices.id, &job, &f->err), 0);
	(void)snprintf(prefix, sizeof prefix, "%.30s", alices.id);
	assert_int_equal(queue_job_get(f->queue, &BOB, prefix, &job, &f->err), 0);
	assert_int_equal(queue_job_last(f->queue, &BOB, &job, &f->err), 0);
	assert_done(queue_job_list(f->queue, &BOB, &filter, &page, &list, &f->err),
		    &f->err);
	assert_int_equal(list.count, 0);
	job_list_release(&list);
	assert_done(queue_job_list(f->queue, &BOB, &by_owner, &page, &list, &f->err),
		    &f->err);
	assert_int_equal(list.count, 0);
	job_list_release(&list);
	assert_int_equal(fixture_cancel(f, "uid:2000", alices.id, false, &result), -1);
	assert_int_equal(f->err.code, ERR_NOT_FOUND);
	fixture_assert_job(f, alices.id, JOB_QUEUED, NULL);
	/* and the administrator sees it */
	assert_done(queue_job_list(f->queue, &FIXTURE_ADMIN, &by_owner, &page, &list,
				   &f->err),
		    &f->err);
	assert_int_equal(list.count, 1);
	job_list_release(&list);
}

static void test_ids_and_prefixes(void **state)
{
	struct fixture *f = *state;
	struct submitted one, two;
	struct job job;
	char text[64];
	fixture_submit(f, "uid:1000", &one);
	fixture_submit(f, "uid:1000", &two);
	/* upper case is the same id */
	for (size_t i = 0; i < sizeof one.id; i++)
		text[i] = (char)(one.id[i] >= 'a' && one.id[i] <= 'f' ? one.id[i] - 32
								      : one.id[i]);
	assert_int_equal(queue_job_get(f->queue, &ALICE, text, &job, &f->err), 1);
	assert_string_equal(job.id, one.id);
	job_release(&job);
	/* the shortest prefix that tells the two apart, and the longest that does not */
	size_t same = 0;
	while (one.id[same] == two.id[same])
		same++;
	(void)snprintf(text, sizeof text, "%.*s", (int)same + 1, two.id);
	assert_int_equal(queue_job_get(f->queue, &ALICE, text, &job, &f->err), 1);
	assert_string_equal(job.id, two.id);
	job_release(&job);
	(void)snprintf(text, sizeof text, "%.*s", (int)same, two.id);
	assert_int_equal(queue_job_get(f->queue, &ALICE, text, &job, &f->err), -1);
	assert_int_equal(f->err.code, ERR_CONFLICT);
	(void)snprintf(text, sizeof text, "%.4s", two.id);
	assert_int_equal(queue_job_get(f->queue, &ALICE, text, &job, &f->err), -1);
	const char *const none[] = {"",
				    "0",
				    "zzzz",
				    "%",
				    "0000",
				    "00000000-",
				    "--------",
				    "ffffffff-ffff-7fff-bfff-ffffffffffff",
				    "00000000000000000000000000000000000000000000000"};
	for (size_t i = 0; i < ARRAY_SIZE(none); i++)
		assert_int_equal(queue_job_get(f->queue, &ALICE, none[i], &job, &f->err),
				 0);
	/* three characters are too few, even when they are unique */
	(void)snprintf(text, sizeof text, "%.3s", two.id);
	assert_int_equal(queue_job_get(f->queue, &ALICE, text, &job, &f->err), 0);
	/* a prefix counts only what the viewer may see */
	struct submitted bobs;
	fixture_submit(f, "uid:2000", &bobs);
	(void)snprintf(text, sizeof text, "%.4s", bobs.id);
	assert_int_equal(queue_job_get(f->queue, &BOB, text, &job, &f->err), 1);
	assert_string_equal(job.id, bobs.id);
	job_release(&job);
}

static void test_what_an_id_is(void **state)
{
	(void)state;
	assert_true(job_id_is_valid("0193f2c4-0000-7000-8000-000000000000"));
	assert_true(job_id_is_valid("0193F2C4-0000-7000-8000-ABCDEF000000"));
	assert_false(job_id_is_valid(""));
	assert_false(job_id_is_valid("0193f2c4-0000-7000-8000-00000000000"));
	assert_false(job_id_is_valid("0193f2c4-0000-7000-8000-0000000000000"));
	assert_false(job_id_is_valid("0193f2c4-0000-7000-8000-00000000000g"));
	assert_false(job_id_is_valid("0193f2c4x0000-7000-8000-000000000000"));
	assert_false(job_id_is_valid("0193f2c40-000-7000-8000-000000000000"));
}

static void test_the_last_job_is_the_viewers_own(void **state)
{
	struct fixture *f = *state;
	struct submitted first, last, other;
	struct job job;
	const struct viewer admin = {.principal = "uid:1000", .sees_all = true};
	fixture_submit(f, "uid:1000", &first);
	fixture_submit(f, "uid:1000", &last);
	fixture_submit(f, "uid:2000", &other);
	assert_int_equal(queue_job_last(f->queue, &admin, &job, &f->err), 1);
	assert_string_equal(job.id, last.id);
	job_release(&job);
}

/* 1,000 jobs, every third Bob's, in pages of 7 while new ones keep coming: each of those
 * that were there at the start is seen once, newest first. */
#define PAGED_JOBS 1000
static void submit_many(struct fixture *f, int64_t rows[PAGED_JOBS])
{
	struct submission s = fixture_submission();
	struct submitted one;
	assert_done(queue_begin(f->queue, &f->err), &f->err);
	for (int i = 0; i < PAGED_JOBS; i++) {
		s.owner = i % 3 == 0 ? "uid:2000" : "uid:1000";
		assert_done(queue_submit(f->queue, &s, &one, &f->err), &f->err);
		rows[i] = one.row;
	}
	assert_done(queue_commit(f->queue, &f->err), &f->err);
}

static int page_through(struct fixture *f, const struct viewer *viewer, int limit,
			const char *state, bool *seen)
{
	struct job_filter filter = {.sort = SORT_DEFAULT};
	struct list_page page = {.limit = limit};
	struct list_position after;
	struct job_list list;
	struct submitted extra;
	int total = 0, pages = 0;
	int64_t last = INT64_MAX;
	bool has_next = true;
	if (state != NULL)
		assert_done(job_filter_add(&filter, "state", state, &f->err), &f->err);
	while (has_next) {
		assert_done(
			queue_job_list(f->queue, viewer, &filter, &page, &list, &f->err),
			&f->err);
		assert_true(list.count <= (size_t)limit);
		for (size_t i = 0; i < list.count; i++) {
			assert_true(list.item[i].row < last);
			last = list.item[i].row;
			assert_false(seen[last]);
			seen[last] = true;
			total++;
		}
		has_next = list.has_next;
		after = list.next;
		page.after = &after;
		job_list_release(&list);
		if (pages++ % 10 == 0)
			fixture_submit(f, "uid:1000", &extra);
	}
	return total;
}

static void test_pages_show_each_job_once(void **state)
{
	struct fixture *f = *state;
	int64_t rows[PAGED_JOBS];
	bool seen[PAGED_JOBS * 4] = {false};
	submit_many(f, rows);
	int total = page_through(f, &FIXTURE_ADMIN, 7, NULL, seen);
	assert_int_equal(total, PAGED_JOBS);
	for (int i = 0; i < PAGED_JOBS; i++)
		assert_true(seen[rows[i]]);
	memset(seen, 0, sizeof seen);
	total = page_through(f, &BOB, 50, NULL, seen);
	assert_int_equal(total, (PAGED_JOBS + 2) / 3);
	memset(seen, 0, sizeof seen);
	total = page_through(f, &BOB, 50, "queued", seen);
	assert_int_equal(total, (PAGED_JOBS + 2) / 3);
	memset(seen, 0, sizeof seen);
	total = page_through(f, &FIXTURE_ADMIN, 50, "failed", seen);
	assert_int_equal(total, 0);
	/* a page that ends exactly at the end has no next one */
	struct job_list list;
	const struct job_filter all = {.sort = SORT_DEFAULT};
	const struct list_page exact = {.limit = (PAGED_JOBS + 2) / 3};
	assert_done(queue_job_list(f->queue, &BOB, &all, &exact, &list, &f->err),
		    &f->err);
	assert_int_equal(list.count, exact.limit);
	assert_false(list.has_next);
	job_list_release(&list);
}

static void test_lists_by_state_and_owner(void **state)
{
	struct fixture *f = *state;
	struct submitted ok, bad, bobs, waiting;
	struct job_list list;
	fixture_run_job(f, "uid:1000", 0, &ok);
	fixture_run_job(f, "uid:1000", 1, &bad);
	fixture_run_job(f, "uid:2000", 1, &bobs);
	fixture_submit(f, "uid:1000", &waiting);
	struct job_filter filter = {.any[FILTER_STATE] = {{"failed"}, 1}};
	const struct list_page page = {.limit = 10};
	assert_done(
		queue_job_list(f->queue, &FIXTURE_ADMIN, &filter, &page, &list, &f->err),
		&f->err);
	assert_int_equal(list.count, 2);
	assert_string_equal(list.item[0].id, bobs.id);
	assert_string_equal(list.item[1].id, bad.id);
	job_list_release(&list);
	filter.any[FILTER_OWNER] = (struct filter_values){{"uid:1000"}, 1};
	assert_done(
		queue_job_list(f->queue, &FIXTURE_ADMIN, &filter, &page, &list, &f->err),
		&f->err);
	assert_int_equal(list.count, 1);
	assert_string_equal(list.item[0].id, bad.id);
	job_list_release(&list);
}

static void test_changes_say_what_happened_since(void **state)
{
	struct fixture *f = *state;
	struct submitted one, two;
	struct change change[8];
	enum cancel_result result;
	int64_t after = -1, last = -1;
	assert_done(queue_event_last(f->queue, &after, &f->err), &f->err);
	assert_int_equal(after, 0);
	assert_int_equal(queue_changes(f->queue, after, change, 8, &last, &f->err), 0);
	assert_int_equal(last, 0);
	fixture_run_job(f, "uid:1000", 1, &one);
	fixture_submit(f, "uid:1000", &two);
	assert_int_equal(queue_changes(f->queue, after, change, 3, &after, &f->err), 3);
	assert_string_equal(change[0].job_id, one.id);
	assert_int_equal(change[0].state, JOB_QUEUED);
	assert_int_equal(change[1].state, JOB_RUNNING);
	assert_int_equal(change[2].state, JOB_FAILED);
	assert_int_equal(queue_changes(f->queue, after, change, 3, &after, &f->err), 1);
	assert_string_equal(change[0].job_id, two.id);
	assert_done(queue_event_last(f->queue, &last, &f->err), &f->err);
	assert_int_equal(after, last);
	/* an event that left the state alone shows the job's present state */
	struct claim_list list;
	fixture_claim(f, &list);
	assert_int_equal(fixture_cancel(f, "uid:1000", two.id, false, &result), 0);
	assert_int_equal(queue_changes(f->queue, after, change, 8, &after, &f->err), 2);
	assert_int_equal(change[1].state, JOB_RUNNING);
	claim_list_release(&list);
}

static void test_events_page_from_an_id(void **state)
{
	struct fixture *f = *state;
	struct submitted job;
	struct event_list list;
	fixture_run_job(f, "uid:1000", 1, &job);
	assert_done(queue_event_list(f->queue, job.row, 0, 2, &list, &f->err), &f->err);
	assert_int_equal(list.count, 2);
	const int64_t after = list.item[1].id;
	event_list_release(&list);
	assert_done(queue_event_list(f->queue, job.row, after, 2, &list, &f->err),
		    &f->err);
	assert_int_equal(list.count, 1);
	assert_string_equal(list.item[0].kind, "ended");
	event_list_release(&list);
}

static void test_a_reader_sees_commits_and_cannot_write(void **state)
{
	struct fixture *f = *state;
	struct queue *reader;
	struct submitted one;
	struct job job;
	int64_t before, after;
	assert_done(queue_open(&reader, f->dir, QUEUE_READ, &f->err), &f->err);
	assert_done(queue_data_version(reader, &before, &f->err), &f->err);
	fixture_submit(f, "uid:1000", &one);
	assert_done(queue_data_version(reader, &after, &f->err), &f->err);
	assert_int_not_equal(before, after);
	assert_int_equal(queue_job_get(reader, &ALICE, one.id, &job, &f->err), 1);
	job_release(&job);
	assert_int_equal(queue_begin(reader, &f->err), -1);
	assert_int_equal(queue_checkpoint(reader, 0, &f->err), -1);
	queue_close(reader);
}

static void test_a_snapshot_is_one_moment(void **state)
{
	struct fixture *f = *state;
	struct queue *reader;
	struct submitted one;
	struct job job;
	int64_t last;
	assert_done(queue_open(&reader, f->dir, QUEUE_READ, &f->err), &f->err);
	assert_done(queue_snapshot_begin(reader, &f->err), &f->err);
	assert_done(queue_event_last(reader, &last, &f->err), &f->err);
	fixture_submit(f, "uid:1000", &one);
	assert_int_equal(queue_job_get(reader, &ALICE, one.id, &job, &f->err), 0);
	queue_snapshot_end(reader);
	assert_int_equal(queue_job_get(reader, &ALICE, one.id, &job, &f->err), 1);
	job_release(&job);
	queue_close(reader);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_anothers_job_is_not_there),
		TEST(test_ids_and_prefixes),
		TEST(test_what_an_id_is),
		TEST(test_the_last_job_is_the_viewers_own),
		TEST(test_pages_show_each_job_once),
		TEST(test_lists_by_state_and_owner),
		TEST(test_changes_say_what_happened_since),
		TEST(test_events_page_from_an_id),
		TEST(test_a_reader_sees_commits_and_cannot_write),
		TEST(test_a_snapshot_is_one_moment),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
