/* test_queue_open.c - which files are opened, how they are made, and what is refused. */
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sqlite3.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "queue/db.h"
#include "tests/unit/queue_fixture.h"

/* Opening must fail with this kind, and the text must hold this word. */
static void assert_refused(const char *dir, enum queue_mode mode, enum err_code code,
			   const char *word)
{
	struct err err = ERR_INIT;
	struct queue *queue = NULL;
	assert_int_equal(queue_open(&queue, dir, mode, &err), -1);
	assert_null(queue);
	assert_string_equal(err_word(err.code), err_word(code));
	if (strstr(err.text, word) == NULL)
		fail_msg("\"%s\" does not say \"%s\"", err.text, word);
}

static void write_file(const char *dir, const char *content, size_t bytes)
{
	char path[128];
	(void)snprintf(path, sizeof path, "%s/reeve.db", dir);
	const int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	assert_int_equal(file_write_all(fd, content, bytes), 0);
	assert_int_equal(close(fd), 0);
}

static void reopen(struct fixture *f)
{
	queue_close(f->queue);
	f->queue = NULL;
	assert_done(queue_open(&f->queue, f->dir, QUEUE_WRITE, &f->err), &f->err);
}

static void test_everything_survives_a_reopen(void **state)
{
	struct fixture *f = *state;
	struct submitted job;
	fixture_run_job(f, "uid:1000", 7, &job);
	reopen(f);
	fixture_assert_job(f, job.id, JOB_FAILED, "exit");
	assert_int_equal(
		fixture_number(f->dir, "SELECT max(version) FROM schema_migrations"),
		migrate_newest());
}

static void test_the_pragmas_took(void **state)
{
	struct fixture *f = *state;
	const struct {
		const char *sql;
		int64_t expected;
	} rows[] = {
		{"PRAGMA synchronous", 2},
		{"PRAGMA foreign_keys", 1},
		{"PRAGMA trusted_schema", 0},
		{"PRAGMA wal_autocheckpoint", 0},
		{"PRAGMA application_id", DB_APPLICATION_ID},
		{"PRAGMA user_version", migrate_newest()},
		{"SELECT journal_mode = 'wal' FROM pragma_journal_mode", 1},
	};
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		int64_t value = -1;
		assert_done(db_number(f->queue, rows[i].sql, &value, &f->err), &f->err);
		if (value != rows[i].expected)
			fail_msg("%s is %lld", rows[i].sql, (long long)value);
	}
}

static void test_a_newer_file_is_refused(void **state)
{
	struct fixture *f = *state;
	assert_int_equal(fixture_sql(f->dir, "PRAGMA user_version = 9999", NULL), 0);
	assert_refused(f->dir, QUEUE_WRITE, ERR_CONFLICT, "newer");
	assert_refused(f->dir, QUEUE_READ, ERR_CONFLICT, "newer");
	fixture_assert_sql(f->dir, "PRAGMA user_version", "9999");
}

static void test_another_programs_file_is_refused(void **state)
{
	struct fixture *f = *state;
	assert_int_equal(fixture_sql(f->dir, "PRAGMA application_id = 1234", NULL), 0);
	assert_refused(f->dir, QUEUE_WRITE, ERR_CONFLICT, "another program");
	assert_refused(f->dir, QUEUE_READ, ERR_CONFLICT, "another program");
	/* no application_id, but tables of somebody's */
	assert_int_equal(fixture_sql(f->dir, "PRAGMA application_id = 0", NULL), 0);
	assert_refused(f->dir, QUEUE_WRITE, ERR_CONFLICT, "another program");
}

static void test_a_reader_needs_a_database(void **state)
{
	char dir[64];
	(void)state;
	fixture_make_dir(dir);
	assert_refused(dir, QUEUE_READ, ERR_NOT_FOUND, "no database");
	write_file(dir, "", 0);
	assert_refused(dir, QUEUE_READ, ERR_UNAVAILABLE, "being created");
	fixture_remove_dir(dir);
}

