/* beneath.h - opening programs and directories so that no name leads out of its root.
 *
 * The kernel resolves the name once (openat2(2) with RESOLVE_BENEATH and
 * RESOLVE_NO_MAGICLINKS) and we keep the descriptor: there is no moment between a check
 * and a use in which a link could be swapped. */
#ifndef REEVE_BENEATH_H
#define REEVE_BENEATH_H

#include <stdbool.h>
#include <stddef.h>

#include "common/err.h"

/* One directory below which programs may be run. */
struct exec_root {
	char *path;	   /* absolute, without a slash at the end */
	bool follow_links; /* a link in the root may point out of it; ".." never */
};

struct exec_roots {
	struct exec_root *item;
	size_t count;
};

/* Finds and opens the program that `command` names: an absolute path below one of the
 * roots (by path component), or a relative one tried under each root in turn. It must be
 * a regular file with an execute bit that this process may use. ret_fd    open for
 * execveat(2), O_CLOEXEC; the caller closes. May be NULL: only check. ret_path
 * "<root>/<rest>", heap; the caller frees. May be NULL. Errors: ERR_INVALID with words
 * fit for the caller: not below any root, no such program, not a regular file, not
 * executable, ".." in the path. */
int beneath_open_program(const struct exec_roots *roots, const char *command, int *ret_fd,
			 char **ret_path, struct err *err);

/* Opens `path` (absolute) as a directory, O_PATH. ERR_INVALID when it is none. */
int beneath_open_dir(const char *path, int *ret_fd, struct err *err);

#endif
