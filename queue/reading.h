/* reading.h - finding one's way in an output: its last lines, when a byte was written and
 * by which stream, and the lines in which something stands.
 *
 * All of it works on outputs that grow, lie in a row, in a file, or compressed, asks the
 * frame index by binary search, and needs the same little memory for any length. Offsets
 * are those of output_read: of the stream's own bytes. Lines are those of the stream
 * asked for; with OUTPUT_BOTH, of the merged bytes. */
#ifndef REEVE_QUEUE_READING_H
#define REEVE_QUEUE_READING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/common.h"

struct output; /* queue.h */

enum output_stream { OUTPUT_BOTH = 0, OUTPUT_STDOUT, OUTPUT_STDERR };

/* Where the last `lines` lines begin, as tail(1) counts: an unfinished last line is one.
 * 0 lines: the present end. Looks at no more than about OUTPUT_TAIL_BYTES, of which many
 * small frames take more than their bytes: ERR_TOO_LARGE when that does not reach. */
#define OUTPUT_TAIL_BYTES (INT64_C(32) << 20)
int output_tail(struct output *output, enum output_stream stream, int64_t lines,
		int64_t *ret_offset, struct err *err);

/* Where some bytes came from. */
struct output_source {
	int64_t at_us;		   /* when they were written, within FRAME_SPAN_US */
	enum output_stream stream; /* OUTPUT_STDOUT or OUTPUT_STDERR */
	int64_t until; /* this holds for the bytes before this offset of the stream that
			  was asked for; in a growing output for those that follow them
			  perhaps as well: ask again there */
};

/* Of the byte at `offset` of the stream. 1, 0 there is no such byte (yet), -1 (also when
 * the frames are missing or damaged). Asking along the stream is cheap. */
int output_source(struct output *output, enum output_stream stream, int64_t offset,
		  struct output_source *ret, struct err *err);

/* What is searched for, and how far the search has come: to begin, all of the place is
 * zero; to go on later, with whatever has been added since, keep the place. */
#define SEARCH_NEEDLE_MAX 1024
struct search_place {
	int64_t offset;	       /* up to here it was looked at */
	int64_t lines;	       /* that ended before `line_at` */
	int64_t line_at;       /* where the line begins in which `offset` lies */
	int64_t is_line_found; /* 1: that line was given already */
};
struct search {
	enum output_stream stream;
	const char *needle; /* bytes, without a newline, 1 .. SEARCH_NEEDLE_MAX */
	size_t needle_bytes;
	bool ignores_case; /* of the letters of ASCII */
	struct search_place place;
};

/* A line in which it stands; given once, with the first place. */
struct search_hit {
	int64_t line;	  /* its number, from 1 */
	int64_t offset;	  /* where the line begins */
	int64_t found_at; /* where the needle begins */
	int64_t at_us;	  /* when the line's first byte was written; 0: unknown */
	enum output_stream stream; /* that byte's; OUTPUT_BOTH: unknown */
};

/* Looks at about `bytes` more bytes and fills up to `max` hits. 1 there is more to look
 * at, 0 the present end was reached, -1 (ERR_INVALID: no such needle, or no place where
 * a search can have come to). Many small frames count as more bytes. Of an output with
 * damaged frames OUTPUT_BOTH is searched, and at_us and stream are not known. */
int output_search(struct output *output, struct search *search, int64_t bytes,
		  struct search_hit *ret, size_t max, size_t *ret_count, struct err *err);

/* A line that was found, without its newline; of one longer than SEARCH_TEXT_BYTES a part
 * around the place. */
#define SEARCH_TEXT_BYTES 4096
struct search_text {
	int64_t offset; /* of the first byte of `data` */
	size_t bytes;
	bool is_cut; /* it is not the whole line */
	char data[SEARCH_TEXT_BYTES];
};
int output_search_text(struct output *output, const struct search *search,
		       const struct search_hit *hit, struct search_text *ret,
		       struct err *err);

#endif