static void test_a_file_that_is_no_database(void **state)
{
	char dir[64], garbage[8192];
	(void)state;
	memset(garbage, 'x', sizeof garbage);
	fixture_make_dir(dir);
	write_file(dir, garbage, sizeof garbage);
	assert_refused(dir, QUEUE_WRITE, ERR_INTERNAL, "reeve db check");
	assert_refused(dir, QUEUE_READ, ERR_INTERNAL, "reeve db check");
	fixture_remove_dir(dir);
}

/* Killed between creating the file and the first migration: the next start goes on. */
static void test_a_half_created_file_is_finished(void **state)
{
	char dir[64];
	struct err err = ERR_INIT;
	struct queue *queue;
	(void)state;
	const char *const beginnings[] = {"VACUUM", "PRAGMA journal_mode = WAL"};
	for (size_t i = 0; i < 1 + ARRAY_SIZE(beginnings); i++) {
		fixture_make_dir(dir);
		write_file(dir, "", 0);
		if (i > 0)
			assert_int_equal(fixture_sql(dir, beginnings[i - 1], NULL), 0);
		assert_done(queue_open(&queue, dir, QUEUE_WRITE, &err), &err);
		queue_close(queue);
		fixture_assert_sql(dir, "SELECT count(*) FROM jobs", "0");
		fixture_remove_dir(dir);
	}
}

static void test_the_state_directory_is_made(void **state)
{
	char dir[64], deep[128], path[256];
	struct err err = ERR_INIT;
	struct queue *queue;
	struct stat st;
	(void)state;
	fixture_make_dir(dir);
	(void)snprintf(deep, sizeof deep, "%s/a/b", dir);
	assert_done(queue_open(&queue, deep, QUEUE_WRITE, &err), &err);
	const char *const names[] = {"reeve.db", "reeve.db-wal", "reeve.db.writers"};
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		(void)snprintf(path, sizeof path, "%s/%s", deep, names[i]);
		assert_int_equal(stat(path, &st), 0);
		assert_int_equal(st.st_mode & 0777, 0600);
	}
	assert_int_equal(stat(deep, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0700);
	queue_close(queue);
	fixture_remove_dir(dir);
}

/* Overwrites a page in the middle, as a bad disk would. */
static void test_damage_is_found_not_served(void **state)
{
	struct fixture *f = *state;
	struct submitted job;
	char path[128], page[4096];
	for (int i = 0; i < 300; i++)
		fixture_submit(f, "uid:1000", &job);
	assert_done(queue_checkpoint(f->queue, 0, &f->err), &f->err);
	queue_close(f->queue);
	f->queue = NULL;
	(void)snprintf(path, sizeof path, "%s/reeve.db", f->dir);
	const int fd = open(path, O_RDWR | O_CLOEXEC);
	assert_true(fd >= 0);
	struct stat st;
	assert_int_equal(fstat(fd, &st), 0);
	memset(page, 0x5a, sizeof page);
	for (off_t at = st.st_size / 2 / 4096 * 4096; at < st.st_size; at += 4096)
		assert_int_equal(pwrite(fd, page, sizeof page, at), sizeof page);
	assert_int_equal(close(fd), 0);
	assert_refused(f->dir, QUEUE_WRITE, ERR_INTERNAL, "reeve db check");
}

/* What a process of the test below does: open (perhaps create), submit, leave. */
#define OPENERS 8
#define OPENER_JOBS 20
static int open_and_submit(const char *dir)
{
	struct err err = ERR_INIT;
	struct queue *queue;
	struct submitted job;
	const struct submission s = fixture_submission();
	if (queue_open(&queue, dir, QUEUE_WRITE, &err) != 0)
		return 1;
	for (int i = 0; i < OPENER_JOBS; i++)
		if (queue_begin(queue, &err) != 0 ||
		    queue_submit(queue, &s, &job, &err) != 0 ||
		    queue_commit(queue, &err) != 0)
			return 2;
	if (queue_checkpoint(queue, 0, &err) != 0)
		return 3;
	queue_close(queue);
	return 0;
}

