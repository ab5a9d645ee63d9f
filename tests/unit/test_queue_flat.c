/* test_queue_flat.c - what a long history costs whoever submits, runs, asks and cleans
 * up.
 *
 * Times say little on a busy machine. What SQLite executes and which pages it touches are
 * the same every time: each operation is done on a short history and on one twenty times
 * as long, and its statements may take no more steps there. Pages may grow by the depth
 * of a tree. Both histories lie within one minute of a clock of our own: what is kept for
 * each minute grows with the minutes, and a slow machine needs several. */
#include <sqlite3.h>

#include "common/config_retention.h"
#include "queue/db.h"
#include "queue/turns.h"
#include "tests/unit/queue_fixture.h"

/* Longer than what a probe of a list looks at (list_driver.c), so that all lists choose
 * alike on both. */
#define SHORT 2500
#define TIMES 20
#define BATCH 500
/* For one more level in each tree that an operation goes down, of which there are two or
 * three where there was one. */
#define PAGES_TIMES 2
/* Of a whole operation: where two rows lie on one page or on two. */
#define PAGES_MORE 20

/* --- the clock --- */

/* A whole minute, and what passes between two looks. */
#define CLOCK_START_US (INT64_C(33333333) * 60 * US_PER_S)
#define CLOCK_TICK_US 20

static int64_t clock_us;
static int (*real_gettime)(clockid_t clock, struct timespec *ret);

static int tick(clockid_t clock, struct timespec *ret)
{
	if (clock != CLOCK_REALTIME)
		return real_gettime(clock, ret);
	clock_us += CLOCK_TICK_US;
	ret->tv_sec = clock_us / US_PER_S;
	ret->tv_nsec = clock_us % US_PER_S * 1000;
	return 0;
}

static int clock_setup(void **state)
{
	(void)state;
	real_gettime = sys.clock_gettime;
	sys.clock_gettime = tick;
	return 0;
}

static int clock_teardown(void **state)
{
	(void)state;
	sys.clock_gettime = real_gettime;
	return 0;
}

/* --- a history --- */

static void submit_some(struct fixture *f, int64_t first)
{
	struct submission submission = fixture_submission();
	struct submitted submitted;
	char owner[24];
	submission.labels = "{\"team\":\"a\"}";
	submission.owner = owner;
	for (int64_t i = first; i < first + BATCH; i++) {
		(void)snprintf(owner, sizeof owner, "uid:%d", (int)(i % 3));
		submission.queue = i % 2 == 0 ? "ci" : NULL;
		assert_done(queue_submit(f->queue, &submission, &submitted, &f->err),
			    &f->err);
	}
}

/* One of seven is cancelled, one of five fails. */
static void end_some(struct fixture *f)
{
	struct claim_list list;
	assert_done(queue_claim(f->queue, f->turns, f->epoch, BATCH, &list, &f->err),
		    &f->err);
	for (size_t i = 0; i < list.count; i++) {
		struct attempt_end end = fixture_end(i % 5 == 0);
		end.content = "history\n";
		end.content_bytes = 8;
		end.stdout_bytes = 8;
		if (i % 7 == 0)
			end.stop_reason = STOP_CANCEL;
		assert_int_equal(queue_attempt_import(f->queue, list.item[i].job.row,
						      list.item[i].number, &end, &f->err),
				 1);
	}
	claim_list_release(&list);
}

static void make_history(struct fixture *f, int64_t jobs)
{
	if (f->turns == NULL)
		f->turns = turns_new();
	for (int64_t first = 0; first < jobs; first += BATCH) {
		assert_done(queue_begin(f->queue, &f->err), &f->err);
		if (f->epoch == 0)
			assert_done(
				queue_worker_register(f->queue, 4, &f->epoch, &f->err),
				&f->err);
		submit_some(f, first);
		end_some(f);
		assert_done(queue_commit(f->queue, &f->err), &f->err);
	}
	assert_done(queue_checkpoint(f->queue, 0, &f->err), &f->err);
	assert_int_equal(fixture_number(f->dir, "SELECT count(*) FROM jobs WHERE "
						"finished_at IS NULL"),
			 0);
}

/* --- operations --- */

/* What stands between two operations. */
struct life {
	struct submitted submitted;
	struct claim_list claims;
};

typedef void operation(struct fixture *f, struct life *life, const void *what);

static void op_submit(struct fixture *f, struct life *life, const void *what)
{
	(void)what;
	fixture_submit(f, "uid:1", &life->submitted);
}

