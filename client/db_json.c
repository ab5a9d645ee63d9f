/* db_json.c - see db_json.h. The names are those of the API's job. */
#include "client/db_json.h"

#include <string.h>

#define JOB_BYTES_MAX (16u << 20)

/* The column holds JSON that the database checked when it was written. */
static void put_raw(struct json_writer *json, const char *key, const char *text)
{
	if (text != NULL)
		json_put_raw(json, key, text);
	else
		json_put_null(json, key);
}

static void put_int_if(struct json_writer *json, const char *key, bool is_there,
		       int64_t value)
{
	if (is_there)
		json_put_int(json, key, value);
	else
		json_put_null(json, key);
}

static void put_seconds(struct json_writer *json, const char *key, int64_t us)
{
	if (us > 0)
		json_put_double(json, key, (double)us / US_PER_S);
	else
		json_put_null(json, key);
}

static void put_stop(struct json_writer *json, const struct job *job)
{
	if (job->stop_reason == STOP_NONE)
		return;
	json_open(json, "stop", '{');
	json_put_text(json, "reason", stop_reason_word(job->stop_reason));
	json_put_text(json, "by", job->stop_by);
	json_put_text(json, "text", job->stop_text);
	json_close(json, '}');
}

static void put_job(struct json_writer *json, const struct job *job)
{
	json_put_text(json, "id", job->id);
	json_put_text(json, "state", job_state_word(job->state));
	json_put_text(json, "reason", job->reason);
	json_put_text(json, "name", job->name);
	json_put_text(json, "task", job->task);
	put_raw(json, "parameters", job->parameters);
	put_raw(json, "command", job->command);
	json_put_text(json, "queue", job->queue);
	json_put_int(json, "priority", job->priority);
	put_raw(json, "labels", job->labels);
	put_raw(json, "environment", job->environment);
	json_put_text(json, "working_directory", job->working_directory);
	json_put_text(json, "owner", job->owner);
	json_put_time(json, "submitted_at", job->submitted_at);
	json_put_time(json, "started_at", job->started_at);
	json_put_time(json, "finished_at", job->finished_at);
	json_put_time(json, "run_at", job->run_at);
	json_put_time(json, "expires_at", job->expires_at);
	json_put_int(json, "attempt", job->attempt);
	json_put_int(json, "max_attempts", job->max_attempts);
	put_raw(json, "retry", job->retry);
	put_int_if(json, "exit_code", job->has_exit_code, job->exit_code);
	put_int_if(json, "signal", job->has_signal, job->signal);
	put_seconds(json, "timeout_s", job->timeout_us);
	put_seconds(json, "deadline_s", job->deadline_us);
	put_stop(json, job);
	json_put_int(json, "version", job->version);
}

static void put_attempt(struct json_writer *json, const struct attempt *attempt)
{
	json_open(json, "process", '{');
	put_int_if(json, "pid", attempt->pid > 0, attempt->pid);
	json_put_double(json, "cpu_user_s", (double)attempt->cpu_user_us / US_PER_S);
	json_put_double(json, "cpu_system_s", (double)attempt->cpu_system_us / US_PER_S);
	json_put_int(json, "max_rss_bytes", attempt->max_rss_bytes);
	json_close(json, '}');
	json_open(json, "output", '{');
	json_put_int(json, "stdout_bytes", attempt->stdout_bytes);
	json_put_int(json, "stderr_bytes", attempt->stderr_bytes);
	json_put_int(json, "dropped_bytes", attempt->dropped_bytes);
	json_put_text(json, "stored",
		      attempt->stored[0] != '\0' ? attempt->stored : NULL);
	if (attempt->encoding[0] != '\0') {
		json_put_text(json, "encoding", attempt->encoding);
		json_put_int(json, "file_bytes", attempt->file_bytes);
	}
	json_close(json, '}');
}

static void put_id(struct json_writer *json, const char *key, const char *id)
{
	json_put_text(json, key, id[0] != '\0' ? id : NULL);
}

/* What it waited for, and with which other jobs it came or comes again. */
static int put_depends(struct json_writer *json, struct queue *queue,
		       const struct job *job, struct err *err)
{
	const struct viewer viewer = {.sees_all = true};
	struct dependency_list list = {0};
	const char *stdin_from = NULL;
	if (queue_dependencies(queue, &viewer, job->row, &list, err) < 0)
		return -1;
	json_open(json, "depends_on", '[');
	for (size_t i = 0; i < list.count; i++) {
		const struct dependency *one = &list.item[i];
		if (job->stdin_from != 0 && one->parent_row == job->stdin_from)
			stdin_from = one->parent_id;
		json_open(json, NULL, '{');
		put_id(json, "job", one->parent_id);
		json_put_text(json, "on", dependency_condition_word(one->condition));
		json_put_text(json, "state", dependency_state_word(one->state));
		json_close(json, '}');
	}
	json_close(json, ']');
	json_put_text(json, "depends_rule",
		      job->depends_rule != NULL ? job->depends_rule : "all");
	json_put_int(json, "dependants", list.dependants);
	json_put_text(json, "stdin_from", stdin_from);
	put_id(json, "batch", job->batch);
	put_id(json, "rerun_of", job->rerun_of);
	json_put_text(json, "unique_key", job->unique_key);
	json_put_bool(json, "keep", job->is_kept != 0);
	dependency_list_release(&list);
	return 0;
}

int db_job_json(struct queue *queue, const struct job *job, bool has_attempt, cJSON **ret,
		struct err *err)
{
	AUTO_BUF struct buf text = BUF_INIT(JOB_BYTES_MAX);
	struct json_writer json;
	json_writer_init(&json, &text);
	json_open(&json, NULL, '{');
	put_job(&json, job);
	if (put_depends(&json, queue, job, err) < 0)
		return -1;
	if (has_attempt && job->attempt > 0) {
		struct attempt attempt = {0};
		const int found =
			queue_attempt_get(queue, job->row, job->attempt, &attempt, err);
		if (found < 0)
			return -1;
		if (found > 0)
			put_attempt(&json, &attempt);
		attempt_release(&attempt);
	}
	json_close(&json, '}');
	return json_parse(buf_text(&text), text.length, NULL, ret, err);
}
