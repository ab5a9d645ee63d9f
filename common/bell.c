/* bell.c - the doorbell: Unix datagram sockets in one directory. */
#include "common/bell.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/file.h"
#include "common/mem.h"
#include "common/text.h"

/* The listing is thrown away after this long whatever the directory says. */
#define LISTING_KEPT_US US_PER_S
/* File times advance with the kernel's tick, at most 10 ms apart. A directory listed
 * within this of its last change may change once more without a trace. */
#define TIMESTAMP_STEP_US (20 * US_PER_MS)
/* Far more than a socket's queue holds: an end for bell_drain. */
#define DRAIN_MAX 65536

static char *bell_dir(const char *state_dir)
{
	return file_join(state_dir, "run/bell");
}

/* Fills the address of `name`. sun_path holds 107 bytes and state directories may be
 * deeper, so the directory is named by its descriptor. 0 or -1 (no name of ours is that
 * long). */
static int address_of(int dir_fd, const char *name, struct sockaddr_un *ret)
{
	*ret = (struct sockaddr_un){.sun_family = AF_UNIX};
	const int length = snprintf(ret->sun_path, sizeof(ret->sun_path),
				    "/proc/self/fd/%d/%s", dir_fd, name);

	return length < (int)sizeof(ret->sun_path) ? 0 : -1;
}

static int send_byte(int socket_fd, const struct sockaddr_un *address)
{
	return sendto(socket_fd, "!", 1, MSG_DONTWAIT | MSG_NOSIGNAL,
		      (const struct sockaddr *)address, sizeof(*address)) == 1
		       ? 0
		       : -1;
}

static int open_socket(void)
{
	return socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
}

/* Removes the socket if nobody is behind it. The caller holds the directory's lock, under
 * which alone sockets are bound: so it cannot be a new one. */
static void remove_if_stale(int socket_fd, int dir_fd, const char *name)
{
	struct sockaddr_un address;
	struct stat status;

	/* Anything that is no socket refuses connections too, but is not ours. */
	if (fstatat(dir_fd, name, &status, AT_SYMLINK_NOFOLLOW) != 0 ||
	    !S_ISSOCK(status.st_mode) || address_of(dir_fd, name, &address) != 0)
		return;
	if (send_byte(socket_fd, &address) != 0 && errno == ECONNREFUSED)
		(void)unlinkat(dir_fd, name, 0);
}

/* --- listening ------------------------------------------------------------------------
 */

static int lock_dir(int dir_fd, int operation)
{
	int result = 0;

	do
		result = flock(dir_fd, operation);
	while (result != 0 && errno == EINTR);
	return result;
}

static int bind_in(int dir_fd, const char *name, int *ret_fd, struct err *err)
{
	struct sockaddr_un address;
	AUTO_CLOSE int fd = open_socket();

	if (fd < 0)
		return err_sys(err, ERR_INTERNAL, errno, "cannot make a socket");
	/* Names with a dot in front are passed over by ringers, like "." itself. */
	if (name[0] == '\0' || name[0] == '.' || strchr(name, '/') != NULL ||
	    address_of(dir_fd, name, &address) != 0)
		return err_set(err, ERR_INTERNAL, "that is no name for a listener");
	/* The lock is let go when the caller closes the directory. */
	if (lock_dir(dir_fd, LOCK_EX) != 0)
		return err_sys(err, ERR_INTERNAL, errno, "cannot lock the directory");
	remove_if_stale(fd, dir_fd, name);
	if (bind(fd, (const struct sockaddr *)&address, sizeof(address)) != 0) {
		if (errno == EADDRINUSE)
			return err_set(err, ERR_CONFLICT, "somebody listens there");
		return err_sys(err, ERR_INTERNAL, errno, "cannot bind");
	}
	*ret_fd = fd;
	fd = -1;
	return 0;
}

int bell_listen(const char *state_dir, const char *name, int *ret_fd, struct err *err)
{
	AUTO_FREE char *const dir = bell_dir(state_dir);

	if (file_make_dirs(dir, 0700, err) != 0)
		return -1;
	AUTO_CLOSE const int dir_fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (dir_fd < 0)
		return err_sys(err, ERR_INTERNAL, errno, "cannot open %s", dir);
	if (bind_in(dir_fd, name, ret_fd, err) != 0)
		return err_wrap(err, "bell %s/%s", dir, name);
	return 0;
}

void bell_unlisten(const char *state_dir, const char *name)
{
	AUTO_FREE char *const dir = bell_dir(state_dir);
	AUTO_FREE char *const path = file_join(dir, name);

	(void)unlink(path);
}

int bell_drain(int fd)
{
	char byte = 0;
	int rang = 0;

	for (int i = 0; i < DRAIN_MAX; i++) {
		if (recv(fd, &byte, sizeof(byte), MSG_DONTWAIT) >= 0)
			rang = 1;
		else if (errno != EINTR)
			break;
	}
	return rang;
}

