/* round.c - one transaction for everything that has come together.
 *
 * Ends, started notes and the next claim share a commit, so that its fsync is paid once
 * however many jobs there are. Nothing is forgotten before the commit: after a failure
 * the same round is simply tried again. Files go only afterwards. */
#include "worker/supervise.h"

/* How many short jobs are claimed ahead for each slot, so that a commit serves many; and
 * at most. */
#define AHEAD_PER_SLOT 32
#define AHEAD_MAX 512
/* How long a commit may be waited for: for each job at hand, and at most. */
#define WAIT_PER_JOB_US INT64_C(400)
#define WAIT_MAX_US (24 * US_PER_MS)
#define HEARTBEAT_US (5 * US_PER_S)
#define CHECKPOINT_EVERY_ROUNDS 64

/* --- recording --- */

static int record_import(struct supervisor *supervisor, const struct work *work,
			 struct err *err)
{
	return queue_attempt_import(supervisor->queue, work->job_row, work->name.number,
				    &work->finding.journal.end, err);
}

static int record_revoke(struct supervisor *supervisor, const struct work *work,
			 struct err *err)
{
	return queue_attempt_revoke(supervisor->queue, work->job_row, work->name.number,
				    err);
}

static int record_lost(struct supervisor *supervisor, const struct work *work,
		       struct err *err)
{
	const struct journal *journal = &work->finding.journal;

	/* That it began is known at least, if it is. */
	if (journal->has_process &&
	    queue_attempt_started(supervisor->queue, work->job_row, work->name.number,
				  journal->pid, journal->pid_started, journal->started_at,
				  err) < 0)
		return -1;
	return queue_attempt_lost(supervisor->queue, work->job_row, work->name.number,
				  verdict_word(work->finding.verdict), err);
}

struct recording {
	int (*run)(struct supervisor *supervisor, const struct work *work,
		   struct err *err);
};

/* clang-format off */
static const struct recording RECORDINGS[VERDICTS] = {
	[VERDICT_IMPORT]      = { record_import },
	[VERDICT_REVOKE]      = { record_revoke },
	[VERDICT_LOST_SHIM]   = { record_lost },
	[VERDICT_LOST_REBOOT] = { record_lost },
};
/* clang-format on */

static int record_end(struct supervisor *supervisor, struct work *work, struct err *err)
{
	work->recorded |= RECORDED_END;
	if (RECORDINGS[work->finding.verdict].run(supervisor, work, err) >= 0)
		return 0;
	if (!err_is_refusal(err))
		return -1;
	log_event(LOG_ERROR, "record_refused", LOG_TEXT("job", work->name.job_id),
		  LOG_INT("attempt", work->name.number), LOG_TEXT("error", err->text),
		  LOG_END);
	work->is_refused_by_queue = true;
	return 0;
}

static int record_notes(struct supervisor *supervisor, struct work *work, struct err *err)
{
	if (work->has_started_note) {
		work->recorded |= RECORDED_STARTED;
		if (queue_attempt_started(supervisor->queue, work->job_row,
					  work->name.number, work->pid, work->pid_started,
					  work->started_at, err) < 0 &&
		    !err_is_refusal(err))
			return -1;
	}
	if (work->has_stopping_note) {
		work->recorded |= RECORDED_STOPPING;
		if (queue_attempt_stopping(supervisor->queue, work->job_row,
					   work->name.number, work->stop_reason,
					   err) < 0 &&
		    !err_is_refusal(err))
			return -1;
	}
	return 0;
}

/* Slots that come free meanwhile are used again at once, where that is certain to be
 * right. What happens to attempts that are behind us is recorded the next time. */
static int record_all(struct supervisor *supervisor, bool may_start, struct err *err)
{
	for (size_t i = 0; i < supervisor->works.count; i++) {
		struct work *work = supervisor->works.item[i];
		const bool is_end = work->phase == WORK_CLOSING;
		const int result = is_end ? record_end(supervisor, work, err)
					  : record_notes(supervisor, work, err);

		if (result != 0)
			return -1;
		if (is_end && may_start)
			start_between(supervisor);
	}
	return 0;
}

/* --- what there is to do --- */

static size_t count_notes(const struct supervisor *supervisor)
{
	size_t count = 0;

	if (!supervisor->works.has_notes)
		return 0;
	for (size_t i = 0; i < supervisor->works.count; i++) {
		const struct work *work = supervisor->works.item[i];

		count += work->phase != WORK_CLOSING &&
			 (work->has_started_note || work->has_stopping_note);
	}
	return count;
}

/* How much may be at hand that finds no slot yet. */
static int ahead_max(const struct supervisor *supervisor)
{
	const int64_t most = AHEAD_PER_SLOT * supervisor->config->slots;

	return most < AHEAD_MAX ? (int)most : AHEAD_MAX;
}

/* Room for whoever comes before all that is at hand, whatever that is. Each owner who has
 * something there may be claimed for once more before it is the newcomer's turn; and a
 * newcomer of many jobs shall not need a commit for each. */
