/* verify.c - walking the chain of events and the stored outputs: was anything changed?
 *
 * The walk goes on past the first row that does not fit, from that row's own hash, so
 * that one change is counted as one. */
#include "queue/output.h"
#include "queue/retention_run.h"

#define READ_BYTES ((size_t)64 * 1024)

/* Only the first thing that does not fit is described. */
static void complain(struct verify_result *result, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
static void complain(struct verify_result *result, const char *format, ...)
{
	va_list args;
	if (result->detail[0] != '\0')
		return;
	va_start(args, format);
	(void)vsnprintf(result->detail, sizeof result->detail, format, args);
	va_end(args);
}

static struct event_row event_of(sqlite3_stmt *stmt)
{
	return (struct event_row){
		.id = sqlite3_column_int64(stmt, 0),
		.at = sqlite3_column_int64(stmt, 1),
		.has_job = sqlite3_column_type(stmt, 2) != SQLITE_NULL,
		.job_row = sqlite3_column_int64(stmt, 2),
		.kind = (const char *)sqlite3_column_text(stmt, 3),
		.state = (const char *)sqlite3_column_text(stmt, 4),
		.principal = (const char *)sqlite3_column_text(stmt, 5),
		.data = (const char *)sqlite3_column_text(stmt, 6),
	};
}

static void event_is_bad(struct verify_result *result, int64_t id, const char *what)
{
	if (result->bad_event == 0)
		result->bad_event = id;
	complain(result, "event %lld %s", (long long)id, what);
}

/* `hash` is that of the row before, and becomes that of this row. A stored one that was cut
 * by hand still fits its own row, but not the next. */
static void event_verify(sqlite3_stmt *stmt, int64_t previous_id, struct event_hash *hash,
			 struct verify_result *result)
{
	const struct event_row row = event_of(stmt);
	uint8_t made[DIGEST_BYTES];
	event_hash_make(&row, hash, made);
	const bool has_hash = event_hash_read(stmt, 7, hash);
	if (row.id != previous_id + 1)
		event_is_bad(result, row.id,
			     "does not follow the one before: some are missing");
	else if (!has_hash || memcmp(made, hash->data, hash->bytes) != 0)
		event_is_bad(result, row.id, "was changed: its hash does not fit");
	else
		result->events++;
}

/* An event that tells of jobs that were pruned must fit their tombstones. 0 or -1. */
static int slice_verify(struct queue *queue, const struct event_row *row,
			int64_t *ret_count, struct verify_result *result, struct err *err)
{
	uint8_t digest[DIGEST_BYTES];
	char hex[DIGEST_HEX_BYTES];
	cJSON *tree = NULL;
	*ret_count = 0;
	if (!text_equal(row->kind, "jobs_pruned") || row->data == NULL ||
	    json_parse(row->data, strlen(row->data), NULL, &tree, NULL) < 0)
		return 0;
	const char *expected = cJSON_GetStringValue(json_get(tree, "tombstones"));
	int failed = 0;
	if (expected != NULL) {
		failed = tombstones_digest(queue, row->at, digest, ret_count, err);
		text_hex(digest, sizeof digest, hex);
		if (failed == 0 && !text_equal(hex, expected))
			complain(result,
				 "the tombstones that event %lld tells of were changed",
				 (long long)row->id);
	}
	cJSON_Delete(tree);
	return failed;
}

/* What a walk along the chain remembers. */
struct walk {
	struct chain_head head;
	bool has_head, is_head_named;
	int64_t since;	    /* the moment from which on all events are there */
	int64_t tombstones; /* made since then, that an event vouches for */
};

static int events_walk(struct queue *queue, struct walk *walk, int64_t given,
		       struct verify_result *result, struct err *err)
{
	sqlite3_stmt *stmt;
	struct event_hash hash = walk->head.hash;
	int64_t last = walk->head.id;
	int more;
	if (db_start(queue, STATEMENT_EVENT_ALL, BINDS(as_int(last)), &stmt, err) != 0)
		return -1;
	while ((more = db_step(queue, stmt, err)) == 1) {
		const struct event_row row = event_of(stmt);
		int64_t stones = 0;
		event_verify(stmt, last, &hash, result);
		walk->is_head_named =
			walk->is_head_named ||
			chain_head_is_named(&walk->head, row.kind, row.data);
		more = slice_verify(queue, &row, &stones, result, err);
		if (more != 0)
			break;
		walk->tombstones += row.at >= walk->since ? stones : 0;
		last = row.id;
	}
	db_end(stmt);
	/* a chain that was cut at its end fits in itself: the table knows how far it went
	 */
	if (more == 0 && last < given)
		event_is_bad(result, last + 1, "is missing at the end");
	return more;
}

/* A head that no event names was made by somebody who cut the history, and a tombstone
 * that no event tells of by somebody who removed a job. */
static int events_verify(struct queue *queue, struct verify_result *result,
			 struct err *err)
{
	struct walk walk = {.has_head = false};
	int64_t given = 0, stones = 0;
	const int found = chain_head_load(queue, &walk.head, err);
	if (found < 0 ||
	    db_ask(queue, STATEMENT_EVENT_SEQUENCE, NO_BINDS, &given, err) < 0)
		return -1;
	walk.has_head = found == 1;
	walk.since = walk.has_head ? walk.head.before : INT64_MIN;
	if (events_walk(queue, &walk, given, result, err) != 0)
		return -1;
	if (walk.has_head && !walk.is_head_named)
		event_is_bad(result, walk.head.id + 1,
			     "is said to be the first that was not pruned, and no event "
			     "of the chain says so");
	result->pruned = walk.head.id;
	if (db_ask(queue, STATEMENT_TOMBSTONES_SINCE, BINDS(as_int(walk.since)), &stones,
		   err) < 0)
		return -1;
	if (stones > walk.tombstones)
		complain(result,
			 "%lld tombstones of jobs are there that no event tells of",
			 (long long)(stones - walk.tombstones));
	return 0;
}

/* Of the bytes that were written, however the file has them. */
static int file_digest(const char *state_dir, const struct stored_file *file,
		       int64_t *ret_bytes, uint8_t ret[DIGEST_BYTES], struct err *err)
{
	AUTO_FREE char *data = mem_alloc(READ_BYTES);
	struct output *output = NULL;
	struct digest digest;
	ssize_t got;
	const int found = output_open_left(state_dir, file, &output, err);
	if (found <= 0)
		return found < 0 ? -1 : err_set(err, ERR_GONE, "there is no file");
	*ret_bytes = 0;
	digest_init(&digest);
	while ((got = output_read(output, OUTPUT_BOTH, *ret_bytes, data, READ_BYTES,
				  err)) > 0) {
		digest_add(&digest, data, (size_t)got);
		*ret_bytes += got;
	}
	digest_end(&digest, ret);
	output_close(output);
	return got < 0 ? -1 : 0;
}

/* The columns are those of OUTPUT_ALL. */
static void output_verify(sqlite3_stmt *stmt, const char *state_dir,
			  struct verify_result *result)
{
	const char *stored = (const char *)sqlite3_column_text(stmt, 2);
	const void *expected = sqlite3_column_blob(stmt, 4);
	struct err err = ERR_INIT;
	uint8_t digest[DIGEST_BYTES];
	int64_t bytes = sqlite3_column_bytes(stmt, 6);
	char id[JOB_ID_BYTES];
	column_id(stmt, 7, id);
	if (text_equal(stored, "removed"))
		return;
	if (text_equal(stored, "row")) {
		const void *content = sqlite3_column_blob(stmt, 6);
		digest_of(content != NULL ? content : "", (size_t)bytes, digest);
	} else {
		const char *path = (const char *)sqlite3_column_text(stmt, 5);
		const struct stored_file file = {
			.path = path != NULL ? path : "",
			.is_packed = sqlite3_column_type(stmt, 8) != SQLITE_NULL,
			.bytes = sqlite3_column_int64(stmt, 3)};
		if (file_digest(state_dir, &file, &bytes, digest, &err) != 0) {
			complain(result, "output of job %s cannot be read: %s", id,
				 err.text);
			return;
		}
	}
	if (bytes != sqlite3_column_int64(stmt, 3))
		complain(result, "output of job %s has %lld bytes instead of %lld", id,
			 (long long)bytes, (long long)sqlite3_column_int64(stmt, 3));
	else if (memcmp(digest, expected, DIGEST_BYTES) != 0)
		complain(result, "output of job %s was changed: its hash does not fit",
			 id);
	else
		result->outputs++;
}

static int outputs_verify(struct queue *queue, const char *state_dir,
			  struct verify_result *result, struct err *err)
{
	sqlite3_stmt *stmt;
	int more;
	if (db_start(queue, STATEMENT_OUTPUT_ALL, NO_BINDS, &stmt, err) != 0)
		return -1;
	while ((more = db_step(queue, stmt, err)) == 1)
		output_verify(stmt, state_dir, result);
	db_end(stmt);
	return more;
}

int queue_verify(struct queue *queue, const char *state_dir, struct verify_result *ret,
		 struct err *err)
{
	struct verify_result result = {.events = 0};
	bool is_own;
	if (snapshot_join(queue, &is_own, err) != 0)
		return -1;
	int failed = events_verify(queue, &result, err);
	if (failed == 0)
		failed = outputs_verify(queue, state_dir, &result, err);
	snapshot_leave(queue, is_own);
	if (failed != 0)
		return -1;
	*ret = result;
	return result.detail[0] != '\0';
}
