/* shim_reap.c - reaping the whole tree. An attempt is over when wait4(2) knows nobody. */
#include <errno.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "worker/shim.h"

#define BLOCK_BYTES 512 /* of ru_inblock and ru_oublock, see getrusage(2) */

static int64_t time_us(const struct timeval *time)
{
	return time->tv_sec * US_PER_S + time->tv_usec;
}

/* Each reaped process brings what itself and its reaped children used, so the sum counts
 * nobody twice. */
static void add_usage(struct attempt_end *end, const struct rusage *usage)
{
	const int64_t rss = usage->ru_maxrss * 1024;

	end->cpu_user_us += time_us(&usage->ru_utime);
	end->cpu_system_us += time_us(&usage->ru_stime);
	end->read_bytes += usage->ru_inblock * BLOCK_BYTES;
	end->written_bytes += usage->ru_oublock * BLOCK_BYTES;
	if (rss > end->max_rss_bytes)
		end->max_rss_bytes = rss;
}

static void reap_one(struct reaped *reaped, struct stop *stop, struct attempt_end *end,
		     pid_t pid)
{
	struct rusage usage = {0};
	int status = 0;

	/* Before it is reaped: until then its group's number is its own. */
	if (pid == reaped->main)
		stop_event(stop, EVENT_MAIN_ENDED, STOP_NONE);
	if (wait4(pid, &status, __WALL, &usage) != pid)
		return;
	add_usage(end, &usage);
	if (pid != reaped->main)
		return;
	reaped->is_main_ended = true;
	reaped->status = status;
	reaped->ended_at = clock_now_us();
}

void reap_all(struct reaped *reaped, struct stop *stop, struct attempt_end *end)
{
	for (;;) {
		siginfo_t info = {.si_pid = 0};

		if (waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT | __WALL) != 0) {
			reaped->is_all_ended = errno == ECHILD;
			return;
		}
		if (info.si_pid == 0)
			break;
		reap_one(reaped, stop, end, info.si_pid);
	}
	stop_event(stop, EVENT_CHILD_ENDED, STOP_NONE);
}
