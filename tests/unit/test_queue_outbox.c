/* test_queue_outbox.c - messages on their way: which is due, how a try is written down,
 * who sees what, and what is left when the job has gone. */
#include "tests/unit/queue_fixture.h"

#include "tests/unit/wall_clock.h"

#define S US_PER_S
#define DAY (86400 * S)
#define TO(host) "{\"on\":[\"final\"],\"url\":\"https://" host "/done\"}"

static const struct viewer ALICE = {.principal = "uid:1000"};
static const struct viewer BOB = {.principal = "uid:2000"};

static void begin(struct fixture *f)
{
	assert_done(queue_begin(f->queue, &f->err), &f->err);
}

static void commit(struct fixture *f)
{
	assert_done(queue_commit(f->queue, &f->err), &f->err);
}

/* A job of this owner that has ended, with one message for this receiver; its id. */
static void tell(struct fixture *f, const char *owner, const char *callback,
		 char ret[WEBHOOK_ID_BYTES], struct submitted *ret_job)
{
	struct submission submission = fixture_submission();
	const struct attempt_end end = fixture_end(0);
	struct claim_list list;
	char text[FIXTURE_TEXT_BYTES];
	submission.owner = owner;
	submission.callback = callback;
	begin(f);
	assert_done(queue_submit(f->queue, &submission, ret_job, &f->err), &f->err);
	commit(f);
	fixture_claim(f, &list);
	assert_int_equal(fixture_import(f, &list.item[0], &end), 1);
	claim_list_release(&list);
	fixture_sql(f->dir, "SELECT webhook_id FROM callbacks ORDER BY id DESC LIMIT 1",
		    text);
	(void)snprintf(ret, WEBHOOK_ID_BYTES, "%.39s", text);
}

static void get(struct fixture *f, const char *webhook_id, struct callback *ret)
{
	const int found =
		queue_callback_get(f->queue, &FIXTURE_ADMIN, webhook_id, ret, &f->err);
	assert_done(found, &f->err);
	assert_int_equal(found, 1);
}

/* A try begins now, and has ended so. */
static struct callback_try try_of(struct fixture *f, const char *webhook_id,
				  enum callback_outcome outcome, int64_t next_at,
				  int status)
{
	struct callback callback;
	get(f, webhook_id, &callback);
	const struct callback_try tried = {
		.row = callback.row,
		.tries = callback.tries,
		.due_at = callback.next_at,
		.outcome = outcome,
		.at = wall_now_us(),
		.next_at = next_at,
		.status = status,
		.error = outcome == CALLBACK_DELIVERED ? NULL : "answered so",
	};
	callback_release(&callback);
	return tried;
}

static void write_try(struct fixture *f, const char *webhook_id,
		      enum callback_outcome outcome, int64_t next_at, int status)
{
	const struct callback_try tried = try_of(f, webhook_id, outcome, next_at, status);
	begin(f);
	assert_done(queue_callback_tried(f->queue, &tried, &f->err), &f->err);
	commit(f);
}

static void assert_callback(struct fixture *f, const char *webhook_id, const char *state,
			    int tries, int64_t next_at, const char *error)
{
	struct callback callback;
	get(f, webhook_id, &callback);
	assert_string_equal(callback.state, state);
	assert_int_equal(callback.tries, tries);
	assert_true(callback.next_at == next_at);
	assert_true((callback.ended_at != 0) == (next_at == 0));
	if (error == NULL)
		assert_null(callback.last_error);
	else
		assert_string_equal(callback.last_error, error);
	callback_release(&callback);
}

/* --- which is due --- */

/* Their number, and whether the next one's time is this. */
static void assert_due(struct fixture *f, const char *host, int max, size_t count,
		       int64_t next_at)
{
	struct callback_list list;
	int64_t found;
	assert_done(queue_callbacks_due(f->queue, host, wall_now_us(), max, &list, &found,
					&f->err),
		    &f->err);
	assert_int_equal(list.count, count);
	assert_true(found == next_at);
	for (size_t i = 0; i < list.count; i++)
		assert_string_equal(list.item[i].host, host);
	callback_list_release(&list);
}

