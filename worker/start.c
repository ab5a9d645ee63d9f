/* start.c - from a committed claim to a shim that has its spec.
 *
 * Short jobs are claimed ahead, so that a slot that comes free is used again at once and
 * not only after the commit that records the last end. */
#include <stdlib.h>
#include <unistd.h>

#include "tasks/tasks.h"
#include "worker/input.h"
#include "worker/supervise.h"

static int64_t or_default(int64_t value, int64_t nothing, int64_t fallback)
{
	return value == nothing ? fallback : value;
}

/* One timer for both: what an attempt may take, and what is left of the whole job. The
 * shim's runs on a clock that nobody can set, and outlives us. 0: none. */
static int64_t time_limit_us(const struct config *config, const struct job *job)
{
	const int64_t timeout_us = or_default(job->timeout_us, 0, config->timeout_us);
	const int64_t left_us = job->submitted_at + job->deadline_us - clock_now_us();

	if (job->deadline_us == 0 || (timeout_us > 0 && timeout_us < left_us))
		return timeout_us;
	return left_us > 0 ? left_us : 1;
}

/* The job's own wishes, else the configured ones. Borrows from both. */
static int make_spec(const struct supervisor *supervisor, const struct claim *claim,
		     struct spec *ret, struct err *err)
{
	const struct config *config = supervisor->config;
	const struct job *job = &claim->job;
	static char nothing[1] = "";

	*ret = (struct spec){.number = claim->number,
			     .timeout_us = time_limit_us(config, job),
			     .kill_grace_us = or_default(job->kill_grace_us, -1,
							 config->kill_grace_us),
			     .output_bytes_max = or_default(job->output_bytes_max, -1,
							    config->output_bytes),
			     .output_fold_bytes = config->output_fold_bytes,
			     .output_policy = job->output_policy,
			     .working_directory = job->working_directory != NULL
							  ? job->working_directory
							  : config->working_directory,
			     .cgroup = nothing,
			     .roots = config->exec_roots};
	snprintf(ret->job_id, sizeof(ret->job_id), "%s", job->id);
	if (argv_of(job->command, &ret->argv, err) != 0)
		return -1;
	if (environment_of(config, &supervisor->account, claim, &ret->environment, err) ==
	    0)
		return 0;
	words_free(ret->argv);
	return -1;
}

/* Do the parameters still lead to what the job was accepted with? Files may have been
 * swapped for links since then. */
static int check_call(const struct claim *claim, const struct task *task, struct err *err)
{
	static const char start[] = "#/parameters/";
	const char *given = claim->job.parameters ? claim->job.parameters : "{}";
	struct task_call call = {0};
	struct problems problems;
	cJSON *parameters = NULL;
	int result = 0;

	if (json_parse(given, strlen(given), NULL, &parameters, err) != 0)
		return -1;
	problems_init(&problems);
	tasks_call(task, parameters, &problems, &call);
	cJSON_Delete(parameters);
	if (problems.total > 0) {
		const char *pointer = problems.item[0].pointer;

		if (text_has_prefix(pointer, start))
			pointer += strlen(start);
		result = err_set(err, ERR_INVALID, "%s %s", pointer,
				 problems.item[0].detail);
	} else if (!task_call_is(&call, claim->job.command)) {
		result = err_set(err, ERR_INVALID,
				 "a path leads elsewhere than when the job was accepted");
	}
	task_call_release(&call);
	problems_release(&problems);
	return result;
}

/* A job of a task runs by the definition that it was accepted with, whatever the
 * configuration says today; `ret_root` is where its program is, with a path on the heap.
 */
static int check_task(const struct claim *claim, struct exec_root *ret_root,
		      struct err *err)
{
	struct task task;
	int result;

	if (claim->task_definition == NULL)
		return err_set(err, ERR_INVALID, "the definition of task %s is missing",
			       claim->job.task);
	if (task_parse(claim->task_definition, &task, err) != 0)
		return -1;
	result = check_call(claim, &task, err);
	if (result == 0)
		*ret_root = task_root(&task);
	task_release(&task);
	return result;
}

/* A job that can never be started ends so; it never had a journal to say it. */
static void close_refused(struct supervisor *supervisor, struct work *work,
			  const char *step, const char *text)
{
	struct attempt_end *end = &work->finding.journal.end;

	memset(&work->finding, 0, sizeof(work->finding));
	end->ended_at = clock_now_us();
	snprintf(end->error, sizeof(end->error), "%s: %.180s", step, text);
	digest_of("", 0, end->sha256);
	work_close(supervisor, work, VERDICT_IMPORT);
}

/* Something is short (space, descriptors, processes): the attempt is taken back, and no
 * more are claimed before the next tick. */
