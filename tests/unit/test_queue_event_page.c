/* test_queue_event_page.c - one page of the feed of events: who sees what, how far it
 * looks, where it cannot go on, and when it is over. */
#include "tests/unit/old_jobs.h"
#include "tests/unit/wall_clock.h"

static const struct viewer ME = {.principal = "uid:1000"};
static const struct viewer OTHER = {.principal = "uid:2000"};
static const struct viewer STRANGER = {.principal = "token:none"};

/* --- who sees what --- */

static size_t count_events(struct fixture *f, const struct viewer *viewer,
			   const struct event_filter *filter)
{
	struct event_page page;
	const struct event_question question = {.limit = EVENT_PAGE_MAX};
	assert_done(queue_event_page(f->queue, viewer, filter, &question, &page, &f->err),
		    &f->err);
	const size_t count = page.count;
	for (size_t i = 0; i < count && !viewer->sees_all; i++)
		assert_string_equal(page.item[i].owner, viewer->principal);
	event_page_release(&page);
	return count;
}

static void test_others_events_do_not_exist(void **state)
{
	struct fixture *f = *state;
	struct submitted mine, other;
	struct event_filter all = {.jobs = 0}, named = {.jobs = 0};
	fixture_run_job(f, "uid:1000", 0, &mine);
	fixture_run_job(f, "uid:2000", 0, &other);
	assert_done(queue_begin(f->queue, &f->err), &f->err);
	assert_done(queue_drain(f->queue, "uid:1000", "mine or not", &f->err), &f->err);
	assert_done(queue_commit(f->queue, &f->err), &f->err);
	assert_int_equal(count_events(f, &FIXTURE_ADMIN, &all), 7);
	assert_int_equal(count_events(f, &ME, &all), 3);
	assert_int_equal(count_events(f, &STRANGER, &all), 0);
	/* another's job can be named as little as one that is not there */
	assert_int_equal(event_filter_add_job(f->queue, &ME, &named, other.id, &f->err),
			 0);
	assert_int_equal(event_filter_add_job(f->queue, &ME, &named,
					      "0190b5a0-0000-7000-8000-0000000000aa",
					      &f->err),
			 0);
	assert_int_equal(named.jobs, 0);
	/* and a row that was named by other means is of no use */
	named.job[0] = other.row;
	named.jobs = 1;
	assert_int_equal(count_events(f, &ME, &named), 0);
	assert_int_equal(count_events(f, &OTHER, &named), 3);
}

/* --- looking is bounded --- */

static void test_a_page_moves_on_though_nothing_fits(void **state)
{
	struct fixture *f = *state;
	struct submitted job;
	struct event_filter filter = {.jobs = 0};
	int64_t after = 0;
	int pages = 0;
	for (int i = 0; i < 40; i++)
		fixture_run_job(f, "uid:2000", 0, &job);
	fixture_submit(f, "uid:1000", &job); /* the 121st event */
	assert_done(event_filter_add(&filter, "kind", "submitted", &f->err), &f->err);
	for (bool has_more = true; has_more; pages++) {
		struct event_page page;
		const struct event_question question = {
			.after = after, .limit = 10, .looked_max = 50};
		assert_done(queue_event_page(f->queue, &ME, &filter, &question, &page,
					     &f->err),
			    &f->err);
		assert_int_equal(page.next, pages == 2 ? 121 : after + 50);
		assert_int_equal(page.count, pages == 2 ? 1 : 0);
		has_more = page.has_more;
		after = page.next;
		event_page_release(&page);
	}
	assert_int_equal(pages, 3);
}

/* --- where a feed cannot go on --- */

static void assert_page(struct fixture *f, int64_t asked, enum event_reset reset,
			int64_t after, int64_t first)
{
	struct event_page page;
	const struct event_filter all = {.jobs = 0};
	const struct event_question question = {.after = asked, .limit = 5};
	assert_done(queue_event_page(f->queue, &FIXTURE_ADMIN, &all, &question, &page,
				     &f->err),
		    &f->err);
	assert_int_equal(page.reset, reset);
	assert_int_equal(page.after, after);
	assert_int_equal(page.count > 0 ? page.item[0].id : 0, first);
	event_page_release(&page);
}

