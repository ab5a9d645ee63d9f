/* sse.h - reading server-sent events from the pieces in which an answer arrives (WHATWG
 * HTML, "Server-sent events"; with the three kinds of line ends, wherever a piece is
 * cut).
 *
 * An event that is cut off by the end of a connection is none: whoever asks again with
 * the id of the last whole one misses nothing and sees nothing twice. */
#ifndef REEVE_CLIENT_SSE_H
#define REEVE_CLIENT_SSE_H

#include "common/common.h"

#define SSE_BYTES_MAX (4u << 20)

struct sse_event {
	const char *id;	  /* the last that was given, "" when there was none */
	const char *name; /* "message" when it has none */
	const char *data; /* its lines, parted by newlines; NUL-terminated */
	size_t bytes;
};

struct sse {
	struct buf line, data, name, id, next_id;
	bool has_data;
	bool is_too_large;
	bool skips_newline; /* the last byte was a CR: an LF now is part of its line end
			     */
};

void sse_init(struct sse *sse);
void sse_release(struct sse *sse);

/* A new connection: forgets what was cut off, keeps the id. */
void sse_restart(struct sse *sse);

/* The id to go on from, "" when there was none. Also of events without data. */
const char *sse_last_id(const struct sse *sse);

/* Takes the next piece and gives each event that is whole with it to `on_event`, which
 * returns false to end it. True: all was taken; false: on_event ended it, or an event is
 * over SSE_BYTES_MAX (then is_too_large is set, for good). */
bool sse_feed(struct sse *sse, const void *data, size_t bytes,
	      bool (*on_event)(void *context, const struct sse_event *event),
	      void *context);

#endif
