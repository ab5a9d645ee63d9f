/* json_write.c - JSON written straight into a bounded buffer, without a tree.
 *
 * Answers are long lists of small objects; a tree of each would cost more than making it.
 * A buffer that overflows says so itself (buf.h), so nothing here returns an error. */
#include <math.h>

#include "common/clock.h"
#include "common/json.h"
#include "common/text.h"

void json_writer_init(struct json_writer *writer, struct buf *out)
{
	*writer = (struct json_writer){.out = out};
}

static void put_quoted(struct buf *out, const char *text, size_t length);

/* The comma and the key that stand before a value. */
static void put_key(struct json_writer *writer, const char *key)
{
	if (writer->needs_comma)
		(void)buf_append_char(writer->out, ',');
	writer->needs_comma = true;
	if (!key)
		return;
	put_quoted(writer->out, key, strlen(key));
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

void json_put_int(struct json_writer *writer, const char *key, int64_t value)
{
	put_key(writer, key);
	(void)buf_printf(writer->out, "%lld", (long long)value);
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
	json_put_text(writer, key, text);
}

void json_put_raw(struct json_writer *writer, const char *key, const char *json)
{
	put_key(writer, key);
	(void)buf_append_text(writer->out, json);
}
