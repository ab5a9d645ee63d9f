/* mem.c - allocation that ends the process rather than fail. */
#include "common/mem.h"

#include "common/program.h"

#include <errno.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Temporary failure in the sense of the supervisors: start me again later. */

/* _exit and a bare write: atexit handlers and stdio may want memory themselves. */
static _Noreturn void out_of_memory(void)
{
	static const char words[] = "level=error ev=out_of_memory\n";
	const ssize_t ignored = write(STDERR_FILENO, words, sizeof(words) - 1);

	(void)ignored;
	_exit(EXIT_TEMPORARY);
}

static void *checked(void *block)
{
	if (block == NULL)
		out_of_memory();
	return block;
}

/* What malloc keeps for its own thread (tcache) calloc of glibc 2.36 does not look at, so
 * that small blocks are cleared by ourselves. Of large ones it knows which are clear. */
#define SMALL_BYTES ((size_t)1032)

void *mem_alloc(size_t bytes)
{
	if (bytes > SMALL_BYTES)
		return checked(calloc(1, bytes));
	void *const block = checked(malloc(bytes > 0 ? bytes : 1));

	memset(block, 0, bytes);
	return block;
}

void *mem_array(size_t count, size_t bytes)
{
	/* calloc checks the product; zero of anything is still a block to free. */
	if (count == 0 || bytes == 0)
		return mem_alloc(1);
	if (count <= SMALL_BYTES / bytes)
		return mem_alloc(count * bytes);
	return checked(calloc(count, bytes));
}

void *mem_grow(void *old, size_t bytes)
{
	return checked(realloc(old, bytes > 0 ? bytes : 1));
}

char *mem_strdup(const char *text)
{
	return text == NULL ? NULL : mem_strndup(text, strlen(text));
}

char *mem_strndup(const char *text, size_t length)
{
	if (length == SIZE_MAX)
		out_of_memory();
	char *const copy = checked(malloc(length + 1));

	if (length > 0)
		memcpy(copy, text, length);
	copy[length] = '\0';
	return copy;
}

char *mem_printf(const char *format, ...)
{
	char *text = NULL;
	va_list args;

	va_start(args, format);
	const int length = vasprintf(&text, format, args);

	va_end(args);
	if (length < 0)
		out_of_memory();
	return checked(text);
}

void mem_auto_free(const void *pointer_to_pointer)
{
	void *block = NULL;

	/* memcpy, since the variable may be of any pointer type. */
	memcpy(&block, pointer_to_pointer, sizeof(block));
	free(block);
}

void mem_auto_close(const int *fd)
{
	/* Scope ends right after a failure was noted: its errno must survive. */
	const int saved_errno = errno;

	if (*fd >= 0)
		close(*fd);
	errno = saved_errno;
}

void mem_close(int *fd)
{
	mem_auto_close(fd);
	*fd = -1;
}