static void test_due_by_receiver(void **state)
{
	struct fixture *f = *state;
	struct submitted job;
	char id[4][WEBHOOK_ID_BYTES], host[HOST_PORT_BYTES];
	const int64_t start = wall_now_us();
	tell(f, "uid:1000", TO("b.example"), id[0], &job);
	wall_go_on(S);
	tell(f, "uid:1000", TO("a.example:8443"), id[1], &job);
	tell(f, "uid:1000", TO("b.example"), id[2], &job);
	tell(f, "uid:1000", TO("b.example"), id[3], &job);
	assert_int_equal(queue_callback_host(f->queue, "", host, &f->err), 1);
	assert_string_equal(host, "a.example:8443");
	assert_int_equal(queue_callback_host(f->queue, host, host, &f->err), 1);
	assert_string_equal(host, "b.example:443");
	assert_int_equal(queue_callback_host(f->queue, host, host, &f->err), 0);

	assert_due(f, "a.example:8443", 10, 1, 0);
	assert_due(f, "b.example:443", 10, 3, 0);
	assert_due(f, "b.example:443", 2, 2, start + S);
	assert_due(f, "c.example:443", 10, 0, 0);
	write_try(f, id[0], CALLBACK_AGAIN, wall_now_us() + 60 * S, 500);
	assert_due(f, "b.example:443", 10, 2, wall_now_us() + 60 * S);
	wall_go_on(-10 * S); /* the clock is set back: not before their time */
	assert_due(f, "a.example:8443", 10, 0, start + S);
	wall_go_on(71 * S);
	assert_due(f, "b.example:443", 10, 3, 0);
	for (int i = 0; i < 4; i++)
		write_try(f, id[i], CALLBACK_DELIVERED, 0, 200);
	assert_int_equal(queue_callback_host(f->queue, "", host, &f->err), 0);
}

/* --- how a try went --- */

static void test_tries_are_counted_until_it_is_over(void **state)
{
	struct fixture *f = *state;
	struct submitted job;
	char id[WEBHOOK_ID_BYTES];
	tell(f, "uid:1000", TO("a.example"), id, &job);
	assert_callback(f, id, "pending", 0, wall_now_us(), NULL);
	write_try(f, id, CALLBACK_AGAIN, wall_now_us() + 5 * S, 500);
	assert_callback(f, id, "pending", 1, wall_now_us() + 5 * S, "answered so");
	write_try(f, id, CALLBACK_DELIVERED, 0, 204);
	assert_callback(f, id, "delivered", 2, 0, NULL);
	/* a late result of somebody else changes nothing */
	write_try(f, id, CALLBACK_DEAD, 0, 500);
	assert_callback(f, id, "delivered", 2, 0, NULL);
	AUTO_FREE char *events = mem_printf(
		"submitted queued by uid:1000|started running|"
		"ended succeeded {\"attempt\":1,\"exit_code\":0}|callback_delivered - "
		"{\"webhook_id\":\"%s\",\"kind\":\"final\",\"tries\":2,\"status\":204}",
		id);
	fixture_assert_events(f, job.id, events);
}

static void test_a_dead_one_is_sent_again(void **state)
{
	struct fixture *f = *state;
	struct submitted job;
	char id[WEBHOOK_ID_BYTES];
	tell(f, "uid:1000", TO("a.example"), id, &job);
	for (int i = 0; i < 2; i++) {
		write_try(f, id, CALLBACK_DEAD, 0, 0);
		assert_callback(f, id, "dead", 1, 0, "answered so");
		wall_go_on(S);
		begin(f);
		assert_done(queue_callback_redeliver(f->queue, &ALICE, id, &f->err),
			    &f->err);
		commit(f);
		assert_callback(f, id, "pending", 0, wall_now_us(), "answered so");
		assert_due(f, "a.example:443", 1, 1, 0);
	}
	write_try(f, id, CALLBACK_DELIVERED, 0, 200);
	fixture_assert_sql(f->dir,
			   "SELECT group_concat(kind || ' ' || coalesce(principal, '-'), "
			   "'|') FROM events WHERE kind GLOB 'callback_*'",
			   "callback_dead -|callback_redelivered uid:1000|"
			   "callback_dead -|callback_redelivered uid:1000|"
			   "callback_delivered -");
	/* one that was delivered, and one that is waiting for its next try */
	begin(f);
	assert_done(queue_callback_redeliver(f->queue, &ALICE, id, &f->err), &f->err);
	commit(f);
	write_try(f, id, CALLBACK_AGAIN, wall_now_us() + DAY, 500);
	begin(f);
	assert_done(queue_callback_redeliver(f->queue, &ALICE, id, &f->err), &f->err);
	commit(f);
	assert_callback(f, id, "pending", 0, wall_now_us(), "answered so");
	AUTO_BUF struct buf findings = BUF_INIT(1 << 16);
	assert_done(queue_check(f->queue, &findings, &f->err), &f->err);
	assert_string_equal(buf_text(&findings), "");
}

