/* output.c - reading an attempt's output, wherever it lies and while it grows. */
#include "queue/output.h"

int output_fd(const struct output *output)
{
	return output->packed != NULL ? -1 : output->log_fd;
}

bool output_is_file(const struct output *output, enum output_stream stream)
{
	const struct sight *sight = &output->sight;
	if (output_fd(output) < 0)
		return false;
	return stream == OUTPUT_BOTH ||
	       (sight->frames > 0 && sight->last.stream == stream &&
		frame_before(&sight->last, stream) == sight->last.offset);
}

int output_into_fd(struct output *output)
{
	const int fd = output_fd(output);
	if (fd >= 0)
		output->log_fd = -1;
	output_close(output);
	return fd;
}

int output_size(struct output *output, enum output_stream stream, int64_t *ret,
		struct err *err)
{
	if (stream == OUTPUT_BOTH)
		return log_size(output, ret, err);
	if (sight_renew(output, err) != 0)
		return -1;
	const struct sight *sight = &output->sight;
	*ret = 0;
	if (sight->frames > 0)
		*ret = frame_before(&sight->last, stream);
	if (sight->frames > 0 && sight->last.stream == stream)
		*ret += sight->end - sight->last.offset;
	return 0;
}

/* Frame by frame. */
static ssize_t stream_read(struct output *output, enum output_stream stream,
			   int64_t offset, char *data, size_t bytes, struct err *err)
{
	size_t done = 0;
	while (done < bytes) {
		struct place place;
		const int64_t at = offset + (int64_t)done;
		const int found = place_find(output, stream, at, &place, err);
		if (found < 0)
			return -1;
		if (found == 0)
			break;
		const int64_t from =
			place.frame.offset + at - frame_before(&place.frame, stream);
		const int64_t left = place.end - from;
		const size_t wanted =
			(int64_t)(bytes - done) < left ? bytes - done : (size_t)left;
		const ssize_t got =
			log_read_piece(output, from, data + done, wanted, err);
		if (got < 0)
			return -1;
		done += (size_t)got;
		if ((size_t)got < wanted)
			break;
	}
	return (ssize_t)done;
}

ssize_t output_read(struct output *output, enum output_stream stream, int64_t offset,
		    void *data, size_t bytes, struct err *err)
{
	if (offset < 0)
		return err_set(err, ERR_RANGE, "an output has no byte %lld",
			       (long long)offset);
	if (bytes == 0)
		return 0;
	if (stream == OUTPUT_BOTH)
		return log_read(output, offset, data, bytes, err);
	if (sight_renew(output, err) != 0)
		return -1;
	return stream_read(output, stream, offset, data, bytes, err);
}

int output_source(struct output *output, enum output_stream stream, int64_t offset,
		  struct output_source *ret, struct err *err)
{
	struct place place;
	if (sight_renew(output, err) != 0)
		return -1;
	const int found = place_find(output, stream, offset, &place, err);
	if (found == 1)
		*ret = (struct output_source){.at_us = place.frame.at_us,
					      .stream = place.frame.stream,
					      .until =
						      frame_before(&place.frame, stream) +
						      place.end - place.frame.offset};
	return found;
}
