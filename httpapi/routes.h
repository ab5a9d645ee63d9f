/* routes.h - the one table of what can be asked.
 *
 * Routing, 404, 405 with Allow, permission, the query parameters that are allowed and the
 * list in docs/api.md come from these rows. To add an endpoint: one row in routes.c, one
 * handler in handlers.h. */
#ifndef REEVE_HTTPAPI_ROUTES_H
#define REEVE_HTTPAPI_ROUTES_H

#include <stdio.h>

#include "httpapi/auth.h"
#include "httpapi/request.h"

enum route_body { BODY_NONE, BODY_OPTIONAL, BODY_REQUIRED };
enum route_size { SIZE_ORDINARY, SIZE_BATCH }; /* which setting bounds the body */

struct route {
	const char *method;
	const char *path; /* segments; {x} stands for any one */
	enum role role;
	enum route_body body;
	enum route_size size;
	bool is_change;	     /* must come from the same site, as JSON */
	bool takes_if_match; /* a change that may be tied to a version */
	bool is_stream;	     /* takes as long as it takes: no deadline for the whole */
	enum MHD_Result (*handle)(struct request *request);
	const char *params[10]; /* of the query, NULL-terminated */
	const char *many[10];	/* those that may come more than once */
	const char *raw[2];	/* those whose value may be any bytes but NUL */
	const char *help;	/* one line */
};

/* Finds the row for request->method (HEAD counts as GET) and target, and sets
 * request->route and ->argument. ERR_NOT_FOUND, or ERR_METHOD with the methods there are
 * in ret_allow. */
int route_find(struct request *request, struct buf *ret_allow, struct err *err);

/* Prints the table as Markdown, one line a route: the list in docs/api.md. */
void route_print(FILE *out);

#endif
