/* submit.c - a validated request becomes a job, its event and, if asked, its key.
 *
 * The path that must be fast: one job row and one event row, no memory from the heap, no
 * JSON read. The rest is written only when the request has it. */
#include "queue/db.h"

/* Whether this owner used the key before. 1 (then *ret is that job), 0, -1. */
static int replay_find(struct queue *queue, const struct submission *submission,
		       struct submitted *ret, struct err *err)
{
	sqlite3_stmt *stmt;
	if (db_start(queue, STATEMENT_IDEMPOTENCY_GET,
		     BINDS(as_text(submission->owner),
			   as_text(submission->idempotency_key)),
		     &stmt, err) != 0)
		return -1;
	int found = db_step(queue, stmt, err);
	if (found == 1) {
		const void *hash = sqlite3_column_blob(stmt, 0);
		const int bytes = sqlite3_column_bytes(stmt, 0);
		if (hash == NULL || bytes != DIGEST_BYTES ||
		    memcmp(hash, submission->body_hash, DIGEST_BYTES) != 0) {
			found = err_set(err, ERR_INVALID,
					"this Idempotency-Key was used before with "
					"another request");
		} else {
			column_id(stmt, 1, ret->id);
			ret->row = sqlite3_column_int64(stmt, 2);
			ret->submitted_at = sqlite3_column_int64(stmt, 3);
			ret->is_replay = true;
		}
	}
	db_end(stmt);
	return found;
}

static int job_insert(struct queue *queue, const struct submission *s,
		      const uint8_t uuid[DB_UUID_BYTES], int64_t now, struct err *err)
{
	const bool is_stop = s->output_policy == OUTPUT_STOP;
	const char *reason;
	const enum job_state state = submission_state(s, now, &reason);
	const struct bind binds[] = {
		as_blob(uuid, DB_UUID_BYTES),
		as_text(s->owner),
		as_text(s->name),
		as_text(s->queue),
		as_int(s->priority),
		as_text(s->command),
		as_text(s->environment),
		as_text(s->working_directory),
		as_text(s->labels),
		as_int_if(s->stdin_data != NULL, (int64_t)s->stdin_bytes),
		as_int_if(s->timeout_us != 0, s->timeout_us),
		as_int_if(s->kill_grace_us >= 0, s->kill_grace_us),
		as_int_if(s->output_bytes_max >= 0, s->output_bytes_max),
		as_text(is_stop ? "stop" : NULL),
		as_text(s->traceparent),
		as_int(now),
		as_text(s->task),
		as_blob(s->task != NULL ? s->task_hash : NULL, DIGEST_BYTES),
		as_text(s->parameters),
		as_text(s->success_exit_codes),
		as_text(job_state_word(state)),
		as_text(reason),
		as_int_if(s->run_at != 0, s->run_at),
		as_int_if(s->expires_at != 0, s->expires_at),
		as_int_if(s->deadline_us != 0, s->deadline_us),
		as_text(s->retry),
		as_int(s->max_attempts),
		as_int_if(state == JOB_QUEUED, now),
	};
	return db_run(queue, STATEMENT_JOB_INSERT, binds, ARRAY_SIZE(binds), err);
}

/* {"reason":"run_at","run_at":"..."}, whichever there is; nothing for neither, as nearly
 * always. It is how a replayed key is answered as the first time. */
static void submitted_data(const struct submission *s, const char *reason,
			   struct buf *out)
{
	struct json_writer json;
	if (reason == NULL && s->run_at == 0)
		return;
	json_writer_init(&json, out);
	json_open(&json, NULL, '{');
	if (reason != NULL)
		json_put_text(&json, "reason", reason);
	if (s->run_at != 0)
		json_put_time(&json, "run_at", s->run_at);
	json_close(&json, '}');
}

/* Before the job, whose row refers to it. A definition whose job is then refused stays:
 * it is true all the same. */
static int definition_keep(struct queue *queue, const struct submission *s, int64_t now,
			   struct err *err)
{
	if (s->task == NULL)
		return 0;
	return db_run(queue, STATEMENT_TASK_DEFINITION_KEEP,
		      BINDS(as_blob(s->task_hash, DIGEST_BYTES), as_text(s->task),
			    as_text(s->task_definition), as_int(now)),
		      err);
}

/* What goes with the job row. Nothing here can be refused any more. */
static int companions_insert(struct queue *queue, const struct submission *s, int64_t row,
			     int64_t now, struct err *err)
{
	if (s->stdin_data != NULL &&
	    db_run(queue, STATEMENT_JOB_STDIN_INSERT,
		   BINDS(as_int(row), as_blob(s->stdin_data, s->stdin_bytes)), err) < 0)
		return -1;
	if (s->idempotency_key != NULL &&
	    db_run(queue, STATEMENT_IDEMPOTENCY_INSERT,
		   BINDS(as_text(s->owner), as_text(s->idempotency_key),
			 as_blob(s->body_hash, DIGEST_BYTES), as_int(row), as_int(now)),
		   err) < 0)
		return -1;
	if (s->is_kept &&
	    db_run(queue, STATEMENT_KEEP_JOB,
		   BINDS(as_int(row), as_text(s->owner), as_int(now)), err) < 0)
		return -1;
	AUTO_BUF struct buf data = BUF_INIT(256);
	const char *reason;
	const enum job_state state = submission_state(s, now, &reason);
	submitted_data(s, reason, &data);
	return event_append(queue,
			    &(const struct event_row){
				    .at = now,
				    .has_job = true,
				    .job_row = row,
				    .kind = "submitted",
				    .state = job_state_word(state),
				    .principal = s->owner,
				    .data = data.length > 0 ? buf_text(&data) : NULL,
			    },
			    err);
}

int queue_submit(struct queue *queue, const struct submission *submission,
		 struct submitted *ret, struct err *err)
{
	if (db_expect_writing(queue, err) != 0)
		return -1;
	if (submission->idempotency_key != NULL) {
		const int found = replay_find(queue, submission, ret, err);
		if (found != 0)
			return found < 0 ? -1 : 0;
	}
	uint8_t uuid[DB_UUID_BYTES];
	const int64_t now = clock_now_us();
	id_make(queue, uuid);
	if (definition_keep(queue, submission, now, err) < 0 ||
	    job_insert(queue, submission, uuid, now, err) < 0)
		return -1;
	const int64_t row = sqlite3_last_insert_rowid(queue->db);
	if (companions_insert(queue, submission, row, now, err) != 0)
		return db_fail_late(err);
	id_format(uuid, ret->id);
	ret->row = row;
	ret->submitted_at = now;
	ret->is_replay = false;
	return 0;
}

int queue_idempotency_expire(struct queue *queue, int64_t keep_us, int limit,
			     struct err *err)
{
	return db_run(queue, STATEMENT_IDEMPOTENCY_EXPIRE,
		      BINDS(as_int(clock_now_us() - keep_us), as_int(limit)), err);
}
