/* carried.h - the headers that go with a submission, of one job or of many. */
#ifndef REEVE_HTTPAPI_CARRIED_H
#define REEVE_HTTPAPI_CARRIED_H

#include "httpapi/request.h"

#define KEY_BYTES_MAX 255

/* The Idempotency-Key: bare or in quotes, 1 to 255 visible ASCII characters. 1, 0 there
 * is none, -1 (ERR_BAD_REQUEST). */
int carried_key(const struct request *request, char ret[KEY_BYTES_MAX + 1],
		struct err *err);

/* What makes two requests with one key the same: method, path and body. */
void carried_hash(const struct request *request, uint8_t ret[DIGEST_BYTES]);

/* traceparent of W3C Trace Context, version 00, or NULL: anything else is ignored, as it
 * says. */
const char *carried_trace(const struct request *request);

#endif
