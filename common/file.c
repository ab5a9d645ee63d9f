/* file.c - whole files, directories, locks. */
#include "common/file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/digest.h"
#include "common/mem.h"
#include "common/sys.h"
#include "common/text.h"

#define READ_BYTES ((size_t)65536)

int file_write_all(int fd, const void *data, size_t bytes)
{
	const char *at = data;

	while (bytes > 0) {
		const ssize_t written = sys.write(fd, at, bytes);

		if (written < 0 && errno == EINTR)
			continue;
		if (written < 0)
			return -1;
		if (written == 0) {
			/* No progress and no reason: trying on would be for ever. */
			errno = EIO;
			return -1;
		}
		at += written;
		bytes -= (size_t)written;
	}
	return 0;
}

ssize_t file_read_full(int fd, void *data, size_t bytes)
{
	char *const to = data;
	size_t done = 0;

	while (done < bytes) {
		const ssize_t got = sys.read(fd, to + done, bytes - done);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return -1;
		if (got == 0)
			break;
		done += (size_t)got;
	}
	return (ssize_t)done;
}

/* Appends what is left of `fd`. 0, or -1 with errno, EFBIG past the maximum. */
static int read_rest(int fd, struct buf *ret)
{
	for (;;) {
		const size_t room = ret->max - ret->length;
		const size_t want = room < READ_BYTES ? room : READ_BYTES;
		char beyond = 0;
		/* With no room left, a byte elsewhere tells the end from too much. */
		char *const to = want > 0 ? buf_reserve(ret, want) : &beyond;

		if (to == NULL) {
			errno = EFBIG;
			return -1;
		}
		const ssize_t got = file_read_full(fd, to, want > 0 ? want : 1);

		if (got <= 0)
			return (int)got;
		if (want == 0) {
			errno = EFBIG;
			return -1;
		}
		ret->length += (size_t)got;
	}
}

int file_read(int dir_fd, const char *path, struct buf *ret, struct err *err)
{
	const size_t length_before = ret->length;
	AUTO_CLOSE const int fd = sys.openat(dir_fd, path, O_RDONLY | O_CLOEXEC, 0);

	if (fd < 0)
		return err_sys(err, errno == ENOENT ? ERR_NOT_FOUND : ERR_INTERNAL, errno,
			       "cannot open %s", path);
	const int result = read_rest(fd, ret);
	const int saved_errno = errno;

	if (result != 0)
		ret->length = length_before;
	buf_seal(ret);
	if (result == 0)
		return 0;
	if (saved_errno == EFBIG)
		return err_set(err, ERR_TOO_LARGE, "%s is larger than %zu bytes", path,
			       ret->max - length_before);
	return err_sys(err, ERR_INTERNAL, saved_errno, "cannot read %s", path);
}

/* The directory part of a path, "." when it has none; the caller frees. */
static char *directory_of(const char *path)
{
	const char *const slash = strrchr(path, '/');

	if (slash == NULL)
		return mem_strdup(".");
	if (slash == path)
		return mem_strdup("/");
	return mem_strndup(path, (size_t)(slash - path));
}

/* "<dir>/.<name>.<random>": in the same directory, since rename(2) cannot leave a file
 * system, and never a name that another writer has. */
static char *temporary_name(const char *path)
{
	const char *const slash = strrchr(path, '/');
	const int dir_length = slash == NULL ? 0 : (int)(slash - path + 1);
	uint8_t noise[8];
	char suffix[2 * sizeof(noise) + 1];

	random_bytes(noise, sizeof(noise));
	text_hex(noise, sizeof(noise), suffix);
	return mem_printf("%.*s.%s.%s", dir_length, path, path + dir_length, suffix);
}

static int sync_dir_at(int dir_fd, const char *path, struct err *err)
{
	AUTO_CLOSE const int fd =
		sys.openat(dir_fd, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);

	if (fd < 0)
		return err_sys(err, ERR_INTERNAL, errno, "cannot open directory %s",
			       path);
	if (sys.fsync(fd) != 0)
		return err_sys(err, ERR_INTERNAL, errno, "cannot sync directory %s",
			       path);
	return 0;
}

