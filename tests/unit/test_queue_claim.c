/* test_queue_claim.c - the order in which queued jobs are claimed: priorities, turns
 * between owners, ages, and queues that are full or paused. */
#include <sqlite3.h>

#include "queue/db.h"
#include "tests/unit/queue_fixture.h"
#include "tests/unit/wall_clock.h"

#define TEST(name) cmocka_unit_test_setup_teardown(name, wall_setup, wall_teardown)

/* Jobs as the test knows them; `name` is what the orders are written with. */
struct known {
	char name[16], queue[16], owner[16];
	int priority;
	int64_t row;
	bool is_over;
};
#define KNOWN_MAX 4000
struct crowd {
	struct fixture *f;
	struct known job[KNOWN_MAX];
	size_t count;
};

static void begin(struct fixture *f)
{
	assert_done(queue_begin(f->queue, &f->err), &f->err);
	if (f->epoch == 0)
		assert_done(queue_worker_register(f->queue, 4, &f->epoch, &f->err),
			    &f->err);
}

static void commit(struct fixture *f)
{
	assert_done(queue_commit(f->queue, &f->err), &f->err);
}

static struct known *add(struct crowd *crowd, const char *name, const char *queue,
			 const char *owner, int priority)
{
	struct known *job = &crowd->job[crowd->count++];
	struct submission s = fixture_submission();
	struct submitted submitted;
	assert_true(crowd->count < KNOWN_MAX);
	s.name = name;
	s.queue = queue;
	s.owner = owner;
	s.priority = priority;
	assert_done(queue_submit(crowd->f->queue, &s, &submitted, &crowd->f->err),
		    &crowd->f->err);
	(void)snprintf(job->name, sizeof job->name, "%s", name);
	(void)snprintf(job->queue, sizeof job->queue, "%s", queue);
	(void)snprintf(job->owner, sizeof job->owner, "%s", owner);
	job->priority = priority;
	job->row = submitted.row;
	return job;
}

static struct known *known_of(struct crowd *crowd, int64_t row)
{
	for (size_t i = 0; i < crowd->count; i++)
		if (crowd->job[i].row == row)
			return &crowd->job[i];
	fail_msg("a job that nobody submitted");
	return &crowd->job[0]; /* not reached */
}

/* Claims up to `max` in one transaction, appending their names. */
static size_t claim_names(struct crowd *crowd, int max, struct buf *ret)
{
	struct fixture *f = crowd->f;
	struct claim_list list;
	begin(f);
	assert_done(queue_claim(f->queue, f->turns, f->epoch, max, &list, &f->err),
		    &f->err);
	commit(f);
	const size_t count = list.count;
	for (size_t i = 0; i < count; i++)
		(void)buf_printf(ret, "%s ", known_of(crowd, list.item[i].job.row)->name);
	claim_list_release(&list);
	return count;
}

/* --- orders, by example --- */

struct job_row {
	const char *name, *queue, *owner;
	int priority;
};

static void assert_order(void **state, const struct job_row *rows, size_t count,
			 const char *expected)
{
	/* all at once and one by one come to the same */
	for (int max = 100; max > 0; max -= 99) {
		AUTO_BUF struct buf names = BUF_INIT(4096);
		AUTO_FREE struct crowd *crowd = mem_alloc(sizeof *crowd);
		crowd->f = *state;
		turns_free(crowd->f->turns);
		crowd->f->turns = turns_new();
		begin(crowd->f);
		for (size_t i = 0; i < count; i++)
			(void)add(crowd, rows[i].name, rows[i].queue, rows[i].owner,
				  rows[i].priority);
		commit(crowd->f);
		while (claim_names(crowd, max, &names) > 0)
			continue;
		assert_string_equal(buf_text(&names), expected);
	}
}

static void test_higher_priorities_first_over_all_queues(void **state)
{
	static const struct job_row rows[] = {
		{"low", "a", "ann", -100}, {"mid", "b", "ann", 0},
		{"high", "a", "ann", 1},   {"top", "c", "bob", 100},
		{"mid2", "a", "ann", 0},
	};
	assert_order(state, rows, ARRAY_SIZE(rows), "top high mid mid2 low ");
}

static void test_the_longest_queued_of_an_owner_first(void **state)
{
	static const struct job_row rows[] = {
		{"1", "b", "ann", 0}, {"2", "a", "ann", 0}, {"3", "c", "ann", 0},
		{"4", "a", "ann", 0}, {"5", "b", "ann", 0},
	};
	assert_order(state, rows, ARRAY_SIZE(rows), "1 2 3 4 5 ");
}

