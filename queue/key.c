/* key.c - idempotency keys: which request made which job.
 *
 * A key belongs to its principal and stands in the transaction of what it made. It
 * outlives the job, so that a late repetition does nothing again. */
#include "queue/birth.h"

int key_find(struct queue *queue, const struct request_key *key, struct submitted *ret,
	     struct err *err)
{
	sqlite3_stmt *stmt;
	if (key->text == NULL)
		return 0;
	if (db_start(queue, STATEMENT_IDEMPOTENCY_GET,
		     BINDS(as_text(key->principal), as_text(key->text)), &stmt, err) != 0)
		return -1;
	int found = db_step(queue, stmt, err);
	if (found == 1) {
		const void *hash = sqlite3_column_blob(stmt, 0);
		const int bytes = sqlite3_column_bytes(stmt, 0);
		if (hash == NULL || bytes != DIGEST_BYTES ||
		    memcmp(hash, key->body_hash, DIGEST_BYTES) != 0) {
			found = err_set(err, ERR_INVALID,
					"this Idempotency-Key was used before with "
					"another request");
		} else {
			*ret = (struct submitted){.row = sqlite3_column_int64(stmt, 2),
						  .submitted_at =
							  sqlite3_column_int64(stmt, 3),
						  .is_replay = true};
			column_id(stmt, 1, ret->id);
		}
	}
	db_end(stmt);
	return found;
}

int key_keep(struct queue *queue, const struct request_key *key, int64_t row,
	     const uint8_t *batch, struct err *err)
{
	if (key->text == NULL)
		return 0;
	return db_run(queue, STATEMENT_IDEMPOTENCY_INSERT,
		      BINDS(as_text(key->principal), as_text(key->text),
			    as_blob(key->body_hash, DIGEST_BYTES), as_int(row),
			    as_int(clock_now_us()), as_blob(batch, DB_UUID_BYTES)),
		      err) < 0
		       ? db_fail_late(err)
		       : 0;
}

int queue_idempotency_expire(struct queue *queue, int64_t keep_us, int limit,
			     struct err *err)
{
	return db_run(queue, STATEMENT_IDEMPOTENCY_EXPIRE,
		      BINDS(as_int(clock_now_us() - keep_us), as_int(limit)), err);
}
