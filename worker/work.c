/* work.c - what happens to an attempt in our hands: phase x event. */
#include <stdlib.h>

#include "worker/kill_tree.h"
#include "worker/supervise.h"

/* A job shorter than this ends about as fast as a commit. */
#define BRISK_US (20 * US_PER_MS)
#define KILL_REMAINS_US (5 * US_PER_S)

/* --- the list --- */

struct work *work_add(struct supervisor *supervisor, const char *job_id, int number,
		      int64_t job_row)
{
	struct work_list *list = &supervisor->works;
	struct work *work = mem_alloc(sizeof(*work));
	char key[ATTEMPT_KEY_BYTES];

	snprintf(work->name.job_id, sizeof(work->name.job_id), "%s", job_id);
	work->name.number = number;
	work->job_row = job_row;
	work->phase = WORK_SENT;
	work->is_same_boot = true;
	attempt_key(job_id, number, key);
	work->tag = spec_tag(key);
	if (list->count == list->capacity) {
		list->capacity = list->capacity > 0 ? 2 * list->capacity : 16;
		list->item = mem_grow(list->item, list->capacity * sizeof(*list->item));
	}
	list->item[list->count++] = work;
	return work;
}

struct work *work_find(const struct supervisor *supervisor, int64_t job_row, int number)
{
	for (size_t i = 0; i < supervisor->works.count; i++) {
		struct work *work = supervisor->works.item[i];

		if (work->job_row == job_row && work->name.number == number)
			return work;
	}
	return NULL;
}

static void work_free(struct work *work)
{
	claim_release(&work->claim);
	buf_release(&work->content);
	buf_release(&work->frames);
	free(work);
}

void works_drop_recorded(struct supervisor *supervisor)
{
	struct work_list *list = &supervisor->works;
	size_t kept = 0;

	for (size_t i = 0; i < list->count; i++) {
		struct work *work = list->item[i];

		if ((work->recorded & RECORDED_END) == 0) {
			work->recorded = 0;
			list->item[kept++] = work;
			continue;
		}
		supervisor->ops->forget(supervisor->executor, work);
		work_free(work);
		list->closing--;
	}
	list->count = kept;
}

void works_release(struct supervisor *supervisor)
{
	struct work_list *list = &supervisor->works;

	for (size_t i = 0; i < list->count; i++)
		work_free(list->item[i]);
	free(list->item);
	memset(list, 0, sizeof(*list));
	hand_release(&supervisor->hand);
}

void work_look_by_tick(struct supervisor *supervisor, struct work *work)
{
	work->is_looked_at_by_tick = true;
	supervisor->works.is_ticked = true;
}

/* --- reactions --- */

typedef void reaction_fn(struct supervisor *supervisor, struct work *work,
			 const struct report *report);

static void do_nothing(struct supervisor *supervisor, struct work *work,
		       const struct report *report)
{
	(void)supervisor;
	(void)work;
	(void)report;
}

void work_close(struct supervisor *supervisor, struct work *work, enum verdict verdict)
{
	const bool is_usual = verdict == VERDICT_IMPORT || work->phase == WORK_CLAIMED;
	const enum log_level level = is_usual ? LOG_DEBUG : LOG_WARN;

	work->finding.verdict = verdict;
	work->phase = WORK_CLOSING;
	if (verdict == VERDICT_IMPORT)
		supervisor->is_brisk = work->finding.journal.end.ended_at -
					       work->finding.journal.end.started_at <
				       BRISK_US;
	work->is_looked_at_by_tick = false;
	supervisor->works.closing++;
	log_event(level, "attempt_over", LOG_TEXT("job", work->name.job_id),
		  LOG_INT("attempt", work->name.number),
		  LOG_TEXT("verdict", verdict_word(verdict)), LOG_END);
}

/* Tells the shim. That nobody is there yet is no error: it is tried again when the
 * process is known, and once a second. What has not begun is taken back instead: its
 * journal is gone by then, so the shim will refuse it. */
static void do_stop(struct supervisor *supervisor, struct work *work,
		    const struct report *report)
{
	struct finding finding;

	(void)report;
	work->wants_stop = true;
	supervisor->works.is_ticked = true;
	if (attempt_collect(supervisor->state_fd, &work->name, work->is_same_boot,
			    &finding, NULL) != 0)
		return;
	if (finding.verdict == VERDICT_ALIVE)
		(void)supervisor->ops->signal(supervisor->executor, &finding.journal,
					      work->tag, work->is_stop_forced);
	else if (finding.verdict == VERDICT_REVOKE)
		work_close(supervisor, work, VERDICT_REVOKE);
}

static void do_note_started(struct supervisor *supervisor, struct work *work,
			    const struct report *report)
{
	work->pid = report->pid;
	work->pid_started = report->pid_started;
	work->started_at = report->at_us;
	work->has_started_note = true;
	supervisor->works.has_notes = true;
	work->phase = WORK_RUNNING;
	if (work->wants_stop)
		do_stop(supervisor, work, NULL);
}

static void do_note_stopping(struct supervisor *supervisor, struct work *work,
			     const struct report *report)
{
	work->stop_reason = report->reason;
	work->has_stopping_note = true;
	supervisor->works.has_notes = true;
}

static bool is_kept(void *context, pid_t pid)
{
	const struct supervisor *supervisor = context;

	return supervisor->ops->owns(supervisor->executor, pid);
}

