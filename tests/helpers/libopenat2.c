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

long syscall(long number, ...)
{
	static long (*real)(long number, ...);
	long argument[ARGUMENTS_MAX];
	va_list list;

	va_start(list, number);
	for (size_t i = 0; i < ARGUMENTS_MAX; i++)
		argument[i] = va_arg(list, long);
	va_end(list);
	if (number == SYS_openat2) {
		const struct open_how *how = (const struct open_how *)argument[2];
		return openat((int)argument[0], (const char *)argument[1],
			      (int)how->flags, (mode_t)how->mode);
	}
	if (!real)
		*(void **)&real = dlsym(RTLD_NEXT, "syscall");
	return real(number, argument[0], argument[1], argument[2], argument[3],
		    argument[4], argument[5]);
}
