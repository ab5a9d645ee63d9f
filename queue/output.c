/* output.c - reading an attempt's output, wherever it lies and while it grows.
 *
 * The bytes of both streams stand in one log in the order they came; the index holds a
 * frame wherever the stream changes. To find byte N of stdout one must know how much of
 * stdout came before each frame: a mark every MARK_FRAMES frames remembers that, so a
 * random access is a search among the marks and a short walk, and a sequential reader
 * goes on from its cursor.
 *
 * The writer puts a frame before its bytes. So the log is measured first and the index is
 * read after: every byte measured then has its frame. */
#include <errno.h>
#include <sys/stat.h>

#include "queue/output.h"

#define MARK_FRAMES 1024

int output_fd(const struct output *output)
{
	return output->log_fd;
}

/* --- frames --- */

static int64_t log_bytes(const struct output *output)
{
	struct stat st;
	if (output->log_fd < 0)
		return output->content_bytes;
	return fstat(output->log_fd, &st) == 0 ? st.st_size : 0;
}

/* Frame number `index`. 1, 0 not there (yet), -1. */
static int frame_get(struct output *output, int64_t index, struct frame *ret,
		     struct err *err)
{
	if (output->log_fd < 0) {
		if ((index + 1) * FRAME_BYTES > output->frames_bytes)
			return 0;
		frame_unpack(output->frames + index * FRAME_BYTES, ret);
		return 1;
	}
	const int64_t first = output->window_first;
	if (index < first || index >= first + (int64_t)output->window_count) {
		const ssize_t got = sys.pread(output->index_fd, output->window,
					      sizeof output->window, index * FRAME_BYTES);
		if (got < 0)
			return err_sys(err, ERR_INTERNAL, errno,
				       "reading the frames of an output");
		output->window_first = index;
		output->window_count = (size_t)got / FRAME_BYTES;
		if (output->window_count == 0)
			return 0;
	}
	frame_unpack(output->window + (index - output->window_first) * FRAME_BYTES, ret);
	return 1;
}

/* The place after `place`, whose frame is `next`. */
static struct place place_after(const struct place *place, const struct frame *next)
{
	struct place after = {.index = place->index + 1,
			      .frame = *next,
			      .stdout_bytes = place->stdout_bytes};
	if (place->index >= 0 && place->frame.stream == OUTPUT_STDOUT)
		after.stdout_bytes += next->offset - place->frame.offset;
	return after;
}

static void mark_add(struct output *output, const struct place *place)
{
	output->mark = mem_grow(output->mark, (output->marks + 1) * sizeof *output->mark);
	output->mark[output->marks++] = (struct mark){
		.offset = place->frame.offset, .stdout_bytes = place->stdout_bytes};
}

/* Reads the frames that were added since the last time. */
static int frames_follow(struct output *output, struct err *err)
{
	struct frame next;
	int more;
	output_index_open(output);
	if (output->log_fd >= 0 && output->index_fd < 0)
		return 0;
	while ((more = frame_get(output, output->last.index + 1, &next, err)) == 1) {
		if (next.offset < output->last.frame.offset)
			return err_set(err, ERR_INTERNAL,
				       "the frames of this output are damaged");
		output->last = place_after(&output->last, &next);
		if (output->last.index % MARK_FRAMES == 0)
			mark_add(output, &output->last);
	}
	return more;
}

/* Reads what is new; *ret_end is how much of the log is there for sure. */
static int output_refresh(struct output *output, int64_t *ret_end, struct err *err)
{
	const int64_t measured = log_bytes(output);
	if (frames_follow(output, err) != 0)
		return -1;
	/* what stands before a frame was written before it */
	const int64_t framed = output->last.index >= 0 ? output->last.frame.offset : 0;
	*ret_end = measured > framed ? measured : framed;
	return 0;
}

static int64_t stream_before(const struct place *place, enum output_stream stream)
{
	return stream == OUTPUT_STDOUT ? place->stdout_bytes
				       : place->frame.offset - place->stdout_bytes;
}

int output_size(struct output *output, enum output_stream stream, int64_t *ret,
		struct err *err)
{
	int64_t end;
	if (stream == OUTPUT_BOTH) {
		*ret = log_bytes(output);
		return 0;
	}
	if (output_refresh(output, &end, err) != 0)
		return -1;
	if (output->last.index < 0) {
		*ret = 0;
		return 0;
	}
	*ret = stream_before(&output->last, stream);
	if (output->last.frame.stream == stream)
		*ret += end - output->last.frame.offset;
	return 0;
}

