/* db.c - opening the database: what must hold before anything is asked of it.
 *
 * Every pragma that a promise rests on is set and then read back: SQLite ignores what it
 * does not know or cannot do, and durability must not hang on a setting that did not
 * take. Closing never checkpoints (that happens under the writers' lock only, see txn.c).
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sys/stat.h>
#include <unistd.h>

#include "queue/db.h"

#define QUICK_CHECK_BYTES (INT64_C(64) << 20) /* larger files: `reeve db check` */

struct pragma {
	const char *set, *get;
	int64_t expected;
	bool is_for_writers_only, is_for_readers_only;
};

/* clang-format off */
static const struct pragma PRAGMAS[] = {
	{.set = "PRAGMA busy_timeout = 5000",     .get = "PRAGMA busy_timeout",       .expected = 5000},
	{.set = "PRAGMA synchronous = FULL",      .get = "PRAGMA synchronous",        .expected = 2},
	{.set = "PRAGMA foreign_keys = ON",       .get = "PRAGMA foreign_keys",       .expected = 1},
	/* the file may have been edited by others: no functions with side effects from it */
	{.set = "PRAGMA trusted_schema = OFF",    .get = "PRAGMA trusted_schema",     .expected = 0},
	{.set = "PRAGMA cell_size_check = ON",    .get = "PRAGMA cell_size_check",    .expected = 1},
	/* an I/O error in a mapped page is a SIGBUS */
	{.set = "PRAGMA mmap_size = 0",           .get = "PRAGMA mmap_size",          .expected = 0},
	/* only under the writers' lock */
	{.set = "PRAGMA wal_autocheckpoint = 0",  .get = "PRAGMA wal_autocheckpoint", .expected = 0},
	{.set = "PRAGMA cache_size = -16384",     .get = "PRAGMA cache_size",         .expected = -16384},
	/* there are several, and each commit of others empties what they hold */
	{.set = "PRAGMA cache_size = -1024",      .get = "PRAGMA cache_size",         .expected = -1024,
	 .is_for_readers_only = true},
	{.set = "PRAGMA temp_store = MEMORY",     .get = "PRAGMA temp_store",         .expected = 2},
	{.set = "PRAGMA journal_mode = WAL",
	 .get = "SELECT journal_mode = 'wal' FROM pragma_journal_mode", .expected = 1,
	 .is_for_writers_only = true},
};
/* clang-format on */

int db_script(struct queue *queue, const char *sql, struct err *err)
{
	const int code = sqlite3_exec(queue->db, sql, NULL, NULL, NULL);
	return code == SQLITE_OK ? 0 : db_error(queue, code, "database", err);
}

int db_number(struct queue *queue, const char *sql, int64_t *ret, struct err *err)
{
	sqlite3_stmt *stmt = NULL;
	int code = sqlite3_prepare_v2(queue->db, sql, -1, &stmt, NULL);
	if (code != SQLITE_OK)
		return db_error(queue, code, "database", err);
	code = sqlite3_step(stmt);
	const int64_t value = code == SQLITE_ROW ? sqlite3_column_int64(stmt, 0) : -1;
	const int end = sqlite3_finalize(stmt);
	if (code != SQLITE_ROW && code != SQLITE_DONE)
		return db_error(queue, end, "database", err);
	*ret = value;
	return 0;
}

/* SQLite counts its memory under one mutex that all threads share; nobody asks it. */
static void library_configure(void)
{
	(void)sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
}

