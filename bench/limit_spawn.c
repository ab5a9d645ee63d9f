/* limit_spawn.c - how many processes a second this machine starts and reaps.
 *
 *   limit_spawn COUNT PARALLEL PROGRAM
 *
 * The bare loop: posix_spawn, at most PARALLEL alive, wait4. No pipes, no session, no
 * record, no queue: what a runner of no-op jobs can at best come near to. Prints starts a
 * second. */
#include <errno.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench/tools.h"

static void reap_one(void)
{
	int status;
	while (wait4(-1, &status, 0, NULL) < 0) {
		if (errno != EINTR)
			die("wait4");
	}
	if (status != 0) {
		fprintf(stderr, "limit_spawn: a child ended with status %d\n", status);
		exit(1);
	}
}

int main(int argc, char **argv)
{
	if (argc != 4) {
		fprintf(stderr, "usage: limit_spawn COUNT PARALLEL PROGRAM\n");
		return 2;
	}
	const int64_t count = number(argv[1], "COUNT", 1, 100000000);
	const int64_t parallel = number(argv[2], "PARALLEL", 1, 100000);
	char *const child_argv[] = {argv[3], NULL};
	const int64_t begin_ns = now_ns();
	int64_t alive = 0;
	for (int64_t i = 0; i < count; i++) {
		if (alive == parallel) {
			reap_one();
			alive--;
		}
		pid_t pid;
		errno = posix_spawn(&pid, argv[3], NULL, NULL, child_argv, environ);
		if (errno)
			die(argv[3]);
		alive++;
	}
	for (; alive > 0; alive--)
		reap_one();
	printf("%.1f\n", (double)count * 1e9 / (double)(now_ns() - begin_ns));
	return 0;
}
