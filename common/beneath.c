/* beneath.c - resolving names below a root, by openat2(2). */
#include "common/beneath.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "common/buf.h"
#include "common/file.h"
#include "common/mem.h"
#include "common/text.h"

/* openat2 says EAGAIN when something was renamed under its feet; more often than this in
 * a row is somebody doing it on purpose. */
#define RENAME_TRIES 64
/* How much of a caller's path comes back in the words for it. */
#define QUOTE_BYTES ((size_t)160)

static int quote_length(const char *text)
{
	const size_t length = strnlen(text, QUOTE_BYTES + 1);

	return (int)(length <= QUOTE_BYTES ? length : text_whole_utf8(text, QUOTE_BYTES));
}

static int open_resolved(int dir_fd, const char *path, uint64_t flags, uint64_t resolve)
{
	const struct open_how how = {.flags = flags | O_CLOEXEC, .resolve = resolve};
	long fd = -1;

	for (int i = 0; i < RENAME_TRIES; i++) {
		fd = syscall(SYS_openat2, dir_fd, path, &how, sizeof(how));
		if (fd >= 0 || (errno != EAGAIN && errno != EINTR))
			break;
	}
	return (int)fd;
}

/* --- names ----------------------------------------------------------------------------
 */

/* The path without empty and "." components; ERR_INVALID with ".." in it, or when it
 * cannot name a file. The caller frees. */
static char *tidy(const char *command, struct err *err)
{
	const size_t length = strlen(command);

	if (length == 0 || command[length - 1] == '/' || length >= PATH_MAX) {
		err_set(err, ERR_INVALID, "the command must be the path of a program");
		return NULL;
	}
	AUTO_FREE char *path = mem_alloc(length + 1);
	size_t used = 0;

	for (const char *at = command; *at != '\0';) {
		const size_t part = strcspn(at, "/");

		if (part == 2 && at[0] == '.' && at[1] == '.') {
			err_set(err, ERR_INVALID,
				"'..' is not allowed in a command: %.*s",
				quote_length(command), command);
			return NULL;
		}
		if (part > 0 && !(part == 1 && at[0] == '.')) {
			if (used > 0 || command[0] == '/')
				path[used++] = '/';
			memcpy(path + used, at, part);
			used += part;
		}
		at += part + (at[part] == '/');
	}
	if (used == 0) {
		err_set(err, ERR_INVALID, "the command must be the path of a program");
		return NULL;
	}
	char *const result = path;

	path = NULL;
	return result;
}

/* The part of `path` below the root, by component: /usr/binx is not below /usr/bin. NULL
 * when it is not below. A relative path is below every root. */
static const char *rest_below(const struct exec_root *root, const char *path)
{
	size_t length = strlen(root->path);

	if (path[0] != '/')
		return path;
	while (length > 0 && root->path[length - 1] == '/')
		length--;
	if (strncmp(path, root->path, length) != 0 || path[length] != '/')
		return NULL;
	return path + length + 1;
}

/* "/usr/local/bin, /usr/bin, /bin": what the caller may choose from. */
static void list_roots(const struct exec_roots *roots, struct buf *ret)
{
	for (size_t i = 0; i < roots->count; i++) {
		if (i > 0)
			buf_append_text(ret, ", ");
		buf_append_text(ret, roots->item[i].path);
	}
}

/* --- the file -------------------------------------------------------------------------
 */

/* What stood in the way of one candidate. The later in this list, the more it tells, so
 * that of several roots the best reason is reported. */
enum obstacle {
	OBSTACLE_NONE,
	OBSTACLE_NOT_THERE,
	OBSTACLE_DENIED,
	OBSTACLE_LINK,
	OBSTACLE_NOT_REGULAR,
	OBSTACLE_NOT_EXECUTABLE,
	OBSTACLE_SYSTEM,
};

static const char *const obstacle_words[] = {
	[OBSTACLE_NONE] = "",
	[OBSTACLE_NOT_THERE] = "there is no such program",
	[OBSTACLE_DENIED] = "the service may not look there",
	[OBSTACLE_LINK] = "a link on the way leads out of the directory",
	[OBSTACLE_NOT_REGULAR] = "it is not a regular file",
	[OBSTACLE_NOT_EXECUTABLE] = "the service may not execute it",
	[OBSTACLE_SYSTEM] = "it cannot be opened now",
};

static enum obstacle obstacle_of_errno(int saved_errno)
{
	switch (saved_errno) {
	case ENOENT:
	case ENOTDIR:
	case ENAMETOOLONG:
		return OBSTACLE_NOT_THERE;
	case EACCES:
		return OBSTACLE_DENIED;
	case EXDEV:
	case ELOOP:
		return OBSTACLE_LINK;
	default:
		return OBSTACLE_SYSTEM;
	}
}

