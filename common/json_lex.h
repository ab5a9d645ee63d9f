/* json_lex.h - the smallest pieces of JSON, private to common/json*.c.
 *
 * The scanner, the locator and the comment stripper agree on what a blank, a string and a
 * number are because all three read them here. Nothing allocates. */
#ifndef REEVE_JSON_LEX_H
#define REEVE_JSON_LEX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define JSON_NUMBER_MAX 63 /* characters; cJSON 1.7.15 copies no more of a number */

struct json_lex {
	const char *text;
	size_t length;
	size_t at; /* the next byte to read */
	bool allow_comments;
	char fault[96];	 /* what is wrong, "" while nothing is */
	size_t fault_at; /* and the byte at which it is */
};

void json_lex_init(struct json_lex *lex, const char *text, size_t length,
		   bool allow_comments);

/* Notes the first fault. Always -1. */
int json_lex_fail(struct json_lex *lex, size_t at, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* "expected <what>, found <the next byte, in words>". Always -1. */
int json_lex_expected(struct json_lex *lex, const char *what);

/* The next byte, or -1 at the end. */
int json_lex_peek(const struct json_lex *lex);

/* Passes blanks and, where allowed, comments. */
void json_lex_blanks(struct json_lex *lex);

/* Passes `c` if it is next: true, else false. */
bool json_lex_take(struct json_lex *lex, char c);

/* Reads one code point inside a string, raw or escaped. 0 or -1. */
int json_lex_code_point(struct json_lex *lex, uint32_t *ret);

/* Passes one string, which must be next. `hash` (may be NULL) takes in each code point.
 */
int json_lex_string(struct json_lex *lex, uint64_t *hash);

/* Passes one number, which must be next (RFC 8259 section 6, see json_scan for limits).
 */
int json_lex_number(struct json_lex *lex);

/* Do the strings (opening quotes) at `a` and `b` of accepted text mean the same? */
bool json_lex_same(const struct json_lex *lex, size_t a, size_t b);

#endif
