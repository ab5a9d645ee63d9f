/* kill_tree.c - see kill_tree.h. */
#include "worker/kill_tree.h"

#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "worker/cgroup.h"
#include "worker/process.h"

#define LOOK_AGAIN_MS 10

struct count {
	pid_t self;
	int alive;
};

static bool kill_child(void *context, const struct process *process)
{
	struct count *count = context;

	if (process->parent != count->self || process->state == 'Z')
		return true;
	/* Our own child that nobody but us reaps: its number cannot be another's. */
	(void)kill(process->pid, SIGKILL);
	count->alive++;
	return true;
}

int kill_children(void)
{
	struct count count = {.self = getpid()};

	process_each(kill_child, &count);
	return count.alive;
}

/* --- without the shim --- */

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
			return true;
		if (clock_boot_us() >= until)
			return false;
		(void)poll(NULL, 0, LOOK_AGAIN_MS);
	}
}
