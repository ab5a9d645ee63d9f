/* test_queue_lanes.c - queues: configured, limited, paused, drained, and counted. */
#include "tests/unit/queue_fixture.h"

#include "tests/unit/wall_clock.h"

#define TEST(name) cmocka_unit_test_setup_teardown(name, wall_setup, wall_teardown)

/* One [write] call in a transaction of its own. */
#define WRITE(f, call)                                                                   \
	do {                                                                             \
		assert_done(queue_begin((f)->queue, &(f)->err), &(f)->err);              \
		assert_done((call), &(f)->err);                                          \
		assert_done(queue_commit((f)->queue, &(f)->err), &(f)->err);             \
	} while (0)

static void submit_to(struct fixture *f, const char *queue, const char *owner,
		      struct submitted *ret)
{
	struct submission s = fixture_submission();
	s.owner = owner;
	s.queue = queue;
	WRITE(f, queue_submit(f->queue, &s, ret, &f->err));
}

static size_t claim_up_to(struct fixture *f, int max, struct claim_list *ret)
{
	assert_done(queue_begin(f->queue, &f->err), &f->err);
	if (f->epoch == 0)
		assert_done(queue_worker_register(f->queue, 4, &f->epoch, &f->err),
			    &f->err);
	assert_done(queue_claim(f->queue, f->turns, f->epoch, max, ret, &f->err),
		    &f->err);
	assert_done(queue_commit(f->queue, &f->err), &f->err);
	return ret->count;
}

static size_t claim_count(struct fixture *f, int max)
{
	struct claim_list list;
	const size_t count = claim_up_to(f, max, &list);
	claim_list_release(&list);
	return count;
}

static struct lane lane_of(struct fixture *f, const char *name)
{
	struct lane lane;
	assert_int_equal(queue_lane_get(f->queue, name, &lane, &f->err), 1);
	assert_string_equal(lane.name, name);
	return lane;
}

/* "kind principal data|..." of the events about the service. */
static void assert_service_events(struct fixture *f, const char *expected)
{
	fixture_assert_sql(f->dir,
			   "SELECT coalesce(group_concat(kind || ' ' || "
			   "coalesce(principal, '-') || ' ' || data, '|'), '') "
			   "FROM (SELECT * FROM events WHERE job_id IS NULL ORDER BY id)",
			   expected);
}

/* --- configuring --- */

static char thumbs[] = "thumbs", video[] = "video", standard[] = "default",
	    b_configured[] = "b-configured";

static void configure(struct fixture *f, struct queue_setting *settings, size_t count)
{
	const struct queue_settings all = {.item = settings, .count = count};
	assert_done(queue_lanes_configure(f->queue, &all, &f->err), &f->err);
}

static void test_the_rows_follow_the_configuration(void **state)
{
	struct fixture *f = *state;
	struct queue_setting first[] = {{thumbs, 2}, {video, -1}};
	struct queue_setting second[] = {{thumbs, 3}, {standard, 1}};
	struct lane lane;
	configure(f, first, 2);
	fixture_assert_sql(f->dir,
			   "SELECT group_concat(name || ' ' || is_configured || ' ' || "
			   "coalesce(configured_max_running, '-'), '|') FROM queues",
			   "default 1 -|thumbs 1 2|video 1 -");
	WRITE(f, queue_lane_limit(f->queue, "uid:0", "thumbs", 7, &f->err));
	WRITE(f, queue_lane_pause(f->queue, "uid:0", "video", "maintenance", 0, &f->err));
	configure(f, second, 2);
	fixture_assert_sql(f->dir,
			   "SELECT group_concat(name || ' ' || is_configured || ' ' || "
			   "coalesce(configured_max_running, '-'), '|') FROM queues",
			   "default 1 1|thumbs 1 3|video 0 -");
	/* what an operator set outlives it */
	lane = lane_of(f, "thumbs");
	assert_int_equal(lane.max_running, 7);
	assert_int_equal(lane.configured_max_running, 3);
	assert_true(lane.is_limit_set && lane.is_configured);
	lane_release(&lane);
	lane = lane_of(f, "video");
	assert_true(lane.paused_at > 0 && !lane.is_configured);
	assert_string_equal(lane.pause_reason, "maintenance");
	lane_release(&lane);
	/* default cannot go, only its limit */
	configure(f, NULL, 0);
	lane = lane_of(f, "default");
	assert_true(lane.is_configured && lane.max_running == -1);
	lane_release(&lane);
}

