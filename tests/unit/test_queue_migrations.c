/* test_queue_migrations.c - a file of any earlier version is brought forward, with the
 * jobs in it. */
#include <sqlite3.h>

#include "migrations.h"
#include "queue/db.h"
#include "tests/unit/dependency_scene.h"

/* a migration is longer than the 4,095 characters every compiler must take */
#pragma GCC diagnostic ignored "-Woverlength-strings"

static const struct {
	int version;
	const char *sql;
} MIGRATION[] = {
#define MIGRATION_(number, name, sql) {number, sql},
	MIGRATIONS(MIGRATION_)
#undef MIGRATION_
};

/* What the first version could hold: a job that ended, with a key; one that has labels
 * and may start; one whose attempt nobody has ended. */
static const char ROWS[] =
	"INSERT INTO workers (pid, host, boot_id, version, slots, started_at, "
	"heartbeat_at)"
	" VALUES (1, 'h', 'b', '0', 1, 1, 1);"
	"INSERT INTO jobs (uuid, owner, state, reason, command, submitted_at, started_at,"
	" finished_at, attempt, exit_code) VALUES (x'018f000000007000800000000000000a',"
	" 'uid:1', 'failed', 'exit', '[\"/bin/false\"]', 10, 11, 12, 1, 1);"
	"INSERT INTO jobs (uuid, owner, command, submitted_at, labels) VALUES"
	" (x'018f000000007000800000000000000b', 'uid:1', '[\"/bin/true\"]', 20,"
	" '{\"team\":\"a\"}');"
	"INSERT INTO jobs (uuid, owner, state, reason, command, submitted_at, attempt,"
	" labels) VALUES (x'018f000000007000800000000000000c', 'uid:1', 'running',"
	" 'starting', '[\"/bin/true\"]', 30, 1, '{}');"
	"INSERT INTO attempts (job_id, number, state, outcome, worker_epoch, claimed_at,"
	" started_at, ended_at) VALUES (1, 1, 'ended', 'exit', 1, 11, 11, 12);"
	"INSERT INTO attempts (job_id, number, state, worker_epoch, claimed_at)"
	" VALUES (3, 1, 'starting', 1, 31);"
	"INSERT INTO idempotency (principal, key, body_hash, job_id, created_at)"
	" VALUES ('uid:1', 'key', zeroblob(32), 1, 10);";

/* The first two events, with hashes of 32 bytes as all had then. */
static void make_events(sqlite3 *db)
{
	struct event_hash hash = event_hash_none();
	sqlite3_stmt *stmt;
	assert_int_equal(sqlite3_prepare_v2(
				 db,
				 "INSERT INTO events (id, at, job_id, kind, state, hash)"
				 " VALUES (?1, ?2, ?1, 'submitted', 'queued', ?3)",
				 -1, &stmt, NULL),
			 SQLITE_OK);
	for (int id = 1; id <= 2; id++) {
		const struct event_row row = {.id = id,
					      .at = 10 * id,
					      .has_job = true,
					      .job_row = id,
					      .kind = "submitted",
					      .state = "queued"};
		const struct event_hash previous = hash;
		event_hash_make(&row, &previous, hash.data);
		sqlite3_bind_int(stmt, 1, id);
		sqlite3_bind_int64(stmt, 2, row.at);
		sqlite3_bind_blob(stmt, 3, hash.data, DIGEST_BYTES, SQLITE_STATIC);
		assert_int_equal(sqlite3_step(stmt), SQLITE_DONE);
		sqlite3_reset(stmt);
	}
	sqlite3_finalize(stmt);
}

