/* job_json.c - jobs, attempts and events as the API shows them (see job_json.h). */
#include "httpapi/job_json.h"

#include "httpapi/process.h"

void job_parts_release(struct job_parts *parts)
{
	attempt_release(&parts->last);
	dependency_list_release(&parts->depends);
}

/* The row whose stdout a submission reads, once its dependencies are rows. */
static int64_t stdin_row(const struct submission *submission)
{
	return submission->stdin_from ? submission->stdin_from->parent_row : 0;
}

void job_face_of_submission(struct job_face *ret, const struct submission *submission,
			    const struct submitted *made, bool is_stored,
			    const struct dependency_list *depends)
{
	*ret = (struct job_face){
		.id = is_stored ? made->id : NULL,
		.owner = submission->owner,
		.reason = made->reason,
		.name = submission->name,
		.queue = submission->queue ? submission->queue : "default",
		.command = submission->command,
		.working_directory = submission->working_directory,
		.labels = submission->labels,
		.task = submission->task,
		.parameters = submission->parameters,
		.state = made->state,
		.priority = submission->priority,
		.run_at = submission->run_at,
		.expires_at = submission->expires_at,
		.deadline_us = submission->deadline_us,
		.retry = submission->retry,
		.max_attempts =
			submission->max_attempts > 0 ? submission->max_attempts : 1,
		.timeout_us = submission->timeout_us,
		.kill_grace_us = submission->kill_grace_us,
		.output_bytes_max = submission->output_bytes_max,
		.output_policy = submission->output_policy,
		.submitted_at = is_stored ? made->submitted_at : 0,
		.finished_at = is_stored && job_state_is_final(made->state)
				       ? made->submitted_at
				       : 0,
		.version = 1,
		.is_any_enough = submission->is_any_enough,
		.depends_on = depends->item,
		.depends_count = depends->count,
		.stdin_from = stdin_row(submission),
		.unique_key = submission->unique_key,
		.is_kept = submission->is_kept,
		.callback = submission->callback,
	};
}

static void face_of_row(struct job_face *ret, const struct config *config,
			const struct job *job)
{
	*ret = (struct job_face){
		.id = job->id,
		.owner = job->owner,
		.reason = job->reason,
		.name = job->name,
		.queue = job->queue,
		.command = job->command,
		.working_directory = job->working_directory ? job->working_directory
							    : config->working_directory,
		.labels = job->labels,
		.task = job->task,
		.parameters = job->parameters,
		.state = job->state,
		.priority = job->priority,
		.attempt = job->attempt,
		.run_at = job->run_at,
		.expires_at = job->expires_at,
		.deadline_us = job->deadline_us,
		.retry = job->retry,
		.max_attempts = job->max_attempts,
		.timeout_us = job->timeout_us,
		.kill_grace_us = job->kill_grace_us < 0 ? config->kill_grace_us
							: job->kill_grace_us,
		.output_bytes_max = job->output_bytes_max < 0 ? config->output_bytes
							      : job->output_bytes_max,
		.output_policy = job->output_policy,
		.submitted_at = job->submitted_at,
		.started_at = job->started_at,
		.finished_at = job->finished_at,
		.version = job->version,
		.has_exit_code = job->has_exit_code,
		.has_signal = job->has_signal,
		.exit_code = job->exit_code,
		.signal = job->signal,
		.is_any_enough = job->depends_rule != NULL,
		.stdin_from = job->stdin_from,
		.batch = job->batch,
		.rerun_of = job->rerun_of,
		.unique_key = job->unique_key,
		.is_kept = job->is_kept != 0,
		.callback = job->callback,
	};
}

void attempt_look(struct attempt *attempt, struct queue *queue,
		  const struct config *config, const struct job *job)
{
	struct output *output;
	struct err err = ERR_INIT;
	if (attempt->ended_at != 0)
		return;
	process_look(attempt);
	snprintf(attempt->stored, sizeof(attempt->stored), "live");
	if (queue_output_open(queue, config->state_dir, job, attempt->number, &output,
			      &err) != 1)
		return;
	output_size(output, OUTPUT_STDOUT, &attempt->stdout_bytes, &err);
	output_size(output, OUTPUT_STDERR, &attempt->stderr_bytes, &err);
	output_close(output);
}

static int face_dependencies(struct job_face *ret, struct job_parts *parts,
			     struct queue *queue, const struct viewer *viewer,
			     const struct job *job, struct err *err)
{
	if (queue_dependencies(queue, viewer, job->row, &parts->depends, err) < 0)
		return -1;
	ret->depends_on = parts->depends.item;
	ret->depends_count = parts->depends.count;
	ret->dependants = parts->depends.dependants;
	return 0;
}

