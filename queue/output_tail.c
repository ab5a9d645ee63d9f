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

int output_tail(struct output *output, enum output_stream stream, int64_t lines,
		int64_t *ret_offset, struct err *err)
{
	int64_t size, at;
	if (output_size(output, stream, &size, err) != 0)
		return -1;
	if (lines <= 0 || size == 0) {
		*ret_offset = size;
		return 0;
	}
	AUTO_FREE char *data = mem_alloc(BLOCK_BYTES);
	/* the newline that is the last byte ends the last line; any other begins one */
	for (at = size; at > 0;) {
		const size_t bytes = at < (int64_t)BLOCK_BYTES ? (size_t)at : BLOCK_BYTES;
		at -= (int64_t)bytes;
		if (block_read(output, stream, at, data, bytes, err) != 0)
			return -1;
		size_t left = bytes;
		if (at + (int64_t)bytes == size)
			left--;
		for (const char *newline;
		     (newline = memrchr(data, '\n', left)) != NULL;) {
			left = (size_t)(newline - data);
			if (--lines == 0) {
				*ret_offset = at + (int64_t)left + 1;
				return 0;
			}
		}
	}
	*ret_offset = 0;
	return 0;
}
