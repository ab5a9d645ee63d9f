/* libopenat2.c - openat2(2) for programs under valgrind, which does not know it.
 *
 * Preloaded by bench/where. It opens as openat(2) does, without the promises of the real
 * one: good for counting instructions, and for nothing else. */
#include <dlfcn.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdarg.h>
#include <stddef.h>
#include <sys/syscall.h>
#include <unistd.h>

#define ARGUMENTS_MAX 6

static int open_plainly(va_list list)
{
	const int dir = va_arg(list, int);
	const char *path = va_arg(list, const char *);
	const struct open_how *how = va_arg(list, const struct open_how *);

	return openat(dir, path, (int)how->flags, (mode_t)how->mode);
}

/* glibc's own name of the first one is reserved. */
/* NOLINTNEXTLINE(readability-inconsistent-declaration-parameter-name) */
long syscall(long number, ...)
{
	static long (*real)(long number, ...);
	long argument[ARGUMENTS_MAX];
	va_list list;

	va_start(list, number);
	if (number == SYS_openat2) {
		const int fd = open_plainly(list);

		va_end(list);
		return fd;
	}
	for (size_t i = 0; i < ARGUMENTS_MAX; i++)
		argument[i] = va_arg(list, long);
	va_end(list);
	if (!real)
		*(void **)&real = dlsym(RTLD_NEXT, "syscall");
	return real(number, argument[0], argument[1], argument[2], argument[3],
		    argument[4], argument[5]);
}