static void test_many_processes_create_it_at_once(void **state)
{
	char dir[64];
	struct err err = ERR_INIT;
	struct queue *queue;
	struct verify_result verified;
	pid_t pids[OPENERS];
	(void)state;
	fixture_make_dir(dir);
	for (int i = 0; i < OPENERS; i++) {
		pids[i] = fork();
		assert_true(pids[i] >= 0);
		if (pids[i] == 0)
			_exit(open_and_submit(dir));
	}
	for (int i = 0; i < OPENERS; i++) {
		int status;
		assert_int_equal(waitpid(pids[i], &status, 0), pids[i]);
		assert_int_equal(status, 0);
	}
	assert_int_equal(fixture_number(dir, "SELECT count(*) FROM jobs"),
			 OPENERS * OPENER_JOBS);
	assert_done(queue_open(&queue, dir, QUEUE_READ, &err), &err);
	assert_int_equal(queue_verify(queue, dir, &verified, &err), 0);
	assert_int_equal(verified.events, OPENERS * OPENER_JOBS);
	queue_close(queue);
	fixture_remove_dir(dir);
}

static off_t size_of(const struct fixture *f, const char *name)
{
	char path[128];
	struct stat st;
	(void)snprintf(path, sizeof path, "%s/%s", f->dir, name);
	return stat(path, &st) == 0 ? st.st_size : -1;
}

/* The last to close would checkpoint without the writers' lock: it must not. */
/* As the sqlite3 shell does when it is the last to leave: for a moment nobody may read.
 */
static void *hold_exclusively(void *context)
{
	sqlite3 *db = context;
	(void)poll(NULL, 0, 200);
	assert_int_equal(sqlite3_close(db), SQLITE_OK);
	return NULL;
}

static void test_opening_waits_for_a_lock(void **state)
{
	struct fixture *fixture = *state;
	AUTO_FREE char *path = file_join(fixture->dir, "reeve.db");
	sqlite3 *db;
	pthread_t holder;
	queue_close(fixture->queue);
	fixture->queue = NULL;
	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db,
				      "PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE;"
				      "CREATE TABLE scratch (x); ROLLBACK",
				      NULL, NULL, NULL),
			 SQLITE_OK);
	assert_int_equal(pthread_create(&holder, NULL, hold_exclusively, db), 0);
	assert_done(queue_open(&fixture->queue, fixture->dir, QUEUE_WRITE, &fixture->err),
		    &fixture->err);
	pthread_join(holder, NULL);
}

static void test_only_checkpoints_checkpoint(void **state)
{
	struct fixture *f = *state;
	struct submitted job;
	assert_done(queue_checkpoint(f->queue, 0, &f->err), &f->err);
	assert_int_equal(size_of(f, "reeve.db-wal"), 0);
	const off_t before = size_of(f, "reeve.db");
	for (int i = 0; i < 100; i++)
		fixture_submit(f, "uid:1000", &job);
	queue_close(f->queue);
	f->queue = NULL;
	assert_int_equal(size_of(f, "reeve.db"), before);
	assert_true(size_of(f, "reeve.db-wal") > 0);
	assert_done(queue_open(&f->queue, f->dir, QUEUE_WRITE, &f->err), &f->err);
	/* too little in the log: nothing happens; enough: it goes into the file */
	assert_done(queue_checkpoint(f->queue, INT64_C(1) << 40, &f->err), &f->err);
	assert_int_equal(size_of(f, "reeve.db"), before);
	assert_done(queue_checkpoint(f->queue, 4096, &f->err), &f->err);
	assert_true(size_of(f, "reeve.db") > before);
}

