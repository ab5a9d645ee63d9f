/* path.c - paths that must stay below a directory.
 *
 * ".." is refused in words, before anything is looked at; links are followed to their
 * end, and only where that is counts. What comes back is the path without links, so that
 * the program is given the place that was judged. A link that is made afterwards can
 * still be met: hence the second look when the job starts. */
#include <errno.h>
#include <limits.h>
#include <sys/stat.h>

#include "tasks/definition.h"

#define QUOTE_BYTES 160

int path_tidy(const char *path, char **ret, struct err *err)
{
	const size_t length = strlen(path);
	AUTO_FREE char *tidy = mem_alloc(length + 2);
	size_t used = 0;

	if (path[0] != '/')
		return err_set(err, ERR_INVALID, "must begin with '/'");
	if (length >= PATH_MAX)
		return err_set(err, ERR_INVALID, "is longer than %d bytes", PATH_MAX - 1);
	if (text_has_control(path, length))
		return err_set(err, ERR_INVALID, "must not have control characters");
	for (const char *at = path; *at;) {
		const size_t part = strcspn(at, "/");

		if (part == 2 && at[0] == '.' && at[1] == '.')
			return err_set(err, ERR_INVALID, "must not have '..' in it");
		if (part && !(part == 1 && at[0] == '.')) {
			tidy[used++] = '/';
			memcpy(tidy + used, at, part);
			used += part;
		}
		at += part + (at[part] == '/');
	}
	if (!used)
		tidy[used++] = '/';
	*ret = tidy;
	tidy = NULL;
	return 0;
}

bool path_is_below(const char *path, const char *directory)
{
	const size_t length = strlen(directory);

	if (text_equal(directory, "/"))
		return path[0] == '/' && path[1];
	return text_has_prefix(path, directory) && path[length] == '/' &&
	       path[length + 1];
}

/* What the file system said about a path, in words for the caller. */
static int refuse(int saved_errno, struct err *err)
{
	switch (saved_errno) {
	case ENOENT:
		return err_set(err, ERR_INVALID, "is not there");
	case EACCES:
		return err_set(err, ERR_INVALID, "may not be looked at by the service");
	case ENOTDIR:
		return err_set(err, ERR_INVALID, "leads through a file");
	case ELOOP:
		return err_set(err, ERR_INVALID, "leads through links without end");
	case ENAMETOOLONG:
		return err_set(err, ERR_INVALID, "has a name that is too long");
	default:
		return err_set(err, ERR_INVALID, "cannot be looked at now: %s",
			       strerror(saved_errno));
	}
}

/* The longest beginning of `path` that is there: its length. A link counts as being
 * there, also one that leads nowhere. 0 or -1 with errno. */
static int existing(const char *path, size_t *ret)
{
	AUTO_FREE char *copy = mem_strdup(path);
	struct stat status;

	for (size_t length = strlen(copy); length > 1;) {
		if (!lstat(copy, &status)) {
			*ret = length;
			return 0;
		}
		if (errno != ENOENT)
			return -1;
		while (length > 1 && copy[length - 1] != '/')
			length--;
		if (length > 1)
			length--;
		copy[length] = '\0';
	}
	*ret = 1;
	return 0;
}

/* Follows what is there, and hangs the rest behind it. */
static int follow(const char *path, bool must_exist, char **ret, struct err *err)
{
	size_t length = strlen(path);
	AUTO_FREE char *beginning = NULL;
	AUTO_FREE char *real = NULL;

	if (!must_exist && existing(path, &length))
		return refuse(errno, err);
	beginning = mem_strndup(path, length);
	real = realpath(beginning, NULL);
	if (!real && errno == ENOENT && !must_exist)
		return err_set(err, ERR_INVALID, "is a link that leads nowhere");
	if (!real)
		return refuse(errno, err);
	if (path[length] && length == 1) /* "/" and a first name that is not there */
		*ret = mem_strdup(path);
	else
		*ret = mem_printf("%s%s", real, path + length);
	return 0;
}

int path_resolve(const char *path, const char *beneath, bool must_exist, char **ret,
		 struct err *err)
{
	AUTO_FREE char *real = NULL;
	AUTO_FREE char *root = NULL;

	if (beneath && !path_is_below(path, beneath))
		return err_set(err, ERR_INVALID, "must be below %.*s", QUOTE_BYTES,
			       beneath);
	if (!beneath && !must_exist) {
		*ret = mem_strdup(path);
		return 0;
	}
	if (follow(path, must_exist, &real, err))
		return -1;
	if (!beneath) {
		*ret = mem_strdup(path);
		return 0;
	}
	root = realpath(beneath, NULL);
	if (!root)
		return err_set(err, ERR_INVALID,
			       "must be below %.*s, which is not there now", QUOTE_BYTES,
			       beneath);
	if (!path_is_below(real, root))
		return err_set(err, ERR_INVALID, "leads out of %.*s by a link",
			       QUOTE_BYTES, beneath);
	*ret = real;
	real = NULL;
	return 0;
}