/* --- ringing --------------------------------------------------------------------------
 */

struct bell_ringer {
	pthread_mutex_t mutex;
	char *dir;
	int dir_fd; /* -1 while there is no directory */
	int socket_fd;
	char **names;
	size_t count;
	int64_t listed_boot_us; /* when the names were read */
	int64_t changed_us;	/* the directory's mtime then */
	bool is_settled;	/* no later change can have the same mtime */
	bool is_listed;
};

struct bell_ringer *bell_ringer_open(const char *state_dir)
{
	struct bell_ringer *const ringer = mem_alloc(sizeof(*ringer));

	pthread_mutex_init(&ringer->mutex, NULL);
	ringer->dir = bell_dir(state_dir);
	ringer->dir_fd = -1;
	ringer->socket_fd = open_socket();
	return ringer;
}

static void forget_names(struct bell_ringer *ringer)
{
	for (size_t i = 0; i < ringer->count; i++)
		free(ringer->names[i]);
	free(ringer->names);
	ringer->names = NULL;
	ringer->count = 0;
	ringer->is_listed = false;
}

static void forget_dir(struct bell_ringer *ringer)
{
	forget_names(ringer);
	if (ringer->dir_fd >= 0)
		close(ringer->dir_fd);
	ringer->dir_fd = -1;
}

void bell_ringer_close(struct bell_ringer *ringer)
{
	if (ringer == NULL)
		return;
	forget_dir(ringer);
	if (ringer->socket_fd >= 0)
		close(ringer->socket_fd);
	pthread_mutex_destroy(&ringer->mutex);
	free(ringer->dir);
	free(ringer);
}

static int64_t changed_us(const struct stat *status)
{
	return (int64_t)status->st_mtim.tv_sec * US_PER_S +
	       status->st_mtim.tv_nsec / 1000;
}

/* The directory is there and open; it may be made, removed and made again at any time. */
static bool has_dir(struct bell_ringer *ringer, struct stat *ret_status)
{
	if (ringer->dir_fd >= 0 &&
	    (fstat(ringer->dir_fd, ret_status) != 0 || ret_status->st_nlink == 0))
		forget_dir(ringer);
	if (ringer->dir_fd >= 0)
		return true;
	ringer->dir_fd = open(ringer->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return ringer->dir_fd >= 0 && fstat(ringer->dir_fd, ret_status) == 0;
}

static void read_names(struct bell_ringer *ringer, const struct stat *status)
{
	/* A stream of its own: fdopendir would take the descriptor away. */
	DIR *const stream = opendir(ringer->dir);
	const struct dirent *entry = NULL;

	forget_names(ringer);
	ringer->listed_boot_us = clock_boot_us();
	ringer->changed_us = changed_us(status);
	ringer->is_settled = clock_now_us() - ringer->changed_us > TIMESTAMP_STEP_US;
	if (stream == NULL)
		return;
	while ((entry = readdir(stream)) != NULL) {
		if (entry->d_type != DT_SOCK && entry->d_type != DT_UNKNOWN)
			continue;
		if (entry->d_name[0] == '.')
			continue;
		ringer->names = mem_grow(ringer->names,
					 (ringer->count + 1) * sizeof(*ringer->names));
		ringer->names[ringer->count++] = mem_strdup(entry->d_name);
	}
	closedir(stream);
	ringer->is_listed = true;
}

static bool is_fresh(const struct bell_ringer *ringer, const struct stat *status)
{
	return ringer->is_listed && ringer->is_settled &&
	       changed_us(status) == ringer->changed_us &&
	       clock_boot_us() - ringer->listed_boot_us < LISTING_KEPT_US;
}

static void ring_one(struct bell_ringer *ringer, const char *name)
{
	struct sockaddr_un address;

	if (address_of(ringer->dir_fd, name, &address) != 0 ||
	    send_byte(ringer->socket_fd, &address) == 0 || errno != ECONNREFUSED)
		return;
	/* Ringing never waits: whoever has the lock may clean up too, or the next ring.
	 */
	if (lock_dir(ringer->dir_fd, LOCK_EX | LOCK_NB) != 0)
		return;
	remove_if_stale(ringer->socket_fd, ringer->dir_fd, name);
	(void)lock_dir(ringer->dir_fd, LOCK_UN);
}

void bell_ring(struct bell_ringer *ringer, const char *except)
{
	struct stat status;

	pthread_mutex_lock(&ringer->mutex);
	if (has_dir(ringer, &status)) {
		if (!is_fresh(ringer, &status))
			read_names(ringer, &status);
		for (size_t i = 0; i < ringer->count; i++)
			if (!text_equal(ringer->names[i], except))
				ring_one(ringer, ringer->names[i]);
	}
	pthread_mutex_unlock(&ringer->mutex);
}
