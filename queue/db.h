/* db.h - what the files of queue/ share: the handle, statements, binding, errors.
 *
 * Private to queue/. A statement is run in three strokes: db_start binds it, db_step
 * walks its rows, db_end makes it ready for the next time; db_run does all three for a
 * statement without rows. Bound texts and blobs are not copied: they live until db_end.
 */
#ifndef REEVE_QUEUE_DB_H
#define REEVE_QUEUE_DB_H

#include <sqlite3.h>

#include "queue/queue.h"
#include "queue/tally.h"
#include "statements.h"

#define DB_APPLICATION_ID 0x52455645 /* "REVE" */
#define DB_UUID_BYTES 16
#define DB_BUSY_MS 5000

enum statement {
#define STATEMENT_ENUM_(name, sql) STATEMENT_##name,
	STATEMENTS(STATEMENT_ENUM_)
#undef STATEMENT_ENUM_
		STATEMENT_COUNT_
};

/* The text of a statement (for the plan test too). */
const char *statement_sql(enum statement id);
const char *statement_name(enum statement id);

/* The hash of an event: SHA-256 cut to 192 bits (as in NIST SP 800-208), or whole in a row
 * of an earlier version. */
#define EVENT_HASH_BYTES 24
struct event_hash {
	uint8_t data[DIGEST_BYTES];
	size_t bytes; /* 24 or 32 */
};

/* The end of the event chain, for one transaction only. */
struct event_chain {
	bool is_known;
	int64_t id;
	struct event_hash hash;
};

struct queue {
	sqlite3 *db;
	sqlite3_stmt *stmt[STATEMENT_COUNT_]; /* NULL until first used */
	char *state_dir, *path;
	enum queue_mode mode;
	int writers_fd;	 /* reeve.db.writers; -1 in a reader */
	bool is_writing; /* between queue_begin and its end: the lock is held */
	const volatile uint8_t *wal_index; /* NULL until first asked for (snapshot.c) */
	struct event_chain chain;
	int settle_left;       /* dependencies that this transaction may still settle */
	struct tally tally;    /* what this transaction did, to be counted */
	uint64_t last_id_tick; /* ids of one handle increase; see id.c */
	uint8_t random[512];   /* for ids to come */
	size_t random_left;    /* bytes at its end that were not used yet */
};

/* --- one connection (db.c) --- */

/* Opens the file itself: flags of sqlite3_open_v2, no pragmas yet. */
int db_connect(struct queue *queue, int flags, struct err *err);

/* Closes the connection and its statements; the handle stays. */
void db_disconnect(struct queue *queue);

/* Runs fixed SQL without parameters or results. */
int db_script(struct queue *queue, const char *sql, struct err *err);

/* The first column of the first row of fixed SQL, as a number. */
int db_number(struct queue *queue, const char *sql, int64_t *ret, struct err *err);

/* --- statements (statement.c) --- */

struct bind {
	enum { BIND_NULL, BIND_INT, BIND_TEXT, BIND_BLOB } type;
	int64_t number;
	const void *data;
	size_t bytes;
};

static inline struct bind as_null(void)
{
	return (struct bind){.type = BIND_NULL};
}
static inline struct bind as_int(int64_t number)
{
	return (struct bind){.type = BIND_INT, .number = number};
}
/* NULL unless `is_there`. */
static inline struct bind as_int_if(bool is_there, int64_t number)
{
	return is_there ? as_int(number) : as_null();
}
static inline struct bind as_text(const char *text)
{
	return (struct bind){.type = text != NULL ? BIND_TEXT : BIND_NULL, .data = text};
}
/* The owner whose jobs are seen; NULL for all. */
static inline struct bind viewer_owner(const struct viewer *viewer)
{
	return as_text(viewer->sees_all ? NULL : viewer->principal);
}
static inline struct bind as_blob(const void *data, size_t bytes)
{
	return (struct bind){.type = data != NULL ? BIND_BLOB : BIND_NULL,
			     .data = data,
			     .bytes = bytes};
}

