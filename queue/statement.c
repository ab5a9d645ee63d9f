/* statement.c - running the named statements, and SQLite's codes as our errors.
 *
 * Statements are prepared when first used and kept; they are always reset, so that none
 * holds a read transaction open behind the caller's back. */
#include <errno.h>

#include "queue/db.h"

struct statement_row {
	const char *name, *sql;
};

static const struct statement_row STATEMENT_ROWS[STATEMENT_COUNT_] = {
#define STATEMENT_ROW_(word, text) [STATEMENT_##word] = {.name = #word, .sql = (text)},
	STATEMENTS(STATEMENT_ROW_)
#undef STATEMENT_ROW_
};

const char *statement_sql(enum statement id)
{
	return STATEMENT_ROWS[id].sql;
}

const char *statement_name(enum statement id)
{
	return STATEMENT_ROWS[id].name;
}

struct code_row {
	int code; /* primary result code of SQLite */
	enum err_code kind;
	const char *words;
};

static const struct code_row CODE_ROWS[] = {
	{SQLITE_FULL, ERR_OUT_OF_SPACE, "the disk is full"},
	{SQLITE_BUSY, ERR_UNAVAILABLE, "another program holds the database"},
	{SQLITE_LOCKED, ERR_UNAVAILABLE, "another program holds the database"},
	{SQLITE_NOMEM, ERR_UNAVAILABLE, "out of memory"},
	{SQLITE_CONSTRAINT, ERR_INVALID, "the database refuses this"},
	{SQLITE_TOOBIG, ERR_INVALID, "too large for the database"},
	{SQLITE_MISMATCH, ERR_INVALID, "the database refuses this"},
	{SQLITE_CORRUPT, ERR_INTERNAL, "the database is damaged; see `reeve db check`"},
	{SQLITE_NOTADB, ERR_INTERNAL, "the file is not a database; see `reeve db check`"},
	{SQLITE_READONLY, ERR_INTERNAL, "the database cannot be written"},
	{SQLITE_CANTOPEN, ERR_INTERNAL, "the database cannot be opened"},
	{SQLITE_IOERR, ERR_INTERNAL, "input/output error"},
};

int db_error(struct queue *queue, int code, const char *doing, struct err *err)
{
	const char *said = queue->db != NULL ? sqlite3_errmsg(queue->db) : "";
	const int saved_errno = queue->db != NULL ? sqlite3_system_errno(queue->db) : 0;
	/* a write that found no room comes as an I/O error from some file systems */
	if ((code & 0xff) == SQLITE_IOERR &&
	    (saved_errno == ENOSPC || saved_errno == EDQUOT))
		code = SQLITE_FULL;
	for (size_t i = 0; i < ARRAY_SIZE(CODE_ROWS); i++)
		if (CODE_ROWS[i].code == (code & 0xff))
			return err_set(err, CODE_ROWS[i].kind, "%s: %s: %s", doing,
				       CODE_ROWS[i].words, said);
	return err_set(err, ERR_INTERNAL, "%s: %s (%d)", doing, said, code);
}

int db_expect_writing(const struct queue *queue, struct err *err)
{
	if (!queue->is_writing || sqlite3_get_autocommit(queue->db))
		return err_set(err, ERR_INTERNAL, "no write transaction is open");
	return 0;
}

int db_fail_late(struct err *err)
{
	if (err != NULL && err_is_refusal(err))
		err->code = ERR_INTERNAL;
	return -1;
}

static int bind_one(sqlite3_stmt *stmt, int place, const struct bind *bind)
{
	switch (bind->type) {
	case BIND_INT:
		return sqlite3_bind_int64(stmt, place, bind->number);
	case BIND_TEXT:
		return sqlite3_bind_text(stmt, place, bind->data, -1, SQLITE_STATIC);
	case BIND_BLOB:
		return sqlite3_bind_blob64(stmt, place, bind->data, bind->bytes,
					   SQLITE_STATIC);
	case BIND_NULL:
	default:
		return sqlite3_bind_null(stmt, place);
	}
}

static int prepare(struct queue *queue, enum statement id, struct err *err)
{
	const int code =
		sqlite3_prepare_v3(queue->db, STATEMENT_ROWS[id].sql, -1,
				   SQLITE_PREPARE_PERSISTENT, &queue->stmt[id], NULL);
	if (code != SQLITE_OK)
		return db_error(queue, code, STATEMENT_ROWS[id].name, err);
	return 0;
}

int db_start(struct queue *queue, enum statement id, const struct bind *binds,
	     size_t count, sqlite3_stmt **ret, struct err *err)
{
	if (queue->stmt[id] == NULL && prepare(queue, id, err) != 0)
		return -1;
	for (size_t i = 0; i < count; i++) {
		const int code = bind_one(queue->stmt[id], (int)i + 1, &binds[i]);
		if (code != SQLITE_OK) {
			db_end(queue->stmt[id]);
			return db_error(queue, code, STATEMENT_ROWS[id].name, err);
		}
	}
	*ret = queue->stmt[id];
	return 0;
}

static const char *name_of(const struct queue *queue, const sqlite3_stmt *stmt)
{
	for (size_t i = 0; i < STATEMENT_COUNT_; i++)
		if (queue->stmt[i] == stmt)
			return STATEMENT_ROWS[i].name;
	return "statement";
}

int db_step(struct queue *queue, sqlite3_stmt *stmt, struct err *err)
{
	const int code = sqlite3_step(stmt);
	if (code == SQLITE_ROW)
		return 1;
	if (code == SQLITE_DONE)
		return 0;
	return db_error(queue, code, name_of(queue, stmt), err);
}

void db_end(sqlite3_stmt *stmt)
{
	(void)sqlite3_reset(stmt);
	(void)sqlite3_clear_bindings(stmt);
}

int db_run(struct queue *queue, enum statement id, const struct bind *binds, size_t count,
	   struct err *err)
{
	sqlite3_stmt *stmt;
	if (db_expect_writing(queue, err) != 0 ||
	    db_start(queue, id, binds, count, &stmt, err) != 0)
		return -1;
	const int result = db_step(queue, stmt, err);
	const int changed = sqlite3_changes(queue->db);
	db_end(stmt);
	return result < 0 ? -1 : changed;
}

int db_ask(struct queue *queue, enum statement id, const struct bind *binds, size_t count,
	   int64_t *ret, struct err *err)
{
	sqlite3_stmt *stmt;
	if (db_start(queue, id, binds, count, &stmt, err) != 0)
		return -1;
	int found = db_step(queue, stmt, err);
	if (found == 1 && sqlite3_column_type(stmt, 0) == SQLITE_NULL)
		found = 0;
	if (found == 1)
		*ret = sqlite3_column_int64(stmt, 0);
	db_end(stmt);
	return found;
}