int job_face_of_job(struct job_face *ret, struct job_parts *parts, struct queue *queue,
		    const struct viewer *viewer, const struct config *config,
		    const struct job *job, struct err *err)
{
	struct attempt *last = &parts->last;
	face_of_row(ret, config, job);
	if (face_dependencies(ret, parts, queue, viewer, job, err) < 0)
		return -1;
	if (job->attempt == 0)
		return 0;
	int found = queue_attempt_get(queue, job->row, job->attempt, last, err);
	if (found <= 0)
		return found;
	attempt_look(last, queue, config, job);
	ret->last = last;
	return 0;
}

static int face_of_view(struct job_face *ret, struct job_parts *parts,
			struct queue *queue, const struct viewer *viewer,
			const struct config *config, struct job_view *view,
			struct err *err)
{
	const struct job *job = &view->job;
	face_of_row(ret, config, job);
	if ((view->has_parents || view->has_dependants) &&
	    face_dependencies(ret, parts, queue, viewer, job, err) < 0)
		return -1;
	if (view->has_last) {
		attempt_look(&view->last, queue, config, job);
		ret->last = &view->last;
	}
	if (job->state == JOB_QUEUED && !job->reason)
		return queue_queued_reason(queue, job, &ret->reason, err);
	return 0;
}

int job_put_view(struct json_writer *json, const char *key, struct queue *queue,
		 const struct viewer *viewer, const struct config *config,
		 struct job_view *view, struct err *err)
{
	struct job_face face;
	struct job_parts parts = {0};
	const int result = face_of_view(&face, &parts, queue, viewer, config, view, err);
	if (result >= 0)
		job_put(json, key, &face);
	job_parts_release(&parts);
	return result < 0 ? -1 : 0;
}

/* --- writing --- */

static void put_optional_int(struct json_writer *json, const char *key, bool has,
			     int64_t value)
{
	if (has)
		json_put_int(json, key, value);
	else
		json_put_null(json, key);
}

static void put_process(struct json_writer *json, const struct attempt *attempt)
{
	if (!attempt || attempt->pid == 0) {
		json_put_null(json, "process");
		return;
	}
	json_open(json, "process", '{');
	json_put_int(json, "pid", attempt->pid);
	json_put_seconds(json, "cpu_user_s", attempt->cpu_user_us);
	json_put_seconds(json, "cpu_system_s", attempt->cpu_system_us);
	json_put_int(json, "max_rss_bytes", attempt->max_rss_bytes);
	json_put_int(json, "read_bytes", attempt->read_bytes);
	json_put_int(json, "written_bytes", attempt->written_bytes);
	json_close(json, '}');
}

void attempt_put_output(struct json_writer *json, const struct attempt *attempt)
{
	json_put_int(json, "stdout_bytes", attempt->stdout_bytes);
	json_put_int(json, "stderr_bytes", attempt->stderr_bytes);
	json_put_int(json, "dropped_bytes", attempt->dropped_bytes);
	json_put_text(json, "stored", attempt->stored[0] ? attempt->stored : NULL);
	if (attempt->encoding[0]) {
		json_put_text(json, "encoding", attempt->encoding);
		json_put_int(json, "file_bytes", attempt->file_bytes);
	}
	if (attempt->removed_at != 0)
		json_put_time(json, "removed_at", attempt->removed_at);
	/* The hash of what was kept is known at the end. */
	if (attempt->stored[0] && strcmp(attempt->stored, "live") != 0) {
		char hex[DIGEST_HEX_BYTES];
		text_hex(attempt->sha256, DIGEST_BYTES, hex);
		json_put_text(json, "sha256", hex);
	} else {
		json_put_null(json, "sha256");
	}
}

static void put_output(struct json_writer *json, const struct attempt *attempt)
{
	if (!attempt) {
		json_put_null(json, "output");
		return;
	}
	json_open(json, "output", '{');
	attempt_put_output(json, attempt);
	json_close(json, '}');
}

static void put_limits(struct json_writer *json, const struct job_face *face)
{
	json_open(json, "limits", '{');
	json_put_int(json, "output_bytes", face->output_bytes_max);
	json_put_text(json, "output_policy",
		      face->output_policy == OUTPUT_STOP ? "stop" : "truncate");
	json_close(json, '}');
}

