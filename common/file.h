/* file.h - whole files, directories and locks, with errors that name the path. */
#ifndef REEVE_FILE_H
#define REEVE_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "common/buf.h"
#include "common/err.h"

/* Writes all of it, through short writes and EINTR. 0 or -1 with errno. */
int file_write_all(int fd, const void *data, size_t bytes);

/* Reads up to `bytes` until that many or the end. The count, or -1 with errno. */
ssize_t file_read_full(int fd, void *data, size_t bytes);

/* Appends the file's content to `ret`; ERR_TOO_LARGE past the buffer's maximum,
 * ERR_NOT_FOUND when there is no such file. */
int file_read(int dir_fd, const char *path, struct buf *ret, struct err *err);

/* Creates or replaces `path` so that it has the old or the new content, never a part,
 * also after power loss: temporary file in the same directory, fsync, rename, fsync of
 * the directory. */
int file_write_atomic(int dir_fd, const char *path, const void *data, size_t bytes,
		      mode_t mode, struct err *err);

/* mkdir -p with `mode` for what is made. An existing directory is fine. */
int file_make_dirs(const char *path, mode_t mode, struct err *err);

/* fsync of the directory itself (so that a created name survives power loss). */
int file_sync_dir(const char *path, struct err *err);

/* Opens (creating with 0600) and takes an exclusive flock(2) without waiting. The
 * descriptor, to be held for as long as the lock; -1 with ERR_CONFLICT when somebody has
 * it. */
int file_lock(const char *path, int *ret_fd, struct err *err);

/* "<dir>/<name>", or `name` itself when it is absolute; the caller frees. */
char *file_join(const char *dir, const char *name) __attribute__((returns_nonnull));

#endif
