/* test_queue_verify.c - whoever changes the history by hand is found out; and backups. */
#include <fcntl.h>
#include <sqlite3.h>
#include <unistd.h>

#include "tests/unit/queue_fixture.h"

/* Three jobs that ran: nine events; the output of the last is in its row. */
#define HISTORY_EVENTS 9
static void history(struct fixture *f, struct submitted *ret)
{
	struct claim_list list;
	struct attempt_end end = fixture_end(0);
	fixture_run_job(f, "uid:1000", 0, ret);
	fixture_run_job(f, "uid:1000", 1, ret);
	fixture_submit(f, "uid:1000", ret);
	fixture_claim(f, &list);
	end.content = "hello";
	end.content_bytes = 5;
	end.stdout_bytes = 5;
	digest_of("hello", 5, end.sha256);
	assert_int_equal(fixture_import(f, &list.item[0], &end), 1);
	claim_list_release(&list);
}

static int verify(struct fixture *f, struct verify_result *ret)
{
	memset(ret, 0, sizeof *ret);
	const int result = queue_verify(f->queue, f->dir, ret, &f->err);
	assert_done(result, &f->err);
	return result;
}

static void test_an_untouched_history_fits(void **state)
{
	struct fixture *f = *state;
	struct submitted job;
	struct verify_result result;
	assert_int_equal(verify(f, &result), 0); /* an empty one too */
	history(f, &job);
	assert_int_equal(verify(f, &result), 0);
	assert_int_equal(result.events, HISTORY_EVENTS);
	assert_int_equal(result.outputs, 1);
	assert_int_equal(result.bad_event, 0);
	assert_string_equal(result.detail, "");
}

/* Every column of an event is covered by its hash. */
static void test_each_changed_column_is_found(void **state)
{
	struct fixture *f = *state;
	struct submitted job;
	struct verify_result result;
	const char *const changes[] = {
		"at = at + 1",	      "job_id = 1",   "kind = 'stopping'",
		"state = 'failed'",   "state = NULL", "principal = 'uid:0'",
		"data = data || ' '", "data = NULL",  "hash = zeroblob(24)",
		"principal = ''",
	};
	history(f, &job);
	for (size_t i = 0; i < ARRAY_SIZE(changes); i++) {
		char sql[256];
		(void)snprintf(sql, sizeof sql,
			       "DROP TRIGGER IF EXISTS events_no_update;"
			       "CREATE TEMP TABLE t AS SELECT * FROM events WHERE id = 9;"
			       "UPDATE events SET %s WHERE id = 9",
			       changes[i]);
		assert_int_equal(fixture_sql(f->dir,
					     "DROP TABLE IF EXISTS kept; CREATE "
					     "TABLE kept AS SELECT * FROM events "
					     "WHERE id = 9",
					     NULL),
				 0);
		assert_int_equal(fixture_sql(f->dir, sql, NULL), 0);
		assert_int_equal(verify(f, &result), 1);
		if (result.bad_event != 9)
			fail_msg("%s: %s", changes[i], result.detail);
		assert_int_equal(result.events, HISTORY_EVENTS - 1);
		assert_int_equal(fixture_sql(f->dir,
					     "REPLACE INTO events SELECT * FROM kept",
					     NULL),
				 0);
		assert_int_equal(verify(f, &result), 0);
	}
}

static void test_the_database_refuses_to_forget(void **state)
{
	struct fixture *f = *state;
	struct submitted job;
	history(f, &job);
	assert_int_equal(fixture_sql(f->dir, "UPDATE events SET at = 1", NULL),
			 SQLITE_CONSTRAINT);
	assert_int_equal(fixture_sql(f->dir, "DELETE FROM events", NULL),
			 SQLITE_CONSTRAINT);
}

static void delete_and_verify(struct fixture *f, int id, struct verify_result *ret)
{
	char sql[128];
	(void)snprintf(sql, sizeof sql,
		       "DROP TRIGGER IF EXISTS events_no_delete;"
		       "DELETE FROM events WHERE id = %d",
		       id);
	assert_int_equal(fixture_sql(f->dir, sql, NULL), 0);
	assert_int_equal(verify(f, ret), 1);
}

static void test_a_missing_event_is_found(void **state)
{
	struct fixture *f = *state;
	struct submitted job;
	struct verify_result result;
	history(f, &job);
	delete_and_verify(f, HISTORY_EVENTS,
			  &result); /* the last: sqlite_sequence tells */
	assert_int_equal(result.bad_event, HISTORY_EVENTS);
	delete_and_verify(f, 5, &result); /* in the middle: the next does not follow */
	assert_int_equal(result.bad_event, 6);
	delete_and_verify(f, 1, &result); /* the first */
	assert_int_equal(result.bad_event, 2);
	assert_non_null(strstr(result.detail, "event 2"));
}

static void test_a_changed_output_is_found(void **state)
{
	struct fixture *f = *state;
	struct submitted job;
	struct verify_result result;
	history(f, &job);
	assert_int_equal(fixture_sql(f->dir,
				     "UPDATE output SET content = CAST('jello' AS BLOB)",
				     NULL),
			 0);
	assert_int_equal(verify(f, &result), 1);
	assert_int_equal(result.bad_event, 0);
	assert_int_equal(result.outputs, 0);
	assert_non_null(strstr(result.detail, job.id));
	assert_int_equal(fixture_sql(f->dir,
				     "UPDATE output SET content = CAST('hell' AS BLOB)",
				     NULL),
			 0);
	assert_int_equal(verify(f, &result), 1);
	assert_non_null(strstr(result.detail, "4 bytes instead of 5"));
}