static int urgent_room(const struct supervisor *supervisor)
{
	const int count = (int)supervisor->hand.count, ahead = ahead_max(supervisor);
	const int least = (int)supervisor->hand.owners + 1;
	const int several = supervisor->is_brisk && count <= ahead ? ahead / 4 : 0;
	const int wanted = several > least ? several : least;
	const int left = 2 * ahead - count;

	return wanted < left ? wanted : left;
}

/* Slots are ours to count: attempts that are adopted, or that nobody has reported yet,
 * take one as well. While jobs are short, more are claimed ahead. */
static int claim_room(const struct supervisor *supervisor, bool is_urgent)
{
	const struct work_list *works = &supervisor->works;
	const int slots = (int)supervisor->config->slots;
	const int claimed = (int)supervisor->hand.count;
	const int busy = (int)(works->count - works->closing) - claimed;
	const int capacity = supervisor->ops->capacity(supervisor->executor);
	const int now = slots - busy < capacity ? slots - busy : capacity;
	const int ahead = supervisor->is_brisk ? ahead_max(supervisor) : 0;
	const int room = (now > 0 ? now : 0) + ahead - claimed;
	const int urgent = is_urgent ? urgent_room(supervisor) : 0;

	if (supervisor->is_ending || supervisor->is_waiting)
		return 0;
	if (supervisor->is_trying)
		return now > claimed ? 1 : 0;
	return room > urgent ? room : urgent;
}

/* --- the transaction --- */

struct round {
	size_t changes; /* that others may wait for */
	bool is_heartbeat;
	bool is_urgent;	    /* somebody is to be claimed before more is started */
	bool is_due;	    /* the wall clock asks for something */
	bool is_unresolved; /* dependants of jobs that ended are left to be looked at */
	bool is_more;	    /* and for more than one transaction holds */
	bool has_ends;	    /* somebody may be waiting for one of them */
	int room;	    /* to claim for */
	struct claim_list claims;
};

/* What earlier ends left to be settled goes first: it may be theirs to run, or never to.
 */
static int write_unresolved(struct supervisor *supervisor, struct round *round,
			    struct err *err)
{
	const int settled = queue_resolve(supervisor->queue, &round->is_unresolved, err);
	if (settled < 0)
		return -1;
	round->changes += (size_t)settled;
	return settled;
}

/* Times first: what is over is not claimed, and what has become due is. Where more of
 * them are left than fit into a transaction, claiming waits for the next. */
static int write_due_and_claims(struct supervisor *supervisor, struct round *round,
				struct err *err)
{
	int moved = 0;
	const int settled = write_unresolved(supervisor, round, err);

	if (settled >= 0 && (round->is_due || round->room > 0))
		moved = queue_due(supervisor->queue, err);
	if (settled < 0 || moved < 0)
		return -1;
	round->changes += (size_t)moved;
	round->is_more = moved == QUEUE_DUE_MAX;
	if (moved > 0 || settled > 0)
		round->room = claim_room(supervisor, round->is_urgent);
	if (round->is_more || round->room <= 0)
		return 0;
	return queue_claim(supervisor->queue, supervisor->turns, supervisor->epoch,
			   round->room, &round->claims, err);
}

static int write_round(struct supervisor *supervisor, struct round *round,
		       struct err *err)
{
	struct queue *queue = supervisor->queue;
	bool may_start;

	if (queue_begin(queue, err) != 0)
		return -1;
	supervisor->is_writing = true;
	may_start = !round->is_urgent && start_may_go_on(supervisor);
	if (record_all(supervisor, may_start, err) != 0)
		return -1;
	if (round->is_heartbeat &&
	    queue_worker_heartbeat(queue, supervisor->epoch,
				   (int)supervisor->config->slots,
				   (int)supervisor->works.count, err) != 0)
		return -1;
	if (round->is_heartbeat && queue_stats_forget(queue, err) < 0)
		return -1;
	if (write_due_and_claims(supervisor, round, err) != 0)
		return -1;
	if (may_start)
		start_between(supervisor);
	news_read(supervisor);
	return queue_commit(queue, err);
}

/* The files of an attempt whose end is committed; its journal is kept for one that is
 * still to be started. */
static void clear_away(struct supervisor *supervisor, const struct work *work,
		       size_t to_start)
{
	const struct journal *journal = &work->finding.journal;
	const bool has_folded = journal->end.content != NULL;

	if (!spare_keep(&supervisor->spares, &work->name, journal, to_start))
		attempt_discard(supervisor->state_fd, &work->name, has_folded);
	else if (has_folded)
		attempt_discard_output(supervisor->state_fd, &work->name);
}

/* After the commit: what was recorded is forgotten, and its files go. */
static void settle(struct supervisor *supervisor, size_t claimed)
{
	const size_t to_start = supervisor->hand.count + claimed;

	supervisor->works.has_notes = false;
	for (size_t i = 0; i < supervisor->works.count; i++) {
		struct work *work = supervisor->works.item[i];

		if (work->recorded & RECORDED_END && !work->is_refused_by_queue)
			clear_away(supervisor, work, to_start);
		if (work->recorded & RECORDED_STARTED)
			work->has_started_note = false;
		if (work->recorded & RECORDED_STOPPING)
			work->has_stopping_note = false;
		if (work->has_started_note || work->has_stopping_note)
			supervisor->works.has_notes = true;
	}
	works_drop_recorded(supervisor);
}

