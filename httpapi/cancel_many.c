/* cancel_many.c - POST /v1/jobs/cancel: the end of all that a filter finds.
 *
 * In slices, each a write of its own: the writer's other requests get their turn between
 * them, and no transaction becomes long. Who goes away leaves the rest alive. */
#include "httpapi/answer.h"
#include "httpapi/body.h"
#include "httpapi/handlers.h"
#include "httpapi/readers.h"
#include "httpapi/writer.h"

struct cancelling_many {
	struct write write; /* of one slice */
	struct viewer viewer;
	struct job_filter filter;
	const char *text; /* the asker's words, in the tree, or NULL */
	cJSON *tree;
	struct cancel_progress before, after; /* how far it was, and how far it came */
	bool force;
	bool is_dry_run; /* looks, and writes nothing */
};

static void cancelling_many_free(void *work)
{
	struct cancelling_many *many = work;
	cJSON_Delete(many->tree);
	free(many);
}

/* --- the body --- */

static void add_value(struct problems *problems, struct cancelling_many *many,
		      const char *pointer, const char *name, const cJSON *value)
{
	struct err err = ERR_INIT;
	if (!cJSON_IsString(value))
		problems_add(problems, pointer, "must be a string%s",
			     job_filter_repeats(name) ? ", or an array of strings" : "");
	else if (job_filter_add(&many->filter, name, value->valuestring, &err) < 0)
		problems_add(problems, pointer, "%s", err.text);
}

static void read_values(struct problems *problems, struct cancelling_many *many,
			const cJSON *member)
{
	const char *name = member->string;
	struct err err = ERR_INIT;
	size_t index = 0;
	const cJSON *value;
	if (!job_filter_knows(name)) {
		(void)job_filter_add(&many->filter, name, "", &err);
		problems_add_member(problems, "#/filter", name, "%s", err.text);
		return;
	}
	AUTO_FREE char *pointer = mem_printf("#/filter/%s", name);
	if (text_has_prefix(name, "finished_")) {
		problems_add(problems, pointer,
			     "what has finished cannot be cancelled any more");
	} else if (!cJSON_IsArray(member) || !job_filter_repeats(name)) {
		add_value(problems, many, pointer, name, member);
	} else {
		if (cJSON_GetArraySize(member) == 0)
			problems_add(problems, pointer, "must not be empty");
		cJSON_ArrayForEach(value, member)
		{
			AUTO_FREE char *at = mem_printf("%s/%zu", pointer, index++);
			add_value(problems, many, at, name, value);
		}
	}
}

static void read_filter(struct problems *problems, const char *pointer,
			const cJSON *member, void *target)
{
	struct cancelling_many *many = target;
	const size_t before = problems->total;
	const cJSON *value;
	if (!cJSON_IsObject(member)) {
		problems_add(problems, pointer, "must be an object");
		return;
	}
	cJSON_ArrayForEach(value, member)
	{
		if (!cJSON_IsNull(value))
			read_values(problems, many, value);
	}
	if (problems->total == before && !job_filter_narrows(&many->filter))
		problems_add(problems, pointer,
			     "needs at least one of state, queue, task, owner, label, "
			     "batch, created_after, created_before");
	const struct filter_values *states = &many->filter.any[FILTER_STATE];
	for (size_t i = 0; i < states->count; i++)
		if (job_state_is_final(job_state_parse(states->value[i])))
			problems_add(problems, "#/filter/state",
				     "only waiting, queued and running jobs can be "
				     "cancelled, none that are %s",
				     states->value[i]);
}

static void read_reason(struct problems *problems, const char *pointer,
			const cJSON *value, void *many)
{
	((struct cancelling_many *)many)->text = body_reason(problems, pointer, value);
}

static void read_force(struct problems *problems, const char *pointer, const cJSON *value,
		       void *many)
{
	((struct cancelling_many *)many)->force = body_flag(problems, pointer, value);
}

