/* json_write.c - JSON written straight into a bounded buffer, without a tree.
 *
 * Answers are long lists of small objects; a tree of each would cost more than making it.
 * A buffer that overflows says so itself (buf.h), so nothing here returns an error. */
#include <math.h>
#include <string.h>

#include "common/clock.h"
#include "common/json.h"
#include "common/text.h"

void json_writer_init(struct json_writer *writer, struct buf *out)
{
	*writer = (struct json_writer){.out = out};
}

/* --- what needs no escapes --- */

#define EACH(byte) (UINT64_C(0x0101010101010101) * (byte))

/* The top bit of each byte that is zero; of others too, but only above one that is. */
static uint64_t zero_bytes(uint64_t bytes)
{
	return (bytes - EACH(0x01)) & ~bytes & EACH(0x80);
}

/* Is this ASCII that stands in a JSON string as it is? Eight bytes at a time. */
static bool is_plain(const char *text, size_t length)
{
	uint64_t bytes, bad = 0;
	size_t i = 0;

	for (; i + sizeof(bytes) <= length; i += sizeof(bytes)) {
		memcpy(&bytes, text + i, sizeof(bytes));
		bad |= bytes | zero_bytes(bytes ^ EACH('"')) |
		       zero_bytes(bytes ^ EACH('\\')) | ((bytes - EACH(0x20)) & ~bytes);
	}
	for (; i < length; i++)
		if ((unsigned char)text[i] < 0x20 || text[i] == '"' || text[i] == '\\')
			bad = EACH(0x80);
		else
			bad |= (unsigned char)text[i];
	return (bad & EACH(0x80)) == 0;
}

/* `text` in quotes, and what stands before and behind them, in one go. */
static void put_plain(struct buf *out, const char *before, const char *text,
		      size_t length, const char *behind)
{
	const size_t before_bytes = strlen(before), behind_bytes = strlen(behind);
	char *at = buf_reserve(out, before_bytes + length + behind_bytes + 2);

	if (!at)
		return;
	memcpy(at, before, before_bytes);
	at += before_bytes;
	*at++ = '"';
	memcpy(at, text, length);
	at += length;
	*at++ = '"';
	memcpy(at, behind, behind_bytes);
	out->length += before_bytes + length + behind_bytes + 2;
	buf_seal(out);
}

static void put_quoted(struct buf *out, const char *text, size_t length);

/* The comma and the key that stand before a value. */
static void put_key(struct json_writer *writer, const char *key)
{
	const char *comma = writer->needs_comma ? "," : "";
	const size_t length = key ? strlen(key) : 0;

	writer->needs_comma = true;
	if (key && is_plain(key, length)) {
		put_plain(writer->out, comma, key, length, ":");
		return;
	}
	(void)buf_append_text(writer->out, comma);
	if (!key)
		return;
	put_quoted(writer->out, key, length);
	(void)buf_append_char(writer->out, ':');
}

void json_open(struct json_writer *writer, const char *key, char bracket)
{
	put_key(writer, key);
	(void)buf_append_char(writer->out, bracket);
	writer->needs_comma = false;
}

void json_close(struct json_writer *writer, char bracket)
{
	(void)buf_append_char(writer->out, bracket);
	writer->needs_comma = true;
}

/* --- strings --- */

/* How many bytes from `text` on can stand in a JSON string as they are. */
static size_t plain_run(const char *text, size_t length)
{
	size_t i = 0;

	while (i < length && (unsigned char)text[i] >= 0x20 && text[i] != '"' &&
	       text[i] != '\\')
		i++;
	return i;
}

static void put_escaped(struct buf *out, unsigned char c)
{
	static const char letters[] = "\"\\bfnrt", meanings[] = "\"\\\b\f\n\r\t";
	const char *found = c ? strchr(meanings, c) : NULL;

	if (found)
		(void)buf_printf(out, "\\%c", letters[found - meanings]);
	else
		(void)buf_printf(out, "\\u%04x", c);
}

