/* output_log.c - the bytes of an output, wherever they lie. */
#include <errno.h>
#include <sys/stat.h>

#include "queue/output.h"

#define SPAN_BYTES ((size_t)16 * 1024)

int log_size(const struct output *output, int64_t *ret, struct err *err)
{
	struct stat st;
	if (output->packed != NULL)
		*ret = packed_size(output->packed);
	else if (output->log_fd < 0)
		*ret = output->content_bytes;
	else if (fstat(output->log_fd, &st) == 0)
		*ret = st.st_size;
	else
		return err_sys(err, ERR_INTERNAL, errno, "measuring an output");
	return 0;
}

static ssize_t file_part(int fd, int64_t offset, char *data, size_t bytes,
			 struct err *err)
{
	size_t done = 0;
	while (done < bytes) {
		const ssize_t got =
			sys.pread(fd, data + done, bytes - done, offset + (int64_t)done);
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return err_sys(err, ERR_INTERNAL, errno, "reading an output");
		if (got == 0)
			break;
		done += (size_t)got;
	}
	return (ssize_t)done;
}

ssize_t log_read(struct output *output, int64_t offset, void *data, size_t bytes,
		 struct err *err)
{
	if (output->packed != NULL)
		return packed_read(output->packed, offset, data, bytes, err);
	if (output->log_fd >= 0)
		return file_part(output->log_fd, offset, data, bytes, err);
	if (offset >= output->content_bytes)
		return 0;
	const size_t left = (size_t)(output->content_bytes - offset);
	const size_t taken = bytes < left ? bytes : left;
	memcpy(data, output->content + offset, taken);
	return (ssize_t)taken;
}

/* Below the end in sight the log never changes, so that what was read stays good. */
static int span_load(struct output *output, int64_t offset, struct err *err)
{
	const int64_t left = output->sight.end - offset;
	const size_t wanted = left < (int64_t)SPAN_BYTES ? (size_t)left : SPAN_BYTES;
	if (output->span == NULL)
		output->span = mem_alloc(SPAN_BYTES);
	output->span_bytes = 0;
	const ssize_t got = log_read(output, offset, output->span, wanted, err);
	if (got < 0)
		return -1;
	output->span_at = offset;
	output->span_bytes = (size_t)got;
	return 0;
}

static bool span_has(const struct output *output, int64_t offset, size_t bytes)
{
	return offset >= output->span_at &&
	       offset + (int64_t)bytes <= output->span_at + (int64_t)output->span_bytes;
}

ssize_t log_read_piece(struct output *output, int64_t offset, void *data, size_t bytes,
		       struct err *err)
{
	if (output->log_fd < 0 || output->packed != NULL || bytes > SPAN_BYTES / 4)
		return log_read(output, offset, data, bytes, err);
	if (!span_has(output, offset, bytes) && span_load(output, offset, err) != 0)
		return -1;
	if (!span_has(output, offset, bytes))
		return err_set(err, ERR_INTERNAL, "the file of this output was cut");
	memcpy(data, output->span + (offset - output->span_at), bytes);
	return (ssize_t)bytes;
}
