/* retention.c - one run: the walk over what is over, and what each rule says of it.
 *
 * What is counted is what stays, so that a second run comes to the same end as the first.
 * Where all limits are ages the walk begins at the youngest that one of them can reach.
 */
#include "queue/retention_run.h"

/* --- which rule, and what it says --- */

static const struct retention_limits FOR_EVER = {-1, -1, -1};

static struct retention_limits age_only(int64_t age_us)
{
	return (struct retention_limits){age_us > 0 ? age_us : -1, -1, -1};
}

/* `index` past the last rule is for the rest. */
static struct retention_limits output_limits(const struct retention_policy *policy,
					     size_t index)
{
	const struct retention_rules *rules = &policy->rules;
	return index < rules->count && rules->item[index].has_output
		       ? rules->item[index].output
		       : age_only(policy->output_age_us);
}

static struct retention_limits row_limits(const struct retention_policy *policy,
					  size_t index)
{
	const struct retention_rules *rules = &policy->rules;
	return index < rules->count && rules->item[index].has_rows
		       ? rules->item[index].rows
		       : age_only(policy->rows_age_us);
}

static bool rule_fits(const struct retention_rule *rule, const char *queue_name,
		      const char *task, const char *state)
{
	const int outcome = retention_outcome_parse(state);
	return outcome >= 0 && (rule->outcomes >> outcome & 1) != 0 &&
	       (rule->queue == NULL || text_equal(rule->queue, queue_name)) &&
	       (rule->task == NULL || text_equal(rule->task, task));
}

static size_t rule_of(const struct retention_policy *policy, sqlite3_stmt *stmt)
{
	const char *queue_name = (const char *)sqlite3_column_text(stmt, 2);
	const char *task = (const char *)sqlite3_column_text(stmt, 3);
	const char *state = (const char *)sqlite3_column_text(stmt, 4);
	size_t i = 0;
	while (i < policy->rules.count &&
	       !rule_fits(&policy->rules.item[i], queue_name, task, state))
		i++;
	return i;
}

static bool is_over(const struct retention_limits *limits, int64_t age_us, int64_t kept,
		    int64_t kept_bytes, int64_t bytes)
{
	return (limits->max_age_us >= 0 && age_us > limits->max_age_us) ||
	       (limits->keep_last >= 0 && kept >= limits->keep_last) ||
	       (limits->max_bytes >= 0 && kept_bytes + bytes > limits->max_bytes);
}

static bool is_counting(const struct retention_limits *limits)
{
	return limits->keep_last >= 0 || limits->max_bytes >= 0;
}

/* The moment at and after which nothing can go; INT64_MAX when that depends on counts,
 * INT64_MIN when nothing ever goes. */
static int64_t walk_from(const struct retention_policy *policy, int64_t now)
{
	int64_t from = INT64_MIN;
	for (size_t i = 0; i <= policy->rules.count; i++) {
		const struct retention_limits each[] = {output_limits(policy, i),
							row_limits(policy, i)};
		for (size_t k = 0; k < ARRAY_SIZE(each); k++) {
			if (is_counting(&each[k]))
				return INT64_MAX;
			if (each[k].max_age_us >= 0 && now - each[k].max_age_us > from)
				from = now - each[k].max_age_us;
		}
	}
	return from;
}

/* --- the walk --- */

struct walked {
	int64_t row, at, output_bytes, row_bytes; /* output_bytes -1: it has none */
	size_t rule;
};

static void keep_output(struct retention *run, const struct walked *job)
{
	if (job->output_bytes < 0)
		return;
	run->kept[job->rule].outputs++;
	run->kept[job->rule].output_bytes += job->output_bytes;
	run->tally[job->rule].oldest_output_at = job->at;
}

static void keep_job(struct retention *run, const struct walked *job)
{
	run->kept[job->rule].jobs++;
	run->kept[job->rule].job_bytes += job->row_bytes;
	run->tally[job->rule].oldest_job_at = job->at;
}

