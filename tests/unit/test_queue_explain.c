/* test_queue_explain.c - why a job does not run: each hindrance alone and with all the
 * others, and who is ahead. */
#include "tests/unit/queue_fixture.h"

#include "tests/unit/wall_clock.h"

#define TEST(name) cmocka_unit_test_setup_teardown(name, wall_setup, wall_teardown)
#define HOUR (INT64_C(3600) * US_PER_S)

/* One [write] call in a transaction of its own. */
#define WRITE(f, call)                                                                   \
	do {                                                                             \
		assert_done(queue_begin((f)->queue, &(f)->err), &(f)->err);              \
		assert_done((call), &(f)->err);                                          \
		assert_done(queue_commit((f)->queue, &(f)->err), &(f)->err);             \
	} while (0)

static void sql(struct fixture *f, const char *text)
{
	char ret[FIXTURE_TEXT_BYTES];
	if (fixture_sql(f->dir, text, ret) != 0)
		fail_msg("%s", text);
}

static void explain(struct fixture *f, const char *id, struct explanation *ret)
{
	const int found = queue_explain(f->queue, &FIXTURE_ADMIN, id, ret, &f->err);
	assert_done(found, &f->err);
	assert_int_equal(found, 1);
}

static void submit_to(struct fixture *f, const char *queue, const char *owner,
		      int priority, struct submitted *ret)
{
	struct submission s = fixture_submission();
	s.owner = owner;
	s.queue = queue;
	s.priority = priority;
	WRITE(f, queue_submit(f->queue, &s, ret, &f->err));
}

/* A running job in the queue `thumbs` and a worker that has room for more. */
static void make_scene(struct fixture *f)
{
	struct submitted running;
	struct claim_list list;
	submit_to(f, "thumbs", "uid:2000", 0, &running);
	fixture_claim(f, &list);
	claim_list_release(&list);
}

/* --- every combination --- */

/* What a job of one's own can wait for, and how it comes to that. */
struct wait_row {
	const char *words; /* as explained */
	bool has_run_at, is_held, is_retry, has_dependency;
};

static const struct wait_row WAITS[] = {
	{""},
	{"dependency ", .has_dependency = true},
	{"run_at ", .has_run_at = true},
	{"hold ", .is_held = true},
	{"dependency run_at ", .has_dependency = true, .has_run_at = true},
	{"dependency hold ", .has_dependency = true, .is_held = true},
	{"run_at hold ", .has_run_at = true, .is_held = true},
	{"dependency run_at hold ", .has_dependency = true, .has_run_at = true,
	 .is_held = true},
	{"retry ", .is_retry = true},
	{"hold retry ", .is_held = true, .is_retry = true},
};

static void submit_waiting(struct fixture *f, const struct wait_row *row,
			   struct submitted *ret)
{
	const struct viewer owner = {.principal = "uid:1000"};
	const struct attempt_end failed = fixture_end(1);
	struct submission s = fixture_submission();
	struct claim_list list;
	s.queue = "thumbs";
	s.run_at = row->has_run_at ? wall_now_us() + HOUR : 0;
	s.is_held = row->is_held && !row->is_retry;
	s.max_attempts = row->is_retry ? 2 : 1;
	s.retry = row->is_retry ? "{\"max_attempts\":2,\"delay_s\":60,\"factor\":1,"
				  "\"max_delay_s\":60,\"jitter\":0,\"on\":[\"exit\"]}"
				: NULL;
	WRITE(f, queue_submit(f->queue, &s, ret, &f->err));
	if (row->is_retry) {
		fixture_claim(f, &list);
		assert_int_equal(fixture_import(f, &list.item[0], &failed), 1);
		claim_list_release(&list);
		if (row->is_held)
			WRITE(f, queue_hold(f->queue, &owner, ret->id, true, &f->err));
	}
	if (row->has_dependency) {
		AUTO_FREE char *text = mem_printf(
			"UPDATE jobs SET state = 'waiting', reason = 'dependency' WHERE "
			"id = %lld AND state = 'queued'; INSERT INTO dependencies "
			"(job_id, parent_id, condition) VALUES (%lld, 1, 'failure');",
			(long long)ret->row, (long long)ret->row);
		sql(f, text);
	}
}