/* Without faccessat2 (Linux 5.8) the mode bits have to do: an answer that is too kind
 * here is corrected by execveat itself. */
static bool is_executable(int fd, const struct stat *status)
{
	if (faccessat(fd, "", X_OK, AT_EACCESS | AT_EMPTY_PATH) == 0)
		return true;
	if (errno != EINVAL && errno != ENOSYS)
		return false;
	return (status->st_mode & (S_IXUSR | S_IXGRP | S_IXOTH)) != 0;
}

/* O_PATH first: opening for reading would hang at a pipe and wake devices. */
static enum obstacle open_below(const struct exec_root *root, const char *rest,
				int *ret_fd)
{
	AUTO_CLOSE const int root_fd = open(root->path[0] == '\0' ? "/" : root->path,
					    O_PATH | O_DIRECTORY | O_CLOEXEC);
	const uint64_t resolve =
		RESOLVE_NO_MAGICLINKS | (root->follow_links ? 0 : RESOLVE_BENEATH);
	struct stat status;

	if (root_fd < 0)
		return obstacle_of_errno(errno);
	AUTO_CLOSE int fd = open_resolved(root_fd, rest, O_PATH, resolve);

	if (fd < 0)
		return obstacle_of_errno(errno);
	if (fstat(fd, &status) != 0)
		return OBSTACLE_SYSTEM;
	if (!S_ISREG(status.st_mode))
		return OBSTACLE_NOT_REGULAR;
	if (!is_executable(fd, &status))
		return OBSTACLE_NOT_EXECUTABLE;
	*ret_fd = fd;
	fd = -1;
	return OBSTACLE_NONE;
}

/* The same file open for reading, so that its first line can be looked at, if it may be
 * read; else the O_PATH descriptor itself, which execveat takes too. The name in /proc
 * stands for the file that was checked, not for its path. */
static int open_readable(int path_fd)
{
	char name[sizeof("/proc/self/fd/-2147483648")];

	snprintf(name, sizeof(name), "/proc/self/fd/%d", path_fd);
	const int fd = open(name, O_RDONLY | O_NOCTTY | O_CLOEXEC);

	if (fd < 0)
		return path_fd;
	close(path_fd);
	return fd;
}

static int refuse(const struct exec_roots *roots, const char *command, bool is_below,
		  enum obstacle obstacle, int saved_errno, struct err *err)
{
	AUTO_BUF struct buf list = BUF_INIT(256);

	list_roots(roots, &list);
	if (!is_below)
		return err_set(err, ERR_INVALID,
			       "programs are run from %s only, not %.*s",
			       roots->count > 0 ? buf_text(&list) : "nowhere",
			       quote_length(command), command);
	if (obstacle == OBSTACLE_SYSTEM)
		return err_sys(err, ERR_INTERNAL, saved_errno, "cannot open %.*s",
			       quote_length(command), command);
	return err_set(err, ERR_INVALID, "cannot run %.*s: %s (looked below %s)",
		       quote_length(command), command, obstacle_words[obstacle],
		       buf_text(&list));
}

int beneath_open_program(const struct exec_roots *roots, const char *command, int *ret_fd,
			 char **ret_path, struct err *err)
{
	AUTO_FREE char *const path = tidy(command, err);
	enum obstacle worst = OBSTACLE_NONE;
	bool is_below = false;
	int saved_errno = 0;

	if (path == NULL)
		return -1;
	for (size_t i = 0; i < roots->count; i++) {
		const struct exec_root *const root = &roots->item[i];
		const char *const rest = rest_below(root, path);
		int fd = -1;

		if (rest == NULL)
			continue;
		is_below = true;
		const enum obstacle obstacle = open_below(root, rest, &fd);

		if (obstacle == OBSTACLE_NONE) {
			if (ret_path != NULL)
				*ret_path = file_join(root->path, rest);
			if (ret_fd != NULL)
				*ret_fd = open_readable(fd);
			else
				close(fd);
			return 0;
		}
		if (obstacle > worst) {
			worst = obstacle;
			saved_errno = errno;
		}
	}
	return refuse(roots, command, is_below, worst, saved_errno, err);
}

int beneath_open_dir(const char *path, int *ret_fd, struct err *err)
{
	if (path[0] != '/')
		return err_set(err, ERR_INVALID, "a directory is named from / on: %.*s",
			       quote_length(path), path);
	const int fd = open_resolved(AT_FDCWD, path, O_PATH | O_DIRECTORY,
				     RESOLVE_NO_MAGICLINKS);

	if (fd < 0) {
		const bool is_system = obstacle_of_errno(errno) == OBSTACLE_SYSTEM;

		return err_sys(err, is_system ? ERR_INTERNAL : ERR_INVALID, errno,
			       "cannot use directory %.*s", quote_length(path), path);
	}
	*ret_fd = fd;
	return 0;
}
