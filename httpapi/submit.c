/* submit.c - POST /v1/jobs: validate, have it committed, answer 201.
 *
 * The answer is sent after the commit and rendered from what was submitted: reading the
 * row back would cost as much as writing it. */
#include "httpapi/answer.h"
#include "httpapi/carried.h"
#include "httpapi/depends.h"
#include "httpapi/gone.h"
#include "httpapi/handlers.h"
#include "httpapi/job_json.h"
#include "httpapi/lookup.h"
#include "httpapi/readers.h"
#include "httpapi/submission.h"
#include "httpapi/wait.h"
#include "httpapi/writer.h"

/* What is said of an ordinary job; without it the buffer would grow to that step by step.
 */
#define ANSWER_BYTES_ORDINARY 1000

struct submitting {
	struct wait wait; /* first: wait.c finds it as request->work */
	struct intake
		*intake; /* by itself: two small blocks are cheaper than one large */
	struct write write;
	struct request *request;
	struct viewer viewer;
	struct submitted submitted;
	struct dependency_list depends; /* of what was stored */
	bool is_dry_run;
	char *key; /* NULL: none */
};

static void submitting_free(void *work)
{
	struct submitting *submitting = work;
	intake_release(submitting->intake);
	free(submitting->intake);
	free(submitting->key);
	dependency_list_release(&submitting->depends);
	free(submitting);
}

static void put_answer(struct buf *body, const struct job_face *face, bool is_dry_run)
{
	struct json_writer json;
	json_writer_init(&json, body);
	if (!is_dry_run) {
		job_put(&json, NULL, face);
		return;
	}
	json_open(&json, NULL, '{');
	json_put_bool(&json, "dry_run", true);
	job_put(&json, "job", face);
	json_close(&json, '}');
}

static enum MHD_Result answer_submission(struct request *request)
{
	const struct submitting *submitting = request->work;
	const bool is_dry_run = submitting->is_dry_run;
	struct buf body = BUF_INIT(ANSWER_BYTES_MAX);
	struct job_face face;
	buf_reserve(&body, ANSWER_BYTES_ORDINARY);
	job_face_of_submission(&face, &submitting->intake->submission,
			       &submitting->submitted, !is_dry_run, &submitting->depends);
	put_answer(&body, &face, is_dry_run);
	if (is_dry_run)
		return answer_send(request, MHD_HTTP_OK, answer_json(&body));
	return answer_send(request, MHD_HTTP_CREATED,
			   wait_response(&submitting->wait, &body, face.version));
}

/* Finds the job that another request made: as it was when it was accepted (its first
 * answer), or as it is (the living one of a unique key, which may be another's by now).
 */
static int find_stored(struct request *request, struct queue *queue, struct job *ret,
		       struct err *err)
{
	const struct submitted *made = &((struct submitting *)request->work)->submitted;
	struct viewer viewer = request_viewer(request);
	int found = made->is_replay ? queue_job_as_submitted(queue, made->id, ret, err)
				    : queue_job_get(queue, &viewer, made->id, ret, err);
	if (found == 0)
		gone_job(request, queue, made->id, err);
	if (found > 0 && made->is_replay)
		ret->attempt = 0;
	return found > 0 ? 0 : -1;
}

static enum MHD_Result answer_stored(struct request *request)
{
	const struct submitting *submitting = request->work;
	struct readers *readers = request->server->readers;
	struct viewer viewer = request_viewer(request);
	struct queue *queue = NULL;
	struct err err = ERR_INIT;
	struct job job = {0};
	struct job_face face;
	struct job_parts parts = {0};
	if (readers_take(readers, &queue, &err) < 0)
		return answer_error(request, &err);
	int result = find_stored(request, queue, &job, &err);
	if (result == 0)
		result = job_face_of_job(&face, &parts, queue, &viewer,
					 &request->settings->config, &job, &err);
	readers_give(readers, queue);
	enum MHD_Result answered;
	if (result < 0) {
		answered = answer_error(request, &err);
	} else {
		struct buf body = BUF_INIT(ANSWER_BYTES_MAX);
		put_answer(&body, &face, submitting->is_dry_run);
		struct MHD_Response *response =
			submitting->is_dry_run
				? answer_json(&body)
				: wait_response(&submitting->wait, &body, job.version);
		answered = answer_send(request, submitting->wait.status, response);
	}
	job_parts_release(&parts);
	job_release(&job);
	return answered;
}

/* The commit is behind us. */
static enum MHD_Result go_on(struct request *request)
{
	struct submitting *submitting = request->work;
	const struct write *write = &submitting->write;
	const struct submitted *made = &submitting->submitted;
	struct wait *wait = &submitting->wait;
	if (write->result < 0) {
		wait_forget(request);
		return answer_error_about(request, &write->err,
					  write->err.code == ERR_CONFLICT ? made->id
									  : "");
	}
	snprintf(wait->job_id, sizeof(wait->job_id), "%s", made->id);
	wait->is_replay = made->is_replay;
	wait->is_created = !made->is_existing;
	if (made->is_existing || submitting->is_dry_run)
		wait->status = MHD_HTTP_OK;
	if (wait->wait_us > 0 && !submitting->is_dry_run)
		return wait_and_answer(request, wait);
	if (made->is_replay || made->is_existing)
		return answer_stored(request);
	return answer_submission(request);
}