static void test_owners_take_turns_in_one_queue(void **state)
{
	static const struct job_row rows[] = {
		{"a1", "q", "ann", 0}, {"a2", "q", "ann", 0}, {"a3", "q", "ann", 0},
		{"c1", "q", "cid", 0}, {"b1", "q", "bob", 0}, {"b2", "q", "bob", 0},
	};
	assert_order(state, rows, ARRAY_SIZE(rows), "a1 b1 c1 a2 b2 a3 ");
}

static void test_an_owner_has_one_turn_however_many_queues_it_fills(void **state)
{
	static const struct job_row rows[] = {
		{"a1", "q", "ann", 0}, {"a2", "r", "ann", 0}, {"a3", "s", "ann", 0},
		{"a4", "t", "ann", 0}, {"b1", "t", "bob", 0}, {"b2", "q", "bob", 0},
	};
	assert_order(state, rows, ARRAY_SIZE(rows), "a1 b1 a2 b2 a3 a4 ");
}

static void test_turns_are_taken_inside_a_priority_only(void **state)
{
	static const struct job_row rows[] = {
		{"a1", "q", "ann", 5}, {"a2", "q", "ann", 5}, {"a3", "q", "ann", 0},
		{"b1", "q", "bob", 0}, {"b2", "q", "bob", 0}, {"c1", "r", "cid", 5},
	};
	assert_order(state, rows, ARRAY_SIZE(rows), "a1 c1 a2 a3 b1 b2 ");
}

/* Whoever comes while somebody's thousand are being run waits for one of them. */
static void test_a_newcomer_is_next(void **state)
{
	AUTO_BUF struct buf names = BUF_INIT(65536);
	AUTO_FREE struct crowd *crowd = mem_alloc(sizeof *crowd);
	crowd->f = *state;
	begin(crowd->f);
	for (int i = 0; i < 1000; i++)
		(void)add(crowd, "m", "q", "many", 0);
	commit(crowd->f);
	for (int i = 0; i < 10; i++) {
		buf_reset(&names);
		assert_int_equal(claim_names(crowd, 7, &names), 7);
		begin(crowd->f);
		(void)add(crowd, "before", "q", "abe", 0);
		(void)add(crowd, "behind", "r", "zoe", 0);
		commit(crowd->f);
		buf_reset(&names);
		assert_int_equal(claim_names(crowd, 5, &names), 5);
		/* the circle goes on behind `many` */
		assert_string_equal(buf_text(&names), "behind before m m m ");
	}
}

static void test_a_revoked_attempt_keeps_its_jobs_place(void **state)
{
	AUTO_BUF struct buf names = BUF_INIT(4096);
	AUTO_FREE struct crowd *crowd = mem_alloc(sizeof *crowd);
	struct fixture *f = crowd->f = *state;
	begin(f);
	const int64_t first = add(crowd, "1", "q", "ann", 0)->row;
	(void)add(crowd, "2", "q", "ann", 0);
	commit(f);
	assert_int_equal(claim_names(crowd, 1, &names), 1);
	wall_go_on(1000);
	begin(f);
	assert_done(queue_attempt_revoke(f->queue, first, 1, &f->err), &f->err);
	commit(f);
	assert_int_equal(claim_names(crowd, 2, &names), 2);
	assert_string_equal(buf_text(&names), "1 1 2 ");
}

/* The order is that of becoming eligible, not of submission. */
static void test_what_becomes_due_is_queued_behind(void **state)
{
	AUTO_BUF struct buf names = BUF_INIT(4096);
	AUTO_FREE struct crowd *crowd = mem_alloc(sizeof *crowd);
	struct fixture *f = crowd->f = *state;
	const struct viewer ann = {.principal = "ann"};
	struct submission s = fixture_submission();
	struct submitted late, held;
	s.owner = "ann";
	s.name = "late";
	s.run_at = wall_now_us() + 10;
	begin(f);
	assert_done(queue_submit(f->queue, &s, &late, &f->err), &f->err);
	s.run_at = 0;
	s.name = "held";
	assert_done(queue_submit(f->queue, &s, &held, &f->err), &f->err);
	assert_done(queue_hold(f->queue, &ann, held.id, true, &f->err), &f->err);
	commit(f);
	wall_go_on(5);
	begin(f);
	(void)add(crowd, "2", "default", "ann", 0);
	commit(f);
	wall_go_on(5);
	begin(f);
	assert_int_equal(queue_due(f->queue, &f->err), 1);
	commit(f);
	wall_go_on(5);
	begin(f);
	assert_done(queue_hold(f->queue, &ann, held.id, false, &f->err), &f->err);
	(void)add(crowd, "3", "default", "ann", 0);
	commit(f);
	crowd->job[crowd->count++] = (struct known){.name = "late", .row = late.row};
	crowd->job[crowd->count++] = (struct known){.name = "held", .row = held.row};
	assert_int_equal(claim_names(crowd, 9, &names), 4);
	assert_string_equal(buf_text(&names), "2 late held 3 ");
}