static void kill_what_is_left(struct supervisor *supervisor, struct work *work)
{
	const struct remains remains = {.journal = &work->finding.journal,
					.job_id = work->name.job_id,
					.number = work->name.number,
					.is_kept = is_kept,
					.context = supervisor};

	if (!kill_remains(&remains, KILL_REMAINS_US))
		log_event(LOG_ERROR, "unkillable", LOG_TEXT("job", work->name.job_id),
			  LOG_INT("attempt", work->name.number), LOG_END);
}

/* Still alive. A process that has become known meanwhile is as good as reported. */
static void note_alive(struct supervisor *supervisor, struct work *work)
{
	const struct journal *journal = &work->finding.journal;
	const struct report report = {.pid = journal->pid,
				      .pid_started = journal->pid_started,
				      .at_us = journal->started_at};

	if (journal->has_process && work->phase == WORK_SENT)
		do_note_started(supervisor, work, &report);
}

/* Reads the journal and judges. What cannot be read now is looked at again. */
static void do_look(struct supervisor *supervisor, struct work *work,
		    const struct report *report)
{
	struct err err = ERR_INIT;
	struct finding *finding = &work->finding;

	(void)report;
	if (attempt_collect(supervisor->state_fd, &work->name, work->is_same_boot,
			    finding, &err) != 0)
		goto later;
	if (finding->verdict == VERDICT_ALIVE) {
		note_alive(supervisor, work);
		work_look_by_tick(supervisor, work);
		return;
	}
	if (finding->verdict == VERDICT_LOST_SHIM) {
		/* may take seconds, in which nobody could write */
		if (supervisor->is_writing) {
			work_look_by_tick(supervisor, work);
			return;
		}
		kill_what_is_left(supervisor, work);
	}
	if (finding->verdict == VERDICT_IMPORT &&
	    attempt_read_output(supervisor->state_fd, &work->name,
				supervisor->config->output_fold_bytes,
				&finding->journal.end, &work->content, &work->frames,
				work->output_path, &err) != 0)
		goto later;
	work_close(supervisor, work, finding->verdict);
	return;
later:
	log_event(LOG_WARN, "attempt_unread", LOG_TEXT("job", work->name.job_id),
		  LOG_TEXT("error", err.text), LOG_END);
	work_look_by_tick(supervisor, work);
}

void work_give_back(struct supervisor *supervisor, struct work *work)
{
	hand_remove(&supervisor->hand, work);
	work_close(supervisor, work, VERDICT_REVOKE);
}

static void do_give_back(struct supervisor *supervisor, struct work *work,
			 const struct report *report)
{
	(void)report;
	work_give_back(supervisor, work);
}

void works_give_back(struct supervisor *supervisor, int64_t before_us)
{
	if (supervisor->hand.count == 0)
		return;
	for (size_t i = 0; i < supervisor->works.count; i++) {
		struct work *work = supervisor->works.item[i];

		if (work->phase != WORK_CLAIMED || work->claimed_us > before_us)
			continue;
		supervisor->is_brisk = false;
		work_give_back(supervisor, work);
	}
}

struct reaction {
	reaction_fn *run;
};

/* clang-format off */
static const struct reaction REACTIONS[WORK_PHASES][WORK_EVENTS] = {
	[WORK_CLAIMED] = {
		[WORK_STARTED]     = { do_nothing },
		[WORK_STOPPING]    = { do_nothing },
		[WORK_LOOK]        = { do_nothing },
		[WORK_STOP_WANTED] = { do_give_back },
	},
	[WORK_SENT] = {
		[WORK_STARTED]     = { do_note_started },
		[WORK_STOPPING]    = { do_note_stopping },
		[WORK_LOOK]        = { do_look },
		[WORK_STOP_WANTED] = { do_stop },
	},
	[WORK_RUNNING] = {
		[WORK_STARTED]     = { do_nothing },
		[WORK_STOPPING]    = { do_note_stopping },
		[WORK_LOOK]        = { do_look },
		[WORK_STOP_WANTED] = { do_stop },
	},
	[WORK_CLOSING] = {
		[WORK_STARTED]     = { do_nothing },
		[WORK_STOPPING]    = { do_nothing },
		[WORK_LOOK]        = { do_nothing },
		[WORK_STOP_WANTED] = { do_nothing },
	},
};
/* clang-format on */

void work_event(struct supervisor *supervisor, struct work *work, enum work_event event,
		const struct report *report)
{
	REACTIONS[work->phase][event].run(supervisor, work, report);
}

void works_tick(struct supervisor *supervisor)
{
	works_give_back(supervisor, clock_boot_us() - US_PER_S);
	/* Most of the time it concerns nobody, and there may be thousands. */
	if (!supervisor->works.is_ticked)
		return;
	supervisor->works.is_ticked = false;
	for (size_t i = 0; i < supervisor->works.count; i++) {
		struct work *work = supervisor->works.item[i];

		if (work->is_looked_at_by_tick)
			work_event(supervisor, work, WORK_LOOK, NULL);
		if (work->wants_stop)
			work_event(supervisor, work, WORK_STOP_WANTED, NULL);
		if (work->is_looked_at_by_tick || work->wants_stop)
			supervisor->works.is_ticked = true;
	}
}
