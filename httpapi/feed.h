/* feed.h - an answer without an end in sight: bytes are sent as they come to be.
 *
 * A source (a growing output, the event log) is asked for what comes next whenever the
 * client has taken what it got; when there is nothing it is asked again after the watcher
 * has rung the request's waiter (watcher.h). A feed costs no thread, about
 * FEED_BLOCK_BYTES of memory while it sends and next to none while it waits, and never
 * blocks whoever writes. A client that has not taken a block within http.stall_s is cut
 * off; what it has it can resume from. */
#ifndef REEVE_HTTPAPI_FEED_H
#define REEVE_HTTPAPI_FEED_H

#include "httpapi/request.h"

#define FEED_BLOCK_BYTES 8192
#define FEED_BYTES_MAX (1u << 20) /* one event of any kind fits */

enum feed_next {
	FEED_BYTES,	/* something was appended, or: ask again at once */
	FEED_CAUGHT_UP, /* something was appended, and more there was not: as FEED_BYTES,
			   then FEED_LATER without being asked */
	FEED_LATER,	/* nothing now: ask again when the waiter was rung */
	FEED_END,	/* what was appended (perhaps nothing) is the last */
	FEED_FAILED,	/* err says why: logged, and the connection is cut */
};

struct feed_source {
	const char *name; /* for the log: "output", "events" */
	/* Appends about FEED_BLOCK_BYTES to `out`, which is empty and takes
	 * FEED_BYTES_MAX. `is_newer`: the database may have changed since the last call
	 * (or this is the first); a file that has grown says nothing. Must look after
	 * that, not before. */
	enum feed_next (*next)(void *cls, bool is_newer, struct buf *out,
			       struct err *err);
	void (*free)(void *cls);
	/* what is sent after SSE_KEEPALIVE_US without anything else; NULL: nothing */
	void (*idle)(void *cls, struct buf *out);
};

/* The response that reads from the source; takes `cls`. The caller has
 * called request_wait_for before, and sets status and headers (answer_guard, sse_headers)
 * after. A HEAD gets the headers, and its connection ends. */
struct MHD_Response *feed_response(struct request *request,
				   const struct feed_source *source, void *cls);

#endif
