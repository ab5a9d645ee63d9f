/* event.c - the append-only log, each row chained to the one before.
 *
 * The hash of the last row is read once in a transaction and kept for its rest: the
 * writers' lock guarantees that nobody else appends meanwhile. What the canonical form of
 * a row is stands in queue.h, since auditors need it too. */
#include "queue/db.h"

/* NULL is told apart from "" by a length that no text has. */
static void add_field(struct digest *digest, const void *data, size_t bytes)
{
	const uint32_t length = data != NULL ? (uint32_t)bytes : UINT32_MAX;
	const uint8_t prefix[4] = {(uint8_t)length, (uint8_t)(length >> 8),
				   (uint8_t)(length >> 16), (uint8_t)(length >> 24)};
	digest_add(digest, prefix, sizeof prefix);
	if (data != NULL)
		digest_add(digest, data, bytes);
}

static void add_number(struct digest *digest, bool is_there, int64_t number)
{
	uint8_t bytes[8];
	for (int i = 0; i < 8; i++)
		bytes[i] = (uint8_t)((uint64_t)number >> (8 * i));
	add_field(digest, is_there ? bytes : NULL, sizeof bytes);
}

static void add_text(struct digest *digest, const char *text)
{
	add_field(digest, text, text != NULL ? strlen(text) : 0);
}

struct event_hash event_hash_none(void)
{
	return (struct event_hash){.bytes = DIGEST_BYTES};
}

bool event_hash_read(sqlite3_stmt *stmt, int column, struct event_hash *ret)
{
	const void *data = sqlite3_column_blob(stmt, column);
	const size_t bytes = (size_t)sqlite3_column_bytes(stmt, column);
	if (data == NULL || (bytes != EVENT_HASH_BYTES && bytes != DIGEST_BYTES))
		return false;
	memcpy(ret->data, data, bytes);
	ret->bytes = bytes;
	return true;
}

void event_hash_make(const struct event_row *row, const struct event_hash *previous,
		     uint8_t ret[DIGEST_BYTES])
{
	struct digest digest;
	digest_init(&digest);
	digest_add(&digest, previous->data, previous->bytes);
	add_number(&digest, true, row->id);
	add_number(&digest, true, row->at);
	add_number(&digest, row->has_job, row->job_row);
	add_text(&digest, row->kind);
	add_text(&digest, row->state);
	add_text(&digest, row->principal);
	add_text(&digest, row->data);
	digest_end(&digest, ret);
}

/* The end of the chain: the last row, or id 0 and 32 zero bytes before the first. */
static int chain_load(struct queue *queue, struct err *err)
{
	sqlite3_stmt *stmt;
	if (db_start(queue, STATEMENT_EVENT_TAIL, NO_BINDS, &stmt, err) != 0)
		return -1;
	const int found = db_step(queue, stmt, err);
	queue->chain.id = 0;
	queue->chain.hash = event_hash_none();
	if (found == 1) {
		queue->chain.id = sqlite3_column_int64(stmt, 0);
		(void)event_hash_read(stmt, 1, &queue->chain.hash);
	}
	db_end(stmt);
	queue->chain.is_known = found >= 0;
	return found < 0 ? -1 : 0;
}

int event_append(struct queue *queue, const struct event_row *row, struct err *err)
{
	if (!event_kind_is_known(row->kind))
		return err_set(err, ERR_INTERNAL, "\"%s\" is not in EVENT_KINDS",
			       row->kind);
	if (!queue->chain.is_known && chain_load(queue, err) != 0)
		return -1;
	struct event_row next = *row;
	next.id = queue->chain.id + 1;
	struct event_hash hash = {.bytes = EVENT_HASH_BYTES};
	event_hash_make(&next, &queue->chain.hash, hash.data);
	if (db_run(queue, STATEMENT_EVENT_INSERT,
		   BINDS(as_int(next.id), as_int(next.at),
			 as_int_if(next.has_job, next.job_row), as_text(next.kind),
			 as_text(next.state), as_text(next.principal), as_text(next.data),
			 as_blob(hash.data, hash.bytes)),
		   err) < 0)
		return -1;
	queue->chain.id = next.id;
	queue->chain.hash = hash;
	return 0;
}

int event_of_move(struct queue *queue, int64_t job_row, const char *kind,
		  enum job_state state, const char *principal, const char *data,
		  struct err *err)
{
	return event_append(
		queue,
		&(const struct event_row){
			.at = clock_now_us(),
			.has_job = true,
			.job_row = job_row,
			.kind = kind,
			.state = state != JOB_STATE_NONE ? job_state_word(state) : NULL,
			.principal = principal,
			.data = data,
		},
		err);
}
