/* explain.c - GET /v1/jobs/{id}/explain: why it does not run yet, in words.
 *
 * The queue says what the hindrances are; here each gets a sentence, so that a person who
 * asks needs no table of codes. */
#include "httpapi/answer.h"
#include "httpapi/handlers.h"
#include "httpapi/lookup.h"
#include "httpapi/readers.h"

#define SENTENCE_BYTES_MAX 8192

/* What the sentences are made from. */
struct telling {
	const struct job *job;
	const struct explanation *explanation;
	struct buf *out;
};

/* To the second: nobody reads six digits. */
static void tell_time(struct buf *out, const char *before, int64_t at)
{
	char text[CLOCK_TEXT_BYTES];
	if (at == 0)
		return;
	clock_format(at, text);
	buf_printf(out, "%s%.19sZ", before, text);
}

/* " by uid:0 since 2026-11-21T06:00:00Z until ...: their words" */
static void tell_who(struct buf *out, const struct hindrance *item)
{
	if (item->by && item->by[0])
		buf_printf(out, " by %s", item->by);
	tell_time(out, " since ", item->since);
	tell_time(out, " until ", item->until);
	if (item->text && item->text[0])
		buf_printf(out, ": %s", item->text);
}

static void tell_dependency(const struct telling *telling, const struct hindrance *item)
{
	static const char *const ends[] = {
		[DEPENDS_NONE] = "end",	     [DEPENDS_SUCCESS] = "succeed",
		[DEPENDS_FAILURE] = "fail",  [DEPENDS_ANY] = "end",
		[DEPENDS_STARTED] = "start",
	};
	bool is_any = text_equal(telling->job->depends_rule, "any");
	if (item->parent_id[0])
		buf_printf(telling->out, "job %s", item->parent_id);
	else
		buf_append_text(telling->out, "a job that is not yours");
	buf_printf(telling->out, " has to %s first%s", ends[item->condition],
		   is_any ? ", or another one that it waits for" : "");
}

static void tell_run_at(const struct telling *telling, const struct hindrance *item)
{
	buf_append_text(telling->out, "it is not to start before its time");
	tell_time(telling->out, ", ", item->until);
}

static void tell_hold(const struct telling *telling, const struct hindrance *item)
{
	buf_append_text(telling->out, "it is on hold until somebody releases it");
	if (item->by && item->by[0])
		buf_printf(telling->out, "; it was held by %s", item->by);
	tell_time(telling->out, " at ", item->since);
}

static void tell_retry(const struct telling *telling, const struct hindrance *item)
{
	const struct job *job = telling->job;
	buf_printf(telling->out,
		   "attempt %d of %d did not succeed, and the next one is due",
		   job->attempt, job->max_attempts);
	tell_time(telling->out, " at ", item->until);
}

static void tell_paused(const struct telling *telling, const struct hindrance *item)
{
	buf_printf(telling->out, "the queue \"%s\" is paused", telling->job->queue);
	tell_who(telling->out, item);
}

static void tell_full(const struct telling *telling, const struct hindrance *item)
{
	buf_printf(telling->out,
		   "the queue \"%s\" runs as many jobs as it may: %lld of %lld",
		   telling->job->queue, (long long)item->running, (long long)item->limit);
}

static void tell_draining(const struct telling *telling, const struct hindrance *item)
{
	buf_append_text(telling->out, "the service was told to start nothing more");
	tell_who(telling->out, item);
}

static void tell_no_slot(const struct telling *telling, const struct hindrance *item)
{
	buf_printf(telling->out, "all slots of the worker are taken: %lld of %lld",
		   (long long)item->running, (long long)item->limit);
}

static void tell_no_worker(const struct telling *telling, const struct hindrance *item)
{
	if (item->since == 0)
		buf_append_text(telling->out, "no worker has ever started");
	else
		buf_append_text(telling->out, "no worker is there");
	tell_time(telling->out, "; the last sign of one was at ", item->since);
}

/* clang-format off */
static void (*const TELL[])(const struct telling *, const struct hindrance *) = {
	[HINDRANCE_DEPENDENCY] = tell_dependency,
	[HINDRANCE_RUN_AT]     = tell_run_at,
	[HINDRANCE_HOLD]       = tell_hold,
	[HINDRANCE_RETRY]      = tell_retry,
	[HINDRANCE_PAUSED]     = tell_paused,
	[HINDRANCE_FULL]       = tell_full,
	[HINDRANCE_DRAINING]   = tell_draining,
	[HINDRANCE_NO_SLOT]    = tell_no_slot,
	[HINDRANCE_NO_WORKER]  = tell_no_worker,
};
/* clang-format on */
_Static_assert(ARRAY_SIZE(TELL) == HINDRANCE_COUNT_, "a sentence for each hindrance");

/* --- the whole in one sentence --- */

static void tell_ahead(const struct telling *telling)
{
	const struct explanation *explanation = telling->explanation;
	if (explanation->ahead == 0)
		return;
	buf_printf(telling->out, "; %s%lld job%s ahead of it",
		   explanation->is_ahead_capped ? "at least " : "",
		   (long long)explanation->ahead,
		   explanation->ahead == 1 ? " is" : "s are");
}