/* What holds back any job of the queue; switched on and off. */
static const struct {
	const char *word, *on, *off;
} SWITCHES[] = {
	{"queue_paused ",
	 "UPDATE queues SET paused_at = 5, paused_by = 'uid:0' WHERE name = 'thumbs'",
	 "UPDATE queues SET paused_at = NULL, paused_by = NULL WHERE name = 'thumbs'"},
	{"queue_limit ", "UPDATE queues SET max_running = 1 WHERE name = 'thumbs'",
	 "UPDATE queues SET max_running = 2 WHERE name = 'thumbs'"},
	{"draining ", "INSERT INTO drain (id, since, by) VALUES (1, 5, 'uid:0')",
	 "DELETE FROM drain"},
	{"no_free_slot ", "UPDATE workers SET slots = 1", "UPDATE workers SET slots = 2"},
	{"no_worker ", "UPDATE workers SET stopped_at = heartbeat_at",
	 "UPDATE workers SET stopped_at = NULL"},
};

static void assert_words(struct fixture *f, const char *id, const char *expected)
{
	AUTO_BUF struct buf words = BUF_INIT(4096);
	struct explanation explanation;
	explain(f, id, &explanation);
	for (size_t i = 0; i < explanation.count; i++)
		(void)buf_printf(&words, "%s ", hindrance_word(explanation.item[i].kind));
	assert_string_equal(buf_text(&words), expected);
	explanation_release(&explanation);
}

static void test_every_combination_is_told_completely(void **state)
{
	struct fixture *f = *state;
	struct submitted submitted;
	make_scene(f);
	sql(f, "INSERT INTO queues (name) VALUES ('thumbs')");
	for (size_t i = 0; i < ARRAY_SIZE(SWITCHES); i++)
		sql(f, SWITCHES[i].off);
	for (size_t w = 0; w < ARRAY_SIZE(WAITS); w++) {
		submit_waiting(f, &WAITS[w], &submitted);
		for (unsigned set = 0; set < 1U << ARRAY_SIZE(SWITCHES); set++) {
			AUTO_BUF struct buf expected = BUF_INIT(4096);
			(void)buf_append_text(&expected, WAITS[w].words);
			for (size_t i = 0; i < ARRAY_SIZE(SWITCHES); i++)
				if (set & 1U << i) {
					sql(f, SWITCHES[i].on);
					(void)buf_append_text(&expected,
							      SWITCHES[i].word);
				}
			assert_words(f, submitted.id, buf_text(&expected));
			for (size_t i = 0; i < ARRAY_SIZE(SWITCHES); i++)
				sql(f, SWITCHES[i].off);
		}
		AUTO_FREE char *end = mem_printf("UPDATE jobs SET state = 'cancelled', "
						 "finished_at = 5 WHERE id = %lld",
						 (long long)submitted.row);
		sql(f, end);
	}
}

/* --- what each says --- */