/* --- queues with a limit --- */

static void end_job(struct fixture *f, int64_t row)
{
	const struct attempt_end end = fixture_end(0);
	begin(f);
	assert_int_equal(queue_attempt_import(f->queue, row, 1, &end, &f->err), 1);
	commit(f);
}

static void limit(struct fixture *f, const char *queue, int64_t max_running)
{
	begin(f);
	assert_done(queue_lane_limit(f->queue, "uid:0", queue, max_running, &f->err),
		    &f->err);
	commit(f);
}

/* Each time that the one place of `small` comes free, `ann` has just been served in the
 * big queue; all the same it has its turn there too. */
static void test_nobody_is_passed_over_each_time_in_a_full_queue(void **state)
{
	AUTO_BUF struct buf names = BUF_INIT(4096);
	AUTO_FREE struct crowd *crowd = mem_alloc(sizeof *crowd);
	struct fixture *f = crowd->f = *state;
	begin(f);
	(void)add(crowd, "as", "small", "ann", 0);
	for (int i = 0; i < 10; i++) {
		(void)add(crowd, "bs", "small", "bob", 0);
		(void)add(crowd, "al", "large", "ann", 0);
	}
	commit(f);
	limit(f, "small", 0);
	/* ann is served, then bob's turn comes; small opens when ann was served last */
	assert_int_equal(claim_names(crowd, 1, &names), 1);
	limit(f, "small", 1);
	for (int i = 0; i < 3; i++) {
		buf_reset(&names);
		assert_int_equal(claim_names(crowd, 1, &names), 1);
		for (size_t k = 0; k < crowd->count; k++) {
			AUTO_FREE char *sql = mem_printf(
				"SELECT state = 'running' AND queue = 'small' FROM jobs "
				"WHERE id = %lld",
				(long long)crowd->job[k].row);
			if (fixture_number(f->dir, sql) == 0)
				continue;
			if (text_equal(crowd->job[k].name, "as"))
				return;
			/* full: the large one serves ann; then it is free again */
			assert_int_equal(claim_names(crowd, 1, &names), 1);
			end_job(f, crowd->job[k].row);
		}
	}
	fail_msg("ann's job in the small queue was passed over three times");
}

/* --- against a model --- */

#define QUEUES 4
#define OWNERS 5

static unsigned next_random(unsigned *seed)
{
	*seed = *seed * 1664525U + 1013904223U;
	return *seed >> 8;
}

static void add_random(struct crowd *crowd, unsigned *seed)
{
	static const char *const queues[QUEUES] = {"q", "r", "s", "t"};
	static const char *const owners[OWNERS] = {"ann", "bob", "cid", "dan", "eve"};
	const unsigned r = next_random(seed);
	/* uneven crowds */
	const unsigned owner = r % 3 ? r / 3 % 2 : r / 3 % OWNERS;
	char name[16];
	(void)snprintf(name, sizeof name, "%zu", crowd->count);
	(void)add(crowd, name, queues[r / 64 % QUEUES], owners[owner],
		  (int)(r / 1024 % 3) - 1);
}

/* The rules without limits, as they stand in lanes.h: who is next in the circle? */
static size_t model_next(const struct crowd *crowd, const char *const *last)
{
	size_t best = SIZE_MAX;
	for (size_t i = 0; i < crowd->count; i++) {
		const struct known *a = &crowd->job[i];
		if (a->is_over)
			continue;
		if (best == SIZE_MAX) {
			best = i;
			continue;
		}
		const struct known *b = &crowd->job[best];
		const char *from = last[a->priority + 1];
		const bool a_wraps = strcmp(a->owner, from) <= 0;
		const bool b_wraps = strcmp(b->owner, from) <= 0;
		if (a->priority != b->priority) {
			if (a->priority > b->priority)
				best = i;
		} else if (a_wraps != b_wraps) {
			if (b_wraps)
				best = i;
		} else if (strcmp(a->owner, b->owner) < 0) {
			best = i; /* among equals the earlier one stays */
		}
	}
	return best;
}

