/* unique.c - work of which its owner has one alive: what becomes of a second one.
 *
 * In the submission's own transaction, under the writers' lock: between looking and
 * writing nobody else can submit the same. The unique index would refuse it besides. */
#include "queue/birth.h"
#include "queue/settle.h"

struct living {
	char id[JOB_ID_BYTES];
	int64_t row, submitted_at;
	enum job_state state;
	bool has_run;
};

static int living_find(struct queue *queue, const struct submission *submission,
		       struct living *ret, struct err *err)
{
	sqlite3_stmt *stmt;
	if (db_start(queue, STATEMENT_UNIQUE_FIND,
		     BINDS(as_text(submission->owner), as_text(submission->unique_key)),
		     &stmt, err) != 0)
		return -1;
	const int found = db_step(queue, stmt, err);
	if (found == 1) {
		ret->row = sqlite3_column_int64(stmt, 0);
		column_id(stmt, 1, ret->id);
		ret->submitted_at = sqlite3_column_int64(stmt, 2);
		ret->state = job_state_parse((const char *)sqlite3_column_text(stmt, 3));
		ret->has_run = sqlite3_column_int(stmt, 4) != 0;
	}
	db_end(stmt);
	return found;
}

int unique_look(struct queue *queue, const struct submission *submission,
		struct submitted *ret, struct err *err)
{
	struct living living;
	const int found = living_find(queue, submission, &living, err);
	if (found != 1)
		return found;
	memcpy(ret->id, living.id, sizeof ret->id);
	switch (submission->unique_conflict) {
	case UNIQUE_REPLACE:
		if (living.state == JOB_RUNNING || living.has_run)
			return err_set(err, ERR_CONFLICT,
				       "job %s with this unique key has started already",
				       living.id);
		return job_cancel_unstarted(queue, living.row, submission->owner,
					    "replaced", err);
	case UNIQUE_REJECT:
		return err_set(err, ERR_CONFLICT,
			       "job %s with this unique key is alive: %s", living.id,
			       job_state_word(living.state));
	case UNIQUE_RETURN:
	default:
		*ret = (struct submitted){.row = living.row,
					  .submitted_at = living.submitted_at,
					  .state = living.state,
					  .is_existing = true};
		memcpy(ret->id, living.id, sizeof ret->id);
		return 1;
	}
}