/* --- reading --- */

static ssize_t log_read(const struct output *output, int64_t offset, void *data,
			size_t bytes, struct err *err)
{
	if (output->log_fd >= 0) {
		const ssize_t got = sys.pread(output->log_fd, data, bytes, offset);
		return got >= 0 ? got
				: err_sys(err, ERR_INTERNAL, errno, "reading an output");
	}
	if (offset >= output->content_bytes)
		return 0;
	const size_t left = (size_t)(output->content_bytes - offset);
	const size_t taken = bytes < left ? bytes : left;
	memcpy(data, output->content + offset, taken);
	return (ssize_t)taken;
}

/* A place at or before byte `offset` of the stream, near it. */
static int place_find(struct output *output, enum output_stream stream, int64_t offset,
		      struct place *ret, struct err *err)
{
	size_t low = 0, high = output->marks;
	while (high - low > 1) { /* the last mark that is not beyond it */
		const size_t middle = low + (high - low) / 2;
		const struct mark *mark = &output->mark[middle];
		const int64_t before = stream == OUTPUT_STDOUT
					       ? mark->stdout_bytes
					       : mark->offset - mark->stdout_bytes;
		if (before <= offset)
			low = middle;
		else
			high = middle;
	}
	ret->index = (int64_t)low * MARK_FRAMES;
	ret->stdout_bytes = output->mark[low].stdout_bytes;
	if (frame_get(output, ret->index, &ret->frame, err) != 1)
		return -1;
	if (output->cursor.index > ret->index &&
	    stream_before(&output->cursor, stream) <= offset)
		*ret = output->cursor;
	return 0;
}

/* One stretch of the wish that lies within one frame. */
struct reading {
	enum output_stream stream;
	int64_t offset; /* in the stream */
	char *data;
	size_t bytes;
	size_t done;
};

/* Takes what the frame at `place`, ending at `end`, has of it. 1 go on, 0 enough, -1. */
static int frame_take(struct output *output, const struct place *place, int64_t end,
		      struct reading *reading, struct err *err)
{
	const int64_t skip = reading->offset + (int64_t)reading->done -
			     stream_before(place, reading->stream);
	const int64_t from = place->frame.offset + skip;
	if (place->frame.stream != reading->stream || from >= end)
		return 1;
	size_t wanted = reading->bytes - reading->done;
	if ((int64_t)wanted > end - from)
		wanted = (size_t)(end - from);
	const ssize_t got =
		log_read(output, from, reading->data + reading->done, wanted, err);
	if (got < 0)
		return -1;
	reading->done += (size_t)got;
	return (size_t)got == wanted && reading->done < reading->bytes;
}

static int stream_read(struct output *output, struct reading *reading, int64_t log_end,
		       struct err *err)
{
	struct place place;
	if (place_find(output, reading->stream, reading->offset, &place, err) != 0)
		return -1;
	for (;;) {
		struct frame next;
		const bool has_next = place.index < output->last.index;
		if (has_next && frame_get(output, place.index + 1, &next, err) != 1)
			return -1;
		const int more = frame_take(
			output, &place, has_next ? next.offset : log_end, reading, err);
		output->cursor = place;
		if (more <= 0 || !has_next)
			return more < 0 ? -1 : 0;
		place = place_after(&place, &next);
	}
}

ssize_t output_read(struct output *output, enum output_stream stream, int64_t offset,
		    void *data, size_t bytes, struct err *err)
{
	int64_t end;
	if (offset < 0)
		return err_set(err, ERR_RANGE, "an output has no byte %lld",
			       (long long)offset);
	if (bytes == 0)
		return 0;
	if (stream == OUTPUT_BOTH)
		return log_read(output, offset, data, bytes, err);
	if (output_refresh(output, &end, err) != 0)
		return -1;
	if (output->marks == 0)
		return 0;
	struct reading reading = {
		.stream = stream, .offset = offset, .data = data, .bytes = bytes};
	if (stream_read(output, &reading, end, err) != 0)
		return -1;
	return (ssize_t)reading.done;
}