/* Asked for again while it is being sent: how that goes is not what was asked for. */
static void test_one_under_way_is_sent_again(void **state)
{
	struct fixture *f = *state;
	struct submitted job;
	char id[WEBHOOK_ID_BYTES];
	tell(f, "uid:1000", TO("a.example"), id, &job);
	for (int outcome = CALLBACK_DELIVERED; outcome <= CALLBACK_DEAD; outcome++)
		for (int tries = 0; tries < 2; tries++) {
			if (tries > 0)
				write_try(f, id, CALLBACK_AGAIN, wall_now_us(), 500);
			const struct callback_try tried = try_of(
				f, id, (enum callback_outcome)outcome,
				outcome == CALLBACK_AGAIN ? wall_now_us() + DAY : 0, 200);
			begin(f);
			assert_done(
				queue_callback_redeliver(f->queue, &ALICE, id, &f->err),
				&f->err);
			assert_done(queue_callback_tried(f->queue, &tried, &f->err),
				    &f->err);
			commit(f);
			wall_go_on(S);
			assert_due(f, "a.example:443", 1, 1, 0);
		}
	write_try(f, id, CALLBACK_DELIVERED, 0, 200);
	fixture_assert_sql(f->dir, "SELECT state || tries FROM callbacks", "delivered1");
}

static void test_what_was_said_never_changes(void **state)
{
	static const char *const columns[] = {"webhook_id", "job_id",  "owner",
					      "kind",	    "attempt", "url",
					      "host",	    "body",    "created_at"};
	struct fixture *f = *state;
	struct submitted job;
	char id[WEBHOOK_ID_BYTES];
	tell(f, "uid:1000", TO("a.example"), id, &job);
	for (size_t i = 0; i < ARRAY_SIZE(columns); i++) {
		AUTO_FREE char *sql =
			mem_printf("UPDATE callbacks SET %s = 5", columns[i]);
		assert_int_not_equal(fixture_sql(f->dir, sql, NULL), 0);
	}
}

/* --- who sees what --- */

static void assert_list(struct fixture *f, const struct viewer *viewer,
			struct callback_filter filter, const char *expected)
{
	AUTO_BUF struct buf text = BUF_INIT(1024);
	struct callback_list list;
	filter.limit = filter.limit > 0 ? filter.limit : 100;
	assert_done(queue_callback_list(f->queue, viewer, &filter, &list, &f->err),
		    &f->err);
	for (size_t i = 0; i < list.count; i++)
		(void)buf_printf(&text, "%s%lld", i > 0 ? " " : "",
				 (long long)list.item[i].row);
	assert_string_equal(buf_text(&text), expected);
	callback_list_release(&list);
}

/* Rows 1 to 6: of Alice the odd ones; 1 and 2 delivered, 3 and 4 dead. */
static void scene(struct fixture *f, char id[6][WEBHOOK_ID_BYTES],
		  struct submitted job[6])
{
	for (int i = 0; i < 6; i++) {
		tell(f, i % 2 == 0 ? "uid:1000" : "uid:2000", TO("a.example"), id[i],
		     &job[i]);
		if (i < 4)
			write_try(f, id[i], i < 2 ? CALLBACK_DELIVERED : CALLBACK_DEAD, 0,
				  i < 2 ? 200 : 410);
	}
}

static void test_lists(void **state)
{
	struct fixture *f = *state;
	char id[6][WEBHOOK_ID_BYTES];
	struct submitted job[6];
	scene(f, id, job);
	const struct callback_filter all = {.state = NULL}, dead = {.state = "dead"},
				     pending = {.state = "pending"},
				     delivered = {.state = "delivered"},
				     second = {.job_row = job[1].row},
				     page = {.limit = 2},
				     next = {.limit = 2, .before_row = 5};
	assert_list(f, &FIXTURE_ADMIN, all, "6 5 4 3 2 1");
	assert_list(f, &FIXTURE_ADMIN, dead, "4 3");
	assert_list(f, &FIXTURE_ADMIN, pending, "6 5");
	assert_list(f, &FIXTURE_ADMIN, delivered, "2 1");
	assert_list(f, &FIXTURE_ADMIN, second, "2");
	assert_list(f, &FIXTURE_ADMIN, page, "6 5");
	assert_list(f, &FIXTURE_ADMIN, next, "4 3");
	assert_list(f, &ALICE, all, "5 3 1");
	assert_list(f, &ALICE, dead, "3");
	assert_list(f, &ALICE, delivered, "1");
	assert_list(f, &ALICE, second, "");
	assert_list(f, &ALICE, next, "3 1");
	assert_list(f, &BOB, pending, "6");
	assert_list(f, &BOB, second, "2");
}

