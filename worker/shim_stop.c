/* shim_stop.c - the one stop sequence, whatever its cause, as a table.
 *
 * TERM and CONT to the group; the grace; then everything, again and again, until wait4(2)
 * says that nobody is left. What lingers after the main process ended is killed without a
 * grace of its own. */
#include <signal.h>
#include <unistd.h>

#include "worker/cgroup.h"
#include "worker/kill_tree.h"
#include "worker/shim.h"

#define AGAIN_FIRST_US (10 * US_PER_MS)
#define AGAIN_LAST_US US_PER_S

void stop_init(struct stop *stop, const struct spec *spec, pid_t group)
{
	*stop = (struct stop){.phase = PHASE_RUN,
			      .group = group,
			      .is_group_ours = true,
			      .cgroup = spec->cgroup,
			      .grace_us = spec->kill_grace_us,
			      .again_us = AGAIN_FIRST_US};
	if (spec->timeout_us > 0)
		stop->deadline_us = clock_boot_us() + spec->timeout_us;
}

static void signal_group(const struct stop *stop, int signal)
{
	/* The leader is not reaped yet, so the number is still this group's. */
	if (stop->is_group_ours)
		(void)kill(-stop->group, signal);
}

static enum stop_phase do_nothing(struct stop *stop)
{
	return stop->phase;
}

/* One round of killing. Time passes between two rounds only when nobody dies. Most trees
 * are dead after the first; what multiplies is dead with its cgroup. */
static enum stop_phase do_kill(struct stop *stop)
{
	signal_group(stop, SIGKILL);
	if (stop->kills++ == 0 || stop->cgroup[0] == '\0' ||
	    cgroup_kill_others(stop->cgroup) != 0)
		kill_descendants();
	stop->deadline_us = clock_boot_us() + stop->again_us;
	if (stop->again_us < AGAIN_LAST_US)
		stop->again_us *= 2;
	return PHASE_KILL;
}

static enum stop_phase do_ask(struct stop *stop)
{
	if (stop->grace_us <= 0)
		return do_kill(stop);
	signal_group(stop, SIGTERM);
	signal_group(stop, SIGCONT);
	stop->deadline_us = clock_boot_us() + stop->grace_us;
	return PHASE_GRACE;
}

/* The main process is dead but not reaped: its group can be killed by number one last
 * time, which is all that most jobs with leftovers need. */
static enum stop_phase do_kill_group(struct stop *stop)
{
	signal_group(stop, SIGKILL);
	stop->is_group_ours = false;
	stop->deadline_us = 0;
	return PHASE_KILL;
}

struct reaction {
	enum stop_phase (*run)(struct stop *stop);
};

/* clang-format off */
static const struct reaction REACTIONS[STOP_PHASES][STOP_EVENTS] = {
	[PHASE_RUN] = {
		[EVENT_STOP]        = { do_ask },
		[EVENT_STOP_FORCE]  = { do_kill },
		[EVENT_TIMER]       = { do_ask },
		[EVENT_MAIN_ENDED]  = { do_kill_group },
		[EVENT_CHILD_ENDED] = { do_nothing },
	},
	[PHASE_GRACE] = {
		[EVENT_STOP]        = { do_nothing },
		[EVENT_STOP_FORCE]  = { do_kill },
		[EVENT_TIMER]       = { do_kill },
		[EVENT_MAIN_ENDED]  = { do_kill_group },
		[EVENT_CHILD_ENDED] = { do_nothing },
	},
	[PHASE_KILL] = {
		[EVENT_STOP]        = { do_nothing },
		[EVENT_STOP_FORCE]  = { do_nothing },
		[EVENT_TIMER]       = { do_kill },
		[EVENT_MAIN_ENDED]  = { do_kill_group },
		[EVENT_CHILD_ENDED] = { do_kill },
	},
};
/* clang-format on */

void stop_event(struct stop *stop, enum stop_event event, enum stop_reason reason)
{
	if (stop->reason == STOP_NONE && stop->phase == PHASE_RUN)
		stop->reason = reason;
	stop->phase = REACTIONS[stop->phase][event].run(stop);
}