static void test_the_same_configuration_writes_nothing(void **state)
{
	struct fixture *f = *state;
	struct queue_setting settings[] = {{thumbs, 2}, {video, -1}};
	configure(f, settings, 2);
	const int64_t before =
		fixture_number(f->dir, "SELECT max(changed_at) FROM queues");
	wall_go_on(1);
	configure(f, settings, 2);
	assert_int_equal(fixture_number(f->dir, "SELECT max(changed_at) FROM queues"),
			 before);
	assert_service_events(f, "");
}

/* --- limits --- */

static void test_a_full_queue_holds_nobody_else_back(void **state)
{
	struct fixture *f = *state;
	struct queue_setting settings[] = {{thumbs, 2}};
	struct submitted submitted;
	struct claim_list list;
	const struct attempt_end end = fixture_end(0);
	configure(f, settings, 1);
	for (int i = 0; i < 5; i++)
		submit_to(f, "thumbs", "uid:1000", &submitted);
	submit_to(f, "default", "uid:1000", &submitted);
	assert_int_equal(claim_up_to(f, 100, &list), 3);
	struct lane lane = lane_of(f, "thumbs");
	assert_int_equal(lane.running, 2);
	assert_int_equal(lane.queued, 3);
	assert_int_equal(lane.waiting, 0);
	assert_true(lane.oldest_queued_at > 0);
	lane_release(&lane);
	assert_int_equal(claim_count(f, 100), 0);
	/* each end makes room for one */
	for (size_t i = 0; i < list.count; i++) {
		if (!text_equal(list.item[i].job.queue, "thumbs"))
			continue;
		assert_int_equal(fixture_import(f, &list.item[i], &end), 1);
		break;
	}
	assert_int_equal(claim_count(f, 100), 1);
	claim_list_release(&list);
}

static void test_a_limit_that_was_set_wins_until_it_is_forgotten(void **state)
{
	static const struct {
		int64_t limit;
		int64_t in_force;
		size_t claimed; /* more, of as many as there are */
	} rows[] = {{0, 0, 0}, {1, 1, 1}, {LANE_AS_CONFIGURED, 2, 1},
		    {4, 4, 2}, {1, 1, 0}, {-1, -1, 6}};
	struct fixture *f = *state;
	struct queue_setting settings[] = {{thumbs, 2}};
	struct submitted submitted;
	configure(f, settings, 1);
	for (int i = 0; i < 10; i++)
		submit_to(f, "thumbs", "uid:1000", &submitted);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		WRITE(f, queue_lane_limit(f->queue, "uid:0", "thumbs", rows[i].limit,
					  &f->err));
		struct lane lane = lane_of(f, "thumbs");
		assert_int_equal(lane.max_running, rows[i].in_force);
		assert_int_equal(lane.is_limit_set, rows[i].limit != LANE_AS_CONFIGURED);
		lane_release(&lane);
		assert_int_equal(claim_count(f, 100), rows[i].claimed);
	}
	WRITE(f, queue_lane_limit(f->queue, "uid:0", "thumbs", -1, &f->err));
	assert_service_events(
		f, "queue_limited uid:0 {\"queue\":\"thumbs\",\"max_running\":0}"
		   "|queue_limited uid:0 {\"queue\":\"thumbs\",\"max_running\":1}"
		   "|queue_limited uid:0 "
		   "{\"queue\":\"thumbs\",\"max_running\":\"configured\"}"
		   "|queue_limited uid:0 {\"queue\":\"thumbs\",\"max_running\":4}"
		   "|queue_limited uid:0 {\"queue\":\"thumbs\",\"max_running\":1}"
		   "|queue_limited uid:0 {\"queue\":\"thumbs\",\"max_running\":null}");
	assert_done(queue_begin(f->queue, &f->err), &f->err);
	assert_int_equal(queue_lane_limit(f->queue, "uid:0", "thumbs", -3, &f->err), -1);
	assert_int_equal(f->err.code, ERR_INVALID);
	queue_rollback(f->queue);
}

