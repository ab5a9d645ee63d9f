/* kill_tree.c - see kill_tree.h. */
#include "worker/kill_tree.h"

#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "worker/cgroup.h"
#include "worker/process.h"

#define LOOK_AGAIN_MS 10

/* --- by the shim --- */

#define PIDS_MAX (1 << 22) /* PID_MAX_LIMIT of a 64-bit kernel */

struct family {
	pid_t self;
	uint8_t *has; /* a bit a process id: ourselves and descendants seen so far */
};

static bool family_has(const struct family *family, pid_t pid)
{
	return pid > 0 && pid < PIDS_MAX && (family->has[pid / 8] >> (pid % 8) & 1) != 0;
}

/* /proc lists by number, and children mostly have higher ones than their parents, so one
 * pass meets nearly all. Whoever it misses becomes our child when its parent is dead. */
static bool kill_member(void *context, const struct process *process)
{
	struct family *family = context;
	int pidfd = -1;

	if (!family_has(family, process->parent) || process->pid >= PIDS_MAX)
		return true;
	family->has[process->pid / 8] |= (uint8_t)(1U << (process->pid % 8));
	if (process->state == 'Z')
		return true;
	if (process->parent == family->self) {
		/* Nobody but us reaps it: its number cannot be another's. */
		(void)kill(process->pid, SIGKILL);
		return true;
	}
	pidfd = process_open(process->pid, process->started);
	if (pidfd >= 0) {
		(void)process_signal(pidfd, SIGKILL, 0);
		close(pidfd);
	}
	return true;
}

void kill_descendants(void)
{
	struct family family = {.self = getpid()};

	family.has = mem_alloc(PIDS_MAX / 8);
	family.has[family.self / 8] |= (uint8_t)(1U << (family.self % 8));
	process_each(kill_member, &family);
	free(family.has);
}

/* --- by the worker, without the shim --- */

struct hunt {
	const struct remains *remains;
	char job_word[64], attempt_word[32];
	pid_t self;
	int alive;
};

/* Is this the job's main process, or of its session or group? The number of the session
 * stays taken while anybody is in it, but may be reused afterwards: whoever is older than
 * the main process is somebody else. */
static bool is_of_session(const struct journal *journal, const struct process *process)
{
	if (!journal->has_process || journal->pid <= 0)
		return false;
	if (process->session != journal->pid && process->group != journal->pid)
		return false;
	if (process->pid == journal->pid)
		return process->started == journal->pid_started;
	return process->started >= journal->pid_started;
}

static bool is_orphan(const struct hunt *hunt, const struct process *process)
{
	return process->parent == hunt->self && hunt->remains->is_kept != NULL &&
	       !hunt->remains->is_kept(hunt->remains->context, process->pid);
}

static bool is_remains(const struct hunt *hunt, const struct process *process)
{
	const char *const words[] = {hunt->job_word, hunt->attempt_word};

	if (process->pid == hunt->self || process->pid == 1 || process->state == 'Z')
		return false;
	return is_of_session(hunt->remains->journal, process) ||
	       is_orphan(hunt, process) ||
	       process_has_environment(process->pid, words, ARRAY_SIZE(words));
}

static bool kill_remaining(void *context, const struct process *process)
{
	struct hunt *hunt = context;
	int pidfd = -1;

	if (!is_remains(hunt, process))
		return true;
	/* Opened, then compared: it is still the one that was looked at. */
	pidfd = process_open(process->pid, process->started);
	if (pidfd < 0)
		return true;
	hunt->alive++;
	(void)process_signal(pidfd, SIGKILL, 0);
	close(pidfd);
	return true;
}

bool kill_remains(const struct remains *remains, int64_t wait_us)
{
	const int64_t until = clock_boot_us() + wait_us;
	const char *cgroup = remains->journal->cgroup;
	struct hunt hunt = {.remains = remains, .self = getpid()};

	snprintf(hunt.job_word, sizeof(hunt.job_word), "REEVE_JOB_ID=%s",
		 remains->job_id);
	snprintf(hunt.attempt_word, sizeof(hunt.attempt_word), "REEVE_ATTEMPT=%d",
		 remains->number);
	if (cgroup[0] != '\0')
		(void)cgroup_kill(cgroup, wait_us);
	for (;;) {
		hunt.alive = 0;
		process_each(kill_remaining, &hunt);
		if (hunt.alive == 0)
			break;
		if (clock_boot_us() >= until)
			return false;
		(void)poll(NULL, 0, LOOK_AGAIN_MS);
	}
	if (cgroup[0] != '\0')
		cgroup_remove(cgroup);
	return true;
}
