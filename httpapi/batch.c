/* batch.c - POST /v1/batches: many jobs in one transaction, all or none.
 *
 * Each job is read by the same table as a single submission (submission.c). What only a
 * batch has is here: the names that its jobs give each other, the order in which they
 * are stored, and one key for all. */
#include "httpapi/answer.h"
#include "httpapi/batch_order.h"
#include "httpapi/body.h"
#include "httpapi/carried.h"
#include "httpapi/depends.h"
#include "httpapi/handlers.h"
#include "httpapi/lookup.h"
#include "httpapi/readers.h"
#include "httpapi/writer.h"

/* Of the whole body, so that the tree made of it has a bound beside that of the text. */
#define VALUES_MAX 2000000

struct batching {
	cJSON *tree;
	struct intake *intake; /* in the order of the request */
	size_t count;
	size_t *order;		 /* place in the transaction -> index in the request */
	size_t *place;		 /* and back */
	struct submission *item; /* in the order of the transaction */
	struct submitted *made;	 /* the same */
	struct batch batch;
	struct write write;
	struct batch_submitted submitted;
	bool is_dry_run;
	char id[JOB_ID_BYTES];
	char key[KEY_BYTES_MAX + 1];
};

static void batching_free(void *work)
{
	struct batching *batching = work;
	for (size_t i = 0; i < batching->count; i++)
		intake_release(&batching->intake[i]);
	free(batching->intake);
	free(batching->order);
	free(batching->place);
	free(batching->item);
	free(batching->made);
	cJSON_Delete(batching->tree);
	free(batching);
}

/* --- reading --- */

/* The array of jobs; NULL when there is none that could be read. */
static const cJSON *find_jobs(const struct batching *batching,
			      const struct config *config, struct problems *problems)
{
	static const char *const known[] = {"jobs"};
	const cJSON *member, *jobs = json_get(batching->tree, "jobs");
	const int64_t max = config->limits.batch_jobs;
	if (!cJSON_IsObject(batching->tree)) {
		problems_add(problems, "#", "must be an object: {\"jobs\": [...]}");
		return NULL;
	}
	cJSON_ArrayForEach(member, batching->tree)
	{
		if (strcmp(member->string, "jobs") != 0)
			body_complain_unknown(problems, "#", member->string, known, 1);
	}
	if (!cJSON_IsArray(jobs) || !jobs->child)
		problems_add(problems, "#/jobs", "must be an array of at least one job");
	else if (cJSON_GetArraySize(jobs) > max)
		problems_add(problems, "#/jobs", "has more than %lld (limits.batch_jobs)",
			     (long long)max);
	else
		return jobs;
	return NULL;
}

static void read_jobs(struct request *request, struct batching *batching,
		      const cJSON *jobs, struct problems *problems)
{
	const struct settings *settings = request->settings;
	batching->intake =
		mem_array((size_t)cJSON_GetArraySize(jobs), sizeof(*batching->intake));
	struct found_program last = {0};
	const cJSON *job;
	cJSON_ArrayForEach(job, jobs)
	{
		char base[48];
		snprintf(base, sizeof(base), "#/jobs/%zu", batching->count);
		struct intake *intake = &batching->intake[batching->count++];
		intake_init(intake);
		problems->base = base;
		intake_read_tree(intake, &settings->config, &settings->tasks, job, &last,
				 problems);
		problems->base = NULL;
	}
	free(last.path);
}

static bool is_too_dependent(const struct batching *batching, const struct config *config,
			     struct problems *problems)
{
	const int64_t max = config->limits.batch_dependencies;
	int64_t total = 0;
	for (size_t i = 0; i < batching->count; i++)
		total += (int64_t)batching->intake[i].wanted_count;
	if (total > max)
		problems_add(problems, "#/jobs",
			     "have %lld dependencies together, more than %lld "
			     "(limits.batch_dependencies)",
			     (long long)total, (long long)max);
	return total > max;
}

