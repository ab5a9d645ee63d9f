/* txn.c - transactions, the writers' lock around them, and checkpoints.
 *
 * The lock is an flock(2) on a file of its own. SQLite's own lock would keep two writers
 * apart as well, but (1) up to 3.51.2 a checkpoint can lose a commit that resets the
 * write-ahead log meanwhile, and (2) its busy handler starves whoever sleeps longest.
 * Under this lock no checkpoint ever runs beside a commit, and the kernel queues the
 * waiting. The lock belongs to the open file: every handle opens its own. */
#include <errno.h>
#include <sys/file.h>

#include "queue/db.h"

int writers_lock(struct queue *queue, struct err *err)
{
	while (flock(queue->writers_fd, LOCK_EX) != 0)
		if (errno != EINTR)
			return err_sys(err, ERR_INTERNAL, errno,
				       "taking the writers' lock");
	return 0;
}

void writers_unlock(struct queue *queue)
{
	(void)flock(queue->writers_fd, LOCK_UN);
}

int queue_begin(struct queue *queue, struct err *err)
{
	if (queue->mode != QUEUE_WRITE || queue->is_writing)
		return err_set(err, ERR_INTERNAL, "a transaction cannot begin here");
	if (writers_lock(queue, err) != 0)
		return -1;
	sqlite3_stmt *stmt;
	int result = db_start(queue, STATEMENT_TXN_BEGIN, NO_BINDS, &stmt, err);
	if (result == 0) {
		result = db_step(queue, stmt, err);
		db_end(stmt);
	}
	if (result != 0) {
		writers_unlock(queue);
		return err_wrap(err, "beginning to write");
	}
	queue->is_writing = true;
	queue->chain.is_known = false;
	queue->settle_left = DEPENDENTS_SLICE;
	return 0;
}

/* An I/O error during COMMIT may come after the commit record was written: a crash then
 * may bring the transaction back, so nobody may be told that it failed. */
static int commit_failed(struct queue *queue, int code, struct err *err)
{
	(void)db_error(queue, code, "commit", err);
	if (err != NULL && err->code == ERR_INTERNAL)
		return err_wrap(err, "commit outcome unknown");
	return -1;
}

int queue_commit(struct queue *queue, struct err *err)
{
	sqlite3_stmt *stmt;
	if (db_expect_writing(queue, err) != 0 || tally_flush(queue, err) != 0 ||
	    db_start(queue, STATEMENT_TXN_COMMIT, NO_BINDS, &stmt, err) != 0) {
		queue_rollback(queue);
		return -1;
	}
	const int code = sqlite3_step(stmt);
	const int result = code == SQLITE_DONE ? 0 : commit_failed(queue, code, err);
	db_end(stmt);
	/* after a failure the transaction may still be open: this ends it either way */
	queue_rollback(queue);
	return result;
}

void queue_rollback(struct queue *queue)
{
	if (!queue->is_writing)
		return;
	if (!sqlite3_get_autocommit(queue->db))
		(void)sqlite3_exec(queue->db, "ROLLBACK", NULL, NULL, NULL);
	queue->is_writing = false;
	queue->chain.is_known = false;
	tally_reset(queue);
	writers_unlock(queue);
}

int queue_data_version(struct queue *queue, int64_t *ret, struct err *err)
{
	return db_ask(queue, STATEMENT_DATA_VERSION, NO_BINDS, ret, err) < 0 ? -1 : 0;
}

static uint32_t native32(const volatile uint8_t *data)
{
	return *(const volatile uint32_t *)(const volatile void *)data;
}

/* How many bytes of the log are not in the file yet. The log itself keeps its length when
 * it is begun anew, so its index is asked: mxFrame is at byte 16, nBackfill at 96, the
 * page size at 14 (https://www.sqlite.org/walformat.html, section 2). A guess while
 * others write, which is all that is needed. */
static int64_t wal_pending_bytes(struct queue *queue)
{
	const volatile uint8_t *head = wal_index(queue);
	if (head == NULL)
		return 0;
	const uint16_t page =
		*(const volatile uint16_t *)(const volatile void *)(head + 14);
	const int64_t page_bytes = page == 1 ? 65536 : page;
	const int64_t frames = (int64_t)native32(head + 16) - native32(head + 96);
	return frames > 0 ? frames * (page_bytes + 24) : 0;
}

int queue_checkpoint(struct queue *queue, int64_t wal_bytes, struct err *err)
{
	if (queue->mode != QUEUE_WRITE || queue->is_writing)
		return err_set(err, ERR_INTERNAL, "a checkpoint cannot run here");
	if (wal_bytes > 0 && wal_pending_bytes(queue) < wal_bytes)
		return 0;
	if (writers_lock(queue, err) != 0)
		return -1;
	/* RESTART: the next writer begins the log anew, over blocks that exist already,
	 * which makes its fdatasync cheaper than growing a truncated file. A reader that
	 * is still in the log is no reason to keep the writers waiting. */
	(void)sqlite3_busy_timeout(queue->db, 100);
	const int mode =
		wal_bytes > 0 ? SQLITE_CHECKPOINT_RESTART : SQLITE_CHECKPOINT_TRUNCATE;
	const int code = sqlite3_wal_checkpoint_v2(queue->db, NULL, mode, NULL, NULL);
	int result = 0;
	if (code != SQLITE_OK && (code & 0xff) != SQLITE_BUSY)
		result = db_error(queue, code, "checkpoint", err);
	(void)sqlite3_busy_timeout(queue->db, DB_BUSY_MS);
	writers_unlock(queue);
	return result;
}

int queue_probe_write(struct queue *queue, struct err *err)
{
	if (queue_begin(queue, err) != 0)
		return -1;
	if (db_run(queue, STATEMENT_PROBE_WRITE, NO_BINDS, err) < 0) {
		queue_rollback(queue);
		return -1;
	}
	return queue_commit(queue, err);
}