static void read_dry_run(struct problems *problems, const char *pointer,
			 const cJSON *value, void *many)
{
	((struct cancelling_many *)many)->is_dry_run =
		body_flag(problems, pointer, value);
}

/* clang-format off */
static const struct body_member MEMBERS[] = {
	{.name = "filter",  .read = read_filter, .is_required = true},
	{.name = "reason",  .read = read_reason},
	{.name = "force",   .read = read_force},
	{.name = "dry_run", .read = read_dry_run},
};
/* clang-format on */

/* --- doing it --- */

/* Only looks, with a reader. */
static enum MHD_Result answer_dry_run(struct request *request,
				      const struct cancelling_many *many)
{
	struct viewer viewer = request_viewer(request);
	struct job_filter living = many->filter;
	struct err err = ERR_INIT;
	struct queue *queue = NULL;
	int64_t count = 0;
	bool is_capped = false;
	living.is_living = true;
	if (readers_take(request->server->readers, &queue, &err) < 0)
		return answer_error(request, &err);
	int result = queue_job_count(queue, &viewer, &living, &count, &is_capped, &err);
	readers_give(request->server->readers, queue);
	if (result < 0)
		return answer_error(request, &err);
	struct buf body = BUF_INIT(1024);
	struct json_writer json;
	json_writer_init(&json, &body);
	json_open(&json, NULL, '{');
	json_put_bool(&json, "dry_run", true);
	json_put_int(&json, "matched", count);
	json_put_bool(&json, "matched_capped", is_capped);
	json_close(&json, '}');
	return answer_send(request, MHD_HTTP_OK, answer_json(&body));
}

static enum MHD_Result answer_done(struct request *request,
				   const struct cancel_progress *done)
{
	struct buf body = BUF_INIT(1024);
	struct json_writer json;
	json_writer_init(&json, &body);
	json_open(&json, NULL, '{');
	json_put_int(&json, "matched",
		     done->cancelled + done->stopping + done->already_final);
	json_put_int(&json, "cancelled", done->cancelled);
	json_put_int(&json, "stopping", done->stopping);
	json_put_int(&json, "already_final", done->already_final);
	json_close(&json, '}');
	return answer_send(request, MHD_HTTP_OK, answer_json(&body));
}

/* A batch that was spoilt is run again: each time from where it was. */
static int run_slice(struct queue *queue, struct write *write)
{
	struct cancelling_many *many = WRITE_WORK(struct cancelling_many, write);
	many->after = many->before;
	return queue_cancel_many(queue, &many->viewer, &many->filter, many->text,
				 many->force, &many->after, &write->err);
}

/* The commit of a slice is behind us. */
static enum MHD_Result go_on(struct request *request)
{
	struct cancelling_many *many = request->work;
	if (many->write.result < 0)
		return answer_error(request, &many->write.err);
	if (many->after.is_done)
		return answer_done(request, &many->after);
	many->before = many->after;
	return writer_commit(request, &many->write, run_slice, go_on);
}

enum MHD_Result handle_jobs_cancel(struct request *request)
{
	struct cancelling_many *many = mem_alloc(sizeof(*many));
	struct err err = ERR_INIT;
	struct problems problems;
	request_keep(request, many, cancelling_many_free);
	problems_init(&problems);
	int result = body_read(request, MEMBERS, ARRAY_SIZE(MEMBERS), many, &many->tree,
			       &problems, &err);
	if (result == 0 && problems.total > 0) {
		enum MHD_Result answered =
			answer_problems(request, ERR_INVALID, &problems);
		problems_release(&problems);
		return answered;
	}
	problems_release(&problems);
	if (result < 0)
		return answer_error(request, &err);
	if (many->is_dry_run)
		return answer_dry_run(request, many);
	many->viewer = request_viewer(request);
	return writer_commit(request, &many->write, run_slice, go_on);
}
