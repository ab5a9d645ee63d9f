/* batch.c - many submissions, stored all or none.
 *
 * Other writes share the transaction, so that a batch is a part of its own in it. Its
 * items refer to each other by their places; parents come first. */
#include "queue/birth.h"

/* Whether this owner used the key before. 1 (then *ret_batch is what it made), 0, -1. */
static int replay_find(struct queue *queue, const struct batch *batch,
		       uint8_t ret_batch[DB_UUID_BYTES], struct err *err)
{
	sqlite3_stmt *stmt;
	if (db_start(queue, STATEMENT_BATCH_REPLAY,
		     BINDS(as_text(batch->owner), as_text(batch->idempotency_key)), &stmt,
		     err) != 0)
		return -1;
	int found = db_step(queue, stmt, err);
	if (found == 1) {
		const void *hash = sqlite3_column_blob(stmt, 0);
		const int bytes = sqlite3_column_bytes(stmt, 0);
		const void *id = sqlite3_column_blob(stmt, 1);
		if (hash == NULL || bytes != DIGEST_BYTES || id == NULL ||
		    memcmp(hash, batch->body_hash, DIGEST_BYTES) != 0)
			found = err_set(err, ERR_INVALID,
					"this Idempotency-Key was used before with "
					"another request");
		else
			memcpy(ret_batch, id, DB_UUID_BYTES);
	}
	db_end(stmt);
	return found;
}

/* The jobs of the first time, in the order of the request. */
static int replay_load(struct queue *queue, const struct batch *batch,
		       const uint8_t uuid[DB_UUID_BYTES], struct batch_submitted *ret,
		       struct err *err)
{
	sqlite3_stmt *stmt;
	size_t n = 0;
	int more = 0;
	if (db_start(queue, STATEMENT_BATCH_ITEMS, BINDS(as_blob(uuid, DB_UUID_BYTES)),
		     &stmt, err) != 0)
		return -1;
	while (n < batch->count && (more = db_step(queue, stmt, err)) == 1) {
		struct submitted *item = &ret->item[n++];
		*item = (struct submitted){.row = sqlite3_column_int64(stmt, 1),
					   .submitted_at = sqlite3_column_int64(stmt, 2),
					   .is_replay = true};
		column_id(stmt, 0, item->id);
	}
	db_end(stmt);
	if (more < 0)
		return -1;
	if (n < batch->count)
		return err_set(err, ERR_INTERNAL,
			       "of the batch of this key only %zu jobs are known", n);
	id_format(uuid, ret->id);
	ret->is_replay = true;
	return 0;
}

static int items_keep(struct queue *queue, const struct batch *batch,
		      const uint8_t uuid[DB_UUID_BYTES], const struct submitted *items,
		      struct err *err)
{
	if (batch->idempotency_key == NULL)
		return 0;
	for (size_t i = 0; i < batch->count; i++)
		if (db_run(queue, STATEMENT_BATCH_ITEM_INSERT,
			   BINDS(as_blob(uuid, DB_UUID_BYTES), as_int((int64_t)i),
				 as_int(items[i].row)),
			   err) < 0)
			return db_fail_late(err);
	const struct request_key key = {batch->owner, batch->idempotency_key,
					batch->body_hash};
	return key_keep(queue, &key, batch->count > 0 ? items[0].row : 0, uuid, err);
}

/* Parents first, and those of the batch itself by their places. */
static int item_check(const struct submission *item, size_t place, struct err *err)
{
	for (size_t i = 0; i < item->depends_count; i++)
		if (item->depends_on[i].parent_row == 0 &&
		    item->depends_on[i].parent_item >= place)
			return err_set(err, ERR_INVALID,
				       "an item depends on one that does not come "
				       "before it");
	return 0;
}

static int items_insert(struct queue *queue, const struct batch *batch,
			const uint8_t uuid[DB_UUID_BYTES], struct batch_submitted *ret,
			struct err *err)
{
	for (size_t i = 0; i < batch->count; i++) {
		ret->failed_item = i;
		if (item_check(&batch->item[i], i, err) != 0 ||
		    submit_one(queue, &batch->item[i], ret->item, uuid, &ret->item[i],
			       err) != 0)
			return -1;
	}
	ret->failed_item = SIZE_MAX;
	return items_keep(queue, batch, uuid, ret->item, err);
}

int queue_submit_batch(struct queue *queue, const struct batch *batch,
		       struct batch_submitted *ret, struct err *err)
{
	uint8_t uuid[DB_UUID_BYTES];
	struct part part;
	ret->is_replay = false;
	ret->failed_item = SIZE_MAX;
	if (db_expect_writing(queue, err) != 0)
		return -1;
	if (batch->idempotency_key != NULL) {
		const int found = replay_find(queue, batch, uuid, err);
		if (found != 0)
			return found < 0 ? -1 : replay_load(queue, batch, uuid, ret, err);
	}
	id_make(queue, uuid);
	if (part_begin(queue, &part, err) != 0)
		return -1;
	if (items_insert(queue, batch, uuid, ret, err) == 0) {
		id_format(uuid, ret->id);
		return part_end(queue, &part, err);
	}
	struct err undoing = ERR_INIT;
	if (part_undo(queue, &part, &undoing) != 0)
		*err = undoing;
	return -1;
}