/* Writes text that is UTF-8. */
static void put_clean(struct buf *out, const char *text, size_t length)
{
	while (length) {
		size_t run = plain_run(text, length);

		(void)buf_append(out, text, run);
		text += run;
		length -= run;
		if (length) {
			put_escaped(out, (unsigned char)*text++);
			length--;
		}
	}
}

static void put_quoted(struct buf *out, const char *text, size_t length)
{
	if (is_plain(text, length)) {
		put_plain(out, "", text, length, "");
		return;
	}
	(void)buf_append_char(out, '"');
	for (;;) {
		size_t bad = length;

		(void)text_is_utf8(text, length, &bad);
		put_clean(out, text, bad);
		if (bad >= length)
			break;
		(void)buf_append_text(out, "\xef\xbf\xbd"); /* U+FFFD */
		text += bad + 1;
		length -= bad + 1;
	}
	(void)buf_append_char(out, '"');
}

void json_put_text(struct json_writer *writer, const char *key, const char *text)
{
	if (!text)
		json_put_null(writer, key);
	else
		json_put_text_n(writer, key, text, strlen(text));
}

void json_put_text_n(struct json_writer *writer, const char *key, const char *text,
		     size_t length)
{
	put_key(writer, key);
	put_quoted(writer->out, text, length);
}

/* --- the rest --- */

#define NUMBER_BYTES 24 /* a sign and nineteen digits */

static uint64_t magnitude(int64_t value)
{
	return value < 0 ? 0 - (uint64_t)value : (uint64_t)value;
}

/* Digits that end before `end`; where they begin. */
static char *put_digits(char *end, uint64_t value)
{
	do {
		*--end = (char)('0' + value % 10);
		value /= 10;
	} while (value > 0);
	return end;
}

void json_put_int(struct json_writer *writer, const char *key, int64_t value)
{
	char text[NUMBER_BYTES];
	char *const end = text + sizeof(text);
	char *begin = put_digits(end, magnitude(value));

	if (value < 0)
		*--begin = '-';
	put_key(writer, key);
	(void)buf_append(writer->out, begin, (size_t)(end - begin));
}

void json_put_seconds(struct json_writer *writer, const char *key, int64_t us)
{
	char text[NUMBER_BYTES + 2];
	char *end = text + sizeof(text), *begin = end;
	uint64_t fraction = magnitude(us) % (uint64_t)US_PER_S;

	if (fraction != 0) {
		/* six digits behind the point, without the zeros at their end */
		for (int i = 0; i < 6; i++, fraction /= 10)
			*--begin = (char)('0' + fraction % 10);
		while (end[-1] == '0')
			end--;
		*--begin = '.';
	}
	begin = put_digits(begin, magnitude(us) / (uint64_t)US_PER_S);
	if (us < 0)
		*--begin = '-';
	put_key(writer, key);
	(void)buf_append(writer->out, begin, (size_t)(end - begin));
}

void json_put_double(struct json_writer *writer, const char *key, double value)
{
	char text[32];

	if (!isfinite(value)) { /* JSON has no word for it */
		json_put_null(writer, key);
		return;
	}
	/* The shorter form where it reads back to the same number. */
	(void)snprintf(text, sizeof(text), "%.15g", value);
	if (strtod(text, NULL) < value || strtod(text, NULL) > value)
		(void)snprintf(text, sizeof(text), "%.17g", value);
	put_key(writer, key);
	(void)buf_append_text(writer->out, text);
}

void json_put_bool(struct json_writer *writer, const char *key, bool value)
{
	json_put_raw(writer, key, value ? "true" : "false");
}

void json_put_null(struct json_writer *writer, const char *key)
{
	json_put_raw(writer, key, "null");
}

void json_put_time(struct json_writer *writer, const char *key, int64_t at_us)
{
	char text[CLOCK_TEXT_BYTES];

	if (!at_us) {
		json_put_null(writer, key);
		return;
	}
	clock_format(at_us, text);
	put_key(writer, key);
	put_plain(writer->out, "", text, strlen(text), "");
}

void json_put_raw(struct json_writer *writer, const char *key, const char *json)
{
	put_key(writer, key);
	(void)buf_append_text(writer->out, json);
}
