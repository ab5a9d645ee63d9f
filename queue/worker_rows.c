/* worker_rows.c - which supervisor is the newest, and is it alive?
 *
 * `worker.lock` keeps two workers of one directory apart; the epoch additionally makes
 * one that lost its lock's file system, or was stopped for an hour, notice that it is
 * over. */
#include <unistd.h>

#include "queue/db.h"

int queue_worker_register(struct queue *queue, int slots, int64_t *ret_epoch,
			  struct err *err)
{
	char host[256];
	if (gethostname(host, sizeof host) != 0)
		host[0] = '\0';
	host[sizeof host - 1] = '\0';
	if (db_run(queue, STATEMENT_WORKER_INSERT,
		   BINDS(as_int(getpid()), as_text(host), as_text(clock_boot_id()),
			 as_text(REEVE_VERSION), as_int(slots), as_int(clock_now_us())),
		   err) < 0)
		return -1;
	*ret_epoch = sqlite3_last_insert_rowid(queue->db);
	return 0;
}

int queue_worker_heartbeat(struct queue *queue, int64_t epoch, int slots, int running,
			   struct err *err)
{
	int64_t newest = 0;
	if (db_ask(queue, STATEMENT_WORKER_EPOCH, NO_BINDS, &newest, err) < 0)
		return -1;
	if (newest > epoch)
		return err_set(err, ERR_CONFLICT,
			       "worker %lld is superseded by worker %lld",
			       (long long)epoch, (long long)newest);
	return db_run(queue, STATEMENT_WORKER_HEARTBEAT,
		      BINDS(as_int(epoch), as_int(clock_now_us()), as_int(running),
			    as_int(slots)),
		      err) < 0
		       ? -1
		       : 0;
}

int queue_worker_retire(struct queue *queue, int64_t epoch, struct err *err)
{
	return db_run(queue, STATEMENT_WORKER_RETIRE,
		      BINDS(as_int(epoch), as_int(clock_now_us())), err) < 0
		       ? -1
		       : 0;
}

int queue_worker_last(struct queue *queue, struct worker_info *ret, struct err *err)
{
	sqlite3_stmt *stmt;
	if (db_start(queue, STATEMENT_WORKER_LAST, NO_BINDS, &stmt, err) != 0)
		return -1;
	const int found = db_step(queue, stmt, err);
	if (found == 1)
		*ret = (struct worker_info){
			.epoch = sqlite3_column_int64(stmt, 0),
			.started_at = sqlite3_column_int64(stmt, 1),
			.heartbeat_at = sqlite3_column_int64(stmt, 2),
			.stopped_at = sqlite3_column_int64(stmt, 3),
			.pid = sqlite3_column_int(stmt, 4),
			.slots = sqlite3_column_int(stmt, 5),
			.running = sqlite3_column_int(stmt, 6),
		};
	db_end(stmt);
	return found;
}