static void tell_hindered(const struct telling *telling)
{
	const struct explanation *explanation = telling->explanation;
	const struct hindrance *first = &explanation->item[0];
	if (explanation->count > 1)
		buf_printf(telling->out,
			   "It does not run yet, for %zu reasons; the first is that ",
			   explanation->count);
	else
		buf_append_text(telling->out, "It does not run yet: ");
	TELL[first->kind](telling, first);
}

static void tell_summary(const struct telling *telling)
{
	const struct job *job = telling->job;
	if (job_state_is_final(job->state)) {
		buf_printf(telling->out, "It has ended: %s", job_state_word(job->state));
		if (job->reason)
			buf_printf(telling->out, " (%s)", job->reason);
	} else if (job->state == JOB_RUNNING) {
		buf_append_text(telling->out, "It runs");
	} else if (telling->explanation->count > 0) {
		tell_hindered(telling);
	} else {
		buf_append_text(telling->out, "It starts at any moment");
		tell_ahead(telling);
	}
	buf_append_char(telling->out, '.');
}

/* --- JSON --- */

static void put_sentence(struct json_writer *json, const char *key, const struct buf *out)
{
	json_put_text_n(json, key, buf_text(out), out->length);
}

static void put_reason(struct json_writer *json, struct telling *telling,
		       const struct hindrance *item)
{
	bool is_count = item->kind == HINDRANCE_FULL || item->kind == HINDRANCE_NO_SLOT;
	buf_reset(telling->out);
	TELL[item->kind](telling, item);
	json_open(json, NULL, '{');
	json_put_text(json, "code", hindrance_word(item->kind));
	put_sentence(json, "detail", telling->out);
	json_put_time(json, "until", item->until);
	json_put_time(json, "since", item->since);
	json_put_text(json, "by", item->by && item->by[0] ? item->by : NULL);
	json_put_text(json, "reason", item->text && item->text[0] ? item->text : NULL);
	json_put_text(json, "job", item->parent_id[0] ? item->parent_id : NULL);
	json_put_text(json, "on",
		      item->kind == HINDRANCE_DEPENDENCY
			      ? dependency_condition_word(item->condition)
			      : NULL);
	if (is_count) {
		json_put_int(json, "running", item->running);
		json_put_int(json, "limit", item->limit);
	} else {
		json_put_null(json, "running");
		json_put_null(json, "limit");
	}
	json_close(json, '}');
}

static void put_explanation(struct buf *body, const struct job *job,
			    const struct explanation *explanation)
{
	AUTO_BUF struct buf sentence = BUF_INIT(SENTENCE_BYTES_MAX);
	struct telling telling = {
		.job = job, .explanation = explanation, .out = &sentence};
	struct json_writer json;
	json_writer_init(&json, body);
	json_open(&json, NULL, '{');
	json_put_text(&json, "id", job->id);
	json_put_text(&json, "state", explanation->state);
	json_put_text(&json, "queue", job->queue);
	tell_summary(&telling);
	put_sentence(&json, "summary", &sentence);
	json_open(&json, "reasons", '[');
	for (size_t i = 0; i < explanation->count; i++)
		put_reason(&json, &telling, &explanation->item[i]);
	json_close(&json, ']');
	json_put_int(&json, "ahead", explanation->ahead);
	json_put_bool(&json, "ahead_capped", explanation->is_ahead_capped);
	json_put_time(&json, "earliest_at", explanation->earliest_at);
	json_close(&json, '}');
}

/* The job and its explanation are of one moment. */
static int explain(struct request *request, struct queue *queue, struct buf *body,
		   struct err *err)
{
	struct viewer viewer = request_viewer(request);
	struct job job = {0};
	struct explanation explanation = {0};
	if (lookup_job(request, queue, &job, err) < 0)
		return -1;
	int found = queue_explain(queue, &viewer, job.id, &explanation, err);
	if (found == 0)
		err_set(err, ERR_NOT_FOUND, "there is no such job");
	if (found > 0) {
		put_explanation(body, &job, &explanation);
		explanation_release(&explanation);
	}
	job_release(&job);
	return found > 0 ? 0 : -1;
}

enum MHD_Result handle_job_explain(struct request *request)
{
	struct readers *readers = request->server->readers;
	struct err err = ERR_INIT;
	struct queue *queue = NULL;
	struct buf body = BUF_INIT(ANSWER_BYTES_MAX);
	if (readers_take(readers, &queue, &err) < 0)
		return answer_error(request, &err);
	int result = queue_snapshot_begin(queue, &err);
	if (result == 0) {
		result = explain(request, queue, &body, &err);
		queue_snapshot_end(queue);
	}
	readers_give(readers, queue);
	if (result == 0)
		return answer_send(request, MHD_HTTP_OK, answer_json(&body));
	buf_release(&body);
	return answer_error(request, &err);
}