static void op_claim(struct fixture *f, struct life *life, const void *what)
{
	(void)what;
	fixture_claim(f, &life->claims);
}

static void op_started(struct fixture *f, struct life *life, const void *what)
{
	(void)what;
	assert_done(queue_begin(f->queue, &f->err), &f->err);
	assert_done(queue_attempt_started(f->queue, life->submitted.row, 1, 4711, 99,
					  clock_now_us(), &f->err),
		    &f->err);
	assert_done(queue_commit(f->queue, &f->err), &f->err);
}

static void op_end(struct fixture *f, struct life *life, const void *what)
{
	(void)what;
	const struct attempt_end end = fixture_end(0);
	assert_int_equal(fixture_import(f, &life->claims.item[0], &end), 1);
	claim_list_release(&life->claims);
}

static void op_status(struct fixture *f, struct life *life, const void *what)
{
	struct job job;
	struct attempt_list attempts;
	(void)what;
	fixture_get(f, life->submitted.id, &job);
	assert_int_equal(queue_attempt_list(f->queue, job.row, &attempts, &f->err), 0);
	attempt_list_release(&attempts);
	job_release(&job);
}

static void op_last(struct fixture *f, struct life *life, const void *what)
{
	const struct viewer viewer = {.principal = what};
	struct job job;
	(void)life;
	assert_int_equal(queue_job_last(f->queue, &viewer, &job, &f->err), 1);
	job_release(&job);
}

/* What is asked of a list, as the query of a request, and by whom. */
struct question {
	const char *owner, *name, *value, *sort;
	bool has_none;
};

static void ask_page(struct fixture *f, const struct question *question,
		     const struct list_position *after, struct job_list *ret)
{
	const struct viewer viewer = {.principal = question->owner,
				      .sees_all = question->owner == NULL};
	struct job_filter filter = {.is_living = false};
	if (question->name != NULL)
		assert_done(
			job_filter_add(&filter, question->name, question->value, &f->err),
			&f->err);
	if (question->sort != NULL)
		assert_done(job_filter_sort(&filter, question->sort, &f->err), &f->err);
	const struct list_page page = {.limit = 10, .after = after};
	assert_done(queue_job_list(f->queue, &viewer, &filter, &page, ret, &f->err),
		    &f->err);
}

/* The first page and one behind the middle of the shorter history. */
static void op_pages(struct fixture *f, struct life *life, const void *what)
{
	const struct question *question = what;
	struct job_list list;
	struct list_position after;
	(void)life;
	ask_page(f, question, NULL, &list);
	assert_int_equal(list.count, question->has_none ? 0 : 10);
	after = list.next;
	job_list_release(&list);
	if (question->has_none)
		return;
	if (question->sort == NULL || strstr(question->sort, "finished") == NULL)
		after = (struct list_position){.key = SHORT / 2, .row = SHORT / 2};
	ask_page(f, question, &after, &list);
	assert_int_equal(list.count, 10);
	job_list_release(&list);
}

static void op_events_of(struct fixture *f, struct life *life, const void *what)
{
	struct event_list list;
	(void)life;
	(void)what;
	assert_done(queue_event_list(f->queue, SHORT / 2, 0, 100, &list, &f->err),
		    &f->err);
	assert_int_equal(list.count, 3);
	event_list_release(&list);
}

static void op_feed(struct fixture *f, struct life *life, const void *what)
{
	struct event_filter filter = {.jobs = 0};
	struct event_page page;
	const struct event_question question = {.after = *(const int64_t *)what,
						.limit = 50};
	(void)life;
	assert_done(queue_event_page(f->queue, &FIXTURE_ADMIN, &filter, &question, &page,
				     &f->err),
		    &f->err);
	event_page_release(&page);
}

static void op_feed_of_job(struct fixture *f, struct life *life, const void *what)
{
	struct event_filter filter = {.job = {SHORT / 2}, .jobs = 1};
	struct event_page page;
	const struct event_question question = {
		.after = EVENT_AFTER_OLDEST, .limit = 50, .until_final = true};
	(void)life;
	(void)what;
	assert_done(queue_event_page(f->queue, &FIXTURE_ADMIN, &filter, &question, &page,
				     &f->err),
		    &f->err);
	assert_int_equal(page.count, 3);
	assert_true(page.is_over);
	event_page_release(&page);
}

