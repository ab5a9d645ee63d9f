/* daemoniser.c - a job that does everything to survive: ignores SIGTERM and leaves
 * daemonised grandchildren (double fork, setsid) that ignore it as well, one of them with
 * an empty environment so that no mark of the job is left on it.
 *
 *     daemoniser FILE [exit]     writes the process ids to FILE, one a line, when all are
 *                                there; then waits for ever, or exits with 7 at once */
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/common.h"

#define GRANDCHILDREN 3

static void wait_for_ever(void)
{
	for (;;)
		pause();
}

static void ignore_signals(void)
{
	(void)signal(SIGTERM, SIG_IGN);
	(void)signal(SIGHUP, SIG_IGN);
	(void)signal(SIGINT, SIG_IGN);
}

/* In the child: become a daemon, tell the pid, stay. */
static void daemonise(int report_fd, bool is_bare)
{
	char *argv[] = {NULL, NULL};
	char *environment[] = {NULL};
	char name[] = "daemoniser-bare";
	pid_t pid = 0;

	if (setsid() < 0 || fork() > 0)
		_exit(0);
	ignore_signals();
	pid = getpid();
	if (write(report_fd, &pid, sizeof(pid)) != (ssize_t)sizeof(pid))
		_exit(1);
	if (is_bare) {
		argv[0] = name;
		/* The pipe's end stays open on purpose. */
		execve("/proc/self/exe", argv, environment);
	}
	wait_for_ever();
}

static int write_file(const char *path, const pid_t *pids, size_t count)
{
	AUTO_BUF struct buf text = BUF_INIT(4096);

	for (size_t i = 0; i < count; i++)
		(void)buf_printf(&text, "%d\n", (int)pids[i]);
	return file_write_atomic(AT_FDCWD, path, text.data, text.length, 0600, NULL);
}

int main(int argc, char **argv)
{
	pid_t pids[GRANDCHILDREN + 1] = {getpid()};
	int ends[2];

	ignore_signals();
	if (argc < 2) /* the bare one */
		wait_for_ever();
	if (pipe(ends) != 0)
		return 1;
	for (int i = 0; i < GRANDCHILDREN; i++) {
		if (fork() == 0)
			daemonise(ends[1], i == 0);
	}
	for (int i = 0; i < GRANDCHILDREN; i++) {
		if (read(ends[0], &pids[i + 1], sizeof(pid_t)) != (ssize_t)sizeof(pid_t))
			return 1;
	}
	if (write_file(argv[1], pids, ARRAY_SIZE(pids)) != 0)
		return 1;
	if (argc > 2)
		return 7;
	wait_for_ever();
}
