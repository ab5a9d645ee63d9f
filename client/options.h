/* options.h - reading a command line by rows.
 *
 * Each option of each command is one `struct option_row`; one parser walks them. The same
 * rows print the help, the completion and the reference in docs/cli.md, so none of these
 * can drift from what is really understood. */
#ifndef REEVE_CLIENT_OPTIONS_H
#define REEVE_CLIENT_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/common.h"

enum option_kind {
	OPTION_FLAG,	 /* stands alone */
	OPTION_TEXT,	 /* any text; the last one counts */
	OPTION_PAIR,	 /* NAME=VALUE, any number of times */
	OPTION_INT,	 /* a whole number within [min, max] */
	OPTION_DURATION, /* 90, 1.5, 30s, 5m, 2h -> microseconds */
	OPTION_WORD,	 /* one of `words`, which are parted by '|' */
};

/* One option. Rows with the same `same_as` are spellings of one thing. */
struct option_row {
	const char *name;    /* long name without the dashes */
	char letter;	     /* short name, or 0 */
	const char *same_as; /* stored under this long name instead, or NULL */
	const char *value;   /* what help calls the value; NULL for a flag */
	const char *help;
	int64_t min, max; /* of an OPTION_INT */
	enum option_kind kind;
};

struct option_rows {
	const struct option_row *row;
	size_t count;
};

/* What was given: options in their order, and the words that are none. The texts are
 * those of argv. */
struct given {
	const char *name; /* of the row, after same_as */
	const char *text; /* NULL for a flag */
	int64_t number;	  /* of INT and DURATION */
};

struct args {
	struct given *given;
	size_t count;
	char **word; /* NULL-terminated */
	size_t words;
};

/* Reads argv[0..argc-1] (without the program's name). `sets` is searched in order, so
 * that a command's own row hides a global one. With stops_at_word the first word that is
 * no option ends the options, else words and options may mix; "--" always ends them.
 * Appends to `ret`, which the caller zeroed. ERR_INVALID names the option and the
 * nearest known one. */
int options_parse(const struct option_rows *sets, size_t set_count, bool stops_at_word,
		  int argc, char **argv, struct args *ret, struct err *err);
void args_release(struct args *args);

/* The last value given for a long name; NULL or `fallback` when there was none. */
bool args_has(const struct args *args, const char *name);
const char *args_text(const struct args *args, const char *name);
int64_t args_number(const struct args *args, const char *name, int64_t fallback);

#endif
