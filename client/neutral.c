/* neutral.c - see neutral.h. One decoder of UTF-8, one list of what is not shown raw. */
#include "client/neutral.h"

#include <string.h>
#include <wchar.h>

/* Characters that act on a terminal or on the direction of the text around them. */
static const struct {
	uint32_t first, last;
} ACTING[] = {
	{0x00, 0x1f},	  /* C0 */
	{0x7f, 0x9f},	  /* DEL and C1 */
	{0x061c, 0x061c}, /* Arabic letter mark */
	{0x200e, 0x200f}, /* left-to-right and right-to-left mark */
	{0x2028, 0x202e}, /* line and paragraph separator, embeddings and overrides */
	{0x2066, 0x2069}, /* isolates */
};

static bool is_acting(uint32_t point)
{
	for (size_t i = 0; i < ARRAY_SIZE(ACTING); i++)
		if (point >= ACTING[i].first && point <= ACTING[i].last)
			return true;
	return false;
}

/* How long a character that begins with this byte is; 0 when none does. */
static int utf8_length(unsigned char lead)
{
	static const struct {
		unsigned char first, last;
		int length;
	} LEADS[] = {{0x00, 0x7f, 1}, {0xc2, 0xdf, 2}, {0xe0, 0xef, 3}, {0xf0, 0xf4, 4}};
	for (size_t i = 0; i < ARRAY_SIZE(LEADS); i++)
		if (lead >= LEADS[i].first && lead <= LEADS[i].last)
			return LEADS[i].length;
	return 0;
}

int utf8_next(const unsigned char *data, size_t bytes, uint32_t *ret)
{
	static const uint32_t LEAST[] = {0, 0, 0x80, 0x800, 0x10000};
	if (bytes == 0)
		return 0;
	const int length = utf8_length(data[0]);
	if (length == 0)
		return -1;
	uint32_t point = length == 1 ? data[0] : data[0] & (0x7fu >> length);
	for (int i = 1; i < length; i++) {
		if ((size_t)i >= bytes)
			return 0;
		if ((data[i] & 0xc0) != 0x80)
			return -1;
		point = point << 6 | (data[i] & 0x3fu);
	}
	const bool is_surrogate = point >= 0xd800 && point < 0xe000;
	if (point < LEAST[length] || point > 0x10ffff || is_surrogate)
		return -1;
	*ret = point;
	return length;
}

static void show_acting(uint32_t point, struct buf *out)
{
	if (point < 0x20)
		buf_printf(out, "^%c", (char)(point + '@'));
	else if (point == 0x7f)
		buf_append_text(out, "^?");
	else
		buf_printf(out, "<U+%04X>", point);
}

static void show(const struct neutral *neutral, const unsigned char *data, int length,
		 uint32_t point, struct buf *out)
{
	const bool is_layout = point == '\n' || point == '\t';
	if (is_acting(point) && !(is_layout && !neutral->is_one_line))
		show_acting(point, out);
	else
		buf_append(out, data, (size_t)length);
}

/* Shows whole characters of [data, data + bytes); returns how many bytes are left over
 * because the last character is cut. */
static size_t show_whole(const struct neutral *neutral, const unsigned char *data,
			 size_t bytes, struct buf *out)
{
	size_t at = 0;
	while (at < bytes) {
		uint32_t point = 0;
		const int length = utf8_next(data + at, bytes - at, &point);
		if (length == 0)
			break;
		if (length < 0) {
			buf_printf(out, "\\x%02x", data[at]);
			at++;
			continue;
		}
		show(neutral, data + at, length, point, out);
		at += (size_t)length;
	}
	return bytes - at;
}

/* First the character that the last piece cut, byte by byte; then the rest in one go. */
void neutral_add(struct neutral *neutral, const void *data, size_t bytes, struct buf *out)
{
	const unsigned char *at = data;
	while (neutral->count > 0 && bytes > 0) {
		unsigned char joined[8];
		memcpy(joined, neutral->held, neutral->count);
		joined[neutral->count] = *at++;
		bytes--;
		const size_t total = neutral->count + 1;
		const size_t left = show_whole(neutral, joined, total, out);
		memcpy(neutral->held, joined + (total - left), left);
		neutral->count = left;
	}
	const size_t left = show_whole(neutral, at, bytes, out);
	if (left > 0) {
		memcpy(neutral->held, at + (bytes - left), left);
		neutral->count = left;
	}
}

void neutral_end(struct neutral *neutral, struct buf *out)
{
	for (size_t i = 0; i < neutral->count; i++)
		buf_printf(out, "\\x%02x", neutral->held[i]);
	neutral->count = 0;
}

void neutral_text(const char *text, bool is_one_line, struct buf *out)
{
	struct neutral neutral = {.is_one_line = is_one_line};
	neutral_add(&neutral, text, strlen(text), out);
	neutral_end(&neutral, out);
}

/* Bytes that are no UTF-8 cannot stand in JSON at all: U+FFFD. */
void neutral_json(const char *json, struct buf *out)
{
	const unsigned char *at = (const unsigned char *)json;
	size_t left = strlen(json);
	while (left > 0) {
		uint32_t point = 0;
		int length = utf8_next(at, left, &point);
		if (length <= 0) {
			length = 1;
			buf_append_text(out, "\\ufffd");
		} else if (is_acting(point) && point != '\n' && point != '\t') {
			buf_printf(out, "\\u%04x", point);
		} else {
			buf_append(out, at, (size_t)length);
		}
		at += length;
		left -= (size_t)length;
	}
}

/* Characters that the C library does not know take one column. */
static size_t point_columns(uint32_t point)
{
	const int columns = wcwidth((wchar_t)point);
	return columns >= 0 ? (size_t)columns : 1;
}

size_t text_columns(const char *text)
{
	const unsigned char *at = (const unsigned char *)text;
	size_t left = strlen(text);
	size_t columns = 0;
	while (left > 0) {
		uint32_t point = 0;
		const int length = utf8_next(at, left, &point);
		const size_t step = length > 0 ? (size_t)length : 1;
		columns += length > 0 ? point_columns(point) : 1;
		at += step;
		left -= step;
	}
	return columns;
}

/* By columns, never inside a character, with room for the ellipsis. */
void text_cut(const char *text, size_t columns, struct buf *out)
{
	if (text_columns(text) <= columns) {
		buf_append_text(out, text);
		return;
	}
	const unsigned char *at = (const unsigned char *)text;
	size_t left = strlen(text);
	size_t used = 0;
	while (left > 0) {
		uint32_t point = 0;
		const int length = utf8_next(at, left, &point);
		const size_t step = length > 0 ? (size_t)length : 1;
		const size_t width = length > 0 ? point_columns(point) : 1;
		if (used + width + 1 > columns)
			break;
		buf_append(out, at, step);
		used += width;
		at += step;
		left -= step;
	}
	buf_append_text(out, "…");
}
