/* pieces.h - an output cut into pieces of one stream and one time, none of which ends
 * within a character.
 *
 * A character of which only a part was written yet is held back until its rest comes, or
 * something of the other stream, or the end. */
#ifndef REEVE_HTTPAPI_PIECES_H
#define REEVE_HTTPAPI_PIECES_H

#include "httpapi/track.h"

#define PIECE_BYTES 4096

struct piece {
	enum output_stream stream; /* OUTPUT_STDOUT or OUTPUT_STDERR */
	int64_t at_us;
	bool is_text; /* UTF-8 without NUL */
	size_t bytes;
	char data[PIECE_BYTES + 4];
};

/* Takes the next piece from the track. 1, 0 nothing now, -1. */
int piece_read(struct track *track, struct piece *ret, struct err *err);

#endif
