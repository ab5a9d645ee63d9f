/* limit_sqlite.c - how many jobs a second SQLite itself takes in group commits.
 *
 *   limit_sqlite DATABASE BATCH SECONDS MIGRATION.sql ...
 *
 * Makes the database from the migrations, with the pragmas of the product (WAL,
 * synchronous=FULL, no automatic checkpoint), and inserts the two rows of a submission
 * (jobs, events) with their indexes and checks, BATCH submissions in one transaction, one
 * fdatasync each. The log is moved into the file when it has grown to 64 MiB, inside the
 * measured time. No validation, no hash chain, no HTTP: the rate of the storage. Prints
 * rows of jobs a second. */
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "bench/tools.h"

#define WAL_BYTES (64 << 20)

struct storage {
	sqlite3 *db;
	sqlite3_stmt *begin, *commit, *job, *event;
	char wal_path[512];
};

_Noreturn static void die_sql(const struct storage *storage, const char *what)
{
	fprintf(stderr, "limit_sqlite: %s: %s\n", what, sqlite3_errmsg(storage->db));
	exit(1);
}

static void execute(const struct storage *storage, const char *sql)
{
	if (sqlite3_exec(storage->db, sql, NULL, NULL, NULL) != SQLITE_OK)
		die_sql(storage, sql);
}

static void execute_file(const struct storage *storage, const char *path)
{
	char *const sql = read_file(path, NULL);
	execute(storage, sql);
	free(sql);
}

static sqlite3_stmt *prepare(const struct storage *storage, const char *sql)
{
	sqlite3_stmt *ret = NULL;
	if (sqlite3_prepare_v2(storage->db, sql, -1, &ret, NULL) != SQLITE_OK)
		die_sql(storage, sql);
	return ret;
}

static void storage_open(struct storage *storage, const char *path, char **migrations)
{
	if (sqlite3_open(path, &storage->db) != SQLITE_OK)
		die_sql(storage, path);
	snprintf(storage->wal_path, sizeof storage->wal_path, "%s-wal", path);
	execute(storage, "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; "
			 "PRAGMA wal_autocheckpoint=0; PRAGMA foreign_keys=ON");
	for (; *migrations; migrations++)
		execute_file(storage, *migrations);
	storage->begin = prepare(storage, "BEGIN IMMEDIATE");
	storage->commit = prepare(storage, "COMMIT");
	storage->job =
		prepare(storage,
			"INSERT INTO jobs (uuid, owner, command, environment, labels, "
			"submitted_at, queued_at, spare) "
			"VALUES (?1, 'uid:1000', '[\"/usr/bin/true\"]', '{}', '{}', ?2, ?2, "
			"zeroblob(12))");
	storage->event = prepare(
		storage, "INSERT INTO events (at, job_id, kind, state, principal, hash) "
			 "VALUES (?1, ?2, 'submitted', 'queued', 'uid:1000', ?3)");
}

static void run(const struct storage *storage, sqlite3_stmt *statement)
{
	if (sqlite3_step(statement) != SQLITE_DONE)
		die_sql(storage, sqlite3_sql(statement));
	sqlite3_reset(statement);
}

/* Ids as the product makes them: the time above, chance below, so that they arrive in
 * order. */
static void insert(const struct storage *storage, int64_t serial)
{
	unsigned char uuid[16] = {0}, hash[24] = {0};
	const int64_t at = now_ns() / 1000;
	for (int i = 0; i < 8; i++) {
		uuid[i] = (unsigned char)(at >> (56 - 8 * i));
		uuid[8 + i] = (unsigned char)(serial >> (56 - 8 * i));
	}
	for (size_t i = 0; i < sizeof hash; i++)
		hash[i] = (unsigned char)((uint64_t)serial * 0x9E3779B97F4A7C15U >>
					  (i % 8 * 8));
	sqlite3_bind_blob(storage->job, 1, uuid, sizeof uuid, SQLITE_STATIC);
	sqlite3_bind_int64(storage->job, 2, at);
	run(storage, storage->job);
	sqlite3_bind_int64(storage->event, 1, at);
	sqlite3_bind_int64(storage->event, 2, sqlite3_last_insert_rowid(storage->db));
	sqlite3_bind_blob(storage->event, 3, hash, sizeof hash, SQLITE_STATIC);
	run(storage, storage->event);
}

static void checkpoint_when_long(const struct storage *storage)
{
	struct stat status;
	if (stat(storage->wal_path, &status) == 0 && status.st_size >= WAL_BYTES)
		execute(storage, "PRAGMA wal_checkpoint(TRUNCATE)");
}

int main(int argc, char **argv)
{
	if (argc < 5) {
		fprintf(stderr,
			"usage: limit_sqlite DATABASE BATCH SECONDS MIGRATION.sql...\n");
		return 2;
	}
	const int64_t batch = number(argv[2], "BATCH", 1, 1000000);
	const int64_t limit_ns = seconds_ns(argv[3], "SECONDS");
	struct storage storage = {0};
	storage_open(&storage, argv[1], argv + 4);
	const int64_t begin_ns = now_ns();
	int64_t count = 0, spent_ns = 0;
	while (spent_ns < limit_ns) {
		run(&storage, storage.begin);
		for (int64_t i = 0; i < batch; i++)
			insert(&storage, count++);
		run(&storage, storage.commit);
		checkpoint_when_long(&storage);
		spent_ns = now_ns() - begin_ns;
	}
	printf("%.1f\n", (double)count * 1e9 / (double)spent_ns);
	return 0;
}