/* For its end, which is still to come. */
static bool is_to_wait(const struct submitting *submitting)
{
	return submitting->wait.wait_us > 0 && !submitting->is_dry_run &&
	       !job_state_is_final(submitting->submitted.state);
}

/* What was stored of its dependencies is read in the same transaction, so that the answer
 * says one moment; a submission without any pays nothing for it. */
static int run_submit(struct queue *queue, struct write *write)
{
	struct submitting *submitting = WRITE_WORK(struct submitting, write);
	const struct submission *submission = &submitting->intake->submission;
	const struct submitted *made = &submitting->submitted;
	/* Of a transaction that was rolled back: it may be another job this time. */
	wait_forget(submitting->request);
	if (queue_submit(queue, submission, &submitting->submitted, &write->err) < 0)
		return -1;
	write->is_changed = !made->is_replay;
	/* Nobody waits for what is new; but it may have replaced another job. */
	write->is_watched = submission->unique_key != NULL;
	if (made->is_existing || made->is_replay)
		return 0;
	if (is_to_wait(submitting))
		write->waiter =
			wait_listen(submitting->request, &submitting->wait, made->id);
	if (submission->depends_count == 0)
		return 0;
	dependency_list_release(&submitting->depends);
	return queue_dependencies(queue, &submitting->viewer, made->row,
				  &submitting->depends, &write->err);
}

static enum MHD_Result commit(struct request *request)
{
	struct submitting *submitting = request->work;
	struct submission *submission = &submitting->intake->submission;
	submission->traceparent = carried_trace(request);
	if (submitting->is_dry_run)
		submission->idempotency_key = NULL;
	if (submission->idempotency_key)
		carried_hash(request, submission->body_hash);
	submitting->request = request;
	submitting->viewer = request_viewer(request);
	submitting->write.is_dry_run = submitting->is_dry_run;
	return writer_commit(request, &submitting->write, run_submit, go_on);
}

static int read_options(struct request *request, struct submitting *submitting,
			struct err *err)
{
	struct wait *wait = &submitting->wait;
	wait->status = MHD_HTTP_CREATED;
	wait->is_created = true;
	if (lookup_flag(request, "dry_run", &submitting->is_dry_run, err) < 0 ||
	    lookup_wait(request, &wait->wait_us, &wait->is_preferred, err) < 0)
		return -1;
	char key[KEY_BYTES_MAX + 1];
	int has_key = carried_key(request, key, err);
	if (has_key > 0)
		submitting->intake->submission.idempotency_key = submitting->key =
			mem_strdup(key);
	return has_key < 0 ? -1 : 0;
}

/* The request, and where it names other jobs, whether they are there. */
static int read_submission(struct request *request, struct intake *intake,
			   struct problems *problems, struct err *err)
{
	struct readers *readers = request->server->readers;
	struct viewer viewer = request_viewer(request);
	struct queue *queue = NULL;
	if (intake_read(intake, &request->settings->config, &request->settings->tasks,
			buf_text(&request->body), request->body.length, problems,
			err) < 0)
		return -1;
	intake->submission.owner = request->who.name;
	if (!depends_has_any(intake))
		return 0;
	if (readers_take(readers, &queue, err) < 0)
		return -1;
	int result = depends_resolve(intake, NULL, queue, &viewer, problems, err);
	readers_give(readers, queue);
	return result;
}

/* What becomes of most submissions follows from the request alone: a dry run of one need
 * not stand in line with those that write. */
static bool depends_on_others(const struct intake *intake)
{
	return depends_has_any(intake) || intake->submission.unique_key;
}

static enum MHD_Result answer_imagined(struct request *request)
{
	struct submitting *submitting = request->work;
	queue_birth(&submitting->intake->submission, &submitting->submitted);
	return answer_submission(request);
}

enum MHD_Result handle_job_submit(struct request *request)
{
	struct submitting *submitting = mem_alloc(sizeof(*submitting));
	struct err err = ERR_INIT;
	submitting->intake = mem_alloc(sizeof(*submitting->intake));
	intake_init(submitting->intake);
	request_keep(request, submitting, submitting_free);
	if (read_options(request, submitting, &err) < 0)
		return answer_error(request, &err);
	struct problems problems;
	problems_init(&problems);
	enum MHD_Result answered;
	if (read_submission(request, submitting->intake, &problems, &err) < 0)
		answered = answer_error(request, &err);
	else if (problems.total > 0)
		answered = answer_problems(request, ERR_INVALID, &problems);
	else if (submitting->is_dry_run && !depends_on_others(submitting->intake))
		answered = answer_imagined(request);
	else
		answered = commit(request);
	problems_release(&problems);
	return answered;
}
