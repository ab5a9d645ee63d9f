/* job.c - reading jobs: one, the newest (many: list.c).
 *
 * Every question finds ids through an index, with the viewer's rights in the statement;
 * then the one statement JOB_ROW fetches the rows. So a column is added in one place. */
#include "queue/db.h"

/* how many jobs may share a prefix before more characters are asked for */
#define PREFIX_LOOK_MAX 1000

#define AT(member) .offset = offsetof(struct job, member)

/* clang-format off */
const struct field JOB_FIELDS[JOB_FIELDS_COUNT] = {
	{FIELD_INT64,  AT(row)},
	{FIELD_UUID,   AT(id)},
	{FIELD_TEXT,   AT(owner)},
	{FIELD_STATE,  AT(state)},
	{FIELD_TEXT,   AT(reason)},
	{FIELD_TEXT,   AT(name)},
	{FIELD_TEXT,   AT(queue)},
	{FIELD_INT,    AT(priority)},
	{FIELD_TEXT,   AT(command)},
	{FIELD_TEXT,   AT(environment)},
	{FIELD_TEXT,   AT(working_directory)},
	{FIELD_TEXT,   AT(labels)},
	{FIELD_INT64,  AT(timeout_us)},
	{FIELD_INT64,  AT(kill_grace_us), .if_null = -1},
	{FIELD_INT64,  AT(output_bytes_max), .if_null = -1},
	{FIELD_POLICY, AT(output_policy)},
	{FIELD_TEXT,   AT(traceparent)},
	{FIELD_INT64,  AT(submitted_at)},
	{FIELD_INT64,  AT(started_at)},
	{FIELD_INT64,  AT(finished_at)},
	{FIELD_INT,    AT(attempt)},
	{FIELD_FLAG,   AT(exit_code), .flag = offsetof(struct job, has_exit_code)},
	{FIELD_FLAG,   AT(signal), .flag = offsetof(struct job, has_signal)},
	{FIELD_STOP,   AT(stop_reason)},
	{FIELD_TEXT,   AT(stop_by)},
	{FIELD_TEXT,   AT(stop_text)},
	{FIELD_INT64,  AT(version)},
	{FIELD_TEXT,   AT(task)},
	{FIELD_TEXT,   AT(parameters)},
	{FIELD_INT64,  AT(run_at)},
	{FIELD_INT64,  AT(expires_at)},
	{FIELD_INT64,  AT(deadline_us)},
	{FIELD_TEXT,   AT(retry)},
	{FIELD_INT,    AT(max_attempts)},
	{FIELD_TEXT,   AT(depends_rule)},
	{FIELD_INT64,  AT(stdin_from)},
	{FIELD_UUID,   AT(batch)},
	{FIELD_UUID,   AT(rerun_of)},
	{FIELD_TEXT,   AT(unique_key)},
	{FIELD_INT,    AT(is_kept)},
	{FIELD_INT64,  AT(queued_at)},
	{FIELD_TEXT,   AT(callback)},
};
/* clang-format on */
#undef AT

void job_release(struct job *job)
{
	fields_release(JOB_FIELDS, JOB_FIELDS_COUNT, job, sizeof *job);
}

int job_load(struct queue *queue, int64_t row, struct job *ret, struct err *err)
{
	sqlite3_stmt *stmt;
	if (db_start(queue, STATEMENT_JOB_ROW, BINDS(as_int(row)), &stmt, err) != 0)
		return -1;
	const int found = db_step(queue, stmt, err);
	if (found == 1) {
		memset(ret, 0, sizeof *ret);
		fields_fill(stmt, JOB_FIELDS, JOB_FIELDS_COUNT, ret);
	}
	db_end(stmt);
	return found;
}

static int prefix_find(struct queue *queue, const struct viewer *viewer,
		       const uint8_t low[DB_UUID_BYTES],
		       const uint8_t high[DB_UUID_BYTES], int64_t *ret_row,
		       struct err *err)
{
	sqlite3_stmt *stmt;
	int64_t row = 0;
	int seen = 0, matches = 0, more;
	if (db_start(queue, STATEMENT_JOB_FIND_RANGE,
		     BINDS(as_blob(low, DB_UUID_BYTES), as_blob(high, DB_UUID_BYTES),
			   viewer_owner(viewer), as_int(PREFIX_LOOK_MAX)),
		     &stmt, err) != 0)
		return -1;
	while (matches < 2 && (more = db_step(queue, stmt, err)) == 1) {
		seen++;
		if (!sqlite3_column_int(stmt, 1))
			continue;
		matches++;
		row = sqlite3_column_int64(stmt, 0);
	}
	db_end(stmt);
	if (matches < 2 && more < 0)
		return -1;
	if (matches > 1 || seen == PREFIX_LOOK_MAX)
		return err_set(err, ERR_CONFLICT,
			       "several jobs begin so; give more characters");
	if (matches == 1)
		*ret_row = row;
	return matches;
}

