/* output_index.c - the frames of an output: whose byte is it, and from when?
 *
 * The frames are in the order of all three ways to count bytes (of the log, of stdout, of
 * stderr), so that each is a binary search, by pread, in a file of any length; whoever
 * reads along starts from the frame found last. What is used of the index is checked
 * against its neighbour: an index that was cut, damaged, or written by a version of other
 * frames is an error, never a wrong byte. */
#include <errno.h>
#include <sys/stat.h>

#include "queue/output.h"

static int damaged(struct err *err, int64_t number)
{
	return err_set(err, ERR_INTERNAL,
		       "the frames of this output are damaged (frame %lld): its streams "
		       "cannot be told apart, only both be read together",
		       (long long)number);
}

/* --- reading frames --- */

/* How many frames are written. */
static int index_count(struct output *output, int64_t *ret, struct err *err)
{
	struct stat st = {.st_size = output->frames_bytes};
	if (output->frames == NULL) {
		output_index_open(output);
		if (output->index_fd < 0)
			return err_set(err, ERR_INTERNAL,
				       "the frames of this output are missing: its "
				       "streams cannot be told apart, only both be read "
				       "together");
		if (fstat(output->index_fd, &st) != 0)
			return err_sys(err, ERR_INTERNAL, errno,
				       "measuring the frames of an output");
	}
	*ret = st.st_size / FRAME_BYTES;
	return 0;
}

static int window_load(struct output *output, int64_t first, struct err *err)
{
	output->window_count = 0;
	const ssize_t got = sys.pread(output->index_fd, output->window,
				      sizeof output->window, first * FRAME_BYTES);
	if (got < 0)
		return err_sys(err, ERR_INTERNAL, errno,
			       "reading the frames of an output");
	output->window_first = first;
	output->window_count = (size_t)got / FRAME_BYTES;
	return 0;
}

/* 1, 0 it is not there, -1. */
static int frame_look(struct output *output, int64_t number, struct frame *ret,
		      struct err *err)
{
	if (output->frames != NULL) {
		frame_unpack(output->frames + number * FRAME_BYTES, ret);
		return 1;
	}
	const int64_t first = output->window_first;
	if (number < first || number >= first + (int64_t)output->window_count) {
		if (window_load(output, number - number % WINDOW_FRAMES, err) != 0)
			return -1;
		if (number >= output->window_first + (int64_t)output->window_count)
			return 0;
	}
	frame_unpack(output->window + (number - output->window_first) * FRAME_BYTES, ret);
	return 1;
}

/* One that must be there. */
static int frame_get(struct output *output, int64_t number, struct frame *ret,
		     struct err *err)
{
	const int found = frame_look(output, number, ret, err);
	return found == 0 ? damaged(err, number) : found < 0 ? -1 : 0;
}

int64_t frame_before(const struct frame *frame, enum output_stream stream)
{
	if (stream == OUTPUT_BOTH)
		return frame->offset;
	return stream == OUTPUT_STDOUT ? frame->stdout_bytes
				       : frame->offset - frame->stdout_bytes;
}

/* --- searching --- */

/* What is searched among: the first `count` frames. */
struct haystack {
	enum output_stream stream;
	int64_t count, offset;
};

/* Does frame `number` begin at or before the offset? 1, 0, -1. The writer may take back
 * frames of which no byte could be written, even while we search. */
static int begins_by(struct output *output, const struct haystack *hay, int64_t number,
		     struct err *err)
{
	struct frame frame;
	const int found = frame_look(output, number, &frame, err);
	if (found <= 0)
		return found;
	return frame_before(&frame, hay->stream) <= hay->offset;
}

/* The last frame that does; frame 0 does. From `start` on in doubling steps, so that the
 * next one is found at once and the farthest in a few. */
static int frame_search(struct output *output, const struct haystack *hay, int64_t start,
			int64_t *ret, struct err *err)
{
	int64_t low = 0, high = hay->count, step = 1;
	int is_by = start > 0 && start < high ? begins_by(output, hay, start, err) : 0;
	if (is_by == 1)
		low = start;
	else if (start > 0 && start < high)
		high = start;
	for (; is_by == 1 && low + step < high; step *= 2) {
		is_by = begins_by(output, hay, low + step, err);
		if (is_by == 1)
			low += step;
		else
			high = low + step;
	}
	while (is_by >= 0 && high - low > 1) {
		const int64_t middle = low + (high - low) / 2;
		is_by = begins_by(output, hay, middle, err);
		if (is_by == 1)
			low = middle;
		else
			high = middle;
	}
	*ret = low;
	return is_by < 0 ? -1 : 0;
}

/* --- what is in sight --- */

int sight_renew(struct output *output, struct err *err)
{
	struct sight sight = {.end = 0};
	struct frame first;
	int64_t number = 0;
	if (log_size(output, &sight.end, err) != 0)
		return -1;
	if (sight.end == output->sight.end)
		return 0;
	/* a frame of which no byte was there may have been replaced since */
	output->window_count = 0;
	if (sight.end > 0) {
		if (index_count(output, &sight.frames, err) != 0)
			return -1;
		if (sight.frames == 0)
			return damaged(err, 0);
		if (frame_get(output, 0, &first, err) != 0)
			return -1;
		if (first.offset != 0 || first.stdout_bytes != 0)
			return damaged(err, 0);
		const struct haystack hay = {.count = sight.frames,
					     .offset = sight.end - 1};
		if (frame_search(output, &hay, output->sight.frames - 1, &number, err) !=
			    0 ||
		    frame_get(output, number, &sight.last, err) != 0)
			return -1;
		sight.frames = number + 1;
		if (sight.last.offset < 0 || sight.last.stdout_bytes < 0 ||
		    sight.last.stdout_bytes > sight.last.offset)
			return damaged(err, number);
	}
	output->sight = sight;
	return 0;
}

/* Frame `number` and its end, if it fits the one that follows. */
static int place_get(struct output *output, int64_t number, struct place *ret,
		     struct err *err)
{
	const struct sight *sight = &output->sight;
	struct frame next;
	if (frame_get(output, number, &ret->frame, err) != 0)
		return -1;
	ret->end = sight->end;
	if (number + 1 < sight->frames) {
		if (frame_get(output, number + 1, &next, err) != 0)
			return -1;
		ret->end = next.offset;
		const int64_t bytes = next.offset - ret->frame.offset;
		const int64_t of_stdout = next.stdout_bytes - ret->frame.stdout_bytes;
		if (of_stdout != (ret->frame.stream == OUTPUT_STDOUT ? bytes : 0))
			return damaged(err, number + 1);
	}
	if (ret->frame.stdout_bytes < 0 || ret->frame.stdout_bytes > ret->frame.offset ||
	    ret->frame.offset > ret->end || ret->end > sight->end)
		return damaged(err, number);
	return 0;
}

int place_find(struct output *output, enum output_stream stream, int64_t offset,
	       struct place *ret, struct err *err)
{
	const struct haystack hay = {
		.stream = stream, .count = output->sight.frames, .offset = offset};
	struct place place;
	if (hay.count == 0 || offset < 0)
		return 0;
	output->looks++;
	if (frame_search(output, &hay, output->cursor, &output->cursor, err) != 0 ||
	    place_get(output, output->cursor, &place, err) != 0)
		return -1;
	const int64_t skip = offset - frame_before(&place.frame, stream);
	if ((stream != OUTPUT_BOTH && place.frame.stream != stream) || skip < 0 ||
	    place.frame.offset + skip >= place.end)
		return 0;
	*ret = place;
	return 1;
}
