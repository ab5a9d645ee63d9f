/* submit.c - a validated request becomes a job, its event and, if asked, its key.
 *
 * The path that must be fast: one job row and one event row, no memory from the heap, no
 * JSON read. The rest is written only when the request has it. */
#include "queue/birth.h"

static int job_insert(struct queue *queue, const struct submission *s,
		      const struct submitted *siblings, const struct birth *birth,
		      struct err *err)
{
	const bool is_stop = s->output_policy == OUTPUT_STOP;
	uint8_t rerun_of[DB_UUID_BYTES], same[DB_UUID_BYTES];
	const bool is_rerun =
		s->rerun_of != NULL && id_range(s->rerun_of, rerun_of, same) == 1;
	const struct bind binds[] = {
		as_blob(birth->uuid, DB_UUID_BYTES),
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
		as_int(birth->now),
		as_text(s->task),
		as_blob(s->task != NULL ? s->task_hash : NULL, DIGEST_BYTES),
		as_text(s->parameters),
		as_text(s->success_exit_codes),
		as_text(job_state_word(birth->state)),
		as_text(birth->reason),
		as_int_if(s->run_at != 0, s->run_at),
		as_int_if(s->expires_at != 0, s->expires_at),
		as_int_if(s->deadline_us != 0, s->deadline_us),
		as_text(s->retry),
		as_int(s->max_attempts),
		as_int_if(birth->state == JOB_QUEUED, birth->now),
		as_text(s->is_any_enough ? "any" : NULL),
		as_int_if(s->stdin_from != NULL,
			  s->stdin_from != NULL ? wish_row(s->stdin_from, siblings) : 0),
		as_blob(birth->batch, DB_UUID_BYTES),
		as_blob(is_rerun ? rerun_of : NULL, DB_UUID_BYTES),
		as_text(s->unique_key),
		as_int_if(job_state_is_final(birth->state), birth->now),
		as_text(s->callback),
	};
	return db_run(queue, STATEMENT_JOB_INSERT, binds, ARRAY_SIZE(binds), err);
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
static int companions_insert(struct queue *queue, const struct submission *s,
			     const struct submitted *siblings, const struct birth *birth,
			     int64_t row, struct err *err)
{
	if (s->stdin_data != NULL &&
	    db_run(queue, STATEMENT_JOB_STDIN_INSERT,
		   BINDS(as_int(row), as_blob(s->stdin_data, s->stdin_bytes)), err) < 0)
		return -1;
	if (s->labels != NULL && s->labels[0] == '{' && s->labels[1] != '}' &&
	    db_run(queue, STATEMENT_JOB_LABELS_INSERT, BINDS(as_int(row)), err) < 0)
		return -1;
	if (s->is_kept &&
	    db_run(queue, STATEMENT_JOB_KEEP,
		   BINDS(as_int(row), as_text(s->owner), as_int(birth->now)), err) < 0)
		return -1;
	if (s->depends_count > 0 &&
	    birth_dependencies(queue, s, siblings, birth, row, err) != 0)
		return -1;
	return birth_event(queue, birth, row, s->owner, s->run_at, s->rerun_of, err);
}

static int rows_insert(struct queue *queue, const struct submission *s,
		       const struct submitted *siblings, struct birth *birth,
		       struct submitted *ret, struct err *err)
{
	id_make(queue, birth->uuid);
	if (definition_keep(queue, s, birth->now, err) < 0 ||
	    job_insert(queue, s, siblings, birth, err) < 0)
		return -1;
	const int64_t row = sqlite3_last_insert_rowid(queue->db);
	if (companions_insert(queue, s, siblings, birth, row, err) != 0)
		return db_fail_late(err);
	tally_submitted(queue, s->queue, birth->now);
	id_format(birth->uuid, ret->id);
	ret->row = row;
	ret->submitted_at = birth->now;
	ret->state = birth->state;
	ret->reason = birth->reason;
	ret->is_existing = ret->is_replay = false;
	return 0;
}

int submit_one(struct queue *queue, const struct submission *submission,
	       const struct submitted *siblings, const uint8_t *batch,
	       struct submitted *ret, struct err *err)
{
	struct birth birth = {.now = clock_now_us(), .batch = batch};
	bool has_replaced = false;
	if (submission->unique_key != NULL) {
		ret->id[0] = '\0';
		const int found = unique_look(queue, submission, ret, err);
		if (found != 0)
			return found < 0 ? -1 : 0;
		has_replaced = ret->id[0] != '\0';
	}
	int result = birth_decide(queue, submission, siblings, &birth, err);
	if (result == 0 && has_replaced && job_state_is_final(birth.state))
		result = err_set(
			err, ERR_CONFLICT,
			"job %s with this unique key is not replaced: the new one "
			"could never run",
			ret->id);
	if (result == 0)
		result = rows_insert(queue, submission, siblings, &birth, ret, err);
	birth_release(&birth);
	return result;
}

/* A replacement has cancelled the other job before its own rows can be refused. */
static int submit_in_part(struct queue *queue, const struct submission *submission,
			  struct submitted *ret, struct err *err)
{
	struct part part;
	if (part_begin(queue, &part, err) != 0)
		return -1;
	if (submit_one(queue, submission, NULL, NULL, ret, err) == 0)
		return part_end(queue, &part, err);
	struct err undoing = ERR_INIT;
	if (part_undo(queue, &part, &undoing) != 0)
		*err = undoing;
	return -1;
}

int queue_submit(struct queue *queue, const struct submission *submission,
		 struct submitted *ret, struct err *err)
{
	const bool may_replace = submission->unique_key != NULL &&
				 submission->unique_conflict == UNIQUE_REPLACE;
	if (db_expect_writing(queue, err) != 0)
		return -1;
	const struct request_key key = {submission->owner, submission->idempotency_key,
					submission->body_hash};
	const int found = key_find(queue, &key, ret, err);
	if (found != 0)
		return found < 0 ? -1 : 0;
	if ((may_replace ? submit_in_part(queue, submission, ret, err)
			 : submit_one(queue, submission, NULL, NULL, ret, err)) != 0)
		return -1;
	return key_keep(queue, &key, ret->row, NULL, err);
}