/* The parameters ?1, ?2, ... and their count: two arguments of the functions below. */
#define BINDS(...)                                                                       \
	(const struct bind[]){__VA_ARGS__},                                              \
		sizeof((const struct bind[]){__VA_ARGS__}) / sizeof(struct bind)
#define NO_BINDS NULL, 0

int db_start(struct queue *queue, enum statement id, const struct bind *binds,
	     size_t count, sqlite3_stmt **ret, struct err *err);
/* 1 a row, 0 no more, -1. */
int db_step(struct queue *queue, sqlite3_stmt *stmt, struct err *err);
void db_end(sqlite3_stmt *stmt);

/* A statement that changes rows; only inside queue_begin ... queue_commit. How many rows
 * it changed, or -1. */
int db_run(struct queue *queue, enum statement id, const struct bind *binds, size_t count,
	   struct err *err);

/* The first column of the first row, as a number: 1, 0 no row (or NULL), -1. */
int db_ask(struct queue *queue, enum statement id, const struct bind *binds, size_t count,
	   int64_t *ret, struct err *err);

/* A result code of SQLite as an error of ours. Always -1. */
int db_error(struct queue *queue, int code, const char *doing, struct err *err);

/* -1 with ERR_INTERNAL unless the handle is between queue_begin and queue_commit. */
int db_expect_writing(const struct queue *queue, struct err *err);

/* The first change of a [write] function has been made: whatever fails now must roll the
 * transaction back, so its kind may not be one that says "nothing changed". Always -1. */
int db_fail_late(struct err *err);

/* Copies of columns: heap text (NULL stays NULL), a UUID as text ("" when NULL). */
char *column_text(sqlite3_stmt *stmt, int column);
void column_id(sqlite3_stmt *stmt, int column, char ret[JOB_ID_BYTES]);

/* --- rows into structs (fields.c) --- */

enum field_type {
	FIELD_TEXT,   /* char *, heap; NULL when NULL */
	FIELD_WORD,   /* char[], cut; "" when NULL */
	FIELD_INT,    /* int */
	FIELD_INT64,  /* int64_t */
	FIELD_FLAG,   /* int, and a bool at `flag` that says whether it is there */
	FIELD_UUID,   /* char[JOB_ID_BYTES] */
	FIELD_DIGEST, /* uint8_t[DIGEST_BYTES]; zeros when NULL */
	FIELD_STATE,  /* enum job_state */
	FIELD_STOP,   /* enum stop_reason */
	FIELD_POLICY, /* enum output_policy */
};

/* Where a column goes. Rows stand in the order of the statement's columns. */
struct field {
	enum field_type type;
	size_t offset;
	size_t flag; /* FIELD_FLAG: offset of the bool; FIELD_WORD: size of the array */
	int64_t if_null; /* of the integer kinds */
};

/* Fills `ret` (zeroed by the caller) from the row the statement stands on. */
void fields_fill(sqlite3_stmt *stmt, const struct field *fields, size_t count, void *ret);

/* The same from the column `first` on, but the texts (never to be freed) are those of the
 * statement, there until it is stepped or ended. */
void fields_borrow(sqlite3_stmt *stmt, int first, const struct field *fields,
		   size_t count, void *ret);

/* Frees the texts and zeroes the whole struct of `bytes`. */
void fields_release(const struct field *fields, size_t count, void *item, size_t bytes);

/* --- the parts of a transaction --- */

/* Takes and gives back the writers' lock (txn.c). */
int writers_lock(struct queue *queue, struct err *err);
void writers_unlock(struct queue *queue);

/* The index of the write-ahead log as it is mapped; NULL: it is not (snapshot.c). */
const volatile uint8_t *wal_index(struct queue *queue);

/* Opens a read transaction unless one is open; true if it did, so that the caller ends
 * it. */
