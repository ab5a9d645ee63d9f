/* birth.c - what a job is born as, by what its parents have done, and its first rows. */
#include "queue/birth.h"

#include "queue/settle.h"

int64_t wish_row(const struct dependency_wish *wish, const struct submitted *siblings)
{
	return wish->parent_row != 0 ? wish->parent_row : siblings[wish->parent_item].row;
}

/* --- what the parents have done --- */

static void blame(struct birth *birth, const char *parent_id, const char *parent_state)
{
	if (birth->parent_state[0] != '\0')
		return;
	(void)snprintf(birth->parent_id, sizeof birth->parent_id, "%s", parent_id);
	(void)snprintf(birth->parent_state, sizeof birth->parent_state, "%s",
		       parent_state);
}

static int stored_fate(struct queue *queue, int64_t parent_row,
		       enum dependency_condition condition, enum dependency_state *ret,
		       struct birth *birth, struct err *err)
{
	sqlite3_stmt *stmt;
	if (db_start(queue, STATEMENT_DEPENDENCY_OUTCOME,
		     BINDS(as_int(parent_row),
			   as_text(dependency_condition_word(condition))),
		     &stmt, err) != 0)
		return -1;
	const int found = db_step(queue, stmt, err);
	*ret = DEPENDENCY_PENDING;
	if (found == 1 && sqlite3_column_type(stmt, 0) != SQLITE_NULL) {
		const char *outcome = (const char *)sqlite3_column_text(stmt, 0);
		*ret = text_equal(outcome, "met") ? DEPENDENCY_MET
						  : DEPENDENCY_IMPOSSIBLE;
	}
	if (found == 1 && *ret == DEPENDENCY_IMPOSSIBLE) {
		char id[JOB_ID_BYTES];
		column_id(stmt, 1, id);
		blame(birth, id, (const char *)sqlite3_column_text(stmt, 2));
	}
	db_end(stmt);
	if (found == 0)
		return err_set(err, ERR_INVALID, "there is no such job to depend on");
	return found < 0 ? -1 : 0;
}

/* --- the state it is born in --- */

static enum outlook outlook_of(const struct submission *s, const size_t count[3])
{
	if (s->is_any_enough && count[DEPENDENCY_MET] > 0)
		return OUTLOOK_GO;
	if (count[DEPENDENCY_IMPOSSIBLE] > 0 &&
	    !(s->is_any_enough && count[DEPENDENCY_PENDING] > 0))
		return OUTLOOK_NEVER;
	return count[DEPENDENCY_PENDING] > 0 ? OUTLOOK_WAIT : OUTLOOK_GO;
}

/* A person comes before the parents, and they before the clock. */
static void state_decide(const struct submission *s, enum outlook outlook,
			 struct birth *birth)
{
	if (outlook == OUTLOOK_NEVER || (outlook == OUTLOOK_WAIT && !s->is_held))
		birth->reason = "dependency";
	else if (s->is_held)
		birth->reason = "hold";
	else if (s->run_at > birth->now)
		birth->reason = "run_at";
	else
		birth->reason = NULL;
	birth->state = outlook == OUTLOOK_NEVER ? JOB_SKIPPED
		       : birth->reason != NULL	? JOB_WAITING
						: JOB_QUEUED;
}

int birth_decide(struct queue *queue, const struct submission *submission,
		 const struct submitted *siblings, struct birth *birth, struct err *err)
{
	size_t count[3] = {0, 0, 0};
	if (submission->depends_count > 0)
		birth->fate = mem_array(submission->depends_count, sizeof *birth->fate);
	for (size_t i = 0; i < submission->depends_count; i++) {
		const struct dependency_wish *wish = &submission->depends_on[i];
		if (stored_fate(queue, wish_row(wish, siblings), wish->condition,
				&birth->fate[i], birth, err) != 0)
			return -1;
		count[birth->fate[i]]++;
	}
	state_decide(submission, outlook_of(submission, count), birth);
	return 0;
}

void birth_release(struct birth *birth)
{
	free(birth->fate);
	birth->fate = NULL;
}

void queue_birth(const struct submission *submission, struct submitted *ret)
{
	struct birth birth = {.now = clock_now_us()};
	state_decide(submission, OUTLOOK_GO, &birth);
	*ret = (struct submitted){
		.submitted_at = birth.now, .state = birth.state, .reason = birth.reason};
}

/* --- rows --- */

int birth_dependencies(struct queue *queue, const struct submission *submission,
		       const struct submitted *siblings, const struct birth *birth,
		       int64_t row, struct err *err)
{
	for (size_t i = 0; i < submission->depends_count; i++) {
		const struct dependency_wish *wish = &submission->depends_on[i];
		if (db_run(queue, STATEMENT_DEPENDENCY_INSERT,
			   BINDS(as_int(row), as_int(wish_row(wish, siblings)),
				 as_text(dependency_condition_word(wish->condition)),
				 as_text(dependency_state_word(birth->fate[i]))),
			   err) < 0)
			return -1;
	}
	return 0;
}

/* {"reason":"run_at","run_at":"..."}, whichever there is; nothing for neither, as nearly
 * always. It is how a replayed key is answered as the first time. */
static void submitted_data(const struct birth *birth, int64_t run_at,
			   const char *rerun_of, struct buf *out)
{
	struct json_writer json;
	if (birth->reason == NULL && run_at == 0 && rerun_of == NULL)
		return;
	json_writer_init(&json, out);
	json_open(&json, NULL, '{');
	if (birth->reason != NULL)
		json_put_text(&json, "reason", birth->reason);
	if (birth->state == JOB_SKIPPED) {
		json_put_text(&json, "parent", birth->parent_id);
		json_put_text(&json, "parent_state", birth->parent_state);
	}
	if (run_at != 0)
		json_put_time(&json, "run_at", run_at);
	if (rerun_of != NULL)
		json_put_text(&json, "rerun_of", rerun_of);
	json_close(&json, '}');
}

int birth_event(struct queue *queue, const struct birth *birth, int64_t row,
		const char *owner, int64_t run_at, const char *rerun_of, struct err *err)
{
	AUTO_BUF struct buf data = BUF_INIT(512);
	submitted_data(birth, run_at, rerun_of, &data);
	if (event_append(queue,
			 &(const struct event_row){
				 .at = birth->now,
				 .has_job = true,
				 .job_row = row,
				 .kind = "submitted",
				 .state = job_state_word(birth->state),
				 .principal = owner,
				 .data = data.length > 0 ? buf_text(&data) : NULL,
			 },
			 err) != 0)
		return -1;
	return job_state_is_final(birth->state) ? job_ended(queue, row, birth->state, err)
						: 0;
}
