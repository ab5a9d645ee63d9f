/* test_queue_filters.c - what filters are, what a list may cost, and cancelling many. */
#include <sqlite3.h>

#include "tests/unit/queue_fixture.h"

static const struct viewer ALICE = {.principal = "uid:1000"};

/* --- names and values --- */

static void test_bad_values_are_refused(void **state)
{
	static const struct {
		const char *name, *value, *words;
	} rows[] = {
		{"sate", "failed", "did you mean \"state\"?"},
		{"finished_befor", "x", "did you mean \"finished_before\"?"},
		{"colour", "red", "is no filter"},
		{"state", "faild", "did you mean \"failed\"?"},
		{"state", "Failed", "no job has the state"},
		{"state", "", "no job has the state"},
		{"owner", "", "must not be empty"},
		{"queue", "", "must not be empty"},
		{"task", "", "must not be empty"},
		{"q", "", "must not be empty"},
		{"label", "app", "name=value"},
		{"label", "=x", "name=value"},
		{"batch", "0190b5a0", "whole id"},
		{"created_after", "yesterday", "must be a time"},
		{"created_before", "2026-11-21", "must be a time"},
		{"finished_after", "", "must be a time"},
		{"finished_before", "2026-11-21T06:00:00", "must be a time"},
	};
	struct fixture *f = *state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct job_filter filter = {.sort = SORT_DEFAULT};
		assert_int_equal(
			job_filter_add(&filter, rows[i].name, rows[i].value, &f->err),
			-1);
		assert_int_equal(f->err.code, ERR_INVALID);
		if (strstr(f->err.text, rows[i].words) == NULL)
			fail_msg("%s: %s", rows[i].name, f->err.text);
	}
	struct job_filter filter = {.sort = SORT_DEFAULT};
	assert_int_equal(job_filter_sort(&filter, "name", &f->err), -1);
	assert_done(job_filter_sort(&filter, "finished_at", &f->err), &f->err);
	char values[FILTER_VALUES_MAX + 1][16];
	for (int i = 0; i <= FILTER_VALUES_MAX; i++) {
		(void)snprintf(values[i], sizeof values[i], "v%d", i);
		const int result = job_filter_add(&filter, "task", values[i], &f->err);
		assert_int_equal(result, i < FILTER_VALUES_MAX ? 0 : -1);
	}
	/* one that stands there already is no more */
	assert_done(job_filter_add(&filter, "task", "v3", &f->err), &f->err);
}

static void test_a_digest_is_of_filter_order_and_viewer(void **state)
{
	(void)state;
	struct job_filter filter[6] = {{.sort = SORT_DEFAULT}};
	uint8_t digest[7][DIGEST_BYTES];
	assert_done(job_filter_add(&filter[1], "state", "failed", NULL), NULL);
	assert_done(job_filter_add(&filter[2], "task", "failed", NULL), NULL);
	assert_done(job_filter_add(&filter[3], "state", "failed", NULL), NULL);
	assert_done(job_filter_add(&filter[3], "state", "lost", NULL), NULL);
	assert_done(
		job_filter_add(&filter[4], "created_after", "2026-11-21T06:00:00Z", NULL),
		NULL);
	assert_done(job_filter_sort(&filter[5], "submitted_at", NULL), NULL);
	for (int i = 0; i < 6; i++)
		job_filter_digest(&filter[i], &FIXTURE_ADMIN, digest[i]);
	job_filter_digest(&filter[0], &ALICE, digest[6]);
	for (int i = 0; i < 7; i++)
		for (int k = 0; k < i; k++)
			assert_memory_not_equal(digest[i], digest[k], DIGEST_BYTES);
	/* the order that is the default anyway is the same list */
	assert_done(job_filter_sort(&filter[0], "-submitted_at", NULL), NULL);
	uint8_t again[DIGEST_BYTES];
	job_filter_digest(&filter[0], &FIXTURE_ADMIN, again);
	assert_memory_equal(again, digest[0], DIGEST_BYTES);
}

/* --- the cost --- */

