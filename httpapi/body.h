/* body.h - reading a small body by a table: an object of a few members, each with a
 * reader of its own. (A submission is read by members.h.) */
#ifndef REEVE_HTTPAPI_BODY_H
#define REEVE_HTTPAPI_BODY_H

#include "httpapi/request.h"

/* A member of the body. `read` puts it into the wish, or complains. */
struct body_member {
	const char *name;
	bool is_required;
	bool takes_null; /* else null is the same as leaving it out */
	void (*read)(struct problems *problems, const char *pointer, const cJSON *value,
		     void *wish);
};

/* Reads the body by the rows; one of no bytes is the same as {}. What is wrong is in
 * `problems`; -1 (ERR_BAD_REQUEST, with line and column) only when it is no JSON. Texts
 * in the wish live in *ret_tree, which the caller deletes in any case; NULL: no body. */
int body_read(const struct request *request, const struct body_member *rows, size_t count,
	      void *wish, cJSON **ret_tree, struct problems *problems, struct err *err);

/* Words of a person, at most 1000 bytes, or NULL and a problem. */
const char *body_reason(struct problems *problems, const char *pointer,
			const cJSON *value);

/* true or false; a problem, and false, when it is neither. */
bool body_flag(struct problems *problems, const char *pointer, const cJSON *value);

/* A problem: an object has no member of this name, but perhaps one like it. */
void body_complain_unknown(struct problems *problems, const char *pointer,
			   const char *name, const char *const *known, size_t count);

#endif