/* Adds the job to those that leave, if something of it does. 0 or -1. */
static int judge_job(struct queue *queue, struct retention *run, const struct walked *job,
		     struct err *err)
{
	const struct tally_kept *kept = &run->kept[job->rule];
	const struct retention_limits rows = row_limits(run->policy, job->rule);
	const struct retention_limits output =
		job->output_bytes < 0 ? FOR_EVER : output_limits(run->policy, job->rule);
	const int64_t age_us = run->now - job->at;
	bool is_going =
		is_over(&rows, age_us, kept->jobs, kept->job_bytes, job->row_bytes);
	bool has_output = job->output_bytes >= 0 &&
			  (is_going || is_over(&output, age_us, kept->outputs,
					       kept->output_bytes, job->output_bytes));
	run->tally[job->rule].seen++;
	if (is_going || has_output) {
		const int exempt = prune_is_exempt(queue, job->row, err);
		if (exempt < 0)
			return -1;
		if (exempt)
			is_going = has_output = false;
		run->tally[job->rule].exempt += exempt;
	}
	if (!has_output)
		keep_output(run, job);
	if (!is_going)
		keep_job(run, job);
	if ((!is_going && !has_output) ||
	    (run->only != RETENTION_ALL && run->only != job->rule))
		return 0;
	run->leavers.item[run->leavers.count++] = (struct leaver){
		.row = job->row,
		.tally = &run->tally[job->rule],
		.output_bytes = job->output_bytes < 0 ? 0 : job->output_bytes,
		.has_output = has_output,
		.is_going = is_going,
	};
	return 0;
}

/* How many were looked at, or -1. */
static int walk(struct queue *queue, struct retention *run, struct err *err)
{
	sqlite3_stmt *stmt;
	int more, looked = 0;
	run->leavers.count = 0;
	if (db_start(queue, STATEMENT_RETENTION_WALK,
		     BINDS(as_int(run->after_at), as_int(run->after_row),
			   as_int(run->policy->slice)),
		     &stmt, err) != 0)
		return -1;
	while ((more = db_step(queue, stmt, err)) == 1) {
		const struct walked job = {
			.row = sqlite3_column_int64(stmt, 0),
			.at = sqlite3_column_int64(stmt, 1),
			.rule = rule_of(run->policy, stmt),
			.output_bytes = sqlite3_column_int64(stmt, 5),
			.row_bytes = sqlite3_column_int64(stmt, 6),
		};
		looked++;
		run->after_at = job.at;
		run->after_row = job.row;
		more = judge_job(queue, run, &job, err);
		if (more != 0)
			break;
	}
	db_end(stmt);
	return more < 0 ? -1 : looked;
}

void leavers_count(struct retention *run)
{
	for (size_t i = 0; i < run->leavers.count; i++) {
		const struct leaver *leaver = &run->leavers.item[i];
		leaver->tally->jobs += leaver->is_going;
		leaver->tally->outputs += leaver->has_output;
		leaver->tally->output_bytes +=
			leaver->has_output ? leaver->output_bytes : 0;
	}
}

static int step_jobs(struct queue *queue, struct retention *run, struct err *err)
{
	bool is_own;
	if (snapshot_join(queue, &is_own, err) != 0)
		return -1;
	const int looked = walk(queue, run, err);
	snapshot_leave(queue, is_own);
	if (looked < 0)
		return -1;
	if (run->is_preview) /* what would go; else the transaction says what went */
		leavers_count(run);
	else if (run->leavers.count > 0 && prune_leavers(queue, run, err) != 0)
		return -1;
	return looked == (int)run->policy->slice;
}

/* --- the phases --- */

static int step_marked(struct queue *queue, struct retention *run, struct err *err)
{
	return run->is_preview ? 0 : prune_marked(queue, run, err);
}

static int step_definitions(struct queue *queue, struct retention *run, struct err *err)
{
	struct timed timed;
	int64_t unused = 0;
	if (run->only != RETENTION_ALL)
		return 0;
	if (db_ask(queue, STATEMENT_DEFINITIONS_UNUSED, NO_BINDS, &unused, err) < 0)
		return -1;
	if (unused == 0 || run->is_preview) {
		run->report.definitions += unused;
		return 0;
	}
	if (timed_begin(queue, &timed, err) != 0)
		return -1;
	const int gone = db_run(queue, STATEMENT_PRUNE_DEFINITIONS,
				BINDS(as_int(run->policy->slice)), err);
	if (gone < 0 || timed_commit(queue, &timed, run, err) != 0) {
		queue_rollback(queue);
		return -1;
	}
	run->report.definitions += gone;
	return gone == (int)run->policy->slice;
}

/* What outlived its job is shown for a while after its end, so that somebody can have it
 * sent again. */
