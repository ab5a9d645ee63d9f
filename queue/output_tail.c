/* output_tail.c - where the last lines of an output begin. */
#include "queue/output.h"

#define BLOCK_BYTES ((size_t)64 * 1024)

/* Exactly `bytes` at `offset`, which are there. */
static int block_read(struct output *output, enum output_stream stream, int64_t offset,
		      char *data, size_t bytes, struct err *err)
{
	const ssize_t got = output_read(output, stream, offset, data, bytes, err);
	if (got < 0)
		return -1;
	return (size_t)got == bytes
		       ? 0
		       : err_set(err, ERR_INTERNAL, "an output has become shorter");
}

/* Goes back over the last `lines` newlines of a block, or as many as there are. Where it
 * has come to. */
static size_t lines_skip(const char *data, size_t bytes, int64_t *lines)
{
	const char *newline;
	size_t left = bytes;
	while (*lines > 0 && (newline = memrchr(data, '\n', left)) != NULL) {
		left = (size_t)(newline - data);
		--*lines;
	}
	return left;
}

int output_tail(struct output *output, enum output_stream stream, int64_t lines,
		int64_t *ret_offset, struct err *err)
{
	int64_t size, at;
	if (output_size(output, stream, &size, err) != 0)
		return -1;
	*ret_offset = size;
	if (lines <= 0)
		return 0;
	const int64_t looks = output->looks;
	AUTO_FREE char *data = mem_alloc(BLOCK_BYTES);
	/* the newline that is the last byte ends the last line; any other begins one */
	for (at = size; at > 0;) {
		const size_t bytes = at < (int64_t)BLOCK_BYTES ? (size_t)at : BLOCK_BYTES;
		if (size - at + (output->looks - looks) * LOOK_BYTES >= OUTPUT_TAIL_BYTES)
			return err_set(err, ERR_TOO_LARGE,
				       "so many lines reach back too far");
		at -= (int64_t)bytes;
		if (block_read(output, stream, at, data, bytes, err) != 0)
			return -1;
		const size_t counted = at + (int64_t)bytes == size ? bytes - 1 : bytes;
		const size_t begin = lines_skip(data, counted, &lines);
		if (lines == 0) {
			*ret_offset = at + (int64_t)begin + 1;
			return 0;
		}
	}
	*ret_offset = 0;
	return 0;
}
