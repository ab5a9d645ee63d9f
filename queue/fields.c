/* fields.c - rows of the database into structs, by tables of where each column goes. */
#include "queue/db.h"

char *column_text(sqlite3_stmt *stmt, int column)
{
	const unsigned char *text = sqlite3_column_text(stmt, column);
	if (text == NULL)
		return NULL;
	const int bytes = sqlite3_column_bytes(stmt, column);
	return mem_strndup((const char *)text, (size_t)bytes);
}

void column_id(sqlite3_stmt *stmt, int column, char ret[JOB_ID_BYTES])
{
	const void *uuid = sqlite3_column_blob(stmt, column);
	ret[0] = '\0';
	if (uuid != NULL && sqlite3_column_bytes(stmt, column) == DB_UUID_BYTES)
		id_format(uuid, ret);
}

static void fill_digest(sqlite3_stmt *stmt, int column, char *at)
{
	const void *digest = sqlite3_column_blob(stmt, column);
	if (digest != NULL && sqlite3_column_bytes(stmt, column) == DIGEST_BYTES)
		memcpy(at, digest, DIGEST_BYTES);
}

/* The enumerations that the database spells as words, as ints (what enums are here). */
static int word_value(enum field_type type, const char *word)
{
	if (type == FIELD_STATE)
		return (int)job_state_parse(word);
	if (type == FIELD_STOP)
		return (int)stop_reason_parse(word);
	return text_equal(word, "stop") ? OUTPUT_STOP : OUTPUT_TRUNCATE;
}

static void fill_number(sqlite3_stmt *stmt, int column, const struct field *field,
			char *item)
{
	const bool is_null = sqlite3_column_type(stmt, column) == SQLITE_NULL;
	const int64_t wide =
		is_null ? field->if_null : sqlite3_column_int64(stmt, column);
	const int narrow = (int)wide;
	const bool is_there = !is_null;
	if (field->type == FIELD_INT64) {
		memcpy(item + field->offset, &wide, sizeof wide);
		return;
	}
	memcpy(item + field->offset, &narrow, sizeof narrow);
	if (field->type == FIELD_FLAG)
		memcpy(item + field->flag, &is_there, sizeof is_there);
}

/* A word cut to its array: short, and too frequent for printf. */
static void fill_word(sqlite3_stmt *stmt, int column, char *at, size_t size)
{
	const unsigned char *word = sqlite3_column_text(stmt, column);
	size_t bytes = word != NULL ? (size_t)sqlite3_column_bytes(stmt, column) : 0;
	bytes = bytes < size ? bytes : size - 1;
	if (word != NULL)
		memcpy(at, word, bytes);
	at[bytes] = '\0';
}

/* All but texts. */
static void fill_one(sqlite3_stmt *stmt, int column, const struct field *field,
		     char *item)
{
	char *at = item + field->offset;
	int value;
	switch (field->type) {
	case FIELD_WORD:
		fill_word(stmt, column, at, field->flag);
		break;
	case FIELD_UUID:
		column_id(stmt, column, at);
		break;
	case FIELD_DIGEST:
		fill_digest(stmt, column, at);
		break;
	case FIELD_STATE:
	case FIELD_STOP:
	case FIELD_POLICY:
		value = word_value(field->type,
				   (const char *)sqlite3_column_text(stmt, column));
		memcpy(at, &value, sizeof value);
		break;
	case FIELD_INT:
	case FIELD_INT64:
	case FIELD_FLAG:
	case FIELD_TEXT:
	default:
		fill_number(stmt, column, field, item);
	}
}

_Static_assert(sizeof(enum job_state) == sizeof(int) &&
		       sizeof(enum stop_reason) == sizeof(int) &&
		       sizeof(enum output_policy) == sizeof(int) &&
		       sizeof(pid_t) == sizeof(int),
	       "word_value and fill_number write ints");

void fields_fill(sqlite3_stmt *stmt, const struct field *fields, size_t count, void *ret)
{
	for (size_t i = 0; i < count; i++) {
		if (fields[i].type != FIELD_TEXT) {
			fill_one(stmt, (int)i, &fields[i], ret);
			continue;
		}
		char *const text = column_text(stmt, (int)i);
		memcpy((char *)ret + fields[i].offset, &text, sizeof text);
	}
}

void fields_borrow(sqlite3_stmt *stmt, int first, const struct field *fields,
		   size_t count, void *ret)
{
	for (size_t i = 0; i < count; i++) {
		const int column = first + (int)i;
		if (fields[i].type != FIELD_TEXT) {
			fill_one(stmt, column, &fields[i], ret);
			continue;
		}
		const unsigned char *const text = sqlite3_column_text(stmt, column);
		memcpy((char *)ret + fields[i].offset, &text, sizeof text);
	}
}

void fields_release(const struct field *fields, size_t count, void *item, size_t bytes)
{
	for (size_t i = 0; i < count; i++) {
		char *text;
		if (fields[i].type != FIELD_TEXT)
			continue;
		memcpy(&text, (char *)item + fields[i].offset, sizeof text);
		free(text);
	}
	memset(item, 0, bytes);
}