/* --- pauses --- */

static void test_a_paused_queue_starts_nothing_until_it_is_resumed(void **state)
{
	struct fixture *f = *state;
	struct submitted submitted;
	submit_to(f, "thumbs", "uid:1000", &submitted);
	submit_to(f, "video", "uid:1000", &submitted);
	WRITE(f, queue_lane_pause(f->queue, "user:ann", "thumbs", "disk \"full\"", 0,
				  &f->err));
	assert_int_equal(claim_count(f, 100), 1);
	struct lane lane = lane_of(f, "thumbs");
	assert_true(lane.paused_at > 0);
	assert_int_equal(lane.paused_until, 0);
	assert_string_equal(lane.paused_by, "user:ann");
	assert_string_equal(lane.pause_reason, "disk \"full\"");
	assert_false(lane.is_configured);
	lane_release(&lane);
	/* somebody else with other words */
	WRITE(f, queue_lane_pause(f->queue, "user:bob", "thumbs", NULL, 0, &f->err));
	WRITE(f, queue_lane_resume(f->queue, "user:bob", "thumbs", &f->err));
	WRITE(f, queue_lane_resume(f->queue, "user:bob", "thumbs", &f->err));
	lane = lane_of(f, "thumbs");
	assert_int_equal(lane.paused_at, 0);
	assert_null(lane.paused_by);
	lane_release(&lane);
	assert_int_equal(claim_count(f, 100), 1);
	assert_service_events(f, "queue_paused user:ann {\"queue\":\"thumbs\",\"reason\":"
				 "\"disk \\\"full\\\"\"}"
				 "|queue_paused user:bob {\"queue\":\"thumbs\"}"
				 "|queue_resumed user:bob {\"queue\":\"thumbs\"}");
}

static void test_a_pause_ends_by_itself(void **state)
{
	struct fixture *f = *state;
	struct submitted submitted;
	int64_t at = 0;
	const int64_t until = wall_now_us() + 3600 * US_PER_S;
	submit_to(f, "thumbs", "uid:1000", &submitted);
	assert_int_equal(queue_due_next(f->queue, &at, &f->err), 0);
	WRITE(f, queue_lane_pause(f->queue, "uid:0", "thumbs", NULL, until, &f->err));
	assert_int_equal(queue_due_next(f->queue, &at, &f->err), 1);
	assert_true(at == until);
	WRITE(f, queue_due(f->queue, &f->err));
	assert_int_equal(claim_count(f, 100), 0);
	wall_go_on(3600 * US_PER_S);
	assert_done(queue_begin(f->queue, &f->err), &f->err);
	assert_int_equal(queue_due(f->queue, &f->err), 1);
	assert_done(queue_commit(f->queue, &f->err), &f->err);
	assert_int_equal(queue_due_next(f->queue, &at, &f->err), 0);
	assert_int_equal(claim_count(f, 100), 1);
	fixture_assert_sql(f->dir,
			   "SELECT kind || ' ' || coalesce(principal, '-') FROM events "
			   "WHERE job_id IS NULL ORDER BY id DESC LIMIT 1",
			   "queue_resumed -");
}