/* The log is begun anew after a checkpoint instead of growing for ever. */
static void test_the_log_stays_bounded(void **state)
{
	struct fixture *f = *state;
	struct submitted job;
	for (int i = 0; i < 3000; i++) {
		fixture_submit(f, "uid:1000", &job);
		assert_done(queue_checkpoint(f->queue, 256 << 10, &f->err), &f->err);
	}
	assert_in_range(size_of(f, "reeve.db-wal"), 1, 1 << 20);
}

static void test_a_reader_in_the_log_stops_no_checkpoint(void **state)
{
	struct fixture *f = *state;
	struct queue *reader;
	struct submitted job;
	int64_t last;
	assert_done(queue_open(&reader, f->dir, QUEUE_READ, &f->err), &f->err);
	fixture_submit(f, "uid:1000", &job);
	assert_done(queue_snapshot_begin(reader, &f->err), &f->err);
	assert_done(queue_event_last(reader, &last, &f->err), &f->err);
	fixture_submit(f, "uid:1000", &job);
	assert_done(queue_checkpoint(f->queue, 0, &f->err), &f->err);
	fixture_submit(f, "uid:1000", &job);
	queue_snapshot_end(reader);
	queue_close(reader);
	assert_int_equal(fixture_number(f->dir, "SELECT count(*) FROM jobs"), 3);
}

/* A full disk refuses the job, says so, and the queue works again when there is room. */
static void test_a_full_disk(void **state)
{
	struct fixture *f = *state;
	struct submission s = fixture_submission();
	struct submitted job;
	int64_t pages;
	char *big = mem_alloc(1 << 20);
	memset(big, 'x', (1 << 20) - 1);
	assert_done(db_number(f->queue, "PRAGMA page_count", &pages, &f->err), &f->err);
	char limit[64];
	(void)snprintf(limit, sizeof limit, "PRAGMA max_page_count = %d", (int)pages + 4);
	assert_done(db_number(f->queue, limit, &pages, &f->err), &f->err);
	s.name = big;
	assert_done(queue_begin(f->queue, &f->err), &f->err);
	assert_int_equal(queue_submit(f->queue, &s, &job, &f->err), -1);
	assert_int_equal(f->err.code, ERR_OUT_OF_SPACE);
	queue_rollback(f->queue);
	assert_done(
		db_number(f->queue, "PRAGMA max_page_count = 100000", &pages, &f->err),
		&f->err);
	fixture_submit(f, "uid:1000", &job);
	assert_done(queue_probe_write(f->queue, &f->err), &f->err);
	assert_int_equal(fixture_number(f->dir, "SELECT count(*) FROM jobs"), 1);
	free(big);
}

/* `make schema` writes schema.sql; the tests run in the root of the sources. */
static void test_schema_sql_is_fresh(void **state)
{
	struct err err = ERR_INIT;
	AUTO_BUF struct buf fresh = BUF_INIT(1 << 20);
	AUTO_BUF struct buf stored = BUF_INIT(1 << 20);
	(void)state;
	assert_done(queue_schema(&fresh, &err), &err);
	assert_done(file_read(AT_FDCWD, "schema.sql", &stored, &err), &err);
	assert_string_equal(buf_text(&stored), buf_text(&fresh));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_everything_survives_a_reopen),
		TEST(test_the_pragmas_took),
		TEST(test_a_newer_file_is_refused),
		TEST(test_another_programs_file_is_refused),
		cmocka_unit_test(test_a_reader_needs_a_database),
		cmocka_unit_test(test_a_file_that_is_no_database),
		cmocka_unit_test(test_a_half_created_file_is_finished),
		cmocka_unit_test(test_the_state_directory_is_made),
		TEST(test_damage_is_found_not_served),
		cmocka_unit_test(test_many_processes_create_it_at_once),
		TEST(test_opening_waits_for_a_lock),
		TEST(test_only_checkpoints_checkpoint),
		TEST(test_the_log_stays_bounded),
		TEST(test_a_reader_in_the_log_stops_no_checkpoint),
		TEST(test_a_full_disk),
		cmocka_unit_test(test_schema_sql_is_fresh),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
