/* output.h - what opening an output and reading it share.
 *
 * Private to queue/. */
#ifndef REEVE_QUEUE_OUTPUT_H
#define REEVE_QUEUE_OUTPUT_H

#include "queue/db.h"

#define WINDOW_FRAMES 256

/* A frame's place in the log and in the streams. */
struct place {
	int64_t index; /* number of the frame */
	struct frame frame;
	int64_t stdout_bytes; /* of stdout before it */
};

struct mark {
	int64_t offset, stdout_bytes;
};

struct output {
	int log_fd, index_fd; /* -1 when folded; index_fd also when not there yet */
	char *index_path;     /* where index_fd is to be found later; NULL once open */
	char *content;	      /* folded: heap */
	uint8_t *frames;      /* folded: heap */
	int64_t content_bytes, frames_bytes;

	struct place last; /* the last frame that was read; index -1: none */
	struct mark *mark; /* of frame k * MARK_FRAMES, heap */
	size_t marks;
	struct place cursor; /* where the last read ended */
	int64_t window_first;
	size_t window_count;
	uint8_t window[WINDOW_FRAMES * FRAME_BYTES];
};

/* Opens the index if it was missing when the log was opened. */
void output_index_open(struct output *output);

#endif