static void test_a_queue_that_nobody_knows_is_not_there(void **state)
{
	struct fixture *f = *state;
	struct lane lane;
	assert_int_equal(queue_lane_get(f->queue, "nowhere", &lane, &f->err), 0);
	assert_done(queue_begin(f->queue, &f->err), &f->err);
	assert_int_equal(queue_lane_pause(f->queue, "uid:0", "nowhere", NULL, 0, &f->err),
			 -1);
	assert_int_equal(f->err.code, ERR_NOT_FOUND);
	assert_int_equal(queue_lane_resume(f->queue, "uid:0", "nowhere", &f->err), -1);
	assert_int_equal(f->err.code, ERR_NOT_FOUND);
	assert_int_equal(queue_lane_limit(f->queue, "uid:0", "nowhere", 1, &f->err), -1);
	assert_int_equal(f->err.code, ERR_NOT_FOUND);
	struct err err = ERR_INIT;
	assert_done(queue_commit(f->queue, &err), &err);
	assert_service_events(f, "");
	fixture_assert_sql(f->dir, "SELECT count(*) FROM queues", "1");
}

/* --- draining --- */

static void test_draining_starts_nothing_and_is_kept(void **state)
{
	struct fixture *f = *state;
	struct submitted submitted;
	struct drain drain;
	submit_to(f, NULL, "uid:1000", &submitted);
	assert_int_equal(queue_drain_get(f->queue, &drain, &f->err), 0);
	WRITE(f, queue_drain(f->queue, "user:ann", "new kernel", &f->err));
	WRITE(f, queue_drain(f->queue, "user:bob", "also", &f->err));
	assert_int_equal(claim_count(f, 100), 0);
	/* a new connection sees it too */
	queue_close(f->queue);
	assert_done(queue_open(&f->queue, f->dir, QUEUE_WRITE, &f->err), &f->err);
	assert_int_equal(queue_drain_get(f->queue, &drain, &f->err), 1);
	assert_string_equal(drain.by, "user:ann");
	assert_string_equal(drain.reason, "new kernel");
	assert_true(drain.since > 0);
	drain_release(&drain);
	WRITE(f, queue_undrain(f->queue, "user:bob", &f->err));
	WRITE(f, queue_undrain(f->queue, "user:bob", &f->err));
	assert_int_equal(claim_count(f, 100), 1);
	assert_service_events(f, "draining user:ann {\"reason\":\"new kernel\"}"
				 "|undrained user:bob {}");
}

/* --- for a worker that has claimed ahead --- */

static void assert_rather(struct fixture *f, int priority, const char *const *owners,
			  size_t count, int expected)
{
	assert_int_equal(queue_claim_rather(f->queue, priority, owners, count, &f->err),
			 expected);
}

static void test_who_comes_before_what_was_claimed_ahead(void **state)
{
	static const char *const both[] = {"ann", "bob"};
	struct fixture *f = *state;
	struct submission s = fixture_submission();
	struct submitted submitted;
	assert_rather(f, 0, both, 1, 0);
	submit_to(f, "q", "ann", &submitted);
	assert_rather(f, 0, both, 1, 0); /* one of those who are there */
	assert_rather(f, 0, both, 0, 1);
	assert_rather(f, 1, both, 0, 0); /* of a lower priority */
	submit_to(f, "r", "bob", &submitted);
	assert_rather(f, 0, both, 1, 1); /* somebody else */
	assert_rather(f, 0, both, 2, 0);
	assert_rather(f, 0, NULL, 0, 0); /* higher priorities only */
	s.owner = "ann";
	s.queue = "s";
	s.priority = 1;
	WRITE(f, queue_submit(f->queue, &s, &submitted, &f->err));
	assert_rather(f, 0, NULL, 0, 1);
	assert_rather(f, 0, both, 2, 1);
	WRITE(f, queue_lane_pause(f->queue, "uid:0", "s", NULL, 0, &f->err));
	assert_rather(f, 0, both, 2, 0); /* it could not start */
	WRITE(f, queue_lane_limit(f->queue, "uid:0", "r", 0, &f->err));
	assert_rather(f, 0, both, 1, 0);
	WRITE(f, queue_lane_resume(f->queue, "uid:0", "s", &f->err));
	WRITE(f, queue_drain(f->queue, "uid:0", NULL, &f->err));
	assert_rather(f, 0, both, 2, 0);
}