int db_connect(struct queue *queue, int flags, struct err *err)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	(void)pthread_once(&once, library_configure);
	const int code = sqlite3_open_v2(
		queue->path, &queue->db,
		flags | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE, NULL);
	if (code != SQLITE_OK) {
		(void)db_error(queue, code, "opening the database", err);
		db_disconnect(queue);
		return -1;
	}
	/* Somebody in the sqlite3 shell may hold a lock for a moment: at its start and
	 * its end even against readers, so this comes before the first question. */
	(void)sqlite3_busy_timeout(queue->db, DB_BUSY_MS);
	/* whoever closes last would checkpoint, without the writers' lock */
	(void)sqlite3_db_config(queue->db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
	(void)sqlite3_db_config(queue->db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
	(void)sqlite3_db_config(queue->db, SQLITE_DBCONFIG_DQS_DML, 0, NULL);
	(void)sqlite3_db_config(queue->db, SQLITE_DBCONFIG_DQS_DDL, 0, NULL);
	return 0;
}

void db_disconnect(struct queue *queue)
{
	for (size_t i = 0; i < STATEMENT_COUNT_; i++) {
		(void)sqlite3_finalize(queue->stmt[i]);
		queue->stmt[i] = NULL;
	}
	(void)sqlite3_close(queue->db);
	queue->db = NULL;
	queue->wal_index = NULL;
}

static int pragmas_apply(struct queue *queue, struct err *err)
{
	for (size_t i = 0; i < ARRAY_SIZE(PRAGMAS); i++) {
		int64_t value;
		const bool is_writer = queue->mode == QUEUE_WRITE;
		if (is_writer ? PRAGMAS[i].is_for_readers_only
			      : PRAGMAS[i].is_for_writers_only)
			continue;
		if (db_script(queue, PRAGMAS[i].set, err) != 0 ||
		    db_number(queue, PRAGMAS[i].get, &value, err) != 0)
			return err_wrap(err, "%s", PRAGMAS[i].set);
		if (value != PRAGMAS[i].expected)
			return err_set(err, ERR_INTERNAL, "%s did not take: it is %lld",
				       PRAGMAS[i].set, (long long)value);
	}
	return 0;
}

/* A file of ours has our application_id. Without one it must be empty: just created, or
 * left so by a program that was killed at its first start. */
static int identity_check(struct queue *queue, struct err *err)
{
	int64_t application, version, objects;
	if (db_number(queue, "PRAGMA application_id", &application, err) != 0 ||
	    db_number(queue, "PRAGMA user_version", &version, err) != 0 ||
	    db_ask(queue, STATEMENT_SCHEMA_ANY, NO_BINDS, &objects, err) < 0)
		return -1;
	const bool is_empty = application == 0 && objects == 0;
	if (!is_empty && application != DB_APPLICATION_ID)
		return err_set(err, ERR_CONFLICT,
			       "%s is the database of another program "
			       "(application_id %lld)",
			       queue->path, (long long)application);
	if (version > migrate_newest())
		return err_set(err, ERR_CONFLICT,
			       "%s was written by a newer Reeve (schema %lld, this "
			       "program knows %d)",
			       queue->path, (long long)version, migrate_newest());
	if (queue->mode == QUEUE_READ && is_empty)
		return err_set(err, ERR_UNAVAILABLE, "%s is being created", queue->path);
	if (queue->mode == QUEUE_READ && version < migrate_newest())
		return err_set(err, ERR_CONFLICT,
			       "%s has an older schema (%lld); starting reeve-httpapi "
			       "or reeve-worker brings it up to date",
			       queue->path, (long long)version);
	return 0;
}

/* Damage is found, not served. */
static int damage_check(struct queue *queue, struct err *err)
{
	struct stat st;
	int64_t is_sound;
	if (stat(queue->path, &st) != 0 || st.st_size > QUICK_CHECK_BYTES)
		return 0;
	if (db_number(queue, "SELECT quick_check = 'ok' FROM pragma_quick_check(1)",
		      &is_sound, err) != 0)
		return -1;
	if (is_sound != 1)
		return err_set(err, ERR_INTERNAL, "%s is damaged; see `reeve db check`",
			       queue->path);
	return 0;
}

/* A name in a directory survives power loss only once the directory is synced: so a new
 * file is closed, its directory synced, and opened again before anything is acknowledged.
 */
static int writer_open(struct queue *queue, struct err *err)
{
	const int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE;
	struct stat st;
	const bool is_new = stat(queue->path, &st) != 0 || st.st_size == 0;
	if (db_connect(queue, flags, err) != 0 || identity_check(queue, err) != 0 ||
	    pragmas_apply(queue, err) != 0)
		return -1;
	if (!is_new && damage_check(queue, err) != 0)
		return -1;
	if (migrate(queue, err) != 0)
		return -1;
	if (is_new)
		db_disconnect(queue);
	if (file_sync_dir(queue->state_dir, err) != 0)
		return -1;
	if (is_new &&
	    (db_connect(queue, flags, err) != 0 || pragmas_apply(queue, err) != 0))
		return -1;
	return 0;
}

/* Made here for its mode: SQLite gives the log and its index the same. Only when it is
 * missing: closing a descriptor of an open database would drop this process's POSIX locks
 * on it. */
static int file_create(struct queue *queue, struct err *err)
{
	const int fd = sys.openat(AT_FDCWD, queue->path,
				  O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0 && errno != EEXIST)
		return err_sys(err, ERR_INTERNAL, errno, "creating %s", queue->path);
	if (fd >= 0)
		(void)close(fd);
	return 0;
}

static int open_for_writing(struct queue *queue, struct err *err)
{
	if (file_make_dirs(queue->state_dir, 0700, err) != 0)
		return -1;
	AUTO_FREE char *lock_path = file_join(queue->state_dir, "reeve.db.writers");
	queue->writers_fd =
		sys.openat(AT_FDCWD, lock_path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (queue->writers_fd < 0)
		return err_sys(err, ERR_INTERNAL, errno, "opening %s", lock_path);
	if (writers_lock(queue, err) != 0)
		return -1;
	int result = file_create(queue, err);
	if (result == 0)
		result = writer_open(queue, err);
	writers_unlock(queue);
	return result;
}

/* Opened for writing where the rights allow, since a file with a log that a killed writer
 * left needs its index rebuilt; query_only keeps a reader a reader. */
static int open_for_reading(struct queue *queue, struct err *err)
{
	struct stat st;
	if (stat(queue->path, &st) != 0)
		return errno == ENOENT
			       ? err_set(err, ERR_NOT_FOUND, "no database at %s",
					 queue->path)
			       : err_sys(err, ERR_INTERNAL, errno, "%s", queue->path);
	if (db_connect(queue, SQLITE_OPEN_READWRITE, err) != 0)
		return -1;
	if (pragmas_apply(queue, err) != 0)
		return -1;
	if (identity_check(queue, err) != 0)
		return -1;
	return db_script(queue, "PRAGMA query_only = ON", err);
}

static int open_at(struct queue **ret, const char *state_dir, const char *path,
		   enum queue_mode mode, struct err *err)
{
	struct queue *queue = mem_alloc(sizeof *queue);
	queue->mode = mode;
	queue->writers_fd = -1;
	queue->state_dir = mem_strdup(state_dir);
	queue->path = mem_strdup(path);
	const int result = mode == QUEUE_WRITE ? open_for_writing(queue, err)
					       : open_for_reading(queue, err);
	if (result != 0) {
		queue_close(queue);
		return -1;
	}
	*ret = queue;
	return 0;
}

int queue_open(struct queue **ret, const char *state_dir, enum queue_mode mode,
	       struct err *err)
{
	AUTO_FREE char *path = file_join(state_dir, "reeve.db");
	return open_at(ret, state_dir, path, mode, err);
}

int queue_open_file(struct queue **ret, const char *path, struct err *err)
{
	const char *slash = strrchr(path, '/');
	AUTO_FREE char *dir =
		slash == NULL
			? mem_strdup(".")
			: mem_strndup(path, slash == path ? 1 : (size_t)(slash - path));
	return open_at(ret, dir, path, QUEUE_READ, err);
}

void queue_close(struct queue *queue)
{
	if (queue == NULL)
		return;
	queue_rollback(queue);
	tally_release(&queue->tally);
	db_disconnect(queue);
	if (queue->writers_fd >= 0)
		(void)close(queue->writers_fd);
	free(queue->state_dir);
	free(queue->path);
	free(queue);
}