static void op_worker_start(struct fixture *f, struct life *life, const void *what)
{
	struct live_list live;
	struct stop_request stop;
	int64_t at, running;
	(void)life;
	(void)what;
	assert_done(queue_begin(f->queue, &f->err), &f->err);
	assert_done(queue_worker_register(f->queue, 4, &f->epoch, &f->err), &f->err);
	assert_done(queue_commit(f->queue, &f->err), &f->err);
	assert_done(queue_attempts_live(f->queue, &live, &f->err), &f->err);
	assert_int_equal(live.count, 0);
	live_list_release(&live);
	assert_int_equal(queue_unresolved(f->queue, &f->err), 0);
	assert_int_equal(queue_stop_requests(f->queue, 0, &stop, 1, &f->err), 0);
	assert_done(queue_due_next(f->queue, &at, &f->err), &f->err);
	assert_done(queue_running(f->queue, &running, &f->err), &f->err);
}

static void op_stats(struct fixture *f, struct life *life, const void *what)
{
	struct stats stats;
	struct lane_list lanes;
	(void)life;
	(void)what;
	assert_done(queue_stats(f->queue, &stats, &f->err), &f->err);
	stats_release(&stats);
	assert_done(queue_lane_list(f->queue, &lanes, &f->err), &f->err);
	lane_list_release(&lanes);
}

/* One step of those that a run consists of. */
static void op_retention(struct fixture *f, struct life *life, const void *what)
{
	const struct retention_policy policy = {.rows_age_us = 1000LL * 86400 * US_PER_S,
						.slice = 100};
	struct retention *run = retention_open(&policy, RETENTION_ALL, false, NULL);
	(void)life;
	(void)what;
	assert_done(queue_retention_step(f->queue, run, &f->err), &f->err);
	retention_close(run);
}

/* --- what they cost --- */

struct cost {
	int64_t steps[STATEMENT_COUNT_];
	int64_t pages;
};

static int64_t pages_read(sqlite3 *db)
{
	int hits = 0, misses = 0, high;
	assert_int_equal(
		sqlite3_db_status(db, SQLITE_DBSTATUS_CACHE_HIT, &hits, &high, 1),
		SQLITE_OK);
	assert_int_equal(
		sqlite3_db_status(db, SQLITE_DBSTATUS_CACHE_MISS, &misses, &high, 1),
		SQLITE_OK);
	return (int64_t)hits + misses;
}

static int64_t steps_taken(sqlite3_stmt *stmt)
{
	return stmt == NULL ? 0 : sqlite3_stmt_status(stmt, SQLITE_STMTSTATUS_VM_STEP, 1);
}

struct named_operation {
	const char *name;
	operation *run;
	const void *what;
};

static const int64_t FEED_OLDEST = EVENT_AFTER_OLDEST, FEED_MIDDLE = SHORT,
		     FEED_NOW = EVENT_AFTER_NOW;

/* clang-format off */
#define PAGES(title, ...) {title, op_pages, &(const struct question){__VA_ARGS__}}
static const struct named_operation OPERATIONS[] = {
	{"submit", op_submit, NULL},
	{"claim", op_claim, NULL},
	{"started", op_started, NULL},
	{"end", op_end, NULL},
	{"status", op_status, NULL},
	{"the last job", op_last, "uid:1"},
	{"the events of a job", op_events_of, NULL},
	{"the oldest events", op_feed, &FEED_OLDEST},
	{"later events", op_feed, &FEED_MIDDLE},
	{"new events", op_feed, &FEED_NOW},
	{"the feed of a job", op_feed_of_job, NULL},
	{"the start of a worker", op_worker_start, NULL},
	{"counts", op_stats, NULL},
	{"a step of retention", op_retention, NULL},
	PAGES("all jobs", .sort = "-submitted_at"),
	PAGES("all jobs, the oldest first", .sort = "submitted_at"),
	PAGES("what ended last", .sort = "-finished_at"),
	PAGES("what ended first", .sort = "finished_at"),
	PAGES("those of an owner", .owner = "uid:2"),
	PAGES("of an owner, the oldest first", .owner = "uid:2", .sort = "submitted_at"),
	PAGES("of a named owner", .name = "owner", .value = "uid:2"),
	PAGES("that succeeded", .name = "state", .value = "succeeded"),
	PAGES("that failed", .name = "state", .value = "failed"),
	PAGES("that are queued", .name = "state", .value = "queued", .has_none = true),
	PAGES("of an owner, that succeeded", .owner = "uid:1", .name = "state",
	      .value = "succeeded"),
	PAGES("of an owner, that failed", .owner = "uid:1", .name = "state",
	      .value = "failed"),
	PAGES("of an owner, that run", .owner = "uid:1", .name = "state",
	      .value = "running", .has_none = true),
	PAGES("of a queue", .name = "queue", .value = "ci"),
	PAGES("of the default queue", .name = "queue", .value = "default"),
	PAGES("of a queue, for an owner", .owner = "uid:1", .name = "queue", .value = "ci"),
	PAGES("with a label", .name = "label", .value = "team=a"),
	PAGES("with a word", .owner = "uid:1", .name = "q", .value = "true"),
	PAGES("with a label that none has", .name = "label", .value = "team=b",
	      .has_none = true),
};
/* clang-format on */