static void test_who_and_why_and_until_when(void **state)
{
	struct fixture *f = *state;
	const struct viewer owner = {.principal = "uid:1000"};
	const int64_t until = wall_now_us() + 2 * HOUR;
	struct submission s = fixture_submission();
	struct submitted submitted;
	struct explanation e;
	make_scene(f);
	s.queue = "thumbs";
	s.run_at = wall_now_us() + HOUR;
	WRITE(f, queue_submit(f->queue, &s, &submitted, &f->err));
	WRITE(f, queue_hold(f->queue, &owner, submitted.id, true, &f->err));
	WRITE(f, queue_lane_pause(f->queue, "user:ann", "thumbs", "too hot", until,
				  &f->err));
	WRITE(f, queue_lane_limit(f->queue, "user:ann", "thumbs", 0, &f->err));
	WRITE(f, queue_drain(f->queue, "user:bob", "upgrade", &f->err));
	sql(f, "UPDATE workers SET slots = 1");
	const int64_t last = wall_now_us();
	wall_go_on(WORKER_ALIVE_US + 1);
	explain(f, submitted.id, &e);
	assert_int_equal(e.count, 7);
	assert_string_equal(e.state, "waiting");
	assert_int_equal(e.item[0].kind, HINDRANCE_RUN_AT);
	assert_true(e.item[0].until == s.run_at);
	assert_int_equal(e.item[1].kind, HINDRANCE_HOLD);
	assert_string_equal(e.item[1].by, "uid:1000");
	assert_true(e.item[1].since == last && e.item[1].until == 0);
	assert_int_equal(e.item[2].kind, HINDRANCE_PAUSED);
	assert_string_equal(e.item[2].by, "user:ann");
	assert_string_equal(e.item[2].text, "too hot");
	assert_true(e.item[2].until == until && e.item[2].since == last);
	assert_int_equal(e.item[3].kind, HINDRANCE_FULL);
	assert_true(e.item[3].running == 1 && e.item[3].limit == 0);
	assert_int_equal(e.item[4].kind, HINDRANCE_DRAINING);
	assert_string_equal(e.item[4].by, "user:bob");
	assert_string_equal(e.item[4].text, "upgrade");
	assert_int_equal(e.item[5].kind, HINDRANCE_NO_SLOT);
	assert_true(e.item[5].running == 1 && e.item[5].limit == 1);
	assert_int_equal(e.item[6].kind, HINDRANCE_NO_WORKER);
	assert_true(e.item[6].since == last);
	assert_true(e.earliest_at == until);
	explanation_release(&e);
	/* one microsecond earlier the heartbeat was still a sign of life */
	wall_go_on(-1);
	explain(f, submitted.id, &e);
	assert_int_equal(e.count, 6);
	explanation_release(&e);
}

static void test_a_dependency_names_its_parent_to_who_may_see_it(void **state)
{
	struct fixture *f = *state;
	const struct viewer owner = {.principal = "uid:1000"};
	struct submitted own, other, child;
	struct explanation e;
	struct submission s = fixture_submission();
	fixture_submit(f, "uid:1000", &own);
	fixture_submit(f, "uid:2000", &other);
	s.is_held = true;
	WRITE(f, queue_submit(f->queue, &s, &child, &f->err));
	assert_done(queue_begin(f->queue, &f->err), &f->err);
	assert_done(queue_worker_register(f->queue, 4, &f->epoch, &f->err), &f->err);
	assert_done(queue_commit(f->queue, &f->err), &f->err);
	sql(f, "INSERT INTO dependencies (job_id, parent_id, condition) VALUES "
	       "(3, 1, 'success'), (3, 2, 'any')");
	assert_int_equal(queue_explain(f->queue, &owner, child.id, &e, &f->err), 1);
	assert_int_equal(e.count, 3);
	assert_string_equal(e.item[0].parent_id, own.id);
	assert_int_equal(e.item[0].condition, DEPENDS_SUCCESS);
	assert_string_equal(e.item[1].parent_id, "");
	assert_int_equal(e.item[1].condition, DEPENDS_ANY);
	explanation_release(&e);
	explain(f, child.id, &e);
	assert_string_equal(e.item[1].parent_id, other.id);
	explanation_release(&e);
}

static void test_any_of_several_is_enough(void **state)
{
	struct fixture *f = *state;
	const struct attempt_end well = fixture_end(0);
	struct submitted parent[2], child;
	struct submission s = fixture_submission();
	struct claim_list list;
	for (size_t i = 0; i < ARRAY_SIZE(parent); i++)
		fixture_submit(f, "uid:1000", &parent[i]);
	const struct dependency_wish wishes[] = {
		{.parent_row = parent[0].row, .condition = DEPENDS_SUCCESS},
		{.parent_row = parent[1].row, .condition = DEPENDS_SUCCESS},
	};
	s.depends_on = wishes;
	s.depends_count = ARRAY_SIZE(wishes);
	s.is_any_enough = true;
	s.is_held = true;
	WRITE(f, queue_submit(f->queue, &s, &child, &f->err));
	fixture_claim(f, &list);
	assert_words(f, child.id, "dependency dependency hold ");
	assert_int_equal(fixture_import(f, &list.item[0], &well), 1);
	claim_list_release(&list);
	assert_words(f, child.id, "hold ");
}