/* Who is meant by each name. */
static int resolve_jobs(struct request *request, struct batching *batching,
			struct problems *problems, struct err *err)
{
	struct readers *readers = request->server->readers;
	struct viewer viewer = request_viewer(request);
	struct queue *queue = NULL;
	struct refs refs;
	if (readers_take(readers, &queue, err) < 0)
		return -1;
	refs_init(&refs, batching->intake, batching->count, problems);
	int result = 0;
	for (size_t i = 0; i < batching->count && result == 0; i++) {
		char base[48];
		snprintf(base, sizeof(base), "#/jobs/%zu", i);
		problems->base = base;
		result = depends_resolve(&batching->intake[i], &refs, queue, &viewer,
					 problems, err);
		problems->base = NULL;
	}
	refs_release(&refs);
	readers_give(readers, queue);
	return result;
}

static int read_batch(struct request *request, struct batching *batching,
		      struct problems *problems, struct err *err)
{
	static const struct json_rules rules = {.max_values = VALUES_MAX};
	const struct config *config = &request->settings->config;
	if (json_parse(buf_text(&request->body), request->body.length, &rules,
		       &batching->tree, err) < 0)
		return -1;
	carried_hash(request, batching->batch.body_hash);
	buf_release(&request->body); /* the tree has all of it */
	const cJSON *jobs = find_jobs(batching, config, problems);
	if (!jobs)
		return 0;
	read_jobs(request, batching, jobs, problems);
	unique_keys_check(batching->intake, batching->count, problems);
	if (is_too_dependent(batching, config, problems))
		return 0;
	if (resolve_jobs(request, batching, problems, err) < 0)
		return -1;
	batching->order = mem_array(batching->count, sizeof(*batching->order));
	batch_order(batching->intake, batching->count, batching->order, problems);
	return 0;
}

/* --- answering --- */

static void put_made(struct json_writer *json, const char *ref, const char *id,
		     const struct submitted *made)
{
	json_open(json, NULL, '{');
	json_put_text(json, "ref", ref);
	json_put_text(json, "id", id);
	json_put_text(json, "state",
		      made->state == JOB_STATE_NONE ? NULL : job_state_word(made->state));
	json_put_text(json, "reason", made->reason);
	json_put_bool(json, "existing", made->is_existing);
	json_close(json, '}');
}

/* One job of a batch that an earlier request made, as that request was told; one that was
 * removed since has no state any more. */
static int put_made_before(struct json_writer *json, const struct batching *batching,
			   struct queue *queue, size_t index, struct err *err)
{
	struct submitted made = batching->made[batching->place[index]];
	struct job job = {0};
	int found = queue_job_as_submitted(queue, made.id, &job, err);
	if (found < 0)
		return -1;
	if (found > 0) {
		made.state = job.state;
		made.reason = job.reason;
		made.is_existing = strcmp(job.batch, batching->id) != 0;
	}
	put_made(json, batching->intake[index].ref, made.id, &made);
	job_release(&job);
	return 0;
}

/* In the order of the request. */
static int put_jobs(struct request *request, struct json_writer *json, struct err *err)
{
	const struct batching *batching = request->work;
	struct readers *readers = request->server->readers;
	const bool is_replay = batching->submitted.is_replay;
	struct queue *queue = NULL;
	int result = is_replay ? readers_take(readers, &queue, err) : 0;
	json_open(json, "jobs", '[');
	for (size_t i = 0; i < batching->count && result == 0; i++) {
		const struct submitted *made = &batching->made[batching->place[i]];
		const bool has_id = !batching->is_dry_run || made->is_existing;
		if (is_replay)
			result = put_made_before(json, batching, queue, i, err);
		else
			put_made(json, batching->intake[i].ref, has_id ? made->id : NULL,
				 made);
	}
	json_close(json, ']');
	readers_give(readers, queue);
	return result;
}

static enum MHD_Result answer_batch(struct request *request)
{
	const struct batching *batching = request->work;
	struct buf body = BUF_INIT(ANSWER_BYTES_MAX);
	struct err err = ERR_INIT;
	struct json_writer json;
	json_writer_init(&json, &body);
	json_open(&json, NULL, '{');
	if (batching->is_dry_run)
		json_put_bool(&json, "dry_run", true);
	json_put_text(&json, "id", batching->is_dry_run ? NULL : batching->id);
	if (put_jobs(request, &json, &err) < 0) {
		buf_release(&body);
		return answer_error(request, &err);
	}
	json_close(&json, '}');
	struct MHD_Response *response = answer_json(&body);
	if (batching->is_dry_run)
		return answer_send(request, MHD_HTTP_OK, response);
	answer_header(response, "Location", "/v1/jobs?batch=%s", batching->id);
	if (batching->submitted.is_replay)
		answer_header(response, "Idempotency-Replayed", "true");
	return answer_send(request, MHD_HTTP_CREATED, response);
}