static void test_what_was_pruned_is_a_reset(void **state)
{
	struct fixture *f = *state;
	struct config config;
	struct retention_report report;
	struct submitted jobs[OLD_JOBS];
	old_jobs_make(f, jobs);
	assert_page(f, 0, EVENT_RESET_NONE, 0, 1);
	policy_read(f, "{\"events_max_age_s\": 3499200}", &config);
	retention_finish(f, &config.retention, false, &report);
	config_release(&config);
	assert_int_equal(report.events, 9);
	const int64_t last = fixture_number(f->dir, "SELECT max(id) FROM events");
	assert_page(f, 0, EVENT_RESET_PRUNED, 9, 10);
	assert_page(f, 8, EVENT_RESET_PRUNED, 9, 10);
	assert_page(f, 9, EVENT_RESET_NONE, 9, 10);
	assert_page(f, 10, EVENT_RESET_NONE, 10, 11);
	assert_page(f, EVENT_AFTER_OLDEST, EVENT_RESET_NONE, 9, 10);
	assert_page(f, EVENT_AFTER_NOW, EVENT_RESET_NONE, last, 0);
	assert_page(f, last, EVENT_RESET_NONE, last, 0);
	assert_page(f, last + 1, EVENT_RESET_AHEAD, last, 0);
	assert_page(f, INT64_MAX, EVENT_RESET_AHEAD, last, 0);
}

static void test_a_feed_of_jobs_is_over_with_them(void **state)
{
	struct fixture *f = *state;
	struct submitted job[2];
	struct event_filter filter = {.jobs = 0};
	struct event_page page;
	const struct event_question question = {.limit = 3, .until_final = true};
	fixture_run_job(f, "uid:1000", 0, &job[0]);
	fixture_submit(f, "uid:1000", &job[1]);
	for (size_t i = 0; i < 2; i++)
		assert_int_equal(
			event_filter_add_job(f->queue, &ME, &filter, job[i].id, &f->err),
			1);
	for (int round = 0; round < 2; round++) {
		struct claim_list list;
		const struct attempt_end end = fixture_end(1);
		struct event_question rest = question;
		assert_done(queue_event_page(f->queue, &ME, &filter, &question, &page,
					     &f->err),
			    &f->err);
		assert_int_equal(page.count, 3);
		assert_false(page.is_over); /* there is more */
		rest.after = page.next;
		event_page_release(&page);
		assert_done(
			queue_event_page(f->queue, &ME, &filter, &rest, &page, &f->err),
			&f->err);
		assert_int_equal(page.count, round == 0 ? 1 : 3);
		assert_false(page.has_more);
		assert_int_equal(page.is_over, round == 1);
		event_page_release(&page);
		if (round == 1)
			break;
		fixture_claim(f, &list);
		(void)fixture_import(f, &list.item[0], &end);
		claim_list_release(&list);
	}
}

/* --- what is refused --- */

static void test_wrong_filters_are_named(void **state)
{
	static const struct {
		const char *name, *value, *words;
	} cases[] = {
		{"kind", "endet", "did you mean \"ended\"?"},
		{"kind", "", "is no kind of event"},
		{"label", "app", "name=value"},
		{"queue", "", "empty"},
		{"state", "queued", "no filter of events"},
	};
	struct event_filter filter = {.jobs = 0};
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct err err = ERR_INIT;
		assert_int_equal(
			event_filter_add(&filter, cases[i].name, cases[i].value, &err),
			-1);
		assert_int_equal(err.code, ERR_INVALID);
		if (strstr(err.text, cases[i].words) == NULL)
			fail_msg("%s", err.text);
	}
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)
#define OLD(name) cmocka_unit_test_setup_teardown(name, wall_setup, wall_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_others_events_do_not_exist),
		TEST(test_a_page_moves_on_though_nothing_fits),
		OLD(test_what_was_pruned_is_a_reset),
		TEST(test_a_feed_of_jobs_is_over_with_them),
		TEST(test_wrong_filters_are_named),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
