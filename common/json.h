/* json.h - JSON (RFC 8259) read strictly, and written without a tree.
 *
 * Reading: cJSON 1.7.15 lets through what must be refused (duplicate keys, \u0000,
 * invalid UTF-8, 01, 1e999, depth 1,000) and loses integers above 2^53. So one pass of
 * json_scan, which allocates nothing, decides what is JSON at all; only then cJSON builds
 * the tree, and only its case-sensitive getters are used. Whatever the scanner accepts,
 * cJSON accepts.
 *
 * Writing: json_put_* append to a bounded buffer; a `struct json_writer` sets the commas.
 */
#ifndef REEVE_JSON_H
#define REEVE_JSON_H

#include <cjson/cJSON.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/buf.h"
#include "common/err.h"

#define JSON_DEPTH_MAX 16
#define JSON_MEMBERS_MAX 1000
#define JSON_INTEGER_MAX INT64_C(9007199254740992) /* 2^53 */

struct json_rules {
	bool allow_comments; /* // to the end of the line, where blanks may stand */
	size_t max_members;  /* of one object; 0 means JSON_MEMBERS_MAX */
	size_t max_elements; /* of one array; 0 means 100,000 */
	size_t max_values;   /* in all, so that the tree has a bound; 0: no limit */
};

/* Is `text` one JSON value and nothing more? Refused: invalid UTF-8, control characters
 * and NUL in strings (escaped NUL too), lone surrogates, depth over 16, numbers that are
 * not RFC 8259's, beyond +-2^53 or longer than 63 characters, duplicate keys in an object
 * (compared after unescaping), more than 4,000 members in the objects that are open at
 * one place, anything after the end. -1 with ERR_BAD_REQUEST and "line L, column C:
 * what"; columns count bytes from 1. */
int json_scan(const char *text, size_t length, const struct json_rules *rules,
	      struct err *err);

/* json_scan, then cJSON. The caller frees with cJSON_Delete. `rules` may be NULL. */
int json_parse(const char *text, size_t length, const struct json_rules *rules,
	       cJSON **ret, struct err *err);

/* Member `key` of an object by exact name, or NULL. An explicit null counts as absent. */
const cJSON *json_get(const cJSON *object, const char *key);

/* Line and column (from 1) where member `path` ("limits.body_bytes", "listeners.0": by
 * keys, and places in arrays) starts in `text`, which json_scan accepted; 0 or -1 when
 * there is no such member. */
int json_locate(const char *text, size_t length, const char *path, int *ret_line,
		int *ret_column);

/* --- writing --- */

struct json_writer {
	struct buf *out;
	bool needs_comma;
};

void json_writer_init(struct json_writer *writer, struct buf *out);
void json_open(struct json_writer *writer, const char *key,
	       char bracket);				   /* '{' or '[' */
void json_close(struct json_writer *writer, char bracket); /* '}' or ']' */

/* key NULL inside an array. A NULL text writes null. Text that is not UTF-8 is written
 * with U+FFFD for each bad byte: an answer is always valid JSON. */
void json_put_text(struct json_writer *writer, const char *key, const char *text);
void json_put_text_n(struct json_writer *writer, const char *key, const char *text,
		     size_t length);
void json_put_int(struct json_writer *writer, const char *key, int64_t value);
void json_put_double(struct json_writer *writer, const char *key, double value);
/* Microseconds as seconds, exactly: 90, 0.00005, -1.5. */
void json_put_seconds(struct json_writer *writer, const char *key, int64_t us);
void json_put_bool(struct json_writer *writer, const char *key, bool value);
void json_put_null(struct json_writer *writer, const char *key);
void json_put_time(struct json_writer *writer, const char *key,
		   int64_t at_us); /* 0: null */
void json_put_raw(struct json_writer *writer, const char *key, const char *json);

#endif
