/* input.c - the output of one job as the input of another.
 *
 * All of it or nothing: a job must never run with a part of what it was to read. */
#include "queue/db.h"

/* What is left of a job that was pruned; its id is known at least. */
static int refuse_missing(struct queue *queue, int64_t row, struct err *err)
{
	char id[JOB_ID_BYTES] = "it depends on";
	sqlite3_stmt *stmt;
	if (db_start(queue, STATEMENT_GRAPH_JOB, BINDS(as_int(row), as_null()), &stmt,
		     err) != 0)
		return -1;
	const int found = db_step(queue, stmt, err);
	if (found == 1)
		column_id(stmt, 0, id);
	db_end(stmt);
	return found < 0 ? -1
			 : err_set(err, ERR_GONE, "the output of job %s was removed", id);
}

/* Is it whole, as far as the rows know? 1, 0 it wrote nothing, -1. */
static int parent_check(const struct job *parent, const struct attempt *last,
			struct err *err)
{
	if (parent->state != JOB_SUCCEEDED)
		return err_set(err, ERR_CONFLICT, "job %s has not succeeded: %s",
			       parent->id, job_state_word(parent->state));
	if (last->dropped_bytes > 0)
		return err_set(err, ERR_CONFLICT, "the output of job %s was truncated",
			       parent->id);
	if (text_equal(last->stored, "removed") && last->stdout_bytes > 0)
		return err_set(err, ERR_GONE, "the output of job %s was removed",
			       parent->id);
	return last->stdout_bytes > 0;
}

/* And is it there? */
static int parent_open(struct queue *queue, const char *state_dir,
		       const struct job *parent, const struct attempt *last,
		       struct output **ret, struct err *err)
{
	int64_t bytes = 0;
	const int found =
		queue_output_open(queue, state_dir, parent, last->number, ret, err);
	if (found < 0 && err->code != ERR_GONE)
		return -1;
	if (found != 1)
		return err_set(err, ERR_GONE, "the output of job %s was removed",
			       parent->id);
	int result = output_size(*ret, OUTPUT_STDOUT, &bytes, err);
	if (result == 0 && bytes != last->stdout_bytes)
		result =
			err_set(err, ERR_CONFLICT,
				"the output of job %s is not whole any more", parent->id);
	if (result == 0)
		return 1;
	output_close(*ret);
	return -1;
}

int queue_input_open(struct queue *queue, const char *state_dir, int64_t parent_row,
		     struct output **ret, struct attempt *ret_last, struct err *err)
{
	struct job parent;
	struct attempt last = {.number = 0};
	const int found = job_load(queue, parent_row, &parent, err);
	if (found <= 0)
		return found < 0 ? -1 : refuse_missing(queue, parent_row, err);
	int result = queue_attempt_get(queue, parent_row, parent.attempt, &last, err);
	if (result >= 0)
		result = parent_check(&parent, &last, err);
	if (result == 1)
		result = parent_open(queue, state_dir, &parent, &last, ret, err);
	if (result == 1)
		*ret_last = last;
	else
		attempt_release(&last);
	job_release(&parent);
	return result;
}