static int step_callbacks(struct queue *queue, struct retention *run, struct err *err)
{
	const int64_t before = run->now - CALLBACK_ORPHAN_KEPT_US;
	struct timed timed;
	int64_t any;
	if (run->only != RETENTION_ALL || run->is_preview)
		return 0;
	const int found = db_ask(queue, STATEMENT_CALLBACKS_FORGETTABLE,
				 BINDS(as_int(before)), &any, err);
	if (found != 1)
		return found;
	if (timed_begin(queue, &timed, err) != 0)
		return -1;
	if (queue_callbacks_forget(queue, before, (int)run->policy->slice, err) < 0 ||
	    timed_commit(queue, &timed, run, err) != 0) {
		queue_rollback(queue);
		return -1;
	}
	return 1;
}

static int step_events(struct queue *queue, struct retention *run, struct err *err)
{
	return run->only != RETENTION_ALL ? 0 : prune_old_events(queue, run, err);
}

static int (*const PHASES[])(struct queue *queue, struct retention *run,
			     struct err *err) = {step_marked, step_jobs, step_callbacks,
						 step_definitions, step_events};

int queue_retention_step(struct queue *queue, struct retention *retention,
			 struct err *err)
{
	if (retention->phase == (int)ARRAY_SIZE(PHASES))
		return 0;
	const int more = PHASES[retention->phase](queue, retention, err);
	if (more < 0)
		return -1;
	retention->phase += more == 0;
	return retention->phase < (int)ARRAY_SIZE(PHASES);
}

/* --- opening --- */

struct retention *retention_open(const struct retention_policy *policy, size_t only,
				 bool is_preview, const char *principal)
{
	struct retention *run = mem_alloc(sizeof *run);
	const size_t rules = policy->rules.count + 1;
	run->policy = policy;
	run->principal = principal;
	run->only = only;
	run->is_preview = is_preview;
	run->now = clock_now_us();
	/* a preview also says what the oldest is that stays */
	run->after_at = is_preview ? INT64_MAX : walk_from(policy, run->now);
	run->after_row = INT64_MAX;
	run->tally = mem_array(rules, sizeof *run->tally);
	run->kept = mem_array(rules, sizeof *run->kept);
	return run;
}

void retention_close(struct retention *retention)
{
	if (retention == NULL)
		return;
	free(retention->tally);
	free(retention->kept);
	free(retention);
}

struct retention_report retention_report(const struct retention *retention)
{
	struct retention_report report = retention->report;
	report.rule = retention->tally;
	report.rules = retention->policy->rules.count + 1;
	for (size_t i = 0; i < report.rules; i++) {
		report.jobs += report.rule[i].jobs;
		report.outputs += report.rule[i].outputs;
		report.output_bytes += report.rule[i].output_bytes;
	}
	return report;
}

int timed_begin(struct queue *queue, struct timed *timed, struct err *err)
{
	if (queue_begin(queue, err) != 0)
		return -1;
	timed->began_us = clock_boot_us();
	return 0;
}

int timed_commit(struct queue *queue, struct timed *timed, struct retention *retention,
		 struct err *err)
{
	const int result = queue_commit(queue, err);
	const int64_t held_us = clock_boot_us() - timed->began_us;
	if (held_us > retention->report.longest_us)
		retention->report.longest_us = held_us;
	return result;
}

/* --- tombstones --- */

int queue_tombstone_get(struct queue *queue, const struct viewer *viewer, const char *id,
			struct tombstone *ret, struct err *err)
{
	sqlite3_stmt *stmt;
	uint8_t low[DB_UUID_BYTES], high[DB_UUID_BYTES];
	if (id_range(id, low, high) != 1 || memcmp(low, high, sizeof low) != 0)
		return 0;
	if (db_start(queue, STATEMENT_TOMBSTONE_FIND,
		     BINDS(as_blob(low, sizeof low), viewer_owner(viewer)), &stmt,
		     err) != 0)
		return -1;
	const int found = db_step(queue, stmt, err);
	if (found == 1) {
		column_id(stmt, 0, ret->id);
		(void)snprintf(ret->state, sizeof ret->state, "%s",
			       (const char *)sqlite3_column_text(stmt, 1));
		ret->finished_at = sqlite3_column_int64(stmt, 2);
		ret->pruned_at = sqlite3_column_int64(stmt, 3);
	}
	db_end(stmt);
	return found;
}
