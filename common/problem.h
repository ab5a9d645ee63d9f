/* problem.h - everything that is wrong with an input, reported at once.
 *
 * A validator adds one entry per fault, each with a JSON pointer (RFC 6901, written as a
 * URI fragment: "#/args/3") and words for a person, and goes on. The list is bounded;
 * past the bound only the count grows. */
#ifndef REEVE_PROBLEM_H
#define REEVE_PROBLEM_H

#include <stdbool.h>
#include <stddef.h>

#define PROBLEM_MAX 64

struct problem {
	char *pointer;
	char *detail;
};

struct problems {
	const char
		*base; /* what '#' stands for ("#/jobs/17"); NULL: the whole document */
	struct problem item[PROBLEM_MAX];
	size_t count; /* items filled */
	size_t total; /* found, which may be more */
};

void problems_init(struct problems *problems);
void problems_release(struct problems *problems);

/* Adds one. `pointer` is copied and is the caller's finished "#/..." text. */
void problems_add(struct problems *problems, const char *pointer, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* Adds one below `parent` ("#" or "#/labels") for member `key`, escaping '~' and '/' of
 * the key (RFC 6901 section 3) and what a URI fragment cannot hold. */
void problems_add_member(struct problems *problems, const char *parent, const char *key,
			 const char *format, ...) __attribute__((format(printf, 4, 5)));

/* Adds one for element `index` of the array at `parent`. */
void problems_add_element(struct problems *problems, const char *parent, size_t index,
			  const char *format, ...) __attribute__((format(printf, 4, 5)));

#endif
