/* jobs.c - GET /v1/jobs/{id}. */
#include "httpapi/answer.h"
#include "httpapi/handlers.h"
#include "httpapi/lookup.h"
#include "httpapi/readers.h"
#include "httpapi/wait.h"

enum MHD_Result handle_job_get(struct request *request)
{
	struct readers *readers = request->server->readers;
	struct wait *wait = mem_alloc(sizeof(*wait));
	struct err err = ERR_INIT;
	struct queue *queue = NULL;
	struct job job = {0};
	request_keep(request, wait, free);
	wait->status = MHD_HTTP_OK;
	if (lookup_wait(request, &wait->wait_us, &wait->is_preferred, &err) < 0 ||
	    readers_take(readers, &queue, &err) < 0)
		return answer_error(request, &err);
	int found = lookup_job(request, queue, &job, &err);
	readers_give(readers, queue);
	if (found < 0)
		return answer_error(request, &err);
	snprintf(wait->job_id, sizeof(wait->job_id), "%s", job.id);
	job_release(&job);
	return wait_and_answer(request, wait);
}
