/* job_json.h - jobs, attempts and events as the API shows them.
 *
 * Written straight into the answer's buffer. A job is rendered from a `struct job_face`,
 * which is filled either from a row or from what was just submitted, so that the answer
 * to a submission needs no second look at the database and still cannot differ. */
#ifndef REEVE_HTTPAPI_JOB_JSON_H
#define REEVE_HTTPAPI_JOB_JSON_H

#include "queue/queue.h"

/* What a job's description is made of; texts are borrowed. */
struct job_face {
	const char *id, *owner, *reason, *name, *queue, *command, *working_directory;
	const char *labels;
	const char *task, *parameters; /* NULL: a command of its own */
	enum job_state state;
	int priority, attempt;
	int64_t timeout_us, kill_grace_us, output_bytes_max;
	enum output_policy output_policy;
	const char *retry;
	int max_attempts;
	int64_t run_at, expires_at, deadline_us;
	int64_t submitted_at, started_at, finished_at, version;
	bool has_exit_code, has_signal;
	int exit_code, signal;
	const struct attempt *last; /* NULL: none */
	bool is_any_enough;
	const struct dependency *depends_on;
	size_t depends_count;
	int64_t dependants, stdin_from; /* a row among those of depends_on; 0: none */
	const char *batch, *rerun_of, *unique_key; /* NULL or "": none */
	bool is_kept;
	const char *callback; /* JSON; NULL: nobody is told */
};

/* What a face of a row borrows from; zeroed before, released after. */
struct job_parts {
	struct attempt last;
	struct dependency_list depends;
};
void job_parts_release(struct job_parts *parts);

/* `made` says how it was born, `depends` on what it depends (if on anything). One that
 * was stored shows its id and its time, a dry run does not. */
void job_face_of_submission(struct job_face *ret, const struct submission *submission,
			    const struct submitted *made, bool is_stored,
			    const struct dependency_list *depends);

/* Fills the face and, from the database, /proc and the growing output, its last attempt
 * and its dependencies as the viewer sees them (into `parts`). */
int job_face_of_job(struct job_face *ret, struct job_parts *parts, struct queue *queue,
		    const struct viewer *viewer, const struct config *config,
		    const struct job *job, struct err *err);

/* Writes the job that is looked at as the viewer sees it. What keeps a queued one just
 * now is its reason: nothing in its own row says so, and the answer to a submission,
 * which may be asked for again, does not either. `key` as for json_open. */
int job_put_view(struct json_writer *json, const char *key, struct queue *queue,
		 const struct viewer *viewer, const struct config *config,
		 struct job_view *view, struct err *err);

void job_put(struct json_writer *json, const char *key, const struct job_face *face);
void attempt_put(struct json_writer *json, const struct attempt *attempt);
void event_put(struct json_writer *json, const struct event *event);

/* The members of an attempt's `output`. */
void attempt_put_output(struct json_writer *json, const struct attempt *attempt);

/* What a running attempt has used and written so far, into its usage fields. */
void attempt_look(struct attempt *attempt, struct queue *queue,
		  const struct config *config, const struct job *job);

#endif