int job_find(struct queue *queue, const struct viewer *viewer, const char *id,
	     int64_t *ret_row, struct err *err)
{
	uint8_t low[DB_UUID_BYTES], high[DB_UUID_BYTES];
	if (id_range(id, low, high) != 1)
		return 0;
	if (memcmp(low, high, sizeof low) != 0)
		return prefix_find(queue, viewer, low, high, ret_row, err);
	return db_ask(queue, STATEMENT_JOB_FIND,
		      BINDS(as_blob(low, sizeof low), viewer_owner(viewer)), ret_row,
		      err);
}

int queue_job_row(struct queue *queue, const struct viewer *viewer, const char *id,
		  int64_t *ret_row, struct err *err)
{
	return job_find(queue, viewer, id, ret_row, err);
}

int queue_job_get(struct queue *queue, const struct viewer *viewer, const char *id,
		  struct job *ret, struct err *err)
{
	int64_t row;
	const int found = job_find(queue, viewer, id, &row, err);
	return found == 1 ? job_load(queue, row, ret, err) : found;
}

int queue_job_last(struct queue *queue, const struct viewer *viewer, struct job *ret,
		   struct err *err)
{
	int64_t row;
	const int found = db_ask(queue, STATEMENT_JOB_LAST,
				 BINDS(as_text(viewer->principal)), &row, err);
	return found == 1 ? job_load(queue, row, ret, err) : found;
}

/* How it was born stands in its first event; its run_at may have become another since. */
static int birth_load(struct queue *queue, struct job *job, struct err *err)
{
	sqlite3_stmt *stmt;
	AUTO_FREE char *data = NULL;
	if (db_start(queue, STATEMENT_EVENT_LIST,
		     BINDS(as_int(job->row), as_int(0), as_int(1)), &stmt, err) != 0)
		return -1;
	const int found = db_step(queue, stmt, err);
	job->state = JOB_QUEUED;
	job->run_at = 0;
	if (found == 1) {
		job->state = job_state_parse((const char *)sqlite3_column_text(stmt, 4));
		data = column_text(stmt, 6);
	}
	db_end(stmt);
	if (found < 0 || data == NULL)
		return found < 0 ? -1 : 0;
	cJSON *tree = NULL;
	if (json_parse(data, strlen(data), NULL, &tree, err) < 0)
		return -1;
	const char *reason = cJSON_GetStringValue(json_get(tree, "reason"));
	const char *run_at = cJSON_GetStringValue(json_get(tree, "run_at"));
	job->reason = reason != NULL ? mem_strdup(reason) : NULL;
	if (run_at != NULL && clock_parse(run_at, &job->run_at) != 0)
		job->run_at = 0;
	cJSON_Delete(tree);
	return 0;
}

int queue_job_as_submitted(struct queue *queue, const char *id, struct job *ret,
			   struct err *err)
{
	const struct viewer everybody = {.principal = "", .sees_all = true};
	struct job job;
	const int found = queue_job_get(queue, &everybody, id, &job, err);
	if (found != 1)
		return found;
	free(job.reason);
	free(job.stop_by);
	free(job.stop_text);
	job.reason = job.stop_by = job.stop_text = NULL;
	if (birth_load(queue, &job, err) != 0 || job_unchange(queue, &job, err) != 0) {
		job_release(&job);
		return -1;
	}
	job.stop_reason = STOP_NONE;
	job.started_at = 0;
	job.finished_at = job_state_is_final(job.state) ? job.submitted_at : 0;
	job.queued_at = job.state == JOB_QUEUED ? job.submitted_at : 0;
	job.attempt = job.exit_code = job.signal = 0;
	job.has_exit_code = job.has_signal = false;
	job.version = 1;
	*ret = job;
	return 1;
}
