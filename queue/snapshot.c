/* snapshot.c - read transactions and stamps (see snapshot.h).
 *
 * Each commit changes the header of the log's index: it counts the changes, and has how
 * many frames of the log count, their checksum and the salts of the log, which change
 * when it is begun anew. Two equal headers are one state of the database, also after a
 * recovery, which makes the header from the frames. */
#include <stdatomic.h>

#include "queue/db.h"

#define WAL_INDEX_BYTES 32768 /* one block of the index, as SQLite maps it */
#define IS_INIT 12	      /* where the header says that it means something */

/* Opening `-shm` and closing it again would drop this process's locks on it, so the
 * mapping is SQLite's own. It stays where it is as long as the connection is open. */
const volatile uint8_t *wal_index(struct queue *queue)
{
	sqlite3_file *file = NULL;
	volatile void *region = NULL;
	if (queue->wal_index == NULL && queue->db != NULL &&
	    sqlite3_file_control(queue->db, NULL, SQLITE_FCNTL_FILE_POINTER, &file) ==
		    SQLITE_OK &&
	    file->pMethods != NULL && file->pMethods->iVersion >= 2 &&
	    file->pMethods->xShmMap(file, 0, WAL_INDEX_BYTES, 0, &region) == SQLITE_OK)
		queue->wal_index = region;
	return queue->wal_index;
}

/* Word by word in this order, which the compiler and the processor keep. */
static void copy_header(uint64_t ret[6], const volatile uint8_t *header)
{
	const volatile _Atomic uint64_t *const words =
		(const volatile _Atomic uint64_t *)(const volatile void *)header;
	for (size_t i = 0; i < 6; i++)
		ret[i] = atomic_load(&words[i]);
}

/* Written second first, so read first first: two that are equal are whole. */
bool queue_stamp_take(struct queue *queue, struct queue_stamp *ret)
{
	const volatile uint8_t *const index = wal_index(queue);
	uint64_t first[6], second[6];
	_Static_assert(sizeof first == sizeof ret->header, "the header has 48 bytes");
	if (index == NULL)
		return false;
	copy_header(first, index);
	copy_header(second, index + sizeof first);
	memcpy(ret->header, first, sizeof first);
	return memcmp(first, second, sizeof first) == 0 && ret->header[IS_INIT] != 0;
}

bool queue_stamp_equal(const struct queue_stamp *a, const struct queue_stamp *b)
{
	return memcmp(a->header, b->header, sizeof a->header) == 0;
}

int queue_snapshot_begin(struct queue *queue, struct err *err)
{
	sqlite3_stmt *stmt;
	if (db_start(queue, STATEMENT_SNAPSHOT_BEGIN, NO_BINDS, &stmt, err) != 0)
		return -1;
	const int result = db_step(queue, stmt, err);
	db_end(stmt);
	return result;
}

void queue_snapshot_end(struct queue *queue)
{
	sqlite3_stmt *stmt;
	if (queue->is_writing || sqlite3_get_autocommit(queue->db) ||
	    db_start(queue, STATEMENT_TXN_COMMIT, NO_BINDS, &stmt, NULL) != 0)
		return;
	(void)sqlite3_step(stmt);
	db_end(stmt);
}

int snapshot_join(struct queue *queue, bool *ret_is_own, struct err *err)
{
	const bool is_own = sqlite3_get_autocommit(queue->db) != 0;
	if (is_own && queue_snapshot_begin(queue, err) != 0)
		return -1;
	*ret_is_own = is_own;
	return 0;
}

void snapshot_leave(struct queue *queue, bool is_own)
{
	if (is_own)
		queue_snapshot_end(queue);
}
