/* feed.h - an answer without an end in sight: bytes are sent as they come to be.
 *
 * A source (a growing output, the event log) is asked for what comes next whenever the
 * client has taken what it got; when there is nothing it is asked again after the watcher
 * has rung the request's waiter (watcher.h). A feed costs no thread, at most
 * FEED_BLOCK_BYTES of memory of its own, and never blocks whoever writes. A client that
 * has not taken anything for http.stall_s while there was something for it is cut off;
 * what it has it can resume from. */
#ifndef REEVE_HTTPAPI_FEED_H
#define REEVE_HTTPAPI_FEED_H

#include "httpapi/request.h"

#define FEED_BLOCK_BYTES 8192

enum feed_next {
	FEED_BYTES,  /* something was appended: ask again when it is sent */
	FEED_LATER,  /* nothing now: ask again when the waiter was rung */
	FEED_END,    /* what was appended (perhaps nothing) is the last */
	FEED_FAILED, /* err says why: logged, and the connection is cut */
};

struct feed_source {
	const char *name; /* for the log: "output", "events" */
	/* Appends up to FEED_BLOCK_BYTES to `out`, which is empty. `is_rung`: the waiter
	 * was rung since the last call (or this is the first), so the world may have
	 * changed. Must look after that and not before. */
	enum feed_next (*next)(void *cls, bool is_rung, struct buf *out, struct err *err);
	void (*free)(void *cls);
	/* what is sent after SSE_KEEPALIVE_US without anything else; NULL: nothing */
	void (*idle)(void *cls, struct buf *out);
};

/* The response that reads from the source; takes `cls`. The caller has filled the
 * waiter's job_id ("": every change) and wants_bell, and sets status and headers. */
struct MHD_Response *feed_response(struct request *request,
				   const struct feed_source *source, void *cls);

#endif
