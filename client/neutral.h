/* neutral.h - text from jobs and users made harmless for a terminal.
 *
 * A job's output, name or label is an attacker's text: an escape sequence in it could
 * retitle the window, move the cursor over what was printed before, or answer as if the
 * user had typed. Here every control character (C0 but newline and tab, DEL, C1), every
 * character that turns the direction of writing, and every byte that is no UTF-8 becomes
 * visible: ^[ \x9b <U+202E>. */
#ifndef REEVE_CLIENT_NEUTRAL_H
#define REEVE_CLIENT_NEUTRAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/common.h"

/* A filter for a stream: a character may be cut by the end of a piece. By value, zeroed.
 */
struct neutral {
	unsigned char held[4];
	size_t count;
	bool is_one_line; /* newline and tab are made visible too */
};

/* Appends what may be shown of the next piece of the stream. */
void neutral_add(struct neutral *neutral, const void *data, size_t bytes,
		 struct buf *out);

/* Appends what is still held; the stream is at its end. */
void neutral_end(struct neutral *neutral, struct buf *out);

/* All at once; for cells and messages (one line) or blocks of text. */
void neutral_text(const char *text, bool is_one_line, struct buf *out);

/* The same for JSON on a terminal: characters that JSON lets through raw (DEL, C1,
 * direction) become \uXXXX, so that the text stays the same JSON value. */
void neutral_json(const char *json, struct buf *out);

/* The next character of UTF-8 in [data, data + bytes): its length and code point; 0 when
 * it is cut off by the end, -1 when it is none. */
int utf8_next(const unsigned char *data, size_t bytes, uint32_t *ret);

/* Columns that the text takes on a terminal. */
size_t text_columns(const char *text);

/* Appends `text` cut to `columns` columns, with an ellipsis if something was cut. */
void text_cut(const char *text, size_t columns, struct buf *out);

#endif
