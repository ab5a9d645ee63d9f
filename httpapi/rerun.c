/* rerun.c - POST /v1/jobs/{id}/rerun: a new job like one that has ended. */
#include "httpapi/answer.h"
#include "httpapi/body.h"
#include "httpapi/carried.h"
#include "httpapi/handlers.h"
#include "httpapi/lookup.h"
#include "httpapi/readers.h"
#include "httpapi/wait.h"
#include "httpapi/writer.h"

struct rerunning {
	struct wait wait; /* first: wait.c finds it as request->work */
	struct write write;
	struct viewer viewer;
	char id[JOB_ID_BYTES]; /* of the old job */
	struct rerun_wish wish;
	char key[KEY_BYTES_MAX + 1];
	uint8_t body_hash[DIGEST_BYTES];
	struct rerun made;
};

/* The commit is behind us: the new job. */
static enum MHD_Result go_on(struct request *request)
{
	struct rerunning *rerunning = request->work;
	const struct write *write = &rerunning->write;
	if (write->result < 0)
		return answer_error(request, &write->err);
	snprintf(rerunning->wait.job_id, sizeof(rerunning->wait.job_id), "%s",
		 rerunning->made.id);
	rerunning->wait.is_replay = rerunning->made.is_replay;
	return wait_and_answer(request, &rerunning->wait);
}

static void read_cascade(struct problems *problems, const char *pointer,
			 const cJSON *value, void *wish)
{
	((struct rerun_wish *)wish)->is_cascade = body_flag(problems, pointer, value);
}

static const struct body_member MEMBERS[] = {
	{.name = "cascade", .read = read_cascade},
};

/* The id of the old job: the request may name it otherwise. */
static int find_old(struct request *request, struct rerunning *rerunning, struct err *err)
{
	struct readers *readers = request->server->readers;
	struct queue *queue = NULL;
	struct job job = {0};
	if (readers_take(readers, &queue, err) < 0)
		return -1;
	int result = lookup_job(request, queue, &job, err);
	readers_give(readers, queue);
	if (result < 0)
		return -1;
	snprintf(rerunning->id, sizeof(rerunning->id), "%s", job.id);
	job_release(&job);
	return 0;
}

static int run_rerun(struct queue *queue, struct write *write)
{
	struct rerunning *rerunning = WRITE_WORK(struct rerunning, write);
	if (queue_rerun(queue, &rerunning->viewer, rerunning->id, &rerunning->wish,
			&rerunning->made, &write->err) < 0)
		return -1;
	write->is_changed = !rerunning->made.is_replay;
	return 0;
}

static enum MHD_Result commit(struct request *request)
{
	struct rerunning *rerunning = request->work;
	struct err err = ERR_INIT;
	int keyed = carried_key(request, rerunning->key, &err);
	if (keyed < 0 || find_old(request, rerunning, &err) < 0)
		return answer_error(request, &err);
	if (keyed > 0) {
		carried_hash(request, rerunning->body_hash);
		rerunning->wish.idempotency_key = rerunning->key;
		rerunning->wish.body_hash = rerunning->body_hash;
	}
	rerunning->wait.status = MHD_HTTP_CREATED;
	rerunning->wait.is_created = true;
	rerunning->viewer = request_viewer(request);
	rerunning->wish.max = (size_t)request->settings->config.limits.batch_jobs;
	rerunning->wish.lanes = &request->settings->config.queues;
	return writer_commit(request, &rerunning->write, run_rerun, go_on);
}

enum MHD_Result handle_job_rerun(struct request *request)
{
	struct rerunning *rerunning = mem_alloc(sizeof(*rerunning));
	struct err err = ERR_INIT;
	struct problems problems;
	cJSON *tree = NULL;
	request_keep(request, rerunning, free);
	problems_init(&problems);
	int result = body_read(request, MEMBERS, ARRAY_SIZE(MEMBERS), &rerunning->wish,
			       &tree, &problems, &err);
	cJSON_Delete(tree);
	enum MHD_Result answered;
	if (result < 0)
		answered = answer_error(request, &err);
	else if (problems.total > 0)
		answered = answer_problems(request, ERR_INVALID, &problems);
	else
		answered = commit(request);
	problems_release(&problems);
	return answered;
}
