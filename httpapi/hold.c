/* hold.c - POST /v1/jobs/{id}/hold and /release. */
#include "httpapi/answer.h"
#include "httpapi/handlers.h"
#include "httpapi/lookup.h"
#include "httpapi/wait.h"
#include "httpapi/writer.h"

struct holding {
	struct wait wait; /* first: wait.c finds it as request->work */
	struct write write;
	struct viewer viewer;
	bool is_hold; /* else release */
};

/* The commit is behind us: the job as it is now. */
static enum MHD_Result go_on(struct request *request)
{
	struct holding *holding = request->work;
	if (holding->write.result < 0)
		return answer_error(request, &holding->write.err);
	return wait_and_answer(request, &holding->wait);
}

static int run_hold(struct queue *queue, struct write *write)
{
	const struct holding *holding = WRITE_WORK(struct holding, write);
	return queue_hold(queue, &holding->viewer, holding->wait.job_id, holding->is_hold,
			  &write->err);
}

/* Nothing, or an object without members: what is not known must not be ignored. */
static int check_body(const struct request *request, struct err *err)
{
	cJSON *tree = NULL;
	if (request->body.length == 0)
		return 0;
	if (json_parse(buf_text(&request->body), request->body.length, NULL, &tree, err) <
	    0)
		return -1;
	bool is_empty = cJSON_IsObject(tree) && !tree->child;
	cJSON_Delete(tree);
	return is_empty ? 0 : err_set(err, ERR_INVALID, "this takes no members");
}

static enum MHD_Result hold_or_release(struct request *request, bool is_hold)
{
	struct holding *holding = mem_alloc(sizeof(*holding));
	struct err err = ERR_INIT;
	request_keep(request, holding, free);
	holding->wait.status = MHD_HTTP_OK;
	if (check_body(request, &err) < 0 ||
	    lookup_job_id(request, holding->wait.job_id, &err) < 0)
		return answer_error(request, &err);
	holding->viewer = request_viewer(request);
	holding->is_hold = is_hold;
	return writer_commit(request, &holding->write, run_hold, go_on);
}

enum MHD_Result handle_job_hold(struct request *request)
{
	return hold_or_release(request, true);
}

enum MHD_Result handle_job_release(struct request *request)
{
	return hold_or_release(request, false);
}