/* 30,000 jobs of one owner: three of them live, three more are named needle. */
static void make_history(struct fixture *f)
{
	assert_int_equal(
		fixture_sql(f->dir,
			    "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 "
			    "FROM n WHERE i < 30000) INSERT INTO jobs (uuid, owner, "
			    "state, command, submitted_at, finished_at, attempt, name) "
			    "SELECT randomblob(16), 'uid:1000', CASE WHEN i % 10000 = 1 "
			    "THEN 'queued' ELSE 'succeeded' END, '[\"/bin/true\"]', i, "
			    "CASE WHEN i % 10000 = 1 THEN NULL ELSE i END, 1, "
			    "CASE i % 10000 WHEN 0 THEN 'needle' END FROM n",
			    NULL),
		SQLITE_OK);
}

/* A few that fit among many that do not: each page looks at so many and no more, and all
 * pages together find them. */
static void test_a_page_looks_at_a_bounded_number(void **state)
{
	struct fixture *f = *state;
	struct job_list list;
	int pages = 0, found = 0;
	make_history(f);
	struct job_filter filter = {.sort = SORT_DEFAULT};
	assert_done(job_filter_add(&filter, "owner", "uid:1000", &f->err), &f->err);
	assert_done(job_filter_add(&filter, "q", "NEEDLE", &f->err), &f->err);
	struct list_page page = {.limit = 50};
	struct list_position after;
	bool has_next = true;
	while (has_next) {
		assert_done(queue_job_list(f->queue, &FIXTURE_ADMIN, &filter, &page,
					   &list, &f->err),
			    &f->err);
		assert_in_range(list.count, 0, 1);
		found += (int)list.count;
		has_next = list.has_next;
		after = list.next;
		page.after = &after;
		job_list_release(&list);
		pages++;
	}
	assert_int_equal(found, 3);
	assert_in_range(pages, 3, 4);
}

/* The few living of a long history, and those behind a time, are found at once. */
static void test_the_index_with_the_fewest_drives(void **state)
{
	struct fixture *f = *state;
	struct job_list list;
	struct job_filter filter = {.sort = SORT_DEFAULT};
	const struct list_page page = {.limit = 50, .looked_max = 4};
	make_history(f);
	assert_done(job_filter_add(&filter, "state", "queued", &f->err), &f->err);
	assert_done(job_filter_add(&filter, "state", "running", &f->err), &f->err);
	assert_done(job_filter_add(&filter, "q", "true", &f->err), &f->err);
	assert_done(queue_job_list(f->queue, &ALICE, &filter, &page, &list, &f->err),
		    &f->err);
	assert_int_equal(list.count, 3);
	assert_false(list.has_next);
	job_list_release(&list);
	/* an end that few ended after is reached at once, whatever else is asked */
	filter = (struct job_filter){.sort = SORT_DEFAULT};
	filter.has_time[TIME_CREATED_AFTER] = true;
	filter.time[TIME_CREATED_AFTER] = 29998;
	assert_done(job_filter_add(&filter, "state", "succeeded", &f->err), &f->err);
	assert_done(
		queue_job_list(f->queue, &FIXTURE_ADMIN, &filter, &page, &list, &f->err),
		&f->err);
	assert_int_equal(list.count, 3);
	assert_false(list.has_next);
	job_list_release(&list);
	int64_t count;
	bool is_capped;
	filter = (struct job_filter){.sort = SORT_DEFAULT};
	assert_done(queue_job_count(f->queue, &FIXTURE_ADMIN, &filter, &count, &is_capped,
				    &f->err),
		    &f->err);
	assert_int_equal(count, JOB_COUNT_MAX);
	assert_true(is_capped);
}

/* Long commands count by their length, so that a page of them does not take seconds. */
static void test_long_commands_count_by_their_length(void **state)
{
	struct fixture *f = *state;
	struct job_filter filter = {.sort = SORT_DEFAULT};
	const struct list_page page = {.limit = 50, .looked_max = 100};
	struct job_list list;
	assert_int_equal(
		fixture_sql(
			f->dir,
			"WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 "
			"FROM n WHERE i < 20) INSERT INTO jobs (uuid, owner, command, "
			"submitted_at) SELECT randomblob(16), 'uid:1000', "
			"json_array('/bin/true', hex(zeroblob(65536))), i FROM n",
			NULL),
		SQLITE_OK);
	assert_done(job_filter_add(&filter, "q", "nowhere", &f->err), &f->err);
	assert_done(queue_job_list(f->queue, &ALICE, &filter, &page, &list, &f->err),
		    &f->err);
	assert_int_equal(list.count, 0);
	assert_true(list.has_next);
	job_list_release(&list);
	filter = (struct job_filter){.sort = SORT_DEFAULT};
	assert_done(job_filter_add(&filter, "q", "/BIN/TRUE 0000", &f->err), &f->err);
	assert_done(queue_job_list(f->queue, &ALICE, &filter, &page, &list, &f->err),
		    &f->err);
	assert_in_range(list.count, 1, 10);
	assert_true(list.has_next);
	job_list_release(&list);
}