static void test_random_crowds_are_served_as_the_rules_say(void **state)
{
	for (unsigned seed = 1; seed <= 8; seed++) {
		AUTO_FREE struct crowd *crowd = mem_alloc(sizeof *crowd);
		struct fixture *f = crowd->f = *state;
		const char *last[3] = {"", "", ""};
		unsigned random = seed;
		turns_free(f->turns);
		f->turns = turns_new();
		size_t left = 0;
		for (int step = 0; step < 60 || left > 0; step++) {
			struct claim_list list;
			begin(f);
			for (unsigned i = next_random(&random) % 9; i > 0 && step < 60;
			     i--, left++)
				add_random(crowd, &random);
			assert_done(queue_claim(f->queue, f->turns, f->epoch,
						(int)(next_random(&random) % 6), &list,
						&f->err),
				    &f->err);
			commit(f);
			for (size_t i = 0; i < list.count; i++, left--) {
				const size_t expected = model_next(crowd, last);
				assert_true(expected != SIZE_MAX);
				struct known *job = &crowd->job[expected];
				assert_int_equal(list.item[i].job.row, job->row);
				job->is_over = true;
				last[job->priority + 1] = job->owner;
			}
			claim_list_release(&list);
		}
		assert_true(crowd->count > 100);
	}
}

/* --- limits, always --- */

/* What a claim may never do, whatever the turns: start more than a queue's limit, or
 * something while a job of a higher priority could start. */
struct gate {
	const char *queue;
	int64_t limit; /* -1: none */
	bool is_paused;
	int running;
};

/* The queues are q, r, s and t. */
static struct gate *gate_of(struct gate *gates, const char *queue)
{
	return &gates[(size_t)(queue[0] - 'q') % QUEUES];
}

static bool is_open(const struct gate *gate)
{
	return !gate->is_paused && (gate->limit < 0 || gate->running < gate->limit);
}

static void check_claim(struct crowd *crowd, struct gate *gates, const struct known *job)
{
	struct gate *gate = gate_of(gates, job->queue);
	assert_true(is_open(gate));
	for (size_t i = 0; i < crowd->count; i++) {
		const struct known *other = &crowd->job[i];
		if (!other->is_over && other->priority > job->priority &&
		    is_open(gate_of(gates, other->queue)))
			fail_msg("%s was claimed before %s", job->name, other->name);
	}
	gate->running++;
}

/* Fewer than asked for: nothing else could start. */
static void check_nothing_left(const struct crowd *crowd, struct gate *gates)
{
	for (size_t i = 0; i < crowd->count; i++)
		assert_true(crowd->job[i].is_over ||
			    !is_open(gate_of(gates, crowd->job[i].queue)));
}

static void change_gate(struct fixture *f, struct gate *gate, unsigned r)
{
	gate->limit = (int64_t)(r % 5) - 1;
	gate->is_paused = r / 8 % 3 == 0;
	assert_done(
		queue_lane_limit(f->queue, "uid:0", gate->queue, gate->limit, &f->err),
		&f->err);
	if (gate->is_paused)
		assert_done(queue_lane_pause(f->queue, "uid:0", gate->queue, NULL, 0,
					     &f->err),
			    &f->err);
	else
		assert_done(queue_lane_resume(f->queue, "uid:0", gate->queue, &f->err),
			    &f->err);
}

/* A started job ends, or its attempt is revoked. */
static void end_one(struct crowd *crowd, struct gate *gates, struct known *job,
		    unsigned r)
{
	struct fixture *f = crowd->f;
	const struct attempt_end end = fixture_end(0);
	struct err *err = &f->err;
	AUTO_FREE char *sql = mem_printf("SELECT attempt FROM jobs WHERE id = %lld",
					 (long long)job->row);
	const int number = (int)fixture_number(f->dir, sql);
	begin(f);
	if (r % 4 == 0) {
		assert_done(queue_attempt_revoke(f->queue, job->row, number, err), err);
		job->is_over = false;
	} else {
		assert_int_equal(
			queue_attempt_import(f->queue, job->row, number, &end, err), 1);
	}
	commit(f);
	gate_of(gates, job->queue)->running--;
}