/* The new content under the temporary name, on the disk. */
static int write_synced(int dir_fd, const char *path, const void *data, size_t bytes,
			mode_t mode, struct err *err)
{
	AUTO_CLOSE const int fd = sys.openat(
		dir_fd, path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);

	if (fd < 0)
		return err_sys(err, ERR_INTERNAL, errno, "cannot create %s", path);
	/* fchmod, since the mode is the caller's decision and not the umask's. */
	if (file_write_all(fd, data, bytes) != 0 || fchmod(fd, mode) != 0)
		return err_sys(err, ERR_INTERNAL, errno, "cannot write %s", path);
	if (sys.fsync(fd) != 0)
		return err_sys(err, ERR_INTERNAL, errno, "cannot sync %s", path);
	return 0;
}

int file_write_atomic(int dir_fd, const char *path, const void *data, size_t bytes,
		      mode_t mode, struct err *err)
{
	AUTO_FREE char *const temporary = temporary_name(path);
	AUTO_FREE char *const directory = directory_of(path);
	int result = write_synced(dir_fd, temporary, data, bytes, mode, err);

	if (result == 0 && sys.renameat(dir_fd, temporary, dir_fd, path) != 0)
		result = err_sys(err, ERR_INTERNAL, errno, "cannot replace %s", path);
	if (result != 0) {
		/* Best effort; a leftover is ugly, not wrong. */
		(void)sys.unlinkat(dir_fd, temporary, 0);
		return -1;
	}
	return sync_dir_at(dir_fd, directory, err);
}

/* 0 when `path` is a directory now, made or found. */
static int make_dir(const char *path, mode_t mode, struct err *err)
{
	struct stat status;

	if (mkdir(path, mode) == 0)
		return 0;
	const int saved_errno = errno;

	/* Read-only and foreign parents refuse before they say that it exists. */
	if (stat(path, &status) != 0)
		return err_sys(err, ERR_INTERNAL, saved_errno, "cannot make directory %s",
			       path);
	if (!S_ISDIR(status.st_mode))
		return err_set(err, ERR_INTERNAL, "%s is not a directory", path);
	return 0;
}

int file_make_dirs(const char *path, mode_t mode, struct err *err)
{
	AUTO_FREE char *const part = mem_strdup(path);

	for (char *at = part + (part[0] == '/'); *at != '\0'; at++) {
		if (*at != '/')
			continue;
		*at = '\0';
		if (make_dir(part, mode, err) != 0)
			return -1;
		*at = '/';
	}
	return make_dir(part, mode, err);
}

int file_sync_dir(const char *path, struct err *err)
{
	return sync_dir_at(AT_FDCWD, path, err);
}

int file_lock(const char *path, int *ret_fd, struct err *err)
{
	AUTO_CLOSE int fd =
		sys.openat(AT_FDCWD, path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	int result = 0;

	if (fd < 0)
		return err_sys(err, ERR_INTERNAL, errno, "cannot open lock %s", path);
	do
		result = flock(fd, LOCK_EX | LOCK_NB);
	while (result != 0 && errno == EINTR);
	if (result != 0 && errno == EWOULDBLOCK)
		return err_set(err, ERR_CONFLICT, "%s is locked by another process",
			       path);
	if (result != 0)
		return err_sys(err, ERR_INTERNAL, errno, "cannot lock %s", path);
	*ret_fd = fd;
	fd = -1;
	return 0;
}

char *file_join(const char *dir, const char *name)
{
	const size_t length = strlen(dir);
	const char *const slash = length > 0 && dir[length - 1] == '/' ? "" : "/";

	if (name[0] == '/')
		return mem_strndup(name, strlen(name));
	return mem_printf("%s%s%s", dir, slash, name);
}