static void close_taken_back(struct supervisor *supervisor, struct work *work,
			     const struct err *err)
{
	log_event(LOG_ERROR, "start_postponed", LOG_TEXT("job", work->name.job_id),
		  LOG_INT("attempt", work->name.number), LOG_TEXT("error", err->text),
		  LOG_END);
	supervisor->wants_claim = false;
	supervisor->is_waiting = true;
	supervisor->is_trying = true;
	work_event(supervisor, work, WORK_LOOK, NULL);
}

static enum start_result hand_over(struct supervisor *supervisor, struct work *work,
				   const struct spec *spec, int stdin_fd, struct err *err)
{
	if (spare_prepare(&supervisor->spares, supervisor->state_fd, &work->name, err) !=
	    0)
		return START_BUSY;
	return supervisor->ops->start(supervisor->executor, spec, stdin_fd, work, err);
}

static void start_spec(struct supervisor *supervisor, struct work *work,
		       const struct claim *claim, const struct spec *spec)
{
	AUTO_CLOSE int stdin_fd = -1;
	struct err err = ERR_INIT;

	if (input_open(supervisor, claim, &stdin_fd, &err) != 0) {
		if (err.code == ERR_UNAVAILABLE || err.code == ERR_OUT_OF_SPACE)
			close_taken_back(supervisor, work, &err);
		else
			close_refused(supervisor, work, "stdin", err.text);
		return;
	}
	switch (hand_over(supervisor, work, spec, stdin_fd, &err)) {
	case START_STARTED:
	case START_MAYBE:
		supervisor->is_trying = false;
		break;
	case START_REFUSED:
		close_refused(supervisor, work, "spec", err.text);
		break;
	case START_BUSY:
	case START_DOWN:
		close_taken_back(supervisor, work, &err);
		break;
	}
}

static void start_one(struct supervisor *supervisor, struct work *work)
{
	const struct claim *claim = &work->claim;
	struct exec_root root = {.path = NULL};
	struct err err = ERR_INIT;
	struct spec spec;

	work->phase = WORK_SENT;
	hand_start(&supervisor->hand, work);
	if (claim->job.task != NULL && check_task(claim, &root, &err) != 0) {
		close_refused(supervisor, work, "parameters", err.text);
		return;
	}
	if (make_spec(supervisor, claim, &spec, &err) != 0) {
		close_refused(supervisor, work, "spec", err.text);
		free(root.path);
		return;
	}
	if (root.path != NULL)
		spec.roots = (struct exec_roots){.item = &root, .count = 1};
	start_spec(supervisor, work, claim, &spec);
	words_free(spec.argv);
	words_free(spec.environment);
	free(root.path);
}

static bool has_free_slot(const struct supervisor *supervisor)
{
	const struct work_list *works = &supervisor->works;
	const size_t busy = works->count - works->closing - supervisor->hand.count;

	return busy < (size_t)supervisor->config->slots &&
	       supervisor->ops->capacity(supervisor->executor) > 0;
}

/* Its time may have run out at hand: then it goes back, and the round that records that
 * lets it expire. */
static bool is_too_late(const struct job *job)
{
	const int64_t now = clock_now_us();

	return (job->expires_at != 0 && job->expires_at <= now) ||
	       (job->deadline_us != 0 && job->submitted_at + job->deadline_us <= now);
}

void start_waiting(struct supervisor *supervisor)
{
	struct work *work;

	for (;;) {
		hand_look(supervisor);
		work = hand_first(&supervisor->hand);
		if (work == NULL || supervisor->is_urgent || supervisor->is_waiting ||
		    !has_free_slot(supervisor))
			return;
		if (is_too_late(&work->claim.job)) {
			work_give_back(supervisor, work);
			continue;
		}
		start_one(supervisor, work);
		claim_release(&work->claim);
	}
}

bool start_may_go_on(struct supervisor *supervisor)
{
	return round_can_wait(supervisor) && !supervisor->is_waiting &&
	       hand_is_current(supervisor);
}

void start_between(struct supervisor *supervisor)
{
	struct work *work;

	take_reports(supervisor);
	while ((work = hand_first(&supervisor->hand)) != NULL &&
	       hand_is_looked_at(&supervisor->hand) && work->claim.job.stdin_from == 0 &&
	       !supervisor->is_waiting && !is_too_late(&work->claim.job) &&
	       has_free_slot(supervisor)) {
		start_one(supervisor, work);
		claim_release(&work->claim);
	}
}

void start_claims(struct supervisor *supervisor, struct claim_list *claims)
{
	for (size_t i = 0; i < claims->count; i++) {
		struct claim *claim = &claims->item[i];
		struct work *work = work_add(supervisor, claim->job.id, claim->number,
					     claim->job.row);

		work->phase = WORK_CLAIMED;
		work->claimed_us = clock_boot_us();
		claim_take(claim, &work->claim);
		hand_add(&supervisor->hand, work);
	}
	start_waiting(supervisor);
}