static void write_output(const char *dir, const char *text)
{
	char path[128];
	(void)snprintf(path, sizeof path, "%s/out.log", dir);
	const int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	assert_int_equal(file_write_all(fd, text, strlen(text)), 0);
	assert_int_equal(close(fd), 0);
}

static void test_a_changed_output_file_is_found(void **state)
{
	struct fixture *f = *state;
	struct submitted job;
	struct verify_result result;
	char path[128];
	history(f, &job);
	write_output(f->dir, "hello");
	assert_int_equal(fixture_sql(f->dir,
				     "UPDATE output SET stored = 'file', path = "
				     "'out.log', content = NULL",
				     NULL),
			 0);
	assert_int_equal(verify(f, &result), 0);
	assert_int_equal(result.outputs, 1);
	write_output(f->dir, "jello");
	assert_int_equal(verify(f, &result), 1);
	(void)snprintf(path, sizeof path, "%s/out.log", f->dir);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(verify(f, &result), 1);
	assert_non_null(strstr(result.detail, "cannot be read"));
	assert_int_equal(
		fixture_sql(f->dir, "UPDATE output SET stored = 'removed'", NULL), 0);
	assert_int_equal(verify(f, &result), 0);
}

static int check(struct fixture *f, struct buf *ret)
{
	buf_reset(ret);
	const int result = queue_check(f->queue, ret, &f->err);
	assert_done(result, &f->err);
	return result;
}

static void test_check_finds_what_does_not_belong(void **state)
{
	struct fixture *f = *state;
	struct submitted job;
	AUTO_BUF struct buf found = BUF_INIT(1 << 16);
	history(f, &job);
	assert_int_equal(check(f, &found), 0);
	assert_string_equal(buf_text(&found), "");
	assert_int_equal(fixture_sql(f->dir,
				     "DROP TRIGGER jobs_move; UPDATE jobs SET state = "
				     "'running', finished_at = NULL WHERE id = 1",
				     NULL),
			 0);
	assert_int_equal(check(f, &found), 1);
	assert_non_null(strstr(buf_text(&found), "is running, but its last event"));
	assert_int_equal(
		fixture_sql(f->dir,
			    "UPDATE jobs SET state = 'succeeded', finished_at = 1 WHERE "
			    "id = 1;"
			    "DROP TRIGGER job_moves_no_insert;"
			    "DROP TRIGGER job_moves_no_delete;"
			    "INSERT INTO job_moves VALUES ('lost', 'queued', 'x')",
			    NULL),
		0);
	assert_int_equal(check(f, &found), 1);
	assert_non_null(strstr(buf_text(&found), "from lost to queued"));
	assert_int_equal(fixture_sql(f->dir,
				     "DELETE FROM job_moves WHERE from_state = 'lost';"
				     "PRAGMA foreign_keys = OFF;"
				     "DELETE FROM workers",
				     NULL),
			 0);
	assert_int_equal(check(f, &found), 1);
	assert_non_null(strstr(buf_text(&found), "missing row of workers"));
}

/* A backup of a live database is a whole one, alone in its file. */
static void test_a_backup_is_whole(void **state)
{
	struct fixture *f = *state;
	struct queue *copy, *reader;
	struct submitted job, later;
	struct verify_result result;
	struct job found;
	char dir[64], path[128];
	history(f, &job);
	fixture_make_dir(dir);
	(void)snprintf(path, sizeof path, "%s/reeve.db", dir);
	assert_done(queue_open(&reader, f->dir, QUEUE_READ, &f->err), &f->err);
	assert_done(queue_backup(reader, path, &f->err), &f->err);
	queue_close(reader);
	fixture_submit(f, "uid:1000", &later);
	(void)snprintf(path, sizeof path, "%s/reeve.db-wal", dir);
	assert_int_not_equal(access(path, F_OK), 0);
	assert_done(queue_open(&copy, dir, QUEUE_READ, &f->err), &f->err);
	assert_int_equal(queue_verify(copy, dir, &result, &f->err), 0);
	assert_int_equal(result.events, HISTORY_EVENTS);
	assert_int_equal(queue_job_get(copy, &FIXTURE_ADMIN, job.id, &found, &f->err), 1);
	job_release(&found);
	queue_close(copy);
	/* nothing is overwritten */
	(void)snprintf(path, sizeof path, "%s/reeve.db", dir);
	assert_int_equal(queue_backup(f->queue, path, &f->err), -1);
	assert_int_equal(f->err.code, ERR_CONFLICT);
	/* and a service can start from it */
	assert_done(queue_open(&copy, dir, QUEUE_WRITE, &f->err), &f->err);
	assert_done(queue_probe_write(copy, &f->err), &f->err);
	queue_close(copy);
	fixture_remove_dir(dir);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_an_untouched_history_fits),
		TEST(test_each_changed_column_is_found),
		TEST(test_the_database_refuses_to_forget),
		TEST(test_a_missing_event_is_found),
		TEST(test_a_changed_output_is_found),
		TEST(test_a_changed_output_file_is_found),
		TEST(test_check_finds_what_does_not_belong),
		TEST(test_a_backup_is_whole),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
