/* adopt.c - how a worker starts: by judging what the one before it left. */
#include "worker/supervise.h"

/* The shim goes on with it. If it cannot be watched (it has not said who it is yet) the
 * journal is looked at once a second. */
static void take_care(struct supervisor *supervisor, struct work *work)
{
	const struct journal *journal = &work->finding.journal;

	if (work->phase == WORK_CLOSING)
		return;
	if (journal->has_started &&
	    supervisor->ops->watch(supervisor->executor, journal, work) == 0) {
		/* Until its process is known it may be missed: keep looking. */
		work->is_looked_at_by_tick = false;
		if (work->phase == WORK_SENT)
			work_look_by_tick(supervisor, work);
		return;
	}
	work_look_by_tick(supervisor, work);
}

static int load_living(struct supervisor *supervisor, struct err *err)
{
	struct live_list living = {0};

	if (queue_attempts_live(supervisor->queue, &living, err) != 0)
		return -1;
	for (size_t i = 0; i < living.count; i++) {
		const struct live_attempt *live = &living.item[i];
		struct work *work =
			work_add(supervisor, live->job_id, live->number, live->job_row);

		work->is_same_boot = text_equal(live->boot_id, clock_boot_id());
		work_event(supervisor, work, WORK_LOOK, NULL);
		take_care(supervisor, work);
	}
	live_list_release(&living);
	return 0;
}

/* Of a job that is no more, cleaned up while its journal waited to be used again. What
 * has begun and not ended is left alone, for its shim may be at it. */
static void sweep_unknown(struct supervisor *supervisor, const struct attempt_name *name)
{
	struct finding finding;

	if (attempt_collect(supervisor->state_fd, name, true, &finding, NULL) == 0 &&
	    finding.verdict == VERDICT_IMPORT)
		attempt_discard(supervisor->state_fd, name, false);
}

/* A journal whose attempt has ended: the commit was made, the files were not removed. */
static void sweep_one(void *context, const struct attempt_name *name)
{
	struct supervisor *supervisor = context;
	const struct viewer all = {.principal = "", .sees_all = true};
	struct job job;
	struct attempt attempt;
	int found;

	for (size_t i = 0; i < supervisor->works.count; i++) {
		const struct work *work = supervisor->works.item[i];

		if (work->name.number == name->number &&
		    text_equal(work->name.job_id, name->job_id))
			return;
	}
	found = queue_job_get(supervisor->queue, &all, name->job_id, &job, NULL);
	if (found == 0)
		sweep_unknown(supervisor, name);
	if (found != 1)
		return;
	if (queue_attempt_get(supervisor->queue, job.row, name->number, &attempt, NULL) ==
	    1) {
		attempt_discard(supervisor->state_fd, name,
				text_equal(attempt.stored, "row"));
		attempt_release(&attempt);
	}
	job_release(&job);
}

static int register_worker(struct supervisor *supervisor, struct err *err)
{
	if (queue_begin(supervisor->queue, err) != 0)
		return -1;
	if (queue_worker_register(supervisor->queue, (int)supervisor->config->slots,
				  &supervisor->epoch, err) != 0) {
		queue_rollback(supervisor->queue);
		return -1;
	}
	return queue_commit(supervisor->queue, err);
}

int adopt_all(struct supervisor *supervisor, struct err *err)
{
	if (register_worker(supervisor, err) != 0 ||
	    queue_lanes_configure(supervisor->queue, &supervisor->config->queues, err) !=
		    0 ||
	    load_living(supervisor, err) != 0)
		return -1;
	attempt_each(supervisor->state_fd, sweep_one, supervisor);
	supervisor->wants_look = true;
	return 0;
}
