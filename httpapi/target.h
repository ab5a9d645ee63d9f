/* target.h - the request target, taken apart once and strictly.
 *
 * libmicrohttpd hands handlers a path that is decoded already, in which %2F has become a
 * slash and %00 the end. So we start from the raw target: every byte must be one that RFC
 * 3986 allows in a path or a query, and each segment and value is decoded by itself. */
#ifndef REEVE_HTTPAPI_TARGET_H
#define REEVE_HTTPAPI_TARGET_H

#include "common/common.h"

#define TARGET_SEGMENTS_MAX 8
#define TARGET_PARAMS_MAX 64

struct target_param {
	const char *name, *value;
	bool is_text; /* the value is UTF-8 without control characters */
};

struct target {
	char *raw;	   /* as it stood in the request line */
	size_t path_bytes; /* of raw, before '?' */
	char *decoded;	   /* what the pointers below point into; behind raw */
	const char *segment[TARGET_SEGMENTS_MAX];
	size_t segments;
	struct target_param *param; /* NULL without any */
	size_t params;
};

/* Keeps a copy of the raw target; parsing comes later, when an error can be answered. */
void target_init(struct target *target, const char *raw);
void target_release(struct target *target);

/* ERR_BAD_REQUEST: not origin-form, longer than `max_bytes`, a byte outside the alphabet,
 * a bad escape, %00 anywhere, %2F in a segment, controls or no UTF-8 in a segment or a
 * name, too many parts. Values are judged by target_check_params. */
int target_parse(struct target *target, size_t max_bytes, struct err *err);

/* The value of a parameter, or NULL. */
const char *target_param(const struct target *target, const char *name);

/* Which parameters there may be; lists that end with NULL. */
struct target_known {
	const char *const *once, *const *many;
	const char *const *raw; /* those of them whose value need not be text */
};

/* Adds a problem ("?name") for each parameter that is not known, that comes twice though
 * it is not one of `many`, or whose value is no text though it is not one of `raw`. */
void target_check_params(const struct target *target, const struct target_known *known,
			 struct problems *problems);

#endif
