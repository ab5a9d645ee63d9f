/* import.c - what becomes of an attempt, and with it of its job.
 *
 * Every way an attempt can end comes through here: imported from its exit record, revoked
 * because it certainly never ran, or lost. Each is one transaction's worth of rows, and
 * each does nothing when the attempt has ended already. */
#include "queue/outbox.h"
#include "queue/settle.h"

/* Where an attempt and its job stand before the change. */
struct standing {
	bool has_ended;	 /* the attempt */
	bool is_current; /* the job runs, and it is this attempt it waits for */
	enum stop_reason stop_reason;
	char *stop_by;	     /* heap */
	char *success_codes; /* heap; NULL: [0] */
	bool has_callback;
};

static void standing_release(struct standing *standing)
{
	free(standing->stop_by);
	free(standing->success_codes);
}

static int standing_load(struct queue *queue, int64_t job_row, int number,
			 struct standing *ret, struct err *err)
{
	sqlite3_stmt *stmt;
	if (db_expect_writing(queue, err) != 0 ||
	    db_start(queue, STATEMENT_ATTEMPT_FIND,
		     BINDS(as_int(job_row), as_int(number)), &stmt, err) != 0)
		return -1;
	const int found = db_step(queue, stmt, err);
	if (found == 1) {
		ret->has_ended = sqlite3_column_int(stmt, 0) != 0;
		ret->is_current = sqlite3_column_int(stmt, 1) != 0;
		ret->stop_reason =
			stop_reason_parse((const char *)sqlite3_column_text(stmt, 2));
		ret->stop_by = column_text(stmt, 3);
		ret->success_codes = column_text(stmt, 4);
		ret->has_callback = sqlite3_column_int(stmt, 5) != 0;
	}
	db_end(stmt);
	if (found == 0)
		return err_set(err, ERR_NOT_FOUND, "no attempt %d of job row %lld",
			       number, (long long)job_row);
	return found < 0 ? -1 : 0;
}

/* --- the verdict on an exit record --- */

struct verdict {
	enum job_state state;
	const char *reason;  /* of the job; NULL when it succeeded */
	const char *outcome; /* of the attempt */
};

static const struct verdict STOP_VERDICTS[] = {
	[STOP_CANCEL] = {JOB_CANCELLED, "cancel", "cancel"},
	[STOP_TIMEOUT] = {JOB_FAILED, "timeout", "timeout"},
	[STOP_OUTPUT_LIMIT] = {JOB_FAILED, "output_limit", "output_limit"},
};

/* Is this exit code one of the job's list? */
static bool is_success(const char *codes, int exit_code)
{
	cJSON *list = NULL;
	bool is_found = false;
	if (codes == NULL)
		return exit_code == 0;
	if (json_parse(codes, strlen(codes), NULL, &list, NULL) == 0)
		for (const cJSON *code = list->child; code != NULL; code = code->next)
			is_found = is_found || code->valueint == exit_code;
	cJSON_Delete(list);
	return is_found;
}

/* The first recorded reason to stop wins over how the process then ended. */
static struct verdict judge(const struct attempt_end *end,
			    const struct standing *standing)
{
	const enum stop_reason stop = standing->stop_reason != STOP_NONE
					      ? standing->stop_reason
					      : end->stop_reason;
	if (stop != STOP_NONE && (size_t)stop < ARRAY_SIZE(STOP_VERDICTS))
		return STOP_VERDICTS[stop];
	if (end->has_signal)
		return (struct verdict){JOB_FAILED, "signal", "signal"};
	if (!end->has_exit_code)
		return (struct verdict){JOB_FAILED, "start_failed", "start_failed"};
	if (!is_success(standing->success_codes, end->exit_code))
		return (struct verdict){JOB_FAILED, "exit", "exit"};
	return (struct verdict){JOB_SUCCEEDED, NULL, "exit"};
}

static int attempt_write(struct queue *queue, int64_t job_row, int number,
			 const struct attempt_end *end, const char *outcome,
			 int64_t ended_at, struct err *err)
{
	const bool ran = end->has_exit_code || end->has_signal;
	const struct bind binds[] = {
		as_int(job_row),
		as_int(number),
		as_text("ended"),
		as_text(outcome),
		as_int_if(end->started_at > 0, end->started_at),
		as_int(ended_at),
		as_int_if(end->pid > 0, end->pid),
		as_int_if(end->pid > 0, end->pid_started),
		as_int_if(end->has_exit_code, end->exit_code),
		as_int_if(end->has_signal && !end->has_exit_code, end->signal),
		as_text(end->error[0] != '\0' ? end->error : NULL),
		as_int_if(ran, end->cpu_user_us),
		as_int_if(ran, end->cpu_system_us),
		as_int_if(ran, end->max_rss_bytes),
		as_int_if(ran, end->read_bytes),
		as_int_if(ran, end->written_bytes),
	};
	return db_run(queue, STATEMENT_ATTEMPT_END, binds, ARRAY_SIZE(binds), err);
}