static void test_another_owners_message_is_not_there(void **state)
{
	struct fixture *f = *state;
	struct submitted job;
	struct callback callback;
	char id[WEBHOOK_ID_BYTES];
	tell(f, "uid:1000", TO("a.example"), id, &job);
	write_try(f, id, CALLBACK_DEAD, 0, 410);
	assert_int_equal(queue_callback_get(f->queue, &BOB, id, &callback, &f->err), 0);
	begin(f);
	assert_int_equal(queue_callback_redeliver(f->queue, &BOB, id, &f->err), -1);
	assert_int_equal(f->err.code, ERR_NOT_FOUND);
	assert_int_equal(queue_callback_redeliver(f->queue, &ALICE, "msg_x", &f->err),
			 -1);
	assert_int_equal(f->err.code, ERR_NOT_FOUND);
	commit(f);
	assert_callback(f, id, "dead", 1, 0, "answered so");
}

/* --- when the job goes --- */

static void prune(struct fixture *f)
{
	const struct retention_policy policy = {
		.output_age_us = DAY, .rows_age_us = DAY, .slice = 2};
	struct retention *run = retention_open(&policy, RETENTION_ALL, false, "uid:0");
	int more;
	while ((more = queue_retention_step(f->queue, run, &f->err)) == 1)
		;
	assert_done(more, &f->err);
	retention_close(run);
}

static void assert_sound(struct fixture *f)
{
	AUTO_BUF struct buf findings = BUF_INIT(1 << 16);
	assert_done(queue_check(f->queue, &findings, &f->err), &f->err);
	assert_string_equal(buf_text(&findings), "");
}

static void test_what_is_pending_outlives_its_job(void **state)
{
	struct fixture *f = *state;
	char id[6][WEBHOOK_ID_BYTES];
	struct submitted job[6];
	struct callback callback;
	scene(f, id, job);
	wall_go_on(2 * DAY);
	prune(f);
	fixture_assert_sql(f->dir, "SELECT count(*) FROM jobs", "0");
	assert_list(f, &FIXTURE_ADMIN, (struct callback_filter){.limit = 0}, "6 5");
	get(f, id[5], &callback);
	assert_string_equal(callback.job_id, job[5].id);
	callback_release(&callback);
	assert_due(f, "a.example:443", 10, 2, 0);
	assert_sound(f);

	/* it is still sent, written down and sent again */
	write_try(f, id[4], CALLBACK_DEAD, 0, 410);
	write_try(f, id[5], CALLBACK_DELIVERED, 0, 200);
	begin(f);
	assert_done(queue_callback_redeliver(f->queue, &ALICE, id[4], &f->err), &f->err);
	commit(f);
	wall_go_on(6 * DAY);
	prune(f);
	assert_list(f, &FIXTURE_ADMIN, (struct callback_filter){.limit = 0}, "6 5");
	wall_go_on(2 * DAY);
	prune(f);
	assert_list(f, &FIXTURE_ADMIN, (struct callback_filter){.limit = 0}, "5");
	write_try(f, id[4], CALLBACK_DELIVERED, 0, 200);
	wall_go_on(8 * DAY);
	prune(f);
	assert_list(f, &FIXTURE_ADMIN, (struct callback_filter){.limit = 0}, "");
	assert_sound(f);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, wall_setup, wall_teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_due_by_receiver),
		TEST(test_tries_are_counted_until_it_is_over),
		TEST(test_a_dead_one_is_sent_again),
		TEST(test_one_under_way_is_sent_again),
		TEST(test_what_was_said_never_changes),
		TEST(test_lists),
		TEST(test_another_owners_message_is_not_there),
		TEST(test_what_is_pending_outlives_its_job),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
