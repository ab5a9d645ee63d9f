/* stamps.h - when each line was written, put before it: RFC 3339 in UTC and a blank. */
#ifndef REEVE_HTTPAPI_STAMPS_H
#define REEVE_HTTPAPI_STAMPS_H

#include "httpapi/track.h"

struct stamps {
	bool is_midline; /* what was sent so far does not end with a newline */
};

/* The next bytes of the track, with a time before each line's first byte. 1, 0 nothing
 * now, -1. */
int stamps_read(struct stamps *stamps, struct track *track, struct buf *out,
		struct err *err);

/* Another attempt begins: its first byte begins a line. */
void stamps_break(struct stamps *stamps, struct buf *out);

#endif
