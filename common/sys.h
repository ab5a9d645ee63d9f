/* sys.h - the seam: system calls that fail in interesting ways go through one table.
 *
 * Product code calls sys.open(...) and the like; a test replaces an entry to make the
 * n-th call fail or to set the time. Nothing else may write to it. */
#ifndef REEVE_SYS_H
#define REEVE_SYS_H

#include <stddef.h>
#include <sys/types.h>
#include <time.h>

struct sys {
	int (*openat)(int dir_fd, const char *path, int flags, mode_t mode);
	ssize_t (*read)(int fd, void *data, size_t bytes);
	ssize_t (*write)(int fd, const void *data, size_t bytes);
	ssize_t (*pread)(int fd, void *data, size_t bytes, off_t offset);
	int (*fsync)(int fd);
	int (*fdatasync)(int fd);
	int (*renameat)(int from_dir, const char *from, int to_dir, const char *to);
	int (*unlinkat)(int dir_fd, const char *path, int flags);
	int (*pipe2)(int fds[2], int flags);
	int (*clock_gettime)(clockid_t clock, struct timespec *ret);
	pid_t (*fork)(void);
};

extern struct sys sys;

#endif
