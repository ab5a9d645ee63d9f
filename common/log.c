/* log.c - building one logfmt line in a fixed array and writing it at once. */
#include "common/log.h"

#include <inttypes.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/mem.h"

/* What must still fit when everything else is cut: the end of a value and of the line. */
#define LINE_END_BYTES (sizeof(" ...\"\n") - 1)
#define LINE_LIMIT (LOG_LINE_BYTES - LINE_END_BYTES)

static const char *const level_words[] = {
	[LOG_DEBUG] = "debug",
	[LOG_INFO] = "info",
	[LOG_WARN] = "warn",
	[LOG_ERROR] = "error",
};

/* Set once, before there are threads. */
static const char *program_name = "reeve";
static _Atomic enum log_level least_level = LOG_INFO;

void log_init(const char *program, enum log_level least)
{
	program_name = program;
	log_set_least(least);
}

void log_set_least(enum log_level least)
{
	atomic_store_explicit(&least_level, least, memory_order_relaxed);
}

int log_level_parse(const char *word, enum log_level *ret)
{
	for (size_t i = 0; i < ARRAY_SIZE(level_words); i++) {
		if (strcmp(word, level_words[i]) == 0) {
			*ret = (enum log_level)i;
			return 0;
		}
	}
	return -1;
}

struct line {
	char data[LOG_LINE_BYTES];
	size_t length;
	bool is_cut;
};

static void put_raw(struct line *line, const char *piece, size_t length)
{
	memcpy(line->data + line->length, piece, length);
	line->length += length;
}

/* Takes the piece whole or not at all, and nothing more after a refusal. */
static void put(struct line *line, const char *piece, size_t length)
{
	if (line->is_cut || line->length + length > LINE_LIMIT)
		line->is_cut = true;
	else
		put_raw(line, piece, length);
}

/* Bare values are printable ASCII without what logfmt gives a meaning. */
static bool is_bare(const char *text)
{
	if (*text == '\0')
		return false;
	for (; *text != '\0'; text++)
		if (*text <= ' ' || *text > '~' || strchr("\"=\\", *text) != NULL)
			return false;
	return true;
}

static void put_escaped(struct line *line, unsigned char c)
{
	static const char named[] = {'\n', 'n', '\t', 't',  '\r',
				     'r',  '"', '"',  '\\', '\\'};
	static const char digits[] = "0123456789abcdef";

	for (size_t i = 0; i < sizeof(named); i += 2)
		if (c == (unsigned char)named[i]) {
			put(line, (const char[]){'\\', named[i + 1]}, 2);
			return;
		}
	if (c >= ' ' && c <= '~')
		put(line, (const char[]){(char)c}, 1);
	else
		put(line, (const char[]){'\\', 'x', digits[c >> 4], digits[c & 15]}, 4);
}

static void put_value(struct line *line, const char *text)
{
	if (is_bare(text)) {
		/* Byte by byte: the front of a long value is worth having. */
		for (; *text != '\0' && !line->is_cut; text++)
			put(line, text, 1);
		if (line->is_cut)
			put_raw(line, "...", 3);
		return;
	}
	put_raw(line, "\"", 1);
	for (; *text != '\0' && !line->is_cut; text++)
		put_escaped(line, (unsigned char)*text);
	if (line->is_cut)
		put_raw(line, "...", 3);
	put_raw(line, "\"", 1);
}

/* Sets " key=" before a value of which `least` bytes must fit. False, and the mark of a
 * cut line, when there is no room: a key without its value would say something that is
 * not so. */
static bool put_key(struct line *line, const char *key, size_t least)
{
	const size_t length = strlen(key);

	if (line->is_cut)
		return false;
	if (line->length + length + least + 2 > LINE_LIMIT) {
		line->is_cut = true;
		put_raw(line, " ...", 4);
		return false;
	}
	if (line->length > 0)
		put(line, " ", 1);
	put(line, key, length);
	put(line, "=", 1);
	return true;
}

static void put_text(struct line *line, const char *key, const char *text)
{
	if (put_key(line, key, 1))
		put_value(line, text == NULL ? "" : text);
}

/* Whole or not at all: half a number is another number. */
static void put_number(struct line *line, const char *key, int64_t value)
{
	char number[sizeof("-9223372036854775808")];

	snprintf(number, sizeof(number), "%" PRId64, value);
	if (put_key(line, key, strlen(number)))
		put(line, number, strlen(number));
}

bool log_is_wanted(enum log_level level)
{
	return level >= atomic_load_explicit(&least_level, memory_order_relaxed);
}

static void write_line(enum log_level level, const char *event,
		       const struct log_field *fields)
{
	struct line line;
	char now[CLOCK_TEXT_BYTES];

	line.length = 0;
	line.is_cut = false;
	clock_format(clock_now_us(), now);
	put_text(&line, "ts", now);
	put_text(&line, "level", level_words[level]);
	put_text(&line, "prog", program_name);
	put_text(&line, "ev", event);
	for (; fields->key != NULL; fields++) {
		if (fields->is_int)
			put_number(&line, fields->key, fields->number);
		else
			put_text(&line, fields->key, fields->text);
	}
	put_raw(&line, "\n", 1);
	/* Whole or lost: a log that cannot be written must not stop the work. */
	const ssize_t ignored = write(STDERR_FILENO, line.data, line.length);

	(void)ignored;
}

/* By itself, so that what is not written does not pay for the room of a line. */
void log_write(enum log_level level, const char *event, const struct log_field *fields)
{
	if (log_is_wanted(level))
		write_line(level, event, fields);
}
