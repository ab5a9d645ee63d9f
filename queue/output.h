/* output.h - what opening an output and reading it share.
 *
 * Private to queue/. An output is a log, the bytes of both streams in the order they
 * came, and an index of frames, which says from which stream they came and when. The log
 * is a file, memory (folded) or a compressed file; the index a file or memory. */
#ifndef REEVE_QUEUE_OUTPUT_H
#define REEVE_QUEUE_OUTPUT_H

#include "queue/db.h"

#define WINDOW_FRAMES 128

struct packed;

/* What is there for sure: of a log that grows, what it was when it was last measured. */
struct sight {
	int64_t end;	   /* bytes of the log */
	int64_t frames;	   /* that begin before its end */
	struct frame last; /* of these, if there is any */
};

struct output {
	int log_fd, index_fd; /* -1 when not in files; index_fd also when not there yet */
	char *index_path;     /* where index_fd is to be found later; NULL once open */
	struct packed *packed; /* the log is compressed; NULL: it is not */
	char *content;	       /* folded: heap */
	uint8_t *frames;       /* folded: heap */
	int64_t content_bytes, frames_bytes;

	struct sight sight;
	int64_t looks;	      /* how many frames were found so far */
	int64_t cursor;	      /* number of the frame that was found last */
	int64_t window_first; /* number of the first frame in `window` */
	size_t window_count;
	uint8_t window[WINDOW_FRAMES * FRAME_BYTES];

	char *span; /* a part of the log through which small frames are read; heap */
	int64_t span_at;
	size_t span_bytes;
};

/* One frame and how far it goes. */
struct place {
	struct frame frame;
	int64_t end; /* in the log */
};

/* --- output_open.c --- */

/* Opens the index if it was missing when the log was opened. */
void output_index_open(struct output *output);

/* What the row of an output says of its file. */
struct stored_file {
	const char *path;
	bool is_packed;
	int64_t bytes; /* that were written */
};

/* Opens it; one that was compressed after the row was read lies beside it, and is opened
 * as well. 1, 0 no such file, -1. */
int output_open_left(const char *state_dir, const struct stored_file *file,
		     struct output **ret, struct err *err);

/* --- output_log.c --- */

/* How many bytes the log has now. */
int log_size(const struct output *output, int64_t *ret, struct err *err);

/* Reads it; fewer than asked for only at its end. The count or -1. */
ssize_t log_read(struct output *output, int64_t offset, void *data, size_t bytes,
		 struct err *err);

/* The same below `sight.end`, for many small pieces in a row. */
ssize_t log_read_piece(struct output *output, int64_t offset, void *data, size_t bytes,
		       struct err *err);

/* --- output_index.c --- */

/* Measures the log, and then the index: a frame is written before its bytes, so that all
 * bytes measured have theirs. */
int sight_renew(struct output *output, struct err *err);

/* How many bytes of the stream stand before the frame. */
int64_t frame_before(const struct frame *frame, enum output_stream stream);

/* The frame that has the byte at `offset` of the stream, as far as it is in sight.
 * 1, 0 there is no such byte, -1. */
int place_find(struct output *output, enum output_stream stream, int64_t offset,
	       struct place *ret, struct err *err);

/* What it costs to find a frame, as if it were bytes to be read: who may read only so
 * many counts this for each look, since a frame may have a single byte. */
#define LOOK_BYTES 64

/* --- output_packed.c --- */

/* Reads the seek table of the compressed file; takes the descriptor, also on failure.
 * ERR_INTERNAL when it is damaged or tells of another length than `bytes`. */
int packed_open(int fd, int64_t bytes, struct packed **ret, struct err *err);
void packed_close(struct packed *packed);
int64_t packed_size(const struct packed *packed);
ssize_t packed_read(struct packed *packed, int64_t offset, void *data, size_t bytes,
		    struct err *err);

#endif
