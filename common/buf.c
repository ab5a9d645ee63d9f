/* buf.c - the bounded buffer. */
#include "common/buf.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/mem.h"

#define FIRST_CAPACITY ((size_t)64)

void buf_init(struct buf *buf, size_t max)
{
	*buf = (struct buf)BUF_INIT(max);
}

void buf_release(struct buf *buf)
{
	free(buf->data);
	buf_init(buf, buf->max);
}

void buf_auto_release(struct buf *buf)
{
	buf_release(buf);
}

void buf_reset(struct buf *buf)
{
	buf->length = 0;
	buf->is_full = false;
	buf_seal(buf);
}

/* Capacity for `needed` bytes and the NUL: doubled, so that many small appends cost
 * little, but never beyond what the maximum can use. */
static void grow(struct buf *buf, size_t needed)
{
	size_t capacity = buf->capacity < FIRST_CAPACITY ? FIRST_CAPACITY : buf->capacity;

	if (needed < buf->capacity)
		return;
	while (capacity <= needed)
		capacity = capacity > SIZE_MAX / 2 ? SIZE_MAX : capacity * 2;
	if (buf->max < SIZE_MAX && capacity > buf->max + 1)
		capacity = buf->max + 1;
	buf->data = mem_grow(buf->data, capacity);
	buf->capacity = capacity;
}

char *buf_reserve(struct buf *buf, size_t length)
{
	/* Once something was refused the content has a hole: nothing may follow it. */
	if (buf->is_full || length > buf->max - buf->length) {
		buf->is_full = true;
		return NULL;
	}
	grow(buf, buf->length + length);
	return buf->data + buf->length;
}

void buf_seal(struct buf *buf)
{
	if (buf->data != NULL)
		buf->data[buf->length] = '\0';
}

int buf_append(struct buf *buf, const void *data, size_t length)
{
	char *const room = buf_reserve(buf, length);

	if (room == NULL)
		return -1;
	if (length > 0)
		memcpy(room, data, length);
	buf->length += length;
	buf_seal(buf);
	return 0;
}

int buf_append_text(struct buf *buf, const char *text)
{
	return buf_append(buf, text, strlen(text));
}

int buf_append_char(struct buf *buf, char c)
{
	return buf_append(buf, &c, 1);
}

int buf_printf(struct buf *buf, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	const int result = buf_vprintf(buf, format, args);

	va_end(args);
	return result;
}

int buf_vprintf(struct buf *buf, const char *format, va_list args)
{
	va_list again;
	const size_t room = buf->data == NULL ? 0 : buf->capacity - buf->length;

	if (buf->is_full)
		return -1;
	va_copy(again, args);
	/* Most texts fit what is allocated: print there, and once more only if not. */
	const int length =
		vsnprintf(room > 0 ? buf->data + buf->length : NULL, room, format, args);
	const bool has_room = length >= 0 && buf_reserve(buf, (size_t)length) != NULL;

	if (has_room && (size_t)length >= room)
		vsnprintf(buf->data + buf->length, (size_t)length + 1, format, again);
	if (has_room)
		buf->length += (size_t)length;
	va_end(again);
	buf_seal(buf);
	return has_room ? 0 : -1;
}

const char *buf_text(const struct buf *buf)
{
	return buf->data == NULL ? "" : buf->data;
}

char *buf_take(struct buf *buf)
{
	char *const data = buf->data != NULL ? buf->data : mem_alloc(1);

	buf->data = NULL;
	buf_release(buf);
	return data;
}
