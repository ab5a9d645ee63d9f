/* shim_output.c - what the job wrote goes into its log.
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

static const enum output_stream STREAMS[] = {OUTPUT_STDOUT, OUTPUT_STDERR};

void sink_init(struct sink *sink, const struct spec *spec)
{
	memset(sink, 0, sizeof(*sink));
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

/* Nothing but so many whole frames. A file that cannot even be made shorter stays: its
 * readers count whole frames. */
static void cut_index(const struct sink *sink, int64_t frames)
{
	while (ftruncate(sink->index_fd, (off_t)(frames * FRAME_BYTES)) != 0 &&
	       errno == EINTR)
		;
}

/* Notes from which stream the next byte comes, if that is not known already. Frames are
 * only ever added: a reader may have seen the last one. */
static int note_frame(struct sink *sink, size_t stream)
{
	const int64_t end = sink->frames * FRAME_BYTES;
	const struct frame frame = {.at_us = clock_now_us(),
				    .offset = sink->kept[0] + sink->kept[1],
				    .stdout_bytes = sink->kept[0],
				    .stream = STREAMS[stream]};
	const struct frame *last = &sink->last_frame;
	uint8_t packed[FRAME_BYTES];

	if (last->offset >= 0 && last->stream == frame.stream &&
	    frame.at_us - last->at_us < FRAME_SPAN_US && frame.at_us >= last->at_us)
		return 0;
	frame_pack(&frame, packed);
	if (pwrite(sink->index_fd, packed, sizeof(packed), (off_t)end) !=
	    (ssize_t)sizeof(packed)) {
		cut_index(sink, sink->frames);
		return -1;
	}
	sink->frames++;
	sink->bare_frames++;
	sink->last_frame = frame;
	return 0;
}

/* Once the disk was full no frame is added before there is room for its bytes again, or
 * a job that goes on writing would fill the index with frames of nothing. */
static bool has_room(const struct sink *sink)
{
	const off_t end = (off_t)(sink->kept[0] + sink->kept[1]);

	return !sink->is_full ||
	       fallocate(sink->log_fd, FALLOC_FL_KEEP_SIZE, end, 1) == 0 ||
	       (errno != ENOSPC && errno != EDQUOT);
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

void sink_keep(struct sink *sink, struct shim *shim, size_t stream, size_t bytes)
{
	const int64_t room = sink->limit - sink->kept[0] - sink->kept[1];
	const size_t wanted = (int64_t)bytes > room ? (size_t)room : bytes;
	size_t done = 0;

	if (wanted > 0 && make_files(sink, shim) == 0 && has_room(sink) &&
	    note_frame(sink, stream) == 0)
		done = write_log(sink, shim->buffer, wanted);
	if (done > 0)
		sink->bare_frames = 0;
	sink->is_full = done < wanted;
	digest_add(&sink->digest, shim->buffer, done);
	sink->kept[stream] += (int64_t)done;
	sink->dropped += (int64_t)(bytes - done);
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
	const int64_t kept = sink->kept[0] + sink->kept[1];

	if (sink->bare_frames > 0)
		cut_index(sink, sink->frames - sink->bare_frames);
	if (sink->log_fd >= 0 && kept > fold_bytes)
		sync_files(sink, shim);
	/* Files without a byte (the disk was full) are none. */
	if (kept == 0 && sink->index_fd >= 0) {
		(void)unlinkat(shim->state_fd, sink->index_path, 0);
		(void)unlinkat(shim->state_fd, sink->log_path, 0);
	}
	mem_close(&sink->log_fd);
	mem_close(&sink->index_fd);
}
