/* wire.c - specs and notices over the socket between a worker and its shim. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "worker/spec.h"

/* In front of each spec: which descriptors come along, in this order. */
struct spec_header {
	uint32_t spec_bytes; /* in the memfd; 0: the spec follows in this message */
	uint32_t has_stdin;
};

_Static_assert(SPEC_ROOM_BYTES >= sizeof(struct spec_header) + SPEC_INLINE_BYTES,
	       "each message fits");

#define FDS_MAX 2
union fd_control {
	char bytes[CMSG_SPACE(sizeof(int) * FDS_MAX)];
	struct cmsghdr align;
};

int memfd_of(const char *name, const void *data, size_t bytes)
{
	const int fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
	int saved = 0;

	if (fd < 0)
		return -1;
	if (file_write_all(fd, data, bytes) == 0 && lseek(fd, 0, SEEK_SET) == 0 &&
	    fcntl(fd, F_ADD_SEALS,
		  F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) == 0)
		return fd;
	saved = errno;
	close(fd);
	errno = saved;
	return -1;
}

static void attach_fds(struct msghdr *message, union fd_control *control, const int *fds,
		       size_t count)
{
	struct cmsghdr *head = NULL;

	if (count == 0)
		return;
	memset(control, 0, sizeof(*control));
	message->msg_control = control->bytes;
	message->msg_controllen = CMSG_SPACE(sizeof(int) * count);
	head = CMSG_FIRSTHDR(message);
	if (head == NULL)
		return;
	head->cmsg_level = SOL_SOCKET;
	head->cmsg_type = SCM_RIGHTS;
	head->cmsg_len = CMSG_LEN(sizeof(int) * count);
	memcpy(CMSG_DATA(head), fds, sizeof(int) * count);
}

int spec_send(int socket, const struct spec *spec, int stdin_fd, struct err *err)
{
	AUTO_BUF struct buf bytes = BUF_INIT(SPEC_BYTES_MAX);
	AUTO_CLOSE int memfd = -1;
	struct spec_header header = {.has_stdin = stdin_fd >= 0};
	union fd_control control;
	struct iovec parts[2] = {{.iov_base = &header, .iov_len = sizeof(header)}};
	struct msghdr message = {.msg_iov = parts, .msg_iovlen = 1};
	int fds[FDS_MAX];
	size_t count = 0;

	if (spec_encode(spec, &bytes) != 0)
		return err_set(err, ERR_TOO_LARGE, "the spec is too large");
	if (bytes.length > SPEC_INLINE_BYTES) {
		memfd = memfd_of("spec", bytes.data, bytes.length);
		if (memfd < 0)
			return err_sys(err, ERR_UNAVAILABLE, errno, "memfd_create");
		header.spec_bytes = (uint32_t)bytes.length;
		fds[count++] = memfd;
	} else {
		parts[message.msg_iovlen++] =
			(struct iovec){.iov_base = bytes.data, .iov_len = bytes.length};
	}
	if (stdin_fd >= 0)
		fds[count++] = stdin_fd;
	attach_fds(&message, &control, fds, count);
	if (sendmsg(socket, &message, MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
		return err_sys(err, ERR_UNAVAILABLE, errno, "sending to the shim");
	return 0;
}

/* Takes the descriptors that came along; -1 where there was none. */
static void detach_fds(struct msghdr *message, int ret[FDS_MAX])
{
	const struct cmsghdr *head = CMSG_FIRSTHDR(message);

	ret[0] = ret[1] = -1;
	if (head == NULL || head->cmsg_level != SOL_SOCKET ||
	    head->cmsg_type != SCM_RIGHTS)
		return;
	memcpy(ret, CMSG_DATA(head), head->cmsg_len - CMSG_LEN(0));
}

/* The spec's bytes from the memfd. */
static int decode_memfd(int fd, size_t bytes, struct spec *ret, struct err *err)
{
	AUTO_FREE char *data = NULL;

	if (fd < 0 || bytes > SPEC_BYTES_MAX)
		return err_set(err, ERR_INVALID, "a spec of %zu bytes", bytes);
	data = mem_alloc(bytes);
	if (lseek(fd, 0, SEEK_SET) != 0 ||
	    file_read_full(fd, data, bytes) != (ssize_t)bytes)
		return err_set(err, ERR_INVALID, "the spec is cut");
	return spec_decode(data, bytes, ret, err);
}

static int decode_message(const char *data, size_t bytes, struct msghdr *message,
			  struct spec *ret, int *ret_stdin_fd, struct err *err)
{
	struct spec_header header;
	int fds[FDS_MAX];
	int stdin_fd = -1;
	int result = -1;

	detach_fds(message, fds);
	if (bytes < sizeof(header) || (message->msg_flags & (MSG_TRUNC | MSG_CTRUNC))) {
		err_set(err, ERR_INVALID, "a cut message of %zu bytes", bytes);
		goto out;
	}
	memcpy(&header, data, sizeof(header));
	stdin_fd = header.has_stdin ? fds[header.spec_bytes > 0] : -1;
	if (header.has_stdin && stdin_fd < 0)
		err_set(err, ERR_INVALID, "the standard input did not come along");
	else if (header.spec_bytes > 0)
		result = decode_memfd(fds[0], header.spec_bytes, ret, err);
	else
		result = spec_decode(data + sizeof(header), bytes - sizeof(header), ret,
				     err);
out:
	for (size_t i = 0; i < FDS_MAX; i++) {
		if (fds[i] >= 0 && (result != 0 || fds[i] != stdin_fd))
			close(fds[i]);
	}
	if (result != 0)
		return -1;
	*ret_stdin_fd = stdin_fd;
	return 1;
}

int spec_receive(int socket, char *room, struct spec *ret, int *ret_stdin_fd,
		 struct err *err)
{
	union fd_control control;
	struct iovec part = {.iov_base = room, .iov_len = SPEC_ROOM_BYTES};
	struct msghdr message = {.msg_iov = &part,
				 .msg_iovlen = 1,
				 .msg_control = control.bytes,
				 .msg_controllen = sizeof(control.bytes)};
	ssize_t got = 0;

	do {
		got = recvmsg(socket, &message, MSG_CMSG_CLOEXEC);
	} while (got < 0 && errno == EINTR);
	if (got < 0)
		return errno == ECONNRESET
			       ? 0
			       : err_sys(err, ERR_INTERNAL, errno, "receiving a spec");
	if (got == 0)
		return 0;
	return decode_message(room, (size_t)got, &message, ret, ret_stdin_fd, err);
}

int notice_send(int socket, const struct notice *notice)
{
	const ssize_t sent =
		send(socket, notice, sizeof(*notice), MSG_DONTWAIT | MSG_NOSIGNAL);

	return sent == (ssize_t)sizeof(*notice) ? 0 : -1;
}

int notice_receive(int socket, struct notice *ret)
{
	const ssize_t got = recv(socket, ret, sizeof(*ret), MSG_DONTWAIT);

	if (got == (ssize_t)sizeof(*ret))
		return 1;
	return got < 0 && (errno == EAGAIN || errno == EINTR) ? 0 : -1;
}
