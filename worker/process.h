/* process.h - looking at processes and signalling them, never by number alone.
 *
 * A process id may belong to somebody else a moment later. So whoever is not our own
 * unreaped child is signalled through a pidfd, opened first and compared afterwards: by
 * its start time, which proc(5) gives in clock ticks since boot. */
#ifndef REEVE_WORKER_PROCESS_H
#define REEVE_WORKER_PROCESS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* What /proc/<pid>/stat says (proc(5), fields 3 to 6 and 22). */
struct process {
	pid_t pid, parent, group, session;
	char state; /* 'Z': dead and not reaped */
	int64_t started;
};

/* 0, or -1: there is no such process. */
int process_look(pid_t pid, struct process *ret);

/* A pidfd of the process with this id that was started at `started` (0: whenever); -1
 * when it is gone. The caller closes. */
int process_open(pid_t pid, int64_t started);

/* Is the process of this pidfd still there and not dead? */
bool process_is_alive(int pidfd);

/* Sends `signal` with a value, as sigqueue(3) would. 0 or -1 with errno. */
int process_signal(int pidfd, int signal, uint32_t value);

/* Calls `visit` for each process of the machine, until it returns false. */
typedef bool process_visit_fn(void *context, const struct process *process);
void process_each(process_visit_fn *visit, void *context);

/* Does the environment that the process was started with hold all of these "NAME=value"
 * words? Only of processes of our own user. */
bool process_has_environment(pid_t pid, const char *const *words, size_t count);

#endif
