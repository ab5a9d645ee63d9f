/* spawnloop.c - the bare limit: posix_spawn(3) of one program, so many times, so many at
 * once, waited for and nothing else.
 *
 *     spawnloop COUNT PARALLEL PROGRAM [ARGUMENT ...]     prints processes a second */
#include <spawn.h>
#include <sys/wait.h>

#include "common/common.h"

int main(int argc, char **argv)
{
	char *environment[] = {NULL};
	int64_t count = 0;
	int64_t parallel = 0;
	int64_t running = 0;
	const int64_t from = clock_boot_us();

	if (argc < 4 || text_parse_int(argv[1], 1, INT32_MAX, &count) != 0 ||
	    text_parse_int(argv[2], 1, 10000, &parallel) != 0)
		return 2;
	for (int64_t started = 0; started < count || running > 0;) {
		pid_t pid = 0;

		if (started < count && running < parallel) {
			if (posix_spawn(&pid, argv[3], NULL, NULL, argv + 3, environment))
				return 1;
			started++;
			running++;
		} else if (waitpid(-1, NULL, 0) > 0) {
			running--;
		}
	}
	printf("%.0f\n", (double)count * 1e6 / (double)(clock_boot_us() - from));
	return 0;
}
