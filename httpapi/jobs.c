/* jobs.c - GET /v1/jobs/{id}. */
#include "httpapi/answer.h"
#include "httpapi/handlers.h"
#include "httpapi/lookup.h"
#include "httpapi/wait.h"

/* The whole id of the job that the path means. One that is whole is taken as it is: who
 * does not wait looks for it once. */
static int find_id(struct request *request, struct wait *wait, struct err *err)
{
	if (wait->wait_us > 0 || !job_id_is_valid(request->argument))
		return lookup_job_id(request, wait->job_id, err);
	snprintf(wait->job_id, sizeof(wait->job_id), "%s", request->argument);
	return 0;
}

enum MHD_Result handle_job_get(struct request *request)
{
	struct wait *wait = mem_alloc(sizeof(*wait));
	struct err err = ERR_INIT;
	request_keep(request, wait, free);
	wait->status = MHD_HTTP_OK;
	if (lookup_wait(request, &wait->wait_us, &wait->is_preferred, &err) < 0 ||
	    find_id(request, wait, &err) < 0)
		return answer_error(request, &err);
	return wait_and_answer(request, wait);
}
