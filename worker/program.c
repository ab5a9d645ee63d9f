/* program.c - see program.h. */
#include "worker/program.h"

#include <errno.h>
#include <libgen.h>
#include <limits.h>
#include <unistd.h>

char *program_find(const char *name, struct err *err)
{
	static const char *const PLACES[] = {"", "../libexec/reeve/"};
	char self[PATH_MAX];
	const ssize_t length = readlink("/proc/self/exe", self, sizeof(self) - 1);

	if (length <= 0) {
		err_sys(err, ERR_INTERNAL, errno, "/proc/self/exe");
		return NULL;
	}
	self[length] = '\0';
	const char *dir = dirname(self);

	for (size_t i = 0; i < ARRAY_SIZE(PLACES); i++) {
		char *path = mem_printf("%s/%s%s", dir, PLACES[i], name);

		if (access(path, X_OK) == 0)
			return path;
		free(path);
	}
	err_set(err, ERR_NOT_FOUND, "no %s beside %s", name, dir);
	return NULL;
}