static void assert_over(struct fixture *f, int64_t expected)
{
	int64_t over = -1;
	assert_done(queue_claims_over(f->queue, "q", &over, &f->err), &f->err);
	assert_true(over == expected);
}

static void test_how_many_claims_are_too_many(void **state)
{
	struct fixture *f = *state;
	struct submitted submitted;
	assert_over(f, 0);
	for (int i = 0; i < 5; i++)
		submit_to(f, "q", "ann", &submitted);
	assert_int_equal(claim_count(f, 4), 4);
	assert_over(f, 0);
	WRITE(f, queue_lane_limit(f->queue, "uid:0", "q", 4, &f->err));
	assert_over(f, 0);
	WRITE(f, queue_lane_limit(f->queue, "uid:0", "q", 1, &f->err));
	assert_over(f, 3);
	WRITE(f, queue_lane_pause(f->queue, "uid:0", "q", NULL, 0, &f->err));
	assert_over(f, INT64_MAX);
	WRITE(f, queue_lane_resume(f->queue, "uid:0", "q", &f->err));
	WRITE(f, queue_drain(f->queue, "uid:0", NULL, &f->err));
	assert_over(f, INT64_MAX);
}

/* --- lists --- */

static void test_the_list_has_all_that_matter(void **state)
{
	struct fixture *f = *state;
	struct queue_setting settings[] = {{b_configured, 2}};
	struct submitted submitted;
	struct submission held = fixture_submission();
	struct lane_list list;
	int64_t running = -1;
	AUTO_BUF struct buf text = BUF_INIT(4096);
	configure(f, settings, 1);
	assert_done(queue_running(f->queue, &running, &f->err), &f->err);
	assert_int_equal(running, 0);
	submit_to(f, "a-running", "uid:1000", &submitted);
	assert_int_equal(claim_count(f, 100), 1);
	assert_done(queue_running(f->queue, &running, &f->err), &f->err);
	assert_int_equal(running, 1);
	submit_to(f, "c-queued", "uid:1000", &submitted);
	submit_to(f, "c-queued", "uid:2000", &submitted);
	held.queue = "d-waiting";
	held.is_held = true;
	WRITE(f, queue_submit(f->queue, &held, &submitted, &f->err));
	assert_done(queue_lane_list(f->queue, &list, &f->err), &f->err);
	for (size_t i = 0; i < list.count; i++)
		(void)buf_printf(&text, "%s %d %d %d|", list.item[i].name,
				 (int)list.item[i].waiting, (int)list.item[i].queued,
				 (int)list.item[i].running);
	assert_string_equal(buf_text(&text), "a-running 0 0 1|b-configured 0 0 0|"
					     "c-queued 0 2 0|d-waiting 1 0 0|"
					     "default 0 0 0|");
	lane_list_release(&list);
	/* and the same in the shell */
	fixture_assert_sql(f->dir,
			   "SELECT group_concat(queue || ' ' || waiting || ' ' || queued "
			   "|| ' ' || running, '|') FROM (SELECT * FROM v_queues "
			   "ORDER BY queue)",
			   "a-running 0 0 1|b-configured 0 0 0|c-queued 0 2 0|"
			   "d-waiting 1 0 0|default 0 0 0");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_the_rows_follow_the_configuration),
		TEST(test_the_same_configuration_writes_nothing),
		TEST(test_a_full_queue_holds_nobody_else_back),
		TEST(test_a_limit_that_was_set_wins_until_it_is_forgotten),
		TEST(test_a_paused_queue_starts_nothing_until_it_is_resumed),
		TEST(test_a_pause_ends_by_itself),
		TEST(test_a_queue_that_nobody_knows_is_not_there),
		TEST(test_draining_starts_nothing_and_is_kept),
		TEST(test_who_comes_before_what_was_claimed_ahead),
		TEST(test_how_many_claims_are_too_many),
		TEST(test_the_list_has_all_that_matter),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