int snapshot_join(struct queue *queue, bool *ret_is_own, struct err *err);
void snapshot_leave(struct queue *queue, bool is_own);

/* Brings the file to the newest schema (migrate.c). Under the writers' lock. */
int migrate(struct queue *queue, struct err *err);
int migrate_newest(void);

/* A new id (id.c): 16 bytes, greater than the last of this handle. */
void id_make(struct queue *queue, uint8_t ret[DB_UUID_BYTES]);
void id_format(const uint8_t uuid[DB_UUID_BYTES], char ret[JOB_ID_BYTES]);
/* The lowest and the highest UUID that begin with this text (4 to 36 characters). 1, or 0
 * when it is not the beginning of a UUID. */
int id_range(const char *prefix, uint8_t ret_low[DB_UUID_BYTES],
	     uint8_t ret_high[DB_UUID_BYTES]);

/* The columns of job_row and job_view (job.c). */
#define JOB_FIELDS_COUNT 42
extern const struct field JOB_FIELDS[JOB_FIELDS_COUNT];

/* An attempt from the columns of attempt_list, from `first` on (history.c). */
void attempt_borrow(sqlite3_stmt *stmt, int first, struct attempt *ret);

/* The whole job by its row (job.c). 1, 0 none, -1. */
int job_load(struct queue *queue, int64_t row, struct job *ret, struct err *err);
/* Gives a job the name, priority and labels back that it was submitted with (change.c).
 */
int job_unchange(struct queue *queue, struct job *job, struct err *err);
/* The row behind an id or prefix that this viewer may see. 1, 0 none, -1. */
int job_find(struct queue *queue, const struct viewer *viewer, const char *id,
	     int64_t *ret_row, struct err *err);

/* Resumes queues whose pause is over by `now`; how many, or -1 (lanes.c). And when that
 * is next: 1, 0 never, -1. */
int lanes_due(struct queue *queue, int64_t now, struct err *err);
int lanes_due_next(struct queue *queue, int64_t *ret_at, struct err *err);

/* How an attempt ended, for its retry (retrying.c). */
struct retry_end {
	int number;
	const char *cause; /* a word of RETRY_CAUSES; others are not tried again */
	int64_t started_at;
	bool has_exit_code, has_signal;
	int exit_code, signal;
};

/* Moves a running job to waiting for its next attempt, with its event, if it has one. 1,
 * 0 it has none and nothing was written, -1. After the attempt's row was written. */
int job_retry(struct queue *queue, int64_t job_row, const struct retry_end *end,
	      struct err *err);

/* --- events (event.c) --- */

/* An event to be, or one that is: its columns but for the hash. */
struct event_row {
	int64_t id, at;
	bool has_job;
	int64_t job_row;
	const char *kind, *state, *principal, *data; /* NULL where the column is */
};

/* Is it one of EVENT_KINDS (event_feed.c)? */
bool event_kind_is_known(const char *kind);

/* Appends to the chain; the id is given here. ERR_INTERNAL: a kind that nobody can ask
 * for. */
int event_append(struct queue *queue, const struct event_row *row, struct err *err);

/* The same for a job, just now: it has moved to this state, or not (JOB_STATE_NONE).
 * Principal and data may be NULL. */
int event_of_move(struct queue *queue, int64_t job_row, const char *kind,
		  enum job_state state, const char *principal, const char *data,
		  struct err *err);

/* The row of a statement with the columns of event_list (history.c). */
void event_fill(sqlite3_stmt *stmt, struct event *ret);

/* SHA-256(previous || canonical row), of which the first bytes are the row's hash. */
void event_hash_make(const struct event_row *row, const struct event_hash *previous,
		     uint8_t ret[DIGEST_BYTES]);
/* What a row has as its hash; false, and nothing is changed, when that is none. */
bool event_hash_read(sqlite3_stmt *stmt, int column, struct event_hash *ret);
/* What stands before the first row. */
struct event_hash event_hash_none(void);

#endif
