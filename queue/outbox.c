/* outbox.c - see outbox.h. */
#include "queue/outbox.h"

/* A body is what a job's row is made of, and all of that is bounded at intake. */
#define BODY_BYTES_MAX ((size_t)1 << 20)
#define RANDOM_BYTES 16

/* What is to be told: of which attempt, and what it is called. */
struct message {
	const char *kind;
	char type[32];
	int attempt;
	int64_t at;	/* when it became true */
	bool has_ended; /* else the job is shown as it was at its start */
};

static void put_number(struct json_writer *json, const char *key, bool is_there,
		       int number)
{
	if (is_there)
		json_put_int(json, key, number);
	else
		json_put_null(json, key);
}

static void put_id(struct json_writer *json, const char *key, const char *id)
{
	json_put_text(json, key, id[0] != '\0' ? id : NULL);
}

static void put_output(struct json_writer *json, const struct attempt *attempt)
{
	json_open(json, "output", '{');
	json_put_int(json, "stdout_bytes", attempt->stdout_bytes);
	json_put_int(json, "stderr_bytes", attempt->stderr_bytes);
	json_put_int(json, "dropped_bytes", attempt->dropped_bytes);
	json_close(json, '}');
}

/* Never what the job was given (arguments, environment, input), which may be secret: who
 * may see that can ask for it. */
static void put_job(struct json_writer *json, const struct message *message,
		    const struct job *job, const struct attempt *attempt)
{
	const bool has_ended = message->has_ended;
	const int64_t started_at =
		attempt->started_at != 0 ? attempt->started_at : job->started_at;
	json_open(json, "data", '{');
	json_put_text(json, "id", job->id);
	json_put_text(json, "name", job->name);
	json_put_text(json, "task", job->task);
	json_put_text(json, "queue", job->queue);
	json_put_raw(json, "labels", job->labels != NULL ? job->labels : "{}");
	json_put_text(json, "owner", job->owner);
	json_put_text(json, "state",
		      job_state_word(has_ended ? job->state : JOB_RUNNING));
	json_put_text(json, "reason", has_ended ? job->reason : NULL);
	json_put_int(json, "attempt", message->attempt);
	put_number(json, "exit_code", has_ended && job->has_exit_code, job->exit_code);
	put_number(json, "signal", has_ended && job->has_signal, job->signal);
	json_put_time(json, "submitted_at", job->submitted_at);
	json_put_time(json, "started_at", started_at);
	json_put_time(json, "finished_at", has_ended ? job->finished_at : 0);
	if (has_ended)
		put_output(json, attempt);
	put_id(json, "batch", job->batch);
	put_id(json, "rerun_of", job->rerun_of);
	json_close(json, '}');
}

static void put_body(struct buf *out, const struct message *message,
		     const struct job *job, const struct attempt *attempt)
{
	struct json_writer json;
	json_writer_init(&json, out);
	json_open(&json, NULL, '{');
	json_put_text(&json, "type", message->type);
	json_put_time(&json, "timestamp", message->at);
	put_job(&json, message, job, attempt);
	json_close(&json, '}');
}

static void webhook_id_make(char ret[WEBHOOK_ID_BYTES])
{
	uint8_t bytes[RANDOM_BYTES];
	random_bytes(bytes, sizeof bytes);
	memcpy(ret, "msg_", 4);
	text_hex(bytes, sizeof bytes, ret + 4);
}

/* To whom is in the job's column; nowhere when it was broken by hand. */
static char *url_of(const struct job *job)
{
	cJSON *tree = NULL;
	if (json_parse(job->callback, strlen(job->callback), NULL, &tree, NULL) != 0)
		return NULL;
	const char *url = cJSON_GetStringValue(json_get(tree, "url"));
	char *copy = url != NULL ? mem_strdup(url) : NULL;
	cJSON_Delete(tree);
	return copy;
}

static int message_write(struct queue *queue, const struct message *message,
			 const struct job *job, const struct attempt *attempt,
			 struct err *err)
{
	AUTO_BUF struct buf body = BUF_INIT(BODY_BYTES_MAX);
	AUTO_FREE char *url = url_of(job);
	char webhook_id[WEBHOOK_ID_BYTES];
	struct url receiver;
	if (url == NULL)
		return 0;
	const bool is_url = url_read(url, &receiver, NULL) == 0;
	put_body(&body, message, job, attempt);
	if (body.is_full)
		return err_set(err, ERR_INTERNAL, "the callback of job %s is too large",
			       job->id);
	webhook_id_make(webhook_id);
	return db_run(queue, STATEMENT_CALLBACK_INSERT,
		      BINDS(as_text(webhook_id), as_int(job->row), as_text(job->owner),
			    as_text(message->kind), as_int(message->attempt),
			    as_text(url), as_text(is_url ? receiver.host_port : "-"),
			    as_text(buf_text(&body)), as_int(clock_now_us())),
		      err) < 0
		       ? -1
		       : 0;
}

/* With its job and attempt, as they are in this transaction. */
static int message_put(struct queue *queue, int64_t job_row, struct message *message,
		       struct err *err)
{
	struct job job;
	struct attempt attempt = {.number = 0};
	if (job_load(queue, job_row, &job, err) != 1)
		return -1;
	if (message->has_ended)
		message->attempt = job.attempt;
	int result = message->attempt > 0
			     ? queue_attempt_get(queue, job_row, message->attempt,
						 &attempt, err)
			     : 0;
	if (result >= 0) {
		(void)snprintf(message->type, sizeof message->type, "job.%s",
			       message->has_ended ? job_state_word(job.state)
						  : CALLBACK_ON_STARTED);
		message->at = message->has_ended ? job.finished_at : attempt.started_at;
		result = message_write(queue, message, &job, &attempt, err);
	}
	attempt_release(&attempt);
	job_release(&job);
	return result < 0 ? -1 : 0;
}

int outbox_started(struct queue *queue, int64_t job_row, int number, struct err *err)
{
	struct message message = {.kind = CALLBACK_ON_STARTED, .attempt = number};
	int64_t is_wanted;
	const int found = db_ask(queue, STATEMENT_CALLBACK_WANTED_STARTED,
				 BINDS(as_int(job_row), as_int(number)), &is_wanted, err);
	return found == 1 ? message_put(queue, job_row, &message, err) : found;
}

int outbox_ended(struct queue *queue, int64_t job_row, struct err *err)
{
	struct message message = {.kind = CALLBACK_ON_FINAL, .has_ended = true};
	int64_t is_wanted;
	const int found = db_ask(queue, STATEMENT_CALLBACK_WANTED_FINAL,
				 BINDS(as_int(job_row)), &is_wanted, err);
	return found == 1 ? message_put(queue, job_row, &message, err) : found;
}
