/* prune.c - letting go of what is old, a little at a time, when nothing else is to do.
 *
 * A step takes some milliseconds; after each we rest twice as long, and longer while jobs
 * start and end, but never longer than PATIENCE_US, so that a service that is never idle
 * gets rid of its history as well. Whatever ends the worker in between, the next one goes
 * on. */
#include "worker/supervise.h"

#define REST_LEAST_US (5 * US_PER_MS)
#define PATIENCE_US (200 * US_PER_MS)
#define AGAIN_US (60 * US_PER_S) /* after a failure */
#define SWEEP_EVERY_US (24 * 3600 * US_PER_S)

void prune_reset(struct supervisor *supervisor)
{
	struct pruning *pruning = &supervisor->pruning;

	retention_close(pruning->retention);
	sweep_close(pruning->sweep);
	pruning->retention = NULL;
	pruning->sweep = NULL;
}

void prune_again(struct supervisor *supervisor)
{
	struct pruning *pruning = &supervisor->pruning;

	if (pruning->sweep != NULL)
		pruning->sweep_due_us = 0;
	pruning->retention_due_us = 0;
	prune_reset(supervisor);
}

bool prune_is_under_way(const struct supervisor *supervisor)
{
	return supervisor->pruning.retention != NULL || supervisor->pruning.sweep != NULL;
}

int prune_timeout_ms(const struct supervisor *supervisor, int timeout_ms)
{
	const struct pruning *pruning = &supervisor->pruning;
	const int64_t left_us = pruning->step_due_us - clock_boot_us();
	const int left_ms = left_us > 0 ? (int)(left_us / US_PER_MS) + 1 : 0;

	if (!prune_is_under_way(supervisor))
		return timeout_ms; /* the tick wakes us for the next run */
	return timeout_ms >= 0 && timeout_ms < left_ms ? timeout_ms : left_ms;
}

static void say_pruned(const struct retention_report *report)
{
	if (report->unremovable > 0)
		log_event(LOG_WARN, "prune_stuck", LOG_INT("files", report->unremovable),
			  LOG_END);
	if (report->jobs + report->outputs + report->events + report->definitions > 0)
		log_event(LOG_INFO, "pruned", LOG_INT("jobs", report->jobs),
			  LOG_INT("outputs", report->outputs),
			  LOG_INT("bytes", report->output_bytes),
			  LOG_INT("events", report->events),
			  LOG_INT("longest_us", report->longest_us), LOG_END);
}

static void say_swept(const struct sweep_report *report)
{
	if (report->is_refused)
		log_event(LOG_WARN, "sweep_refused",
			  LOG_TEXT("error", "output/ is empty: is its disk mounted?"),
			  LOG_END);
	if (report->missing > 0)
		log_event(LOG_WARN, "output_missing", LOG_INT("outputs", report->missing),
			  LOG_END);
	if (report->files + report->days > 0)
		log_event(LOG_INFO, "swept", LOG_INT("files", report->files),
			  LOG_INT("days", report->days), LOG_END);
}

/* Begins what is due: the sweep first, which may find what retention then lets go. */
static void begin_due(struct supervisor *supervisor, int64_t now_us)
{
	struct pruning *pruning = &supervisor->pruning;
	const struct retention_policy *policy = &supervisor->config->retention;

	if (prune_is_under_way(supervisor))
		return;
	if (now_us >= pruning->sweep_due_us) {
		pruning->sweep = sweep_open(false, NULL);
		pruning->sweep_due_us = now_us + SWEEP_EVERY_US;
	} else if (policy->every_us > 0 && now_us >= pruning->retention_due_us) {
		pruning->retention = retention_open(policy, RETENTION_ALL, false, NULL);
		pruning->retention_due_us = now_us + policy->every_us;
	}
}

/* One step of what is under way: 1 more, 0 it is over, -1. */
static int step(struct supervisor *supervisor, struct err *err)
{
	struct pruning *pruning = &supervisor->pruning;
	int more = 0;

	if (pruning->sweep != NULL) {
		more = queue_sweep_step(supervisor->queue, pruning->sweep, err);
		if (more == 0) {
			const struct sweep_report report = sweep_report(pruning->sweep);

			say_swept(&report);
		}
	} else if (pruning->retention != NULL) {
		more = queue_retention_step(supervisor->queue, pruning->retention, err);
		if (more == 0) {
			const struct retention_report report =
				retention_report(pruning->retention);

			say_pruned(&report);
		}
	}
	return more;
}

/* Short of something: another time. Anything else ends the worker, as for its rounds. */
static void fail(struct supervisor *supervisor, const struct err *err)
{
	struct pruning *pruning = &supervisor->pruning;
	int64_t *due_us =
		pruning->sweep ? &pruning->sweep_due_us : &pruning->retention_due_us;

	log_event(LOG_WARN, "prune_failed", LOG_TEXT("error", err->text), LOG_END);
	prune_reset(supervisor);
	*due_us = clock_boot_us() + AGAIN_US;
	if (err->code == ERR_OUT_OF_SPACE || err->code == ERR_UNAVAILABLE)
		return;
	supervisor->exit_code = EXIT_TEMPORARY;
	supervisor->is_over = true;
}

void prune_between_rounds(struct supervisor *supervisor, bool is_idle)
{
	struct pruning *pruning = &supervisor->pruning;
	const int64_t now_us = clock_boot_us();
	struct err err = ERR_INIT;
	int64_t took_us = 0;
	int more = 0;

	if (supervisor->is_over || supervisor->is_waiting)
		return;
	begin_due(supervisor, now_us);
	if (!prune_is_under_way(supervisor) ||
	    now_us < pruning->step_due_us + (is_idle ? 0 : PATIENCE_US))
		return;
	more = step(supervisor, &err);
	if (more < 0) {
		fail(supervisor, &err);
		return;
	}
	if (more == 0)
		prune_reset(supervisor);
	supervisor->is_dirty = true;
	(void)queue_checkpoint(supervisor->queue, supervisor->config->wal_bytes, NULL);
	took_us = clock_boot_us() - now_us;
	pruning->step_due_us =
		clock_boot_us() +
		(2 * took_us > REST_LEAST_US ? 2 * took_us : REST_LEAST_US);
}