static int output_write(struct queue *queue, int64_t job_row, int number,
			const struct attempt_end *end, struct err *err)
{
	/* all of it dropped: a row without bytes still says how many there were */
	const bool is_row = end->path == NULL;
	if (is_row && end->content == NULL && end->dropped_bytes == 0)
		return 0;
	return db_run(queue, STATEMENT_OUTPUT_INSERT,
		      BINDS(as_int(job_row), as_int(number),
			    as_text(is_row ? "row" : "file"), as_int(end->stdout_bytes),
			    as_int(end->stderr_bytes), as_int(end->dropped_bytes),
			    as_blob(end->sha256, DIGEST_BYTES),
			    as_text(is_row ? NULL : end->path),
			    as_blob(is_row ? end->content : NULL, end->content_bytes),
			    as_blob(is_row ? end->frames : NULL, end->frames_bytes)),
		      err);
}

static int job_write(struct queue *queue, int64_t job_row, const struct attempt_end *end,
		     const struct verdict *verdict, int64_t ended_at, struct err *err)
{
	return db_run(
		queue, STATEMENT_JOB_END,
		BINDS(as_int(job_row), as_text(job_state_word(verdict->state)),
		      as_text(verdict->reason),
		      as_int_if(end->started_at > 0, end->started_at), as_int(ended_at),
		      as_int_if(end->has_exit_code, end->exit_code),
		      as_int_if(end->has_signal && !end->has_exit_code, end->signal),
		      as_text(stop_reason_word(end->stop_reason))),
		err);
}

/* {"attempt":1,"exit_code":0} and the like: words and numbers of ours, nothing to escape.
 */
static void ended_data(char ret[160], int number, const struct attempt_end *end,
		       const char *reason)
{
	char how[40] = "", why[64] = "";
	if (end != NULL && end->has_exit_code)
		(void)snprintf(how, sizeof how, ",\"exit_code\":%d", end->exit_code);
	else if (end != NULL && end->has_signal)
		(void)snprintf(how, sizeof how, ",\"signal\":%d", end->signal);
	if (reason != NULL)
		(void)snprintf(why, sizeof why, ",\"reason\":\"%.40s\"", reason);
	(void)snprintf(ret, 160, "{\"attempt\":%d%s%s}", number, how, why);
}

static int ended_event(struct queue *queue, int64_t job_row, enum job_state state,
		       const char *principal, const char *data, struct err *err)
{
	return event_of_move(queue, job_row, state == JOB_QUEUED ? "requeued" : "ended",
			     state, principal, data, err);
}

/* The job's own event, and then what follows from it for others. */
static int ended_wholly(struct queue *queue, int64_t job_row, enum job_state state,
			const char *principal, const char *data, struct err *err)
{
	if (ended_event(queue, job_row, state, principal, data, err) != 0)
		return -1;
	return job_ended(queue, job_row, state, err);
}

/* Whoever asked for the job's end, even too late to be its reason, wants no other
 * attempt. 1 there will be one, 0, -1. */
static int retry_rows(struct queue *queue, int64_t job_row, int number,
		      const struct attempt_end *end, const struct verdict *verdict,
		      const struct standing *standing, struct err *err)
{
	if (verdict->state != JOB_FAILED || standing->stop_by != NULL)
		return 0;
	return job_retry(queue, job_row,
			 &(const struct retry_end){
				 .number = number,
				 .cause = verdict->reason,
				 .started_at = end->started_at,
				 .has_exit_code = end->has_exit_code,
				 .has_signal = end->has_signal,
				 .exit_code = end->exit_code,
				 .signal = end->signal,
			 },
			 err);
}

static int import_rows(struct queue *queue, int64_t job_row, int number,
		       const struct attempt_end *end, const struct standing *standing,
		       struct err *err)
{
	const struct verdict verdict = judge(end, standing);
	const int64_t ended_at = end->ended_at > 0 ? end->ended_at : clock_now_us();
	if (attempt_write(queue, job_row, number, end, verdict.outcome, ended_at, err) <
		    0 ||
	    output_write(queue, job_row, number, end, err) < 0)
		return -1;
	if (!standing->is_current)
		return 0;
	/* of a short one nobody has told that it started */
	if (standing->has_callback && end->started_at > 0 &&
	    outbox_started(queue, job_row, number, err) != 0)
		return -1;
	const int retried =
		retry_rows(queue, job_row, number, end, &verdict, standing, err);
	if (retried == 1)
		return end->started_at > 0 ? job_has_started(queue, job_row, err) : 0;
	if (retried < 0)
		return -1;
	char data[160];
	ended_data(data, number, end, verdict.reason);
	if (job_write(queue, job_row, end, &verdict, ended_at, err) < 0)
		return -1;
	return ended_wholly(queue, job_row, verdict.state,
			    verdict.state == JOB_CANCELLED ? standing->stop_by : NULL,
			    data, err);
}

int queue_attempt_import(struct queue *queue, int64_t job_row, int number,
			 const struct attempt_end *end, struct err *err)
{
	struct standing standing = {.has_ended = false};
	if (standing_load(queue, job_row, number, &standing, err) != 0)
		return -1;
	int result = 0;
	if (!standing.has_ended)
		result = import_rows(queue, job_row, number, end, &standing, err) == 0
				 ? 1
				 : db_fail_late(err);
	standing_release(&standing);
	return result;
}