static void test_what_runs_or_is_over_is_not_hindered(void **state)
{
	struct fixture *f = *state;
	const struct viewer stranger = {.principal = "uid:7"};
	struct submitted running, over;
	struct claim_list list;
	struct explanation e;
	fixture_run_job(f, "uid:1000", 0, &over);
	fixture_submit(f, "uid:1000", &running);
	fixture_claim(f, &list);
	claim_list_release(&list);
	WRITE(f, queue_drain(f->queue, "uid:0", NULL, &f->err));
	explain(f, running.id, &e);
	assert_string_equal(e.state, "running");
	assert_true(e.count == 0 && e.ahead == 0 && e.earliest_at == 0);
	explanation_release(&e);
	explain(f, over.id, &e);
	assert_string_equal(e.state, "succeeded");
	assert_true(e.count == 0 && e.ahead == 0);
	explanation_release(&e);
	/* nobody is told of others' jobs */
	assert_int_equal(queue_explain(f->queue, &stranger, over.id, &e, &f->err), 0);
}

static void test_without_a_worker_nothing_starts(void **state)
{
	struct fixture *f = *state;
	struct submitted submitted;
	struct explanation e;
	fixture_submit(f, "uid:1000", &submitted);
	explain(f, submitted.id, &e);
	assert_int_equal(e.count, 1);
	assert_int_equal(e.item[0].kind, HINDRANCE_NO_WORKER);
	assert_true(e.item[0].since == 0);
	explanation_release(&e);
}

/* --- the short reason --- */

static void test_the_reason_of_a_queued_job(void **state)
{
	struct fixture *f = *state;
	struct submitted submitted;
	const char *word = NULL;
	struct job job;
	make_scene(f);
	submit_to(f, "thumbs", "uid:1000", 0, &submitted);
	fixture_get(f, submitted.id, &job);
	assert_int_equal(queue_queued_reason(f->queue, &job, &word, &f->err), 0);
	WRITE(f, queue_lane_limit(f->queue, "uid:0", "thumbs", 1, &f->err));
	assert_int_equal(queue_queued_reason(f->queue, &job, &word, &f->err), 1);
	assert_string_equal(word, "queue_limit");
	fixture_assert_sql(f->dir, "SELECT reason FROM v_waiting", word);
	WRITE(f, queue_lane_pause(f->queue, "uid:0", "thumbs", NULL, 0, &f->err));
	assert_int_equal(queue_queued_reason(f->queue, &job, &word, &f->err), 1);
	assert_string_equal(word, "queue_paused");
	fixture_assert_sql(f->dir, "SELECT reason FROM v_waiting", word);
	WRITE(f, queue_drain(f->queue, "uid:0", NULL, &f->err));
	assert_int_equal(queue_queued_reason(f->queue, &job, &word, &f->err), 1);
	assert_string_equal(word, "draining");
	fixture_assert_sql(f->dir, "SELECT reason FROM v_waiting", word);
	job.state = JOB_RUNNING;
	assert_int_equal(queue_queued_reason(f->queue, &job, &word, &f->err), 0);
	job_release(&job);
}

/* --- who is ahead --- */

struct ahead_row {
	const char *queue, *owner;
	int priority, count;
};

static void submit_rows(struct fixture *f, const struct ahead_row *rows, size_t count)
{
	struct submitted submitted;
	for (size_t i = 0; i < count; i++)
		for (int n = 0; n < rows[i].count; n++)
			submit_to(f, rows[i].queue, rows[i].owner, rows[i].priority,
				  &submitted);
}

static int64_t ahead_of(struct fixture *f, const char *id)
{
	struct explanation e;
	explain(f, id, &e);
	const int64_t ahead = e.ahead;
	assert_false(e.is_ahead_capped);
	explanation_release(&e);
	return ahead;
}