static void settle_round(struct supervisor *supervisor, struct round *round)
{
	if (round->is_heartbeat)
		supervisor->heartbeat_due_us = clock_boot_us() + HEARTBEAT_US;
	supervisor->is_short_logged = false;
	settle(supervisor, round->claims.count);
	round->changes += round->claims.count;
	supervisor->is_more = round->is_more || round->is_unresolved;
	if (round->room > 0)
		supervisor->is_deep = round->claims.count == (size_t)round->room;
	/* As many as were asked for: there may be more. */
	supervisor->wants_claim =
		round->is_more ||
		(round->room > 0 && round->claims.count == (size_t)round->room);
	/* Whoever waits for an end is told before a job is started, which may take our
	 * processor; but nobody's start waits for that. */
	if (round->has_ends)
		bell_ring(supervisor->ringer, WORKER_BELL);
	start_claims(supervisor, &round->claims);
	if (supervisor->hand.count == 0)
		spares_drop(&supervisor->spares, supervisor->state_fd);
	if (round->changes == 0)
		return;
	supervisor->is_dirty = true;
	supervisor->rounds++;
	if (!round->has_ends)
		bell_ring(supervisor->ringer, WORKER_BELL);
	if (supervisor->rounds % CHECKPOINT_EVERY_ROUNDS == 0)
		(void)queue_checkpoint(supervisor->queue, supervisor->config->wal_bytes,
				       NULL);
}

/* A full disk or a machine short of something: everything stays as it is, the journals
 * too, and is tried again. Anything else ends the worker, which a restart repairs. */
static int fail(struct supervisor *supervisor, const struct err *err)
{
	queue_rollback(supervisor->queue);
	supervisor->news.is_known = false;
	for (size_t i = 0; i < supervisor->works.count; i++) {
		supervisor->works.item[i]->is_refused_by_queue = false;
		supervisor->works.item[i]->recorded = 0;
	}
	if (err->code == ERR_OUT_OF_SPACE || err->code == ERR_UNAVAILABLE) {
		if (!supervisor->is_short_logged)
			log_event(LOG_ERROR, "record_postponed",
				  LOG_TEXT("error", err->text), LOG_END);
		supervisor->is_short_logged = true;
		supervisor->is_waiting = true;
		return 0;
	}
	log_event(LOG_ERROR, err->code == ERR_CONFLICT ? "superseded" : "record_failed",
		  LOG_TEXT("error", err->text), LOG_END);
	supervisor->exit_code = EXIT_TEMPORARY;
	supervisor->is_over = true;
	return -1;
}

/* The last jobs at hand bridge the commit that claims more, if there are more. */
bool round_can_wait(const struct supervisor *supervisor)
{
	const size_t bridge = supervisor->is_deep ? (size_t)supervisor->config->slots : 0;

	return supervisor->is_brisk && supervisor->hand.count > bridge &&
	       !supervisor->is_urgent && !supervisor->is_ending;
}

int64_t round_wait_us(const struct supervisor *supervisor)
{
	const int64_t wait_us = WAIT_PER_JOB_US * (int64_t)supervisor->hand.count;

	return wait_us < WAIT_MAX_US ? wait_us : WAIT_MAX_US;
}

/* Is there anything to write? The database is asked only where nothing else calls for a
 * transaction, which looks for itself. */
static bool is_called_for(struct supervisor *supervisor, struct round *round)
{
	const bool is_sure = round->changes > 0 || round->is_heartbeat || round->room > 0;

	if (!is_sure)
		news_look(supervisor);
	round->is_due = due_has_come(supervisor);
	return is_sure || round->is_due || supervisor->news.is_unresolved;
}

int round_run(struct supervisor *supervisor)
{
	const size_t closing = supervisor->works.closing;
	struct round round = {.changes = closing + count_notes(supervisor),
			      .has_ends = closing > 0};
	struct err err = ERR_INIT;
	int result = 0;

	if (supervisor->is_over)
		return -1;
	round.is_urgent = supervisor->is_urgent;
	supervisor->is_urgent = false;
	supervisor->was_urgent = supervisor->was_urgent || round.is_urgent;
	if (closing > 0 || round.is_urgent)
		supervisor->wants_claim = true;
	if (supervisor->is_short_logged && supervisor->is_waiting)
		return 0;
	round.is_heartbeat = clock_boot_us() >= supervisor->heartbeat_due_us;
	round.room =
		supervisor->wants_claim ? claim_room(supervisor, round.is_urgent) : 0;
	if (!is_called_for(supervisor, &round))
		return 0;
	result = write_round(supervisor, &round, &err);
	supervisor->is_writing = false;
	if (result != 0) {
		result = fail(supervisor, &err);
	} else {
		settle_round(supervisor, &round);
		result = 1;
	}
	claim_list_release(&round.claims);
	return result;
}