/* --- ends without an exit record --- */

static int attempt_close(struct queue *queue, int64_t job_row, int number,
			 const char *state, const char *outcome, struct err *err)
{
	return db_run(queue, STATEMENT_ATTEMPT_CLOSE,
		      BINDS(as_int(job_row), as_int(number), as_text(state),
			    as_text(outcome), as_int(clock_now_us())),
		      err);
}

/* The job becomes final without exit code or signal. */
static int job_close(struct queue *queue, int64_t job_row, enum job_state state,
		     const char *reason, struct err *err)
{
	return db_run(queue, STATEMENT_JOB_END,
		      BINDS(as_int(job_row), as_text(job_state_word(state)),
			    as_text(reason), as_null(), as_int(clock_now_us()), as_null(),
			    as_null(), as_null()),
		      err);
}

static int revoke_rows(struct queue *queue, int64_t job_row, int number,
		       const struct standing *standing, struct err *err)
{
	const bool is_cancelled = standing->stop_by != NULL;
	char data[160];
	ended_data(data, number, NULL, is_cancelled ? "cancel" : NULL);
	if (attempt_close(queue, job_row, number, "ended", "revoked", err) < 0 ||
	    tally_unclaimed(queue, job_row, number, err) != 0)
		return -1;
	if (!standing->is_current)
		return 0;
	if (is_cancelled)
		return job_close(queue, job_row, JOB_CANCELLED, "cancel", err) < 0
			       ? -1
			       : ended_wholly(queue, job_row, JOB_CANCELLED,
					      standing->stop_by, data, err);
	if (db_run(queue, STATEMENT_JOB_REQUEUE, BINDS(as_int(job_row)), err) < 0)
		return -1;
	return ended_event(queue, job_row, JOB_QUEUED, NULL, data, err);
}

int queue_attempt_revoke(struct queue *queue, int64_t job_row, int number,
			 struct err *err)
{
	struct standing standing = {.has_ended = false};
	if (standing_load(queue, job_row, number, &standing, err) != 0)
		return -1;
	int result = 0;
	if (!standing.has_ended &&
	    revoke_rows(queue, job_row, number, &standing, err) != 0)
		result = db_fail_late(err);
	standing_release(&standing);
	return result;
}

static int lost_rows(struct queue *queue, int64_t job_row, int number, const char *reason,
		     const struct standing *standing, struct err *err)
{
	char data[160];
	ended_data(data, number, NULL, reason);
	if (attempt_close(queue, job_row, number, "lost", reason, err) < 0)
		return -1;
	if (!standing->is_current)
		return 0;
	int retried = 0;
	if (standing->stop_by == NULL)
		retried = job_retry(
			queue, job_row,
			&(const struct retry_end){.number = number, .cause = "lost"},
			err);
	if (retried != 0)
		return retried < 0 ? -1 : 0;
	if (job_close(queue, job_row, JOB_LOST, reason, err) < 0)
		return -1;
	return ended_wholly(queue, job_row, JOB_LOST, NULL, data, err);
}

int queue_attempt_lost(struct queue *queue, int64_t job_row, int number,
		       const char *reason, struct err *err)
{
	struct standing standing = {.has_ended = false};
	if (standing_load(queue, job_row, number, &standing, err) != 0)
		return -1;
	int result = 0;
	if (!standing.has_ended &&
	    lost_rows(queue, job_row, number, reason, &standing, err) != 0)
		result = db_fail_late(err);
	standing_release(&standing);
	return result;
}

/* --- while it runs --- */

int queue_attempt_started(struct queue *queue, int64_t job_row, int number, pid_t pid,
			  int64_t pid_started, int64_t started_at, struct err *err)
{
	const int changed = db_run(queue, STATEMENT_ATTEMPT_STARTED,
				   BINDS(as_int(job_row), as_int(number), as_int(pid),
					 as_int(pid_started), as_int(started_at)),
				   err);
	if (changed <= 0)
		return changed;
	if (db_run(queue, STATEMENT_JOB_STARTED,
		   BINDS(as_int(job_row), as_int(number), as_int(started_at)), err) < 0 ||
	    job_has_started(queue, job_row, err) != 0 ||
	    outbox_started(queue, job_row, number, err) != 0)
		return db_fail_late(err);
	return 0;
}

int queue_attempt_stopping(struct queue *queue, int64_t job_row, int number,
			   enum stop_reason reason, struct err *err)
{
	const char *word = stop_reason_word(reason);
	if (word == NULL)
		return err_set(err, ERR_INVALID, "no reason to stop");
	const int changed =
		db_run(queue, STATEMENT_JOB_STOPPING,
		       BINDS(as_int(job_row), as_int(number), as_text(word)), err);
	if (changed <= 0)
		return changed;
	char data[80];
	(void)snprintf(data, sizeof data, "{\"reason\":\"%s\",\"force\":false}", word);
	const int result = event_of_move(queue, job_row, "stopping", JOB_STATE_NONE, NULL,
					 data, err);
	return result == 0 ? 0 : db_fail_late(err);
}
