/* err.h - how a function says what went wrong.
 *
 * A function that can fail returns 0 (or 1 found, 0 none) on success and -1 on failure,
 * and takes a `struct err *` as its last argument. It fills it with return err_set(err,
 * ERR_NOT_FOUND, "no job %s", id); and a caller that knows more puts its own words in
 * front with err_wrap(). The text is printed once, at the program's edge. `ret_...`
 * arguments stay untouched on failure.
 *
 * ERRORS is the closed list of kinds: the one place that knows the word the API uses, the
 * HTTP status, the exit code of the command line and whether trying again can help. */
#ifndef REEVE_ERR_H
#define REEVE_ERR_H

#include <stdbool.h>
#include <stddef.h>

/* clang-format off */
/*       kind                   word of the API           HTTP  exit  try again */
#define ERRORS(X) \
	X(ERR_INVALID,           "invalid_argument",       422,  2,   false) \
	X(ERR_BAD_REQUEST,       "invalid_argument",       400,  2,   false) \
	X(ERR_UNAUTHENTICATED,   "unauthenticated",        401,  4,   false) \
	X(ERR_DENIED,            "permission_denied",      403,  4,   false) \
	X(ERR_NOT_FOUND,         "not_found",              404,  3,   false) \
	X(ERR_METHOD,            "method_not_allowed",     405,  2,   false) \
	X(ERR_TIMEOUT,           "request_timeout",        408,  6,   true)  \
	X(ERR_CONFLICT,          "conflict",               409,  5,   false) \
	X(ERR_GONE,              "gone",                   410,  3,   false) \
	X(ERR_PRECONDITION,      "precondition_failed",    412,  5,   false) \
	X(ERR_TOO_LARGE,         "too_large",              413,  2,   false) \
	X(ERR_MEDIA_TYPE,        "unsupported_media_type", 415,  2,   false) \
	X(ERR_RANGE,             "range_not_satisfiable",  416,  2,   false) \
	X(ERR_MISDIRECTED,       "misdirected",            421,  4,   false) \
	X(ERR_RATE_LIMITED,      "rate_limited",           429,  1,   true)  \
	X(ERR_HEADERS_TOO_LARGE, "too_large",              431,  2,   false) \
	X(ERR_INTERNAL,          "internal",               500,  1,   false) \
	X(ERR_UNAVAILABLE,       "unavailable",            503,  6,   true)  \
	X(ERR_OUT_OF_SPACE,      "out_of_space",           507,  1,   true)
/* clang-format on */

enum err_code {
	ERR_NONE = 0,
#define ERR_ENUM_(kind, word, http, exit, again) kind,
	ERRORS(ERR_ENUM_)
#undef ERR_ENUM_
};

/* One failure. By value, no heap: `struct err err = ERR_INIT;`. The text is cut at the
 * end of the array rather than refused, since losing the end of a message beats losing
 * all of it. */
struct err {
	enum err_code code;
	char text[480];
};

#define ERR_INIT                                                                         \
	{                                                                                \
		.code = ERR_NONE                                                         \
	}

/* Fills `err` (which may be NULL) with a kind and a printf text. Always returns -1. */
int err_set(struct err *err, enum err_code code, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* Like err_set, with ": " and strerror(saved_errno) at the end. ENOSPC and EDQUOT turn an
 * ERR_INTERNAL into ERR_OUT_OF_SPACE; EMFILE, ENFILE, ENOMEM and EAGAIN into
 * ERR_UNAVAILABLE, so that a full machine is told apart from a broken one. Returns -1. */
int err_sys(struct err *err, enum err_code code, int saved_errno, const char *format, ...)
	__attribute__((format(printf, 4, 5)));

/* Puts "<words>: " in front of the text that is there; keeps the kind. Returns -1. */
int err_wrap(struct err *err, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* The three always return -1; said where the caller's compiler and the analyzers can see
 * it, they know that what a `ret_` argument points to is set after success (the trick of
 * git's error()). */
static inline int err_failed(int minus_one)
{
	(void)minus_one;
	return -1;
}
#define err_set(...) err_failed(err_set(__VA_ARGS__))
#define err_sys(...) err_failed(err_sys(__VA_ARGS__))
#define err_wrap(...) err_failed(err_wrap(__VA_ARGS__))

/* The row of ERRORS for a kind; ERR_NONE and unknown values answer as ERR_INTERNAL. */
const char *err_word(enum err_code code);
int err_http_status(enum err_code code);
int err_exit_code(enum err_code code);
bool err_is_retryable(enum err_code code);

/* Was what was asked for refused, with nothing done? A function of queue/ that says so
 * has changed nothing, and its transaction may go on. */
bool err_is_refusal(const struct err *err);

/* The kind whose API word and HTTP status fit best; ERR_INTERNAL when none does. `word`
 * may be NULL. For clients that read a problem document. */
enum err_code err_from_http(int status, const char *word);

#endif
