/* err.c - filling and classifying errors. */
#include "common/err.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "common/mem.h"
#include "common/text.h"

/* Here are the functions that the macros of err.h stand in front of. */
#undef err_set
#undef err_sys
#undef err_wrap

struct error_row {
	const char *word;
	int http_status;
	int exit_code;
	bool is_retryable;
};

static const struct error_row rows[] = {
#define ERR_ROW_(kind, name, http, exit, again)                                          \
	[kind] = {.word = (name),                                                        \
		  .http_status = (http),                                                 \
		  .exit_code = (exit),                                                   \
		  .is_retryable = (again)},
	ERRORS(ERR_ROW_)
#undef ERR_ROW_
};

static const struct error_row *row_of(enum err_code code)
{
	if (code == ERR_NONE || (size_t)code >= ARRAY_SIZE(rows))
		return &rows[ERR_INTERNAL];
	return &rows[code];
}

static void fill(struct err *err, enum err_code code, const char *format, va_list args)
	__attribute__((format(printf, 3, 0)));

/* Formats first and copies then: an argument may be the old text of the same error. What
 * is cut off ends at a whole character, since the text may become JSON. */
static void fill(struct err *err, enum err_code code, const char *format, va_list args)
{
	char text[sizeof(err->text)];
	const int length = vsnprintf(text, sizeof(text), format, args);

	if (length < 0)
		text[0] = '\0';
	if (length >= (int)sizeof(text))
		text[text_whole_utf8(text, sizeof(text) - 1)] = '\0';
	memcpy(err->text, text, sizeof(text));
	err->code = code;
}

int err_set(struct err *err, enum err_code code, const char *format, ...)
{
	va_list args;

	if (err == NULL)
		return -1;
	va_start(args, format);
	fill(err, code, format, args);
	va_end(args);
	return -1;
}

static enum err_code code_of_errno(enum err_code code, int saved_errno)
{
	/* A kind that the caller chose on purpose says more than the errno. */
	if (code != ERR_INTERNAL)
		return code;
	switch (saved_errno) {
	case ENOSPC:
	case EDQUOT:
		return ERR_OUT_OF_SPACE;
	case EMFILE:
	case ENFILE:
	case ENOMEM:
	case EAGAIN:
		return ERR_UNAVAILABLE;
	default:
		return code;
	}
}

int err_sys(struct err *err, enum err_code code, int saved_errno, const char *format, ...)
{
	char words[sizeof(err->text)];
	char reason[128];
	va_list args;

	if (err == NULL)
		return -1;
	va_start(args, format);
	fill(err, code_of_errno(code, saved_errno), format, args);
	va_end(args);
	memcpy(words, err->text, sizeof(words));
	return err_set(err, err->code, "%s: %s", words,
		       strerror_r(saved_errno, reason, sizeof(reason)));
}

int err_wrap(struct err *err, const char *format, ...)
{
	char old[sizeof(err->text)];
	char words[sizeof(err->text)];
	va_list args;

	if (err == NULL)
		return -1;
	memcpy(old, err->text, sizeof(old));
	va_start(args, format);
	fill(err, err->code, format, args);
	va_end(args);
	memcpy(words, err->text, sizeof(words));
	return err_set(err, err->code, "%s: %s", words, old);
}

const char *err_word(enum err_code code)
{
	return row_of(code)->word;
}

int err_http_status(enum err_code code)
{
	return row_of(code)->http_status;
}

int err_exit_code(enum err_code code)
{
	return row_of(code)->exit_code;
}

bool err_is_retryable(enum err_code code)
{
	return row_of(code)->is_retryable;
}

bool err_is_refusal(const struct err *err)
{
	static const enum err_code refusals[] = {
		ERR_INVALID, ERR_NOT_FOUND, ERR_CONFLICT, ERR_PRECONDITION, ERR_TOO_LARGE,
	};
	for (size_t i = 0; i < ARRAY_SIZE(refusals); i++)
		if (err->code == refusals[i])
			return true;
	return false;
}

enum err_code err_from_http(int status, const char *word)
{
	enum err_code by_status = ERR_NONE;
	enum err_code by_word = ERR_NONE;

	for (size_t i = ERR_NONE + 1; i < ARRAY_SIZE(rows); i++) {
		const bool is_status = rows[i].http_status == status;
		const bool is_word = word != NULL && strcmp(rows[i].word, word) == 0;

		if (is_status && is_word)
			return (enum err_code)i;
		if (is_status && by_status == ERR_NONE)
			by_status = (enum err_code)i;
		if (is_word && by_word == ERR_NONE)
			by_word = (enum err_code)i;
	}
	/* The word is Reeve's own; a status may come from a proxy in between. */
	if (by_word != ERR_NONE)
		return by_word;
	return by_status != ERR_NONE ? by_status : ERR_INTERNAL;
}
