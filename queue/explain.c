/* explain.c - every reason why a job does not run, all of them as they are now.
 *
 * A job has one `reason`, the first thing it waits for; here all are looked at, so that
 * nobody removes one hindrance only to meet the next. */
#include "queue/turns.h"

static const char *const WORDS[HINDRANCE_COUNT_] = {
#define HINDRANCE_WORD_(value, word) [value] = (word),
	HINDRANCES(HINDRANCE_WORD_)
#undef HINDRANCE_WORD_
};

const char *hindrance_word(enum hindrance_kind kind)
{
	return WORDS[kind];
}

/* What is being explained, and what is found. */
struct question {
	struct queue *queue;
	const struct viewer *viewer;
	const struct job *job;
	int64_t now;
	struct explanation *ret;
};

static struct hindrance *add(struct question *question, enum hindrance_kind kind)
{
	struct explanation *ret = question->ret;
	if ((ret->count & (ret->count - 1)) == 0)
		ret->item = mem_grow(ret->item, (ret->count > 0 ? 2 * ret->count : 1) *
							sizeof *ret->item);
	struct hindrance *item = &ret->item[ret->count++];
	*item = (struct hindrance){.kind = kind};
	return item;
}

/* --- what a waiting job waits for --- */

static int look_dependencies(struct question *question, struct err *err)
{
	struct queue *queue = question->queue;
	const struct job *job = question->job;
	sqlite3_stmt *stmt;
	int64_t is_met = 0;
	int more;
	if (job->state != JOB_WAITING)
		return 0;
	if (text_equal(job->depends_rule, "any") &&
	    db_ask(queue, STATEMENT_EXPLAIN_ANY_MET, BINDS(as_int(job->row)), &is_met,
		   err) < 0)
		return -1;
	if (is_met)
		return 0;
	if (db_start(queue, STATEMENT_EXPLAIN_DEPENDENCIES,
		     BINDS(as_int(job->row), viewer_owner(question->viewer)), &stmt,
		     err) != 0)
		return -1;
	while ((more = db_step(queue, stmt, err)) == 1) {
		struct hindrance *item = add(question, HINDRANCE_DEPENDENCY);
		column_id(stmt, 0, item->parent_id);
		item->condition = dependency_condition_parse(
			(const char *)sqlite3_column_text(stmt, 1));
	}
	db_end(stmt);
	return more;
}

/* A time ahead is one of a retry when the job has run before. */
static int look_time(struct question *question, bool is_retry, struct err *err)
{
	const struct job *job = question->job;
	int64_t has_run = 0;
	if (job->state != JOB_WAITING || job->run_at <= question->now)
		return 0;
	if (db_ask(question->queue, STATEMENT_EXPLAIN_HAS_RUN, BINDS(as_int(job->row)),
		   &has_run, err) < 0)
		return -1;
	if ((has_run != 0) == is_retry)
		add(question, is_retry ? HINDRANCE_RETRY : HINDRANCE_RUN_AT)->until =
			job->run_at;
	return 0;
}

static int look_run_at(struct question *question, struct err *err)
{
	return look_time(question, false, err);
}

static int look_hold(struct question *question, struct err *err)
{
	const struct job *job = question->job;
	sqlite3_stmt *stmt;
	if (job->state != JOB_WAITING || !text_equal(job->reason, "hold"))
		return 0;
	if (db_start(question->queue, STATEMENT_EXPLAIN_HELD, BINDS(as_int(job->row)),
		     &stmt, err) != 0)
		return -1;
	const int found = db_step(question->queue, stmt, err);
	struct hindrance *item = add(question, HINDRANCE_HOLD);
	/* without such an event it was submitted so */
	item->by = found == 1 ? column_text(stmt, 0) : mem_strdup(job->owner);
	item->since = found == 1 ? sqlite3_column_int64(stmt, 1) : job->submitted_at;
	db_end(stmt);
	return found < 0 ? -1 : 0;
}

static int look_retry(struct question *question, struct err *err)
{
	return look_time(question, true, err);
}

/* --- what holds back any job --- */

static int look_lane(struct question *question, struct err *err)
{
	struct lane lane;
	if (lane_gates(question->queue, question->job->queue, &lane, err) < 0)
		return -1;
	/* one that is over goes as soon as a worker looks: it holds nothing back */
	const bool is_over =
		lane.paused_until != 0 && lane.paused_until <= clock_now_us();
	if (lane.paused_at != 0 && !is_over) {
		struct hindrance *item = add(question, HINDRANCE_PAUSED);
		item->until = lane.paused_until;
		item->since = lane.paused_at;
		item->by = lane.paused_by;
		item->text = lane.pause_reason;
		lane.paused_by = lane.pause_reason = NULL;
	}
	if (lane.max_running >= 0 && lane.running >= lane.max_running) {
		struct hindrance *item = add(question, HINDRANCE_FULL);
		item->running = lane.running;
		item->limit = lane.max_running;
	}
	lane_release(&lane);
	return 0;
}

