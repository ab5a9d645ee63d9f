/* check.c - is the file sound? And a copy of it that is.
 *
 * integrity_check and foreign_key_check are SQLite's; that states, moves and the jobs'
 * states agree with this program and with the events is ours. */
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "queue/db.h"

#define FINDINGS_MAX 100

static void finding(struct buf *ret, int *count, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
static void finding(struct buf *ret, int *count, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	if ((*count)++ < FINDINGS_MAX) {
		(void)buf_vprintf(ret, format, args);
		(void)buf_append_char(ret, '\n');
	}
	va_end(args);
}

static int integrity_find(struct queue *queue, struct buf *ret, int *count,
			  struct err *err)
{
	sqlite3_stmt *stmt;
	int more;
	if (db_start(queue, STATEMENT_INTEGRITY, NO_BINDS, &stmt, err) != 0)
		return -1;
	while ((more = db_step(queue, stmt, err)) == 1) {
		const char *text = (const char *)sqlite3_column_text(stmt, 0);
		if (!text_equal(text, "ok"))
			finding(ret, count, "integrity: %s", text);
	}
	db_end(stmt);
	return more;
}

static int foreign_find(struct queue *queue, struct buf *ret, int *count, struct err *err)
{
	sqlite3_stmt *stmt;
	int more;
	if (db_start(queue, STATEMENT_FOREIGN_KEYS, NO_BINDS, &stmt, err) != 0)
		return -1;
	while ((more = db_step(queue, stmt, err)) == 1)
		finding(ret, count,
			"foreign key: row %lld of %s names a missing row of %s",
			(long long)sqlite3_column_int64(stmt, 1),
			(const char *)sqlite3_column_text(stmt, 0),
			(const char *)sqlite3_column_text(stmt, 2));
	db_end(stmt);
	return more;
}

static int states_find(struct queue *queue, struct buf *ret, int *count, struct err *err)
{
	sqlite3_stmt *stmt;
	int more, rows = 0;
	if (db_start(queue, STATEMENT_STATE_ROWS, NO_BINDS, &stmt, err) != 0)
		return -1;
	while ((more = db_step(queue, stmt, err)) == 1) {
		const char *word = (const char *)sqlite3_column_text(stmt, 0);
		const enum job_state state = job_state_parse(word);
		rows++;
		if (state == JOB_STATE_NONE ||
		    job_state_is_final(state) != (sqlite3_column_int(stmt, 1) != 0))
			finding(ret, count, "states: this program has no such state %s",
				word);
	}
	db_end(stmt);
	if (more == 0 && rows != JOB_STATE_COUNT_ - 1)
		finding(ret, count, "states: %d rows instead of %d", rows,
			JOB_STATE_COUNT_ - 1);
	return more;
}

static int moves_known(void)
{
	int count = 0;
	for (int from = 1; from < JOB_STATE_COUNT_; from++)
		for (int to = 1; to < JOB_STATE_COUNT_; to++)
			count += job_move_is_legal((enum job_state)from,
						   (enum job_state)to);
	return count;
}

static int moves_find(struct queue *queue, struct buf *ret, int *count, struct err *err)
{
	sqlite3_stmt *stmt;
	int more, rows = 0;
	if (db_start(queue, STATEMENT_MOVE_ROWS, NO_BINDS, &stmt, err) != 0)
		return -1;
	while ((more = db_step(queue, stmt, err)) == 1) {
		const char *from = (const char *)sqlite3_column_text(stmt, 0);
		const char *to = (const char *)sqlite3_column_text(stmt, 1);
		rows++;
		if (!job_move_is_legal(job_state_parse(from), job_state_parse(to)))
			finding(ret, count,
				"moves: from %s to %s is no move of this program", from,
				to);
	}
	db_end(stmt);
	if (more == 0 && rows != moves_known())
		finding(ret, count, "moves: %d rows instead of %d", rows, moves_known());
	return more;
}

static int jobs_find(struct queue *queue, struct buf *ret, int *count, struct err *err)
{
	sqlite3_stmt *stmt;
	int more;
	if (db_start(queue, STATEMENT_JOBS_UNLIKE_EVENTS, NO_BINDS, &stmt, err) != 0)
		return -1;
	while ((more = db_step(queue, stmt, err)) == 1) {
		char id[JOB_ID_BYTES];
		column_id(stmt, 0, id);
		finding(ret, count, "job %s is %s, but its last event says otherwise", id,
			(const char *)sqlite3_column_text(stmt, 1));
	}
	db_end(stmt);
	return more;
}

/* More were counted than there are when some were pruned; fewer when somebody wrote rows
 * by hand. */
static int totals_find(struct queue *queue, struct buf *ret, int *count, struct err *err)
{
	sqlite3_stmt *stmt;
	int more;
	if (db_start(queue, STATEMENT_TOTALS_TOO_LOW, NO_BINDS, &stmt, err) != 0)
		return -1;
	while ((more = db_step(queue, stmt, err)) == 1)
		finding(ret, count,
			"totals: %lld jobs are %s, but only %lld were counted",
			(long long)sqlite3_column_int64(stmt, 1),
			(const char *)sqlite3_column_text(stmt, 0),
			(long long)sqlite3_column_int64(stmt, 2));
	db_end(stmt);
	return more;
}

static int vanished_find(struct queue *queue, struct buf *ret, int *count,
			 struct err *err)
{
	sqlite3_stmt *stmt;
	int more;
	if (db_start(queue, STATEMENT_JOBS_VANISHED, NO_BINDS, &stmt, err) != 0)
		return -1;
	while ((more = db_step(queue, stmt, err)) == 1)
		finding(ret, count,
			"job row %lld, submitted by event %lld, is gone without having "
			"been pruned",
			(long long)sqlite3_column_int64(stmt, 1),
			(long long)sqlite3_column_int64(stmt, 0));
	db_end(stmt);
	return more;
}

int queue_check(struct queue *queue, struct buf *ret, struct err *err)
{
	int (*const parts[])(struct queue *, struct buf *, int *, struct err *) = {
		integrity_find, foreign_find,  states_find, moves_find,
		jobs_find,	vanished_find, totals_find};
	int count = 0, result = 0;
	bool is_own;
	if (snapshot_join(queue, &is_own, err) != 0)
		return -1;
	for (size_t i = 0; i < ARRAY_SIZE(parts) && result == 0; i++)
		result = parts[i](queue, ret, &count, err);
	snapshot_leave(queue, is_own);
	if (count > FINDINGS_MAX)
		(void)buf_printf(ret, "... and %d more\n", count - FINDINGS_MAX);
	return result != 0 ? -1 : count > 0;
}

/* --- backup --- */

/* The copy alone is the backup: no log beside it. */
static int backup_into(struct queue *queue, struct queue *copy, struct err *err)
{
	sqlite3_backup *backup = sqlite3_backup_init(copy->db, "main", queue->db, "main");
	if (backup == NULL)
		return db_error(copy, sqlite3_errcode(copy->db), "backup", err);
	const int code = sqlite3_backup_step(backup, -1);
	const int end = sqlite3_backup_finish(backup);
	if (code != SQLITE_DONE)
		return db_error(copy, end != SQLITE_OK ? end : code, "backup", err);
	return db_script(copy, "PRAGMA journal_mode = DELETE", err);
}

static int backup_sync(const char *path, struct err *err)
{
	AUTO_CLOSE const int fd = sys.openat(AT_FDCWD, path, O_RDONLY | O_CLOEXEC, 0);
	AUTO_FREE char *directory = mem_strdup(path);
	char *slash = strrchr(directory, '/');
	if (fd < 0 || sys.fsync(fd) != 0)
		return err_sys(err, ERR_INTERNAL, errno, "syncing %s", path);
	if (slash == NULL)
		return file_sync_dir(".", err);
	slash[slash == directory ? 1 : 0] = '\0';
	return file_sync_dir(directory, err);
}

int queue_backup(struct queue *queue, const char *path, struct err *err)
{
	const int fd =
		sys.openat(AT_FDCWD, path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0)
		return errno == EEXIST
			       ? err_set(err, ERR_CONFLICT, "%s exists already", path)
			       : err_sys(err, ERR_INTERNAL, errno, "creating %s", path);
	(void)close(fd);
	struct queue *copy = mem_alloc(sizeof *copy);
	copy->writers_fd = -1;
	copy->path = mem_strdup(path);
	int result = db_connect(copy, SQLITE_OPEN_READWRITE, err);
	if (result == 0)
		result = backup_into(queue, copy, err);
	queue_close(copy);
	if (result == 0)
		result = backup_sync(path, err);
	if (result != 0)
		(void)sys.unlinkat(AT_FDCWD, path, 0);
	return result;
}
