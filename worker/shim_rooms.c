/* shim_rooms.c - the large rooms that a shim works in: one mapping, made once.
 *
 *     child's stack | buffer | bolt
 *
 * There is one shim for each job that runs, and most jobs only run: so a page is taken
 * when it is first used, and given back when the job has begun and is waited for. */
#include <sys/mman.h>

#include "worker/shim.h"

#define CHILD_STACK_BYTES ((size_t)256 << 10)
/* What is used for a moment only; the bolt is not, it has to stay as it was sent. */
#define PASSING_BYTES (CHILD_STACK_BYTES + SHIM_BUFFER_BYTES)

int rooms_open(struct shim *shim)
{
	char *const start =
		mmap(NULL, PASSING_BYTES + (size_t)PIPE_NARROW_BYTES,
		     PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (start == MAP_FAILED)
		return -1;
	shim->rooms = start;
	shim->child_stack = start + CHILD_STACK_BYTES;
	shim->buffer = start + CHILD_STACK_BYTES;
	shim->bolt = start + PASSING_BYTES;
	return 0;
}

void rooms_give_back(const struct shim *shim)
{
	(void)madvise(shim->rooms, PASSING_BYTES, MADV_DONTNEED);
}

void rooms_close(struct shim *shim)
{
	(void)munmap(shim->rooms, PASSING_BYTES + (size_t)PIPE_NARROW_BYTES);
}