static int look_drain(struct question *question, struct err *err)
{
	struct drain drain;
	const int found = queue_drain_get(question->queue, &drain, err);
	if (found != 1)
		return found;
	struct hindrance *item = add(question, HINDRANCE_DRAINING);
	item->since = drain.since;
	item->by = drain.by;
	item->text = drain.reason;
	return 0;
}

/* The row says how many slots there are; what runs is counted now. Short jobs are claimed
 * ahead of free slots, so that more may run by their rows than there are slots. */
static int look_worker(struct question *question, struct err *err)
{
	struct worker_info worker = {.epoch = 0};
	int64_t running = 0;
	const int found = queue_worker_last(question->queue, &worker, err);
	if (found < 0)
		return -1;
	if (found == 1 && db_ask(question->queue, STATEMENT_EXPLAIN_RUNNING,
				 BINDS(as_int(worker.slots)), &running, err) < 0)
		return -1;
	if (found == 1 && running >= worker.slots) {
		struct hindrance *item = add(question, HINDRANCE_NO_SLOT);
		item->running = running;
		item->limit = worker.slots;
	}
	if (found == 0 || worker.stopped_at != 0 ||
	    worker.heartbeat_at < question->now - WORKER_ALIVE_US)
		add(question, HINDRANCE_NO_WORKER)->since = worker.heartbeat_at;
	return 0;
}

/* In the order of HINDRANCES. */
static int (*const LOOKS[])(struct question *question, struct err *err) = {
	look_dependencies, look_run_at, look_hold,   look_retry,
	look_lane,	   look_drain,	look_worker,
};

/* --- the answer --- */

static int look_all(struct question *question, struct err *err)
{
	struct explanation *ret = question->ret;
	for (size_t i = 0; i < ARRAY_SIZE(LOOKS); i++)
		if (LOOKS[i](question, err) < 0)
			return -1;
	for (size_t i = 0; i < ret->count; i++)
		if (ret->item[i].until > ret->earliest_at)
			ret->earliest_at = ret->item[i].until;
	/* one more than is told, to know that there are more */
	if (turns_ahead(question->queue, question->job, EXPLAIN_AHEAD_MAX + 1,
			&ret->ahead, err) != 0)
		return -1;
	ret->is_ahead_capped = ret->ahead > EXPLAIN_AHEAD_MAX;
	if (ret->is_ahead_capped)
		ret->ahead = EXPLAIN_AHEAD_MAX;
	return 0;
}

static int explain(struct queue *queue, const struct viewer *viewer, const char *id,
		   struct explanation *ret, struct err *err)
{
	struct job job;
	const int found = queue_job_get(queue, viewer, id, &job, err);
	if (found != 1)
		return found;
	struct question question = {.queue = queue,
				    .viewer = viewer,
				    .job = &job,
				    .now = clock_now_us(),
				    .ret = ret};
	int result = 0;
	(void)snprintf(ret->state, sizeof ret->state, "%s", job_state_word(job.state));
	if (job.state == JOB_WAITING || job.state == JOB_QUEUED)
		result = look_all(&question, err);
	job_release(&job);
	return result == 0 ? 1 : -1;
}

int queue_explain(struct queue *queue, const struct viewer *viewer, const char *id,
		  struct explanation *ret, struct err *err)
{
	struct explanation explanation = {.count = 0};
	bool is_own;
	if (snapshot_join(queue, &is_own, err) != 0)
		return -1;
	const int found = explain(queue, viewer, id, &explanation, err);
	snapshot_leave(queue, is_own);
	if (found == 1)
		*ret = explanation;
	else
		explanation_release(&explanation);
	return found;
}

void explanation_release(struct explanation *explanation)
{
	for (size_t i = 0; i < explanation->count; i++) {
		free(explanation->item[i].by);
		free(explanation->item[i].text);
	}
	free(explanation->item);
	*explanation = (struct explanation){.count = 0};
}

int queue_queued_reason(struct queue *queue, const struct job *job, const char **ret_word,
			struct err *err)
{
	int64_t draining = 0, room = 0;
	if (job->state != JOB_QUEUED)
		return 0;
	if (db_ask(queue, STATEMENT_DRAIN_IS, NO_BINDS, &draining, err) < 0)
		return -1;
	const int paused = draining ? 0 : lane_is_paused(queue, job->queue, err);
	if (paused < 0 ||
	    (!draining && !paused && lane_room(queue, job->queue, &room, err) != 0))
		return -1;
	if (!draining && !paused && room > 0)
		return 0;
	*ret_word = hindrance_word(draining ? HINDRANCE_DRAINING
				   : paused ? HINDRANCE_PAUSED
					    : HINDRANCE_FULL);
	return 1;
}
