/* buf.h - a byte buffer that grows up to a maximum named at its birth.
 *
 * Why a maximum: a buffer that grows with its input is a denial of service waiting for
 * its day (curl's dynbuf taught this). Passing the maximum is no crash: the buffer
 * remembers it, takes nothing more, and buf_is_full() says so, so that a writer of many
 * pieces needs one check at the end. The content is always NUL-terminated. */
#ifndef REEVE_BUF_H
#define REEVE_BUF_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct buf {
	char *data;	 /* NULL until the first byte */
	size_t length;	 /* bytes in use, without the NUL */
	size_t capacity; /* bytes allocated */
	size_t max;	 /* length never passes this */
	bool is_full;	 /* something did not fit */
};

/* A buffer of at most `max` bytes. Allocates nothing yet. */
void buf_init(struct buf *buf, size_t max);
#define BUF_INIT(limit)                                                                  \
	{                                                                                \
		.max = (limit)                                                           \
	}

/* Frees the content; the buffer may be used again with the same maximum. */
void buf_release(struct buf *buf);
void buf_auto_release(struct buf *buf);
#define AUTO_BUF __attribute__((cleanup(buf_auto_release)))

/* Empties it but keeps the memory. */
void buf_reset(struct buf *buf);

/* Append. Each returns 0, or -1 when it did not fit (nothing of it was taken). */
int buf_append(struct buf *buf, const void *data, size_t length);
int buf_append_text(struct buf *buf, const char *text);
int buf_append_char(struct buf *buf, char c);
int buf_printf(struct buf *buf, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
int buf_vprintf(struct buf *buf, const char *format, va_list args)
	__attribute__((format(printf, 2, 0)));

/* Room for `length` more bytes at data + length, for read(2); NULL when it would not fit.
 * Raise buf->length by what was used, then call buf_seal to end it with NUL again. */
char *buf_reserve(struct buf *buf, size_t length);
void buf_seal(struct buf *buf);

/* The content as a C string, "" when empty; owned by the buffer. */
const char *buf_text(const struct buf *buf);

/* Hands the content over; the caller frees. The buffer is empty afterwards. Never NULL.
 */
char *buf_take(struct buf *buf);

#endif
