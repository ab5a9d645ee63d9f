/* scratch.c - directories that a unit test may fill and that leave no trace. */
#include <fcntl.h>
#include <ftw.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/unit/unit.h"

char *scratch_make(void)
{
	const char *const parent = getenv("TMPDIR");
	char path[512];

	snprintf(path, sizeof(path), "%s/reeve-unit-XXXXXX",
		 parent == NULL ? "/tmp" : parent);
	assert_non_null(mkdtemp(path));
	return strdup(path);
}

static int remove_one(const char *path, const struct stat *status, int type,
		      struct FTW *walk)
{
	(void)status;
	(void)type;
	(void)walk;
	return remove(path);
}

void scratch_remove(char *path)
{
	nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS);
	free(path);
}

void scratch_file(const char *dir, const char *name, const char *content, unsigned mode)
{
	char path[4096];
	const size_t length = strlen(content);

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	const int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, content, length), (ssize_t)length);
	assert_int_equal(fchmod(fd, (mode_t)mode), 0);
	close(fd);
}
