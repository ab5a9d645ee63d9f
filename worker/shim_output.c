/* shim_output.c - from the job's pipes into its log.
 *
 * The job holds only pipes, so it can neither erase nor alter what it said. Whatever
 * happens to the files - limit passed, disk full, no descriptor - the pipes are drained:
 * a job is never stopped by its own output unless it asked for that. Files are made at
 * the first byte: a silent job costs none. */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "worker/shim.h"

/* When everybody is dead a pipe holds its capacity at most. Somebody outside the tree who
 * was handed the descriptor and goes on writing does not keep the attempt alive. */
#define REST_READS_MAX 64

static const enum output_stream STREAMS[] = {OUTPUT_STDOUT, OUTPUT_STDERR};

void sink_init(struct sink *sink, const struct spec *spec)
{
	memset(sink, 0, sizeof(*sink));
	sink->pipe_fd[0] = sink->pipe_fd[1] = -1;
	sink->log_fd = sink->index_fd = -1;
	sink->limit = spec->output_bytes_max;
	sink->last_frame.offset = -1;
	digest_init(&sink->digest);
	attempt_output_path(spec->job_id, spec->number, ".log", sink->log_path);
	attempt_output_path(spec->job_id, spec->number, ".idx", sink->index_path);
}

/* Makes a file that was not there; its directory, of one day, at the first of the day. */
static int make_file(const struct shim *shim, const char *path)
{
	const int flags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC;
	int fd = sys.openat(shim->state_fd, path, flags, 0600);
	char dir[ATTEMPT_PATH_BYTES];

	if (fd >= 0 || errno != ENOENT)
		return fd;
	snprintf(dir, sizeof(dir), "%s", path);
	for (char *slash = strchr(dir, '/'); slash != NULL;
	     slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		if (mkdirat(shim->state_fd, dir, 0700) != 0 && errno != EEXIST)
			return -1;
		*slash = '/';
	}
	return sys.openat(shim->state_fd, path, flags, 0600);
}

static int make_files(struct sink *sink, struct shim *shim)
{
	if (sink->index_fd < 0)
		sink->index_fd = make_file(shim, sink->index_path);
	if (sink->index_fd >= 0 && sink->log_fd < 0) {
		sink->log_fd = make_file(shim, sink->log_path);
		/* Whoever follows this job opens the file now. */
		if (sink->log_fd >= 0)
			bell_ring(shim->ringer, "worker");
	}
	return sink->log_fd >= 0 ? 0 : -1;
}

/* Notes from which stream the next byte comes, if that is not known already. A frame
 * whose bytes could not be written is replaced by the next one. */
static int note_frame(struct sink *sink, size_t stream)
{
	const int64_t offset = sink->kept[0] + sink->kept[1];
	const struct frame frame = {.at_us = clock_now_us(),
				    .offset = offset,
				    .stdout_bytes = sink->kept[0],
				    .stream = STREAMS[stream]};
	const struct frame *last = &sink->last_frame;
	uint8_t packed[FRAME_BYTES];

	if (last->offset >= 0 && last->stream == frame.stream &&
	    frame.at_us - last->at_us < FRAME_SPAN_US && frame.at_us >= last->at_us)
		return 0;
	if (last->offset == offset)
		sink->frames--;
	frame_pack(&frame, packed);
	if (pwrite(sink->index_fd, packed, sizeof(packed),
		   (off_t)(sink->frames * FRAME_BYTES)) != (ssize_t)sizeof(packed)) {
		sink->last_frame.offset = -1;
		return -1;
	}
	sink->frames++;
	sink->last_frame = frame;
	return 0;
}

/* As much as can be written of it; the rest is the caller's to count. */
static size_t write_log(struct sink *sink, const char *data, size_t bytes)
{
	size_t done = 0;

	while (done < bytes) {
		const ssize_t wrote = sys.write(sink->log_fd, data + done, bytes - done);

		if (wrote < 0 && errno == EINTR)
			continue;
		if (wrote <= 0)
			break;
		done += (size_t)wrote;
	}
	return done;
}

static void keep(struct sink *sink, struct shim *shim, size_t stream, size_t bytes)
{
	const int64_t room = sink->limit - sink->kept[0] - sink->kept[1];
	size_t wanted = bytes;
	size_t done = 0;

	if ((int64_t)wanted > room) {
		wanted = (size_t)room;
		sink->is_over = true;
	}
	if (wanted > 0 && make_files(sink, shim) == 0 && note_frame(sink, stream) == 0)
		done = write_log(sink, shim->buffer, wanted);
	digest_add(&sink->digest, shim->buffer, done);
	sink->kept[stream] += (int64_t)done;
	sink->dropped += (int64_t)(bytes - done);
}

bool sink_take(struct sink *sink, struct shim *shim, size_t stream)
{
	int *fd = &sink->pipe_fd[stream];
	const ssize_t got = *fd >= 0 ? sys.read(*fd, shim->buffer, SHIM_BUFFER_BYTES) : 0;

	if (got < 0 && (errno == EAGAIN || errno == EINTR))
		return false;
	if (got <= 0) {
		mem_auto_close(fd);
		*fd = -1;
		return false;
	}
	keep(sink, shim, stream, (size_t)got);
	return true;
}

/* The bytes, their frames, and the names of both. */
static void sync_files(const struct sink *sink, const struct shim *shim)
{
	AUTO_FREE char *dir = mem_strdup(sink->log_path);
	AUTO_FREE char *path = NULL;
	char *slash = strrchr(dir, '/');

	(void)sys.fdatasync(sink->log_fd);
	(void)sys.fdatasync(sink->index_fd);
	if (slash == NULL)
		return;
	*slash = '\0';
	path = file_join(shim->state_dir, dir);
	(void)file_sync_dir(path, NULL);
}

void sink_finish(struct sink *sink, struct shim *shim, int64_t fold_bytes)
{
	int *const fds[] = {&sink->pipe_fd[0], &sink->pipe_fd[1], &sink->log_fd,
			    &sink->index_fd};

	for (size_t stream = 0; stream < ARRAY_SIZE(STREAMS); stream++) {
		for (int i = 0; i < REST_READS_MAX && sink_take(sink, shim, stream); i++)
			;
	}
	if (sink->log_fd >= 0 && sink->kept[0] + sink->kept[1] > fold_bytes)
		sync_files(sink, shim);
	/* Files without a byte (the disk was full) are none. */
	if (sink->kept[0] + sink->kept[1] == 0 && sink->index_fd >= 0) {
		(void)unlinkat(shim->state_fd, sink->index_path, 0);
		(void)unlinkat(shim->state_fd, sink->log_path, 0);
	}
	for (size_t i = 0; i < ARRAY_SIZE(fds); i++) {
		mem_auto_close(fds[i]);
		*fds[i] = -1;
	}
}
