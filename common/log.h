/* log.h - one logfmt line per event on standard error.
 *
 *     ts=2026-11-20T23:33:00.123456Z level=info prog=reeve-worker ev=ready slots=4
 *
 * Only programs log, libraries return errors. Values are quoted and escaped when they
 * need it, so that text from a job or a user can neither forge a line nor move a
 * terminal's cursor. Each line is one write(2), at most LOG_LINE_BYTES, cut with "..." if
 * longer. The ev= names are listed in docs/operations.md. */
#ifndef REEVE_LOG_H
#define REEVE_LOG_H

#include <stdbool.h>
#include <stdint.h>

#define LOG_LINE_BYTES 4096

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARN, LOG_ERROR };

/* One key=value. Made with LOG_TEXT and LOG_INT, never by hand. */
struct log_field {
	const char *key;
	const char *text; /* NULL with is_int unset prints key="" */
	int64_t number;
	int is_int;
};

/* The program's name in prog=; the least level that is written (LOG_INFO at first). */
void log_init(const char *program, enum log_level least);

/* Changes the least level; any thread may. */
void log_set_least(enum log_level least);

/* Would a line of this level be written? For who has to make its text first. */
bool log_is_wanted(enum log_level level);

/* "debug" "info" "warn" "error" -> level. 0 or -1. */
int log_level_parse(const char *word, enum log_level *ret);

/* Writes one line; `fields` ends with a NULL key. Use the macro. */
void log_write(enum log_level level, const char *event, const struct log_field *fields);

#define LOG_TEXT(name, value)                                                            \
	{                                                                                \
		.key = (name), .text = (value)                                           \
	}
#define LOG_INT(name, value)                                                             \
	{                                                                                \
		.key = (name), .number = (int64_t)(value), .is_int = 1                   \
	}

#define LOG_END                                                                          \
	{                                                                                \
		.key = NULL                                                              \
	}

/* log_event(LOG_INFO, "ready", LOG_TEXT("address", a), LOG_INT("port", p), LOG_END); */
#define log_event(level, event, ...)                                                     \
	log_write(level, event, (const struct log_field[]){__VA_ARGS__})

#endif
