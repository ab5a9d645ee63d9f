/* submit.c - POST /v1/jobs: validate, have it committed, answer 201.
 *
 * The answer is sent after the commit and rendered from what was submitted: reading the
 * row back would cost as much as writing it. */
#include "httpapi/answer.h"
#include "httpapi/handlers.h"
#include "httpapi/job_json.h"
#include "httpapi/lookup.h"
#include "httpapi/readers.h"
#include "httpapi/submission.h"
#include "httpapi/wait.h"
#include "httpapi/writer.h"

#define KEY_BYTES_MAX 255

struct submitting {
	struct wait wait; /* first: wait.c finds it as request->work */
	struct intake intake;
	struct write write;
	char key[KEY_BYTES_MAX + 1];
};

static void submitting_free(void *work)
{
	struct submitting *submitting = work;
	intake_release(&submitting->intake);
	free(submitting);
}

/* Bare or in quotes, 1 to 255 visible ASCII characters. */
static int read_key(const char *header, char ret[KEY_BYTES_MAX + 1], struct err *err)
{
	size_t length = strlen(header);
	if (length >= 2 && header[0] == '"' && header[length - 1] == '"') {
		header++;
		length -= 2;
	}
	for (size_t i = 0; i < length; i++)
		if (header[i] < 0x21 || header[i] > 0x7e)
			length = 0;
	if (length == 0 || length > KEY_BYTES_MAX)
		return err_set(err, ERR_BAD_REQUEST,
			       "Idempotency-Key has 1 to 255 visible ASCII characters");
	memcpy(ret, header, length);
	ret[length] = '\0';
	return 0;
}

/* What makes two requests with one key the same: method, path and body. */
static void hash_request(const struct request *request, uint8_t ret[DIGEST_BYTES])
{
	struct digest digest;
	digest_init(&digest);
	digest_add(&digest, request->method, strlen(request->method) + 1);
	digest_add(&digest, request->target.raw, request->target.path_bytes);
	digest_add(&digest, "", 1);
	digest_add(&digest, request->body.data, request->body.length);
	digest_end(&digest, ret);
}

/* traceparent of W3C Trace Context, version 00; anything else is ignored, as it says. */
static const char *trace_context(const char *header)
{
	static const char form[] =
		"00-xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx-xxxxxxxxxxxxxxxx-xx";
	if (!header || strlen(header) != sizeof(form) - 1)
		return NULL;
	for (size_t i = 0; form[i]; i++) {
		bool fits = form[i] == 'x'
				    ? header[i] && strchr("0123456789abcdef", header[i])
				    : header[i] == form[i];
		if (!fits)
			return NULL;
	}
	return header;
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

static enum MHD_Result answer_submission(struct request *request, const char *id,
					 int64_t submitted_at)
{
	const struct submitting *submitting = request->work;
	struct buf body = BUF_INIT(ANSWER_BYTES_MAX);
	struct job_face face;
	job_face_of_submission(&face, &submitting->intake.submission, id, submitted_at);
	put_answer(&body, &face, id == NULL);
	if (!id)
		return answer_send(request, MHD_HTTP_OK, answer_json(&body));
	return answer_send(request, MHD_HTTP_CREATED,
			   wait_response(&submitting->wait, &body, face.version));
}

/* The first answer again: the job as it was when it was accepted. */
static enum MHD_Result answer_replay(struct request *request)
{
	const struct submitting *submitting = request->work;
	struct readers *readers = request->server->readers;
	struct queue *queue = NULL;
	struct err err = ERR_INIT;
	struct job job = {0};
	if (readers_take(readers, &queue, &err) < 0)
		return answer_error(request, &err);
	int found =
		queue_job_as_submitted(queue, submitting->write.submitted.id, &job, &err);
	readers_give(readers, queue);
	if (found == 0)
		err_set(&err, ERR_GONE, "the job of this key has been removed");
	if (found <= 0)
		return answer_error(request, &err);
	struct attempt none;
	struct job_face face;
	struct buf body = BUF_INIT(ANSWER_BYTES_MAX);
	job.attempt = 0;
	job_face_of_job(&face, &none, NULL, &request->settings->config, &job, &err);
	put_answer(&body, &face, false);
	struct MHD_Response *response =
		wait_response(&submitting->wait, &body, job.version);
	job_release(&job);
	return answer_send(request, MHD_HTTP_CREATED, response);
}

/* The commit is behind us. */
static enum MHD_Result go_on(struct request *request)
{
	struct submitting *submitting = request->work;
	const struct write *write = &submitting->write;
	struct wait *wait = &submitting->wait;
	if (write->result < 0)
		return answer_error(request, &write->err);
	snprintf(wait->job_id, sizeof(wait->job_id), "%s", write->submitted.id);
	wait->is_replay = write->submitted.is_replay;
	if (wait->wait_us > 0)
		return wait_and_answer(request, wait);
	if (wait->is_replay)
		return answer_replay(request);
	return answer_submission(request, write->submitted.id,
				 write->submitted.submitted_at);
}

static enum MHD_Result commit(struct request *request)
{
	struct submitting *submitting = request->work;
	struct submission *submission = &submitting->intake.submission;
	submission->owner = request->who.name;
	submission->traceparent = trace_context(request->headers.traceparent);
	if (submission->idempotency_key)
		hash_request(request, submission->body_hash);
	submitting->write = (struct write){.kind = WRITE_SUBMIT,
					   .connection = request->connection,
					   .submission = submission};
	request->resume = go_on;
	/* Suspended first: the writer may be done before we are back. */
	MHD_suspend_connection(request->connection);
	writer_put(request->server->writer, &submitting->write);
	return MHD_YES;
}

static int read_options(struct request *request, struct submitting *submitting,
			bool *ret_dry_run, struct err *err)
{
	struct wait *wait = &submitting->wait;
	wait->status = MHD_HTTP_CREATED;
	wait->is_created = true;
	if (lookup_flag(request, "dry_run", ret_dry_run, err) < 0 ||
	    lookup_wait(request, &wait->wait_us, &wait->is_preferred, err) < 0)
		return -1;
	if (!request->headers.idempotency_key)
		return 0;
	submitting->intake.submission.idempotency_key = submitting->key;
	return read_key(request->headers.idempotency_key, submitting->key, err);
}

enum MHD_Result handle_job_submit(struct request *request)
{
	struct submitting *submitting = mem_alloc(sizeof(*submitting));
	struct err err = ERR_INIT;
	bool is_dry_run;
	intake_init(&submitting->intake);
	request_keep(request, submitting, submitting_free);
	if (read_options(request, submitting, &is_dry_run, &err) < 0)
		return answer_error(request, &err);
	struct problems problems;
	problems_init(&problems);
	int result = intake_read(&submitting->intake, &request->settings->config,
				 &request->settings->tasks, buf_text(&request->body),
				 request->body.length, &problems, &err);
	enum MHD_Result answered = MHD_YES;
	if (result < 0)
		answered = answer_error(request, &err);
	else if (problems.total > 0)
		answered = answer_problems(request, ERR_INVALID, &problems);
	else if (is_dry_run) {
		submitting->intake.submission.owner = request->who.name;
		answered = answer_submission(request, NULL, 0);
	} else
		answered = commit(request);
	problems_release(&problems);
	return answered;
}
