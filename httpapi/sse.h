/* sse.h - server-sent events as they go over the wire (WHATWG HTML, "Server-sent
 * events"). */
#ifndef REEVE_HTTPAPI_SSE_H
#define REEVE_HTTPAPI_SSE_H

#include "httpapi/request.h"

#define SSE_KEEPALIVE_US (15 * US_PER_S)
#define SSE_RETRY_MS 2000

/* Does the client want events (Accept: text/event-stream)? */
bool sse_is_wanted(const struct request *request);

/* Where it wants to go on: Last-Event-ID, else ?after=; NULL: neither. An id that is
 * empty is none, as in a browser. ret_name: which of the two it was, for what is said of
 * it. */
#define SSE_LAST_ID "Last-Event-ID"
const char *sse_last_id(const struct request *request, const char **ret_name);

/* How a stream of events begins: `retry:` and, unless it is NULL, the id of the place
 * where it does, so that a client that is cut off before its first event comes back to
 * there. */
void sse_begin(struct buf *out, const char *id);

/* One event. `id` and `event` may be NULL; `data` is split into lines as the format asks
 * (at CR, LF, CRLF) and must be UTF-8. */
void sse_put(struct buf *out, const char *id, const char *event, const char *data,
	     size_t bytes);

/* Moves the client's Last-Event-ID on without an event: what lies between was looked at
 * and is not for it. */
void sse_put_id(struct buf *out, const char *id);

/* A comment, so that nobody on the way takes silence for death. */
void sse_put_keepalive(struct buf *out);

/* Content-Type and what else a stream of events has besides answer_guard's headers. */
void sse_headers(struct MHD_Response *response);

#endif
