/* sys.c - the real system calls behind the seam. */
#include "common/sys.h"

#include <fcntl.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

/* openat(2) is variadic in the C library, so it needs a fixed shape of its own. */
static int real_openat(int dir_fd, const char *path, int flags, mode_t mode)
{
	return openat(dir_fd, path, flags, mode);
}

struct sys sys = {
	.openat = real_openat,
	.read = read,
	.write = write,
	.pread = pread,
	.fsync = fsync,
	.fdatasync = fdatasync,
	.renameat = renameat,
	.unlinkat = unlinkat,
	.pipe2 = pipe2,
	.clock_gettime = clock_gettime,
	.fork = fork,
};
