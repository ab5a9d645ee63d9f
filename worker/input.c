/* input.c - see input.h.
 *
 * The output of another job is passed as it lies wherever that can be: a file in which
 * nothing but stdout stands is opened, not copied. Where both streams are mixed, or lie
 * in the database, stdout is copied: a little into memory, more into a file without a
 * name. Pipes would not do, for the job may outlive the worker that fills them. */
#include "worker/input.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* Up to so much is kept in memory. */
#define MEMORY_BYTES ((int64_t)1 << 20)
#define PIECE_BYTES ((size_t)1 << 18)

static int in_memory(const void *data, size_t bytes, int *ret_fd, struct err *err)
{
	*ret_fd = memfd_of("stdin", data, bytes);
	return *ret_fd < 0 ? err_sys(err, ERR_UNAVAILABLE, errno, "memfd_create") : 0;
}

static int read_all(struct output *output, char *data, int64_t offset, size_t bytes,
		    struct err *err)
{
	for (size_t done = 0; done < bytes;) {
		const ssize_t got =
			output_read(output, OUTPUT_STDOUT, offset + (int64_t)done,
				    data + done, bytes - done, err);

		if (got < 0)
			return -1;
		if (got == 0)
			return err_set(err, ERR_GONE, "an output has become shorter");
		done += (size_t)got;
	}
	return 0;
}

static int copy_small(struct output *output, int64_t bytes, int *ret_fd, struct err *err)
{
	AUTO_FREE char *data = mem_alloc((size_t)bytes + 1);

	if (read_all(output, data, 0, (size_t)bytes, err) != 0)
		return -1;
	return in_memory(data, (size_t)bytes, ret_fd, err);
}

/* A second opening, so that the job gets one that it can only read. */
static int open_to_read(int fd, int *ret_fd, struct err *err)
{
	char path[40];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	*ret_fd = sys.openat(AT_FDCWD, path, O_RDONLY | O_CLOEXEC, 0);
	return *ret_fd < 0 ? err_sys(err, ERR_UNAVAILABLE, errno,
				     "opening the copy of an output")
			   : 0;
}

static int copy_large(const struct supervisor *supervisor, struct output *output,
		      int64_t bytes, int *ret_fd, struct err *err)
{
	AUTO_FREE char *piece = mem_alloc(PIECE_BYTES);
	AUTO_CLOSE int fd = sys.openat(AT_FDCWD, supervisor->config->state_dir,
				       O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);

	if (fd < 0)
		return err_sys(err, ERR_UNAVAILABLE, errno,
			       "making a file for the copy of an output");
	for (int64_t done = 0; done < bytes;) {
		const int64_t left = bytes - done;
		const size_t now =
			left < (int64_t)PIECE_BYTES ? (size_t)left : PIECE_BYTES;

		if (read_all(output, piece, done, now, err) != 0)
			return -1;
		if (file_write_all(fd, piece, now) != 0)
			return err_sys(err, ERR_UNAVAILABLE, errno, "copying an output");
		done += (int64_t)now;
	}
	return open_to_read(fd, ret_fd, err);
}

static int pass_on(const struct supervisor *supervisor, struct output *output,
		   const struct attempt *last, int *ret_fd, struct err *err)
{
	if (output_fd(output) >= 0 && last->stderr_bytes == 0)
		return open_to_read(output_fd(output), ret_fd, err);
	if (last->stdout_bytes <= MEMORY_BYTES)
		return copy_small(output, last->stdout_bytes, ret_fd, err);
	return copy_large(supervisor, output, last->stdout_bytes, ret_fd, err);
}

static int of_another_job(struct supervisor *supervisor, int64_t parent_row, int *ret_fd,
			  struct err *err)
{
	struct output *output = NULL;
	struct attempt last = {0};
	const int found =
		queue_input_open(supervisor->queue, supervisor->config->state_dir,
				 parent_row, &output, &last, err);
	int result = 0;

	if (found < 0)
		return -1;
	if (found == 0)
		return in_memory("", 0, ret_fd, err);
	result = pass_on(supervisor, output, &last, ret_fd, err);
	output_close(output);
	attempt_release(&last);
	return result;
}

int input_open(struct supervisor *supervisor, const struct claim *claim, int *ret_fd,
	       struct err *err)
{
	*ret_fd = -1;
	if (claim->job.stdin_from != 0)
		return of_another_job(supervisor, claim->job.stdin_from, ret_fd, err);
	if (claim->stdin_data == NULL)
		return 0;
	return in_memory(claim->stdin_data, claim->stdin_bytes, ret_fd, err);
}
