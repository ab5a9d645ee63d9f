/* faults.h - what is wrong with files that people write, as sentences, in one error.
 *
 * A reader of a file adds one sentence per fault, with its place in front, and goes on;
 * at the end they are one error. What does not fit into its text is counted. (For
 * requests, whose faults are answered one by one, there is problem.h.) */
#ifndef REEVE_FAULTS_H
#define REEVE_FAULTS_H

#include <stdarg.h>
#include <stddef.h>

#include "common/err.h"

/* Begins as {0}; owns nothing. */
struct faults {
	size_t count; /* found, */
	size_t shown; /* of these in the text */
	char text[sizeof(((struct err *)NULL)->text)];
};

/* Adds a finished sentence if it fits; the first one is cut rather than left out. */
void faults_add(struct faults *faults, const char *sentence);

/* Adds "<place><words>". */
void faults_vprintf(struct faults *faults, const char *place, const char *format,
		    va_list args) __attribute__((format(printf, 3, 0)));

/* Adds what json_parse said of `file`: "line 3, column 5: what" as "FILE:3:5: what". */
void faults_add_syntax(struct faults *faults, const char *file, const char *words);

/* All of them as one ERR_INVALID; 0 when there is none. */
int faults_report(const struct faults *faults, struct err *err);

/* "FILE:LINE:COLUMN" of the member `path` (as for json_locate; "" is the whole) of the
 * file's text, or "FILE" when it is not in there or there is no text; heap. */
char *faults_place(const char *file, const char *text, size_t length, const char *path)
	__attribute__((returns_nonnull));

#endif
