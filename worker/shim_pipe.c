/* shim_pipe.c - one of the job's two pipes: its room, its packets, its bolt, its bytes.
 *
 * What is done with them, and when, is decided in shim_pipes.c. */
#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/random.h>
#include <unistd.h>

#include "worker/shim.h"

/* --- how it is made --- */

void pipe_set_packets(const struct pipe_ends *ends, bool is_packets)
{
	/* The flags are the job's too: nothing else of them is touched. */
	const int flags = fcntl(ends->write_fd, F_GETFL);
	const int wanted = is_packets ? flags | O_DIRECT : flags & ~O_DIRECT;

	if (flags >= 0 && wanted != flags)
		(void)fcntl(ends->write_fd, F_SETFL, wanted);
}

bool pipe_set_room(const struct pipe_ends *ends, int bytes)
{
	return fcntl(ends->read_fd, F_SETPIPE_SZ, bytes) == bytes;
}

bool pipe_is_narrow(const struct pipe_ends *ends)
{
	return fcntl(ends->read_fd, F_GETPIPE_SZ) == PIPE_NARROW_BYTES;
}

bool pipe_is_waiting(const struct pipe_ends *ends)
{
	return (fcntl(ends->write_fd, F_GETFL) & O_NONBLOCK) == 0;
}

bool pipe_is_ours(const struct pipe_ends *ends)
{
	const int flags = fcntl(ends->write_fd, F_GETFL) & (O_NONBLOCK | O_DIRECT);

	return flags == O_DIRECT && pipe_is_narrow(ends);
}

int pipe_watch(const struct pipes *pipes, size_t stream, int operation, uint32_t events)
{
	struct epoll_event event = {.events = EPOLLIN | events,
				    .data.u32 = (uint32_t)stream};

	return epoll_ctl(pipes->shim->epoll_fd, operation, pipes->ends[stream].read_fd,
			 &event);
}

int pipe_open(struct pipes *pipes, size_t stream)
{
	struct pipe_ends *ends = &pipes->ends[stream];
	int fds[2];

	if (sys.pipe2(fds, O_CLOEXEC | O_DIRECT) != 0)
		return -1;
	ends->read_fd = fds[0];
	ends->write_fd = fds[1];
	if (fcntl(ends->read_fd, F_SETFL, O_NONBLOCK) != 0 ||
	    !pipe_set_room(ends, PIPE_NARROW_BYTES))
		return -1;
	return pipe_watch(pipes, stream, EPOLL_CTL_ADD, EPOLLET);
}

/* --- the bolt --- */

/* A whole page, so that it never fits behind what the job has begun through a descriptor
 * without O_DIRECT; a packet, so that nothing is put behind it. It is there alone or not
 * at all. */
#define BOLT_RANDOM_BYTES 32

static int make_bolt(struct pipes *pipes)
{
	char *bolt = pipes->shim->bolt;

	if (pipes->has_bolt)
		return 0;
	memset(bolt, 0, (size_t)PIPE_NARROW_BYTES);
	if (getrandom(bolt, BOLT_RANDOM_BYTES, 0) != BOLT_RANDOM_BYTES)
		return -1;
	pipes->has_bolt = true;
	return 0;
}

/* A descriptor of our own that does not wait, while the job's does. */
static int open_bolt(struct pipe_ends *ends)
{
	char path[32];

	if (ends->bolt_fd >= 0)
		return 0;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", ends->write_fd);
	ends->bolt_fd = open(path, O_WRONLY | O_NONBLOCK | O_CLOEXEC);
	/* open(2) itself refuses O_DIRECT here. */
	if (ends->bolt_fd >= 0 &&
	    fcntl(ends->bolt_fd, F_SETFL, O_NONBLOCK | O_DIRECT) != 0) {
		close(ends->bolt_fd);
		ends->bolt_fd = -1;
	}
	return ends->bolt_fd >= 0 ? 0 : -1;
}

bool pipe_bolt(struct pipes *pipes, size_t stream)
{
	struct pipe_ends *ends = &pipes->ends[stream];
	const size_t bolt = (size_t)PIPE_NARROW_BYTES;

	if (make_bolt(pipes) != 0 || open_bolt(ends) != 0)
		return false;
	ends->is_bolted =
		sys.write(ends->bolt_fd, pipes->shim->bolt, bolt) == (ssize_t)bolt;
	return ends->is_bolted;
}

/* The bolt is a packet, so it ends what one read gives. Usually it is all of that; bytes
 * of the job are before or after it only if the job made the pipe larger meanwhile. */
static size_t without_bolt(struct pipes *pipes, size_t stream, size_t bytes)
{
	const size_t bolt = (size_t)PIPE_NARROW_BYTES;

	if (!pipes->ends[stream].is_bolted || bytes < bolt ||
	    memcmp(pipes->shim->buffer + bytes - bolt, pipes->shim->bolt, bolt) != 0)
		return bytes;
	pipes->ends[stream].is_bolted = false;
	return bytes - bolt;
}

/* --- taking --- */

void pipe_list_anew(struct pipes *pipes, size_t stream)
{
	(void)pipe_watch(pipes, stream, EPOLL_CTL_DEL, EPOLLET);
	(void)pipe_take(pipes, stream);
	/* What was put in since is seen by this; what comes later, by its wake-up. */
	(void)pipe_watch(pipes, stream, EPOLL_CTL_ADD, EPOLLET);
}

size_t pipe_fetch(struct pipes *pipes, size_t stream)
{
	const ssize_t got = sys.read(pipes->ends[stream].read_fd, pipes->shim->buffer,
				     SHIM_BUFFER_BYTES);

	return got > 0 ? (size_t)got : 0;
}

void pipe_keep(struct pipes *pipes, size_t stream, size_t fetched)
{
	const size_t bytes = without_bolt(pipes, stream, fetched);

	if (bytes > 0)
		sink_keep(pipes->sink, pipes->shim, stream, bytes);
}

size_t pipe_take(struct pipes *pipes, size_t stream)
{
	const size_t fetched = pipe_fetch(pipes, stream);

	pipe_keep(pipes, stream, fetched);
	return fetched;
}

void pipe_take_rest(struct pipes *pipes, size_t stream)
{
	int reads = 0;

	if (pipe_take(pipes, stream) == 0)
		return;
	reads = fcntl(pipes->ends[stream].read_fd, F_GETPIPE_SZ) / PIPE_NARROW_BYTES;
	while (reads-- > 0 && pipe_take(pipes, stream) > 0)
		;
}

void pipe_unbolt(struct pipes *pipes, size_t stream)
{
	if (!pipes->ends[stream].is_bolted)
		return;
	if (pipe_take(pipes, stream) > 0 && !pipes->ends[stream].is_bolted)
		return;
	pipe_take_rest(pipes, stream);
	pipes->ends[stream].is_bolted = false;
}
