/* mem.h - memory that is there or the process is not.
 *
 * A failed allocation ends the process with exit code 111: being killed is a path that
 * Reeve tests all the time, half-handled memory shortage is not. */
#ifndef REEVE_MEM_H
#define REEVE_MEM_H

#include <stddef.h>

/* `bytes` zeroed bytes, on the heap, never NULL. The caller frees with free(). */
void *mem_alloc(size_t bytes) __attribute__((returns_nonnull, malloc));

/* `count` zeroed elements of `bytes` each; ends the process when the product overflows.
 */
void *mem_array(size_t count, size_t bytes) __attribute__((returns_nonnull, malloc));

/* realloc that succeeds. New bytes are not cleared. */
void *mem_grow(void *old, size_t bytes) __attribute__((returns_nonnull));

/* A copy of a C string; NULL gives NULL. */
char *mem_strdup(const char *text);

/* A NUL-terminated copy of `length` bytes (which may contain NUL). */
char *mem_strndup(const char *text, size_t length) __attribute__((returns_nonnull));

/* printf onto the heap. */
char *mem_printf(const char *format, ...)
	__attribute__((format(printf, 1, 2), returns_nonnull));

/* Closes a descriptor that is one and makes it -1, so that it is never closed twice: the
 * number may be somebody else's by then. errno stays as it was. */
void mem_close(int *fd);

/* For cleanup attributes, and for nothing else: `AUTO_FREE char *text = ...;`,
 * `AUTO_CLOSE int fd = ...;` */
void mem_auto_free(const void *pointer_to_pointer);
void mem_auto_close(const int *fd);
#define AUTO_FREE __attribute__((cleanup(mem_auto_free)))
#define AUTO_CLOSE __attribute__((cleanup(mem_auto_close)))

/* Elements in a true array. */
#define ARRAY_SIZE(array) (sizeof(array) / sizeof((array)[0]))

#endif