static void test_limits_and_pauses_hold_in_every_sequence(void **state)
{
	for (unsigned seed = 1; seed <= 4; seed++) {
		AUTO_FREE struct crowd *crowd = mem_alloc(sizeof *crowd);
		struct fixture *f = crowd->f = *state;
		struct gate gates[QUEUES] = {{"q", -1}, {"r", -1}, {"s", -1}, {"t", -1}};
		struct known *running[KNOWN_MAX];
		size_t runs = 0;
		unsigned random = 1000 + seed;
		begin(f);
		for (int i = 0; i < 40; i++)
			add_random(crowd, &random);
		for (size_t i = 0; i < QUEUES; i++)
			change_gate(f, &gates[i], 24); /* known, unlimited, open */
		commit(f);
		for (int step = 0; step < 150; step++) {
			struct claim_list list;
			begin(f);
			add_random(crowd, &random);
			if (next_random(&random) % 3 == 0) {
				const unsigned r = next_random(&random);
				change_gate(f, &gates[r % QUEUES], r / QUEUES);
			}
			assert_done(queue_claim(f->queue, f->turns, f->epoch, 3, &list,
						&f->err),
				    &f->err);
			commit(f);
			for (size_t i = 0; i < list.count; i++) {
				struct known *job = known_of(crowd, list.item[i].job.row);
				check_claim(crowd, gates, job);
				job->is_over = true;
				running[runs++] = job;
			}
			if (list.count < 3)
				check_nothing_left(crowd, gates);
			claim_list_release(&list);
			while (runs > 0 && next_random(&random) % 3 != 0) {
				const unsigned r = next_random(&random);
				struct known *job = running[r % runs];
				runs--;
				running[r % (runs + 1)] = running[runs];
				end_one(crowd, gates, job, r / 64);
			}
		}
		while (runs > 0)
			end_one(crowd, gates, running[--runs], 1);
		fixture_assert_sql(
			f->dir, "SELECT count(*) FROM jobs WHERE state = 'running'", "0");
		/* the next seed begins with an empty queue */
		assert_int_equal(
			fixture_sql(
				f->dir,
				"UPDATE jobs SET state = 'cancelled', finished_at = 1 "
				"WHERE state = 'queued'",
				NULL),
			0);
	}
}

/* --- what it costs --- */

/* Steps of SQLite's machine, of all statements since the last time. */
static int64_t steps(struct fixture *f)
{
	int64_t sum = 0;
	for (size_t i = 0; i < STATEMENT_COUNT_; i++)
		if (f->queue->stmt[i] != NULL)
			sum += sqlite3_stmt_status(f->queue->stmt[i],
						   SQLITE_STMTSTATUS_VM_STEP, 1);
	return sum;
}

static int64_t steps_of_a_claim(struct crowd *crowd)
{
	AUTO_BUF struct buf names = BUF_INIT(4096);
	begin(crowd->f);
	(void)add(crowd, "x", "open", "ann", 0);
	commit(crowd->f);
	(void)steps(crowd->f);
	assert_int_equal(claim_names(crowd, 9, &names), 1);
	return steps(crowd->f);
}

static void test_what_is_paused_or_full_costs_nothing(void **state)
{
	static const char many[] =
		"WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE "
		"i < 20000) INSERT INTO jobs (uuid, owner, queue, priority, command, "
		"submitted_at, queued_at) SELECT randomblob(16), 'o' || (i % 700), "
		"'paused' || (i % 2), i % 5, '[]', 1, i FROM n";
	AUTO_FREE struct crowd *crowd = mem_alloc(sizeof *crowd);
	struct fixture *f = crowd->f = *state;
	begin(f);
	(void)add(crowd, "1", "paused0", "ann", 0);
	(void)add(crowd, "2", "paused1", "bob", 0);
	assert_done(queue_lane_pause(f->queue, "uid:0", "paused0", NULL, 0, &f->err),
		    &f->err);
	assert_done(queue_lane_limit(f->queue, "uid:0", "paused1", 0, &f->err), &f->err);
	commit(f);
	(void)steps_of_a_claim(crowd); /* prepares */
	const int64_t before = steps_of_a_claim(crowd);
	assert_int_equal(fixture_sql(f->dir, many, NULL), 0);
	(void)steps_of_a_claim(crowd);
	assert_true(steps_of_a_claim(crowd) <= before + 20);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_higher_priorities_first_over_all_queues),
		TEST(test_the_longest_queued_of_an_owner_first),
		TEST(test_owners_take_turns_in_one_queue),
		TEST(test_an_owner_has_one_turn_however_many_queues_it_fills),
		TEST(test_turns_are_taken_inside_a_priority_only),
		TEST(test_a_newcomer_is_next),
		TEST(test_a_revoked_attempt_keeps_its_jobs_place),
		TEST(test_what_becomes_due_is_queued_behind),
		TEST(test_nobody_is_passed_over_each_time_in_a_full_queue),
		TEST(test_random_crowds_are_served_as_the_rules_say),
		TEST(test_limits_and_pauses_hold_in_every_sequence),
		TEST(test_what_is_paused_or_full_costs_nothing),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