static void make_file(const struct fixture *f, size_t versions)
{
	char path[128];
	sqlite3 *db;
	(void)snprintf(path, sizeof path, "%s/reeve.db", f->dir);
	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	for (size_t i = 0; i < versions; i++) {
		if (i == 1)
			assert_int_equal(sqlite3_exec(db, ROWS, NULL, NULL, NULL),
					 SQLITE_OK);
		assert_int_equal(sqlite3_exec(db, MIGRATION[i].sql, NULL, NULL, NULL),
				 SQLITE_OK);
	}
	if (versions == 1)
		assert_int_equal(sqlite3_exec(db, ROWS, NULL, NULL, NULL), SQLITE_OK);
	make_events(db);
	assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

/* What there was is there, and what came since holds for it. */
static void assert_brought_forward(struct fixture *f)
{
	static const struct {
		const char *sql, *expected;
	} rows[] = {
		{"SELECT group_concat(state, ' ') FROM jobs", "failed queued running"},
		{"SELECT group_concat(max_attempts, ' ') FROM jobs", "1 1 1"},
		{"SELECT group_concat(id || ':' || queued_at, ' ') FROM jobs "
		 "WHERE queued_at IS NOT NULL",
		 "2:20"},
		{"SELECT group_concat(label || ' ' || job_id, ' ') FROM job_labels",
		 "team=a 2"},
		{"SELECT group_concat(queue || ' ' || state || ' ' || count, ' ') FROM "
		 "job_totals",
		 "default failed 1"},
		{"SELECT count(*) FROM dependencies", "0"},
		{"PRAGMA foreign_key_check", ""},
		{"PRAGMA integrity_check", "ok"},
	};
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		fixture_assert_sql(f->dir, rows[i].sql, rows[i].expected);
}

static void assert_alive(struct fixture *f)
{
	struct submission submission = fixture_submission();
	struct submitted replayed, child;
	struct claim_list list;
	submission.owner = "uid:1";
	submission.idempotency_key = "key";
	scene_submit(f, &submission, &replayed);
	assert_true(replayed.is_replay);
	assert_int_equal(replayed.row, 1);
	scene_child(f, 3, DEPENDS_ANY, &child);
	assert_int_equal(child.state, JOB_WAITING);
	assert_done(queue_begin(f->queue, &f->err), &f->err);
	assert_done(queue_attempt_lost(f->queue, 3, 1, "reboot", &f->err), &f->err);
	assert_done(queue_commit(f->queue, &f->err), &f->err);
	fixture_assert_job(f, child.id, JOB_QUEUED, NULL);
	fixture_claim(f, &list);
	assert_int_equal(list.item[0].job.row, 2);
	claim_list_release(&list);
}

/* The chain goes on from whole hashes to cut ones; who cuts a whole one is found out. A
 * program of the earlier version that still runs would append whole ones, to a hash that
 * it cannot read: it is refused before it breaks the chain. */
static void assert_chained(struct fixture *f)
{
	struct verify_result result = {.events = 0};
	char said[FIXTURE_TEXT_BYTES];
	assert_int_equal(
		fixture_sql(f->dir,
			    "INSERT INTO events (id, at, kind, hash) SELECT "
			    "max(id) + 1, 1, 'submitted', zeroblob(32) FROM events",
			    NULL),
		SQLITE_CONSTRAINT);
	assert_done(queue_verify(f->queue, f->dir, &result, &f->err), &f->err);
	assert_string_equal(result.detail, "");
	fixture_assert_sql(
		f->dir,
		"SELECT group_concat(n || ' of ' || length, ', ') FROM (SELECT "
		"count(*) > 1 AS n, length(hash) AS length FROM events GROUP "
		"BY length(hash) ORDER BY 2 DESC)",
		"1 of 32, 1 of 24");
	assert_int_equal(fixture_sql(f->dir,
				     "DROP TRIGGER events_no_update; UPDATE events SET "
				     "hash = substr(hash, 1, 24) WHERE id = 1",
				     said),
			 0);
	assert_int_equal(queue_verify(f->queue, f->dir, &result, &f->err), 1);
	assert_int_equal(result.bad_event, 2);
}

static void test_every_earlier_version_goes_on(void **state)
{
	(void)state;
	for (size_t versions = 1; versions < ARRAY_SIZE(MIGRATION); versions++) {
		struct fixture f = {.queue = NULL};
		fixture_make_dir(f.dir);
		make_file(&f, versions);
		assert_int_equal(fixture_number(f.dir, "PRAGMA user_version"),
				 MIGRATION[versions - 1].version);
		assert_done(queue_open(&f.queue, f.dir, QUEUE_WRITE, &f.err), &f.err);
		assert_int_equal(fixture_number(f.dir, "PRAGMA user_version"),
				 MIGRATION[ARRAY_SIZE(MIGRATION) - 1].version);
		assert_brought_forward(&f);
		assert_alive(&f);
		assert_chained(&f);
		queue_close(f.queue);
		fixture_remove_dir(f.dir);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_earlier_version_goes_on),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