/* The queue says which item it refused; the client knows it by its place in the request.
 */
static enum MHD_Result answer_refusal(struct request *request)
{
	const struct batching *batching = request->work;
	const struct write *write = &batching->write;
	const size_t item = batching->submitted.failed_item;
	const bool is_one =
		write->err.code == ERR_INVALID || write->err.code == ERR_CONFLICT;
	if (!is_one || item >= batching->count)
		return answer_error(request, &write->err);
	struct problems problems;
	char pointer[48];
	problems_init(&problems);
	snprintf(pointer, sizeof(pointer), "#/jobs/%zu%s", batching->order[item],
		 write->err.code == ERR_CONFLICT ? "/unique" : "");
	problems_add(&problems, pointer, "%s", write->err.text);
	enum MHD_Result result = answer_problems_about(
		request, write->err.code, &problems,
		write->err.code == ERR_CONFLICT ? batching->made[item].id : "");
	problems_release(&problems);
	return result;
}

/* The commit is behind us. */
static enum MHD_Result go_on(struct request *request)
{
	const struct batching *batching = request->work;
	return batching->write.result < 0 ? answer_refusal(request)
					  : answer_batch(request);
}

/* --- committing --- */

/* The jobs as the queue wants them: parents first, and named by their place there. */
static void arrange(struct request *request, struct batching *batching)
{
	const char *trace = carried_trace(request);
	batching->place = mem_array(batching->count, sizeof(*batching->place));
	batching->item = mem_array(batching->count, sizeof(*batching->item));
	batching->made = mem_array(batching->count, sizeof(*batching->made));
	for (size_t i = 0; i < batching->count; i++)
		batching->place[batching->order[i]] = i;
	for (size_t i = 0; i < batching->count; i++) {
		struct intake *intake = &batching->intake[batching->order[i]];
		for (size_t k = 0; k < intake->wish_count; k++) {
			size_t *parent = &intake->wishes[k].parent_item;
			*parent = *parent == NOT_IN_BATCH ? 0 : batching->place[*parent];
		}
		intake->submission.owner = request->who.name;
		intake->submission.traceparent = trace;
		batching->item[i] = intake->submission;
	}
}

static int run_submit_batch(struct queue *queue, struct write *write)
{
	struct batching *batching = WRITE_WORK(struct batching, write);
	return queue_submit_batch(queue, &batching->batch, &batching->submitted,
				  &write->err);
}

static enum MHD_Result commit(struct request *request)
{
	struct batching *batching = request->work;
	arrange(request, batching);
	batching->batch.owner = request->who.name;
	batching->batch.item = batching->item;
	batching->batch.count = batching->count;
	if (batching->is_dry_run)
		batching->batch.idempotency_key = NULL;
	batching->submitted =
		(struct batch_submitted){.id = batching->id, .item = batching->made};
	batching->write.is_dry_run = batching->is_dry_run;
	return writer_commit(request, &batching->write, run_submit_batch, go_on);
}

enum MHD_Result handle_batch_submit(struct request *request)
{
	struct batching *batching = mem_alloc(sizeof(*batching));
	struct err err = ERR_INIT;
	request_keep(request, batching, batching_free);
	int has_key = carried_key(request, batching->key, &err);
	if (has_key < 0 ||
	    lookup_flag(request, "dry_run", &batching->is_dry_run, &err) < 0)
		return answer_error(request, &err);
	batching->batch.idempotency_key = has_key ? batching->key : NULL;
	struct problems problems;
	problems_init(&problems);
	enum MHD_Result answered;
	if (read_batch(request, batching, &problems, &err) < 0)
		answered = answer_error(request, &err);
	else if (problems.total > 0)
		answered = answer_problems(request, ERR_INVALID, &problems);
	else
		answered = commit(request);
	problems_release(&problems);
	return answered;
}