static void test_ahead_is_what_the_rules_let_go_first(void **state)
{
	static const struct ahead_row before[] = {
		{"default", "a", 0, 50}, /* one turn each before c's first */
		{"thumbs", "a", 0, 3},	 /* the same owner in another queue */
		{"default", "b", 0, 1},	 {"default", "b", -1, 9},
		{"default", "d", 5, 4},				   /* above */
		{"thumbs", "d", 100, 2}, {"paused", "e", 100, 20}, /* go nowhere */
		{"paused", "e", 0, 20},
	};
	struct fixture *f = *state;
	struct submitted c[3], low;
	submit_rows(f, before, ARRAY_SIZE(before));
	WRITE(f, queue_lane_pause(f->queue, "uid:0", "paused", NULL, 0, &f->err));
	for (size_t i = 0; i < ARRAY_SIZE(c); i++)
		submit_to(f, i == 1 ? "thumbs" : "default", "c", 0, &c[i]);
	submit_to(f, "default", "c", -2, &low);
	/* above: 6; one turn of a and b */
	assert_int_equal(ahead_of(f, c[0].id), 6 + 1 + 1);
	/* two turns of a, all that b has, its own one */
	assert_int_equal(ahead_of(f, c[1].id), 6 + 2 + 1 + 1);
	assert_int_equal(ahead_of(f, c[2].id), 6 + 3 + 1 + 2);
	/* everything but what is paused */
	assert_int_equal(ahead_of(f, low.id), 6 + 53 + 10 + 3);
	/* what is paused itself still has its place among all others */
	WRITE(f, queue_lane_pause(f->queue, "uid:0", "default", NULL, 0, &f->err));
	assert_int_equal(ahead_of(f, c[0].id), 6 + 1 + 1);
}

static void test_ahead_is_capped(void **state)
{
	struct fixture *f = *state;
	struct submitted submitted;
	struct submission s = fixture_submission();
	struct explanation e;
	assert_done(queue_begin(f->queue, &f->err), &f->err);
	for (int i = 0; i < EXPLAIN_AHEAD_MAX + 1; i++)
		assert_done(queue_submit(f->queue, &s, &submitted, &f->err), &f->err);
	assert_done(queue_commit(f->queue, &f->err), &f->err);
	explain(f, submitted.id, &e);
	assert_int_equal(e.ahead, EXPLAIN_AHEAD_MAX);
	assert_false(e.is_ahead_capped);
	explanation_release(&e);
	fixture_submit(f, "uid:1000", &submitted);
	explain(f, submitted.id, &e);
	assert_int_equal(e.ahead, EXPLAIN_AHEAD_MAX);
	assert_true(e.is_ahead_capped);
	explanation_release(&e);
}

/* Random crowds: nobody is claimed later than was said. */
static void test_nobody_waits_longer_than_explained(void **state)
{
	static const char *const queues[] = {"default", "thumbs", "video"};
	static const char *const owners[] = {"a", "b", "c", "d"};
	enum { JOBS = 60 };
	struct fixture *f = *state;
	struct submitted submitted[JOBS];
	int64_t ahead[JOBS];
	unsigned seed = 4711;
	for (int i = 0; i < JOBS; i++) {
		const unsigned r = (seed = seed * 1103515245U + 12345U) >> 8;
		/* the first owner has most */
		submit_to(f, queues[r % 3], owners[r / 3 % 7 % 4], (int)(r / 21 % 3),
			  &submitted[i]);
	}
	for (int i = 0; i < JOBS; i++)
		ahead[i] = ahead_of(f, submitted[i].id);
	for (int64_t position = 0; position < JOBS; position++) {
		struct claim_list list;
		fixture_claim(f, &list);
		for (int i = 0; i < JOBS; i++)
			if (text_equal(list.item[0].job.id, submitted[i].id) &&
			    position > ahead[i])
				fail_msg("job %d: %lld ahead were explained, %lld came",
					 i, (long long)ahead[i], (long long)position);
		claim_list_release(&list);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_every_combination_is_told_completely),
		TEST(test_who_and_why_and_until_when),
		TEST(test_a_dependency_names_its_parent_to_who_may_see_it),
		TEST(test_any_of_several_is_enough),
		TEST(test_what_runs_or_is_over_is_not_hindered),
		TEST(test_without_a_worker_nothing_starts),
		TEST(test_the_reason_of_a_queued_job),
		TEST(test_ahead_is_what_the_rules_let_go_first),
		TEST(test_ahead_is_capped),
		TEST(test_nobody_waits_longer_than_explained),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