/* A parent that the viewer may not see has no id. */
static void put_dependencies(struct json_writer *json, const struct job_face *face)
{
	const char *stdin_id = NULL;
	json_open(json, "depends_on", '[');
	for (size_t i = 0; i < face->depends_count; i++) {
		const struct dependency *one = &face->depends_on[i];
		const char *id = one->parent_id[0] ? one->parent_id : NULL;
		if (face->stdin_from != 0 && one->parent_row == face->stdin_from)
			stdin_id = id;
		json_open(json, NULL, '{');
		json_put_text(json, "job", id);
		json_put_text(json, "on", dependency_condition_word(one->condition));
		json_put_text(json, "state", dependency_state_word(one->state));
		json_close(json, '}');
	}
	json_close(json, ']');
	json_put_text(json, "depends_rule", face->is_any_enough ? "any" : "all");
	json_put_int(json, "dependants", face->dependants);
	json_put_text(json, "stdin_from", stdin_id);
}

static void put_id(struct json_writer *json, const char *key, const char *id)
{
	json_put_text(json, key, id && id[0] ? id : NULL);
}

void job_put(struct json_writer *json, const char *key, const struct job_face *face)
{
	json_open(json, key, '{');
	json_put_text(json, "id", face->id);
	json_put_text(json, "state", job_state_word(face->state));
	json_put_text(json, "reason", face->reason);
	json_put_text(json, "name", face->name);
	json_put_text(json, "task", face->task);
	json_put_raw(json, "parameters", face->parameters ? face->parameters : "null");
	json_put_raw(json, "command", face->command);
	json_put_text(json, "queue", face->queue);
	json_put_int(json, "priority", face->priority);
	json_put_raw(json, "labels", face->labels ? face->labels : "{}");
	json_put_text(json, "owner", face->owner);
	json_put_text(json, "working_directory", face->working_directory);
	json_put_time(json, "submitted_at", face->submitted_at);
	json_put_time(json, "started_at", face->started_at);
	json_put_time(json, "finished_at", face->finished_at);
	json_put_time(json, "run_at", face->run_at);
	json_put_time(json, "expires_at", face->expires_at);
	json_put_int(json, "attempt", face->attempt);
	json_put_int(json, "max_attempts", face->max_attempts);
	json_put_raw(json, "retry", face->retry ? face->retry : "null");
	put_optional_int(json, "exit_code", face->has_exit_code, face->exit_code);
	put_optional_int(json, "signal", face->has_signal, face->signal);
	if (face->timeout_us > 0)
		json_put_seconds(json, "timeout_s", face->timeout_us);
	else
		json_put_null(json, "timeout_s");
	if (face->deadline_us > 0)
		json_put_seconds(json, "deadline_s", face->deadline_us);
	else
		json_put_null(json, "deadline_s");
	json_put_seconds(json, "kill_grace_s", face->kill_grace_us);
	put_limits(json, face);
	put_dependencies(json, face);
	put_id(json, "batch", face->batch);
	put_id(json, "rerun_of", face->rerun_of);
	json_put_text(json, "unique_key", face->unique_key);
	json_put_bool(json, "keep", face->is_kept);
	json_put_raw(json, "callback", face->callback ? face->callback : "null");
	json_put_text(json, "error",
		      face->last && job_state_is_final(face->state) ? face->last->error
								    : NULL);
	put_process(json, face->last);
	put_output(json, face->last);
	json_put_int(json, "version", face->version);
	json_close(json, '}');
}

void attempt_put(struct json_writer *json, const struct attempt *attempt)
{
	json_open(json, NULL, '{');
	json_put_int(json, "number", attempt->number);
	json_put_text(json, "state", attempt->state);
	json_put_text(json, "outcome", attempt->outcome[0] ? attempt->outcome : NULL);
	json_put_time(json, "claimed_at", attempt->claimed_at);
	json_put_time(json, "started_at", attempt->started_at);
	json_put_time(json, "ended_at", attempt->ended_at);
	put_optional_int(json, "exit_code", attempt->has_exit_code, attempt->exit_code);
	put_optional_int(json, "signal", attempt->has_signal, attempt->signal);
	json_put_text(json, "error", attempt->error);
	put_process(json, attempt);
	put_output(json, attempt);
	json_close(json, '}');
}

void event_put(struct json_writer *json, const struct event *event)
{
	json_open(json, NULL, '{');
	json_put_int(json, "id", event->id);
	json_put_time(json, "at", event->at);
	json_put_text(json, "kind", event->kind);
	put_id(json, "job", event->job_id);
	json_put_text(json, "state", event->state);
	json_put_text(json, "owner", event->owner);
	json_put_text(json, "queue", event->queue);
	json_put_text(json, "principal", event->principal);
	json_put_raw(json, "data", event->data ? event->data : "null");
	json_close(json, '}');
}