/* --- cancelling many --- */

static void cancel_many(struct fixture *f, const struct viewer *viewer,
			const struct job_filter *filter, struct cancel_progress *progress)
{
	assert_done(queue_begin(f->queue, &f->err), &f->err);
	assert_done(queue_cancel_many(f->queue, viewer, filter, "enough", false, progress,
				      &f->err),
		    &f->err);
	assert_done(queue_commit(f->queue, &f->err), &f->err);
}

static void test_cancelling_goes_on_slice_by_slice(void **state)
{
	struct fixture *f = *state;
	struct submission submission = fixture_submission();
	struct submitted one, bobs, done;
	struct claim_list claim;
	fixture_run_job(f, "uid:1000", 0, &done);
	fixture_submit(f, "uid:1000", &one);
	fixture_claim(f, &claim); /* runs */
	claim_list_release(&claim);
	fixture_submit(f, "uid:2000", &bobs);
	assert_done(queue_begin(f->queue, &f->err), &f->err);
	for (int i = 0; i < 2 * CANCEL_SLICE; i++)
		assert_done(queue_submit(f->queue, &submission, &one, &f->err), &f->err);
	assert_done(queue_commit(f->queue, &f->err), &f->err);

	struct job_filter filter = {.sort = SORT_DEFAULT};
	struct cancel_progress progress = {.cancelled = 0};
	assert_done(job_filter_add(&filter, "owner", "uid:1000", &f->err), &f->err);
	cancel_many(f, &ALICE, &filter, &progress);
	assert_int_equal(progress.cancelled, CANCEL_SLICE);
	assert_false(progress.is_done);
	fixture_submit(f, "uid:1000", &one); /* too late to be meant */
	while (!progress.is_done)
		cancel_many(f, &ALICE, &filter, &progress);
	assert_int_equal(progress.cancelled, 2 * CANCEL_SLICE);
	assert_int_equal(progress.stopping, 1);
	fixture_assert_job(f, one.id, JOB_QUEUED, NULL);
	fixture_assert_job(f, bobs.id, JOB_QUEUED, NULL);
	fixture_assert_job(f, done.id, JOB_SUCCEEDED, NULL);
	fixture_assert_sql(f->dir,
			   "SELECT count(*) FROM events WHERE kind = 'ended' AND state = "
			   "'cancelled' AND data LIKE '%enough%' AND principal = "
			   "'uid:1000'",
			   "1000");

	/* another's are not even there; what has ended is not touched */
	progress = (struct cancel_progress){.cancelled = 0};
	filter = (struct job_filter){.sort = SORT_DEFAULT};
	assert_done(job_filter_add(&filter, "owner", "uid:2000", &f->err), &f->err);
	cancel_many(f, &ALICE, &filter, &progress);
	assert_true(progress.is_done);
	assert_int_equal(progress.cancelled, 0);
	filter = (struct job_filter){.sort = SORT_DEFAULT};
	assert_done(job_filter_add(&filter, "state", "succeeded", &f->err), &f->err);
	progress = (struct cancel_progress){.cancelled = 0};
	cancel_many(f, &FIXTURE_ADMIN, &filter, &progress);
	assert_true(progress.is_done);
	assert_int_equal(progress.cancelled + progress.stopping, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_bad_values_are_refused),
		TEST(test_a_digest_is_of_filter_order_and_viewer),
		TEST(test_a_page_looks_at_a_bounded_number),
		TEST(test_the_index_with_the_fewest_drives),
		TEST(test_long_commands_count_by_their_length),
		TEST(test_cancelling_goes_on_slice_by_slice),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