#define OPERATION_COUNT ARRAY_SIZE(OPERATIONS)

/* Each is done once before, so that what is only done once is not counted. */
static void measure(struct fixture *f, struct cost ret[OPERATION_COUNT])
{
	struct life life = {.claims = {.item = NULL}};
	for (int round = 0; round < 2; round++)
		for (size_t i = 0; i < OPERATION_COUNT; i++) {
			(void)pages_read(f->queue->db);
			OPERATIONS[i].run(f, &life, OPERATIONS[i].what);
			ret[i].pages = pages_read(f->queue->db);
			for (size_t s = 0; s < STATEMENT_COUNT_; s++)
				ret[i].steps[s] = steps_taken(f->queue->stmt[s]);
		}
}

static int compare(const char *name, const struct cost *few, const struct cost *many)
{
	int bad = 0;
	for (int s = 0; s < STATEMENT_COUNT_; s++) {
		/* a merge of several streams may look at one more row here or there */
		if (many->steps[s] <= few->steps[s] + few->steps[s] / 10 + 20)
			continue;
		print_error("%s: %s takes %lld steps instead of %lld\n", name,
			    statement_name((enum statement)s), (long long)many->steps[s],
			    (long long)few->steps[s]);
		bad++;
	}
	if (many->pages <= PAGES_TIMES * few->pages + PAGES_MORE)
		return bad;
	print_error("%s: touches %lld pages instead of %lld\n", name,
		    (long long)many->pages, (long long)few->pages);
	return bad + 1;
}

static void measure_history(int64_t jobs, struct cost ret[OPERATION_COUNT])
{
	struct fixture f = {.queue = NULL};
	clock_us = CLOCK_START_US;
	fixture_make_dir(f.dir);
	assert_done(queue_open(&f.queue, f.dir, QUEUE_WRITE, &f.err), &f.err);
	make_history(&f, jobs);
	measure(&f, ret);
	assert_true(clock_us < CLOCK_START_US + 60 * US_PER_S);
	turns_free(f.turns);
	queue_close(f.queue);
	fixture_remove_dir(f.dir);
}

static void test_nothing_grows_with_the_history(void **state)
{
	static struct cost few[OPERATION_COUNT], many[OPERATION_COUNT];
	int bad = 0;
	(void)state;
	measure_history(SHORT, few);
	measure_history((int64_t)TIMES * SHORT, many);
	for (size_t i = 0; i < OPERATION_COUNT; i++)
		bad += compare(OPERATIONS[i].name, &few[i], &many[i]);
	assert_int_equal(bad, 0);
}

/* The measure itself: a question that no index serves is seen. */
static void test_what_grows_is_seen(void **state)
{
	static struct cost few, many;
	struct fixture *f = *state;
	struct buf findings;
	(void)state;
	make_history(f, SHORT);
	buf_init(&findings, 1000);
	for (int round = 0; round < 2; round++) {
		(void)steps_taken(f->queue->stmt[STATEMENT_TOTALS_TOO_LOW]);
		assert_done(queue_check(f->queue, &findings, &f->err), &f->err);
		(round == 0 ? &few : &many)->steps[STATEMENT_TOTALS_TOO_LOW] =
			steps_taken(f->queue->stmt[STATEMENT_TOTALS_TOO_LOW]);
		if (round == 0)
			make_history(f, 2 * SHORT);
	}
	buf_release(&findings);
	assert_true(few.steps[STATEMENT_TOTALS_TOO_LOW] > SHORT);
	assert_true(many.steps[STATEMENT_TOTALS_TOO_LOW] >
		    2 * few.steps[STATEMENT_TOTALS_TOO_LOW]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_nothing_grows_with_the_history,
						clock_setup, clock_teardown),
		cmocka_unit_test_setup_teardown(test_what_grows_is_seen, fixture_setup,
						fixture_teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
