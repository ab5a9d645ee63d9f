/* cancel.c - POST /v1/jobs/{id}/cancel. */
#include "httpapi/answer.h"
#include "httpapi/body.h"
#include "httpapi/handlers.h"
#include "httpapi/lookup.h"
#include "httpapi/wait.h"
#include "httpapi/writer.h"

struct cancelling {
	struct wait wait; /* first: wait.c finds it as request->work */
	struct write write;
	struct viewer viewer;
	struct cancel_wish wish; /* its text lives in the tree */
	enum cancel_result cancelled;
	cJSON *tree;
};

static void cancelling_free(void *work)
{
	struct cancelling *cancelling = work;
	cJSON_Delete(cancelling->tree);
	free(cancelling);
}

static void read_reason(struct problems *problems, const char *pointer,
			const cJSON *value, void *wish)
{
	((struct cancel_wish *)wish)->text = body_reason(problems, pointer, value);
}

static void read_force(struct problems *problems, const char *pointer, const cJSON *value,
		       void *wish)
{
	((struct cancel_wish *)wish)->is_forced = body_flag(problems, pointer, value);
}

static void read_cascade(struct problems *problems, const char *pointer,
			 const cJSON *value, void *wish)
{
	((struct cancel_wish *)wish)->is_cascade = body_flag(problems, pointer, value);
}

/* clang-format off */
static const struct body_member MEMBERS[] = {
	{.name = "reason",  .read = read_reason},
	{.name = "force",   .read = read_force},
	{.name = "cascade", .read = read_cascade},
};
/* clang-format on */

/* The commit is behind us: the job as it is now, 202 while it is being stopped. */
static enum MHD_Result go_on(struct request *request)
{
	struct cancelling *cancelling = request->work;
	const struct write *write = &cancelling->write;
	if (write->result < 0)
		return answer_error(request, &write->err);
	cancelling->wait.status = cancelling->cancelled == CANCEL_STOPPING
					  ? MHD_HTTP_ACCEPTED
					  : MHD_HTTP_OK;
	return wait_and_answer(request, &cancelling->wait);
}

static int run_cancel(struct queue *queue, struct write *write)
{
	struct cancelling *cancelling = WRITE_WORK(struct cancelling, write);
	if (queue_cancel(queue, &cancelling->viewer, cancelling->wait.job_id,
			 &cancelling->wish, &cancelling->cancelled, &write->err) < 0)
		return -1;
	write->is_more = cancelling->cancelled == CANCEL_MORE;
	return 0;
}

enum MHD_Result handle_job_cancel(struct request *request)
{
	struct cancelling *cancelling = mem_alloc(sizeof(*cancelling));
	struct err err = ERR_INIT;
	request_keep(request, cancelling, cancelling_free);
	struct problems problems;
	problems_init(&problems);
	int result = body_read(request, MEMBERS, ARRAY_SIZE(MEMBERS), &cancelling->wish,
			       &cancelling->tree, &problems, &err);
	if (result == 0 && problems.total > 0) {
		enum MHD_Result answered =
			answer_problems(request, ERR_INVALID, &problems);
		problems_release(&problems);
		return answered;
	}
	problems_release(&problems);
	if (result < 0 || lookup_job_id(request, cancelling->wait.job_id, &err) < 0)
		return answer_error(request, &err);
	cancelling->viewer = request_viewer(request);
	return writer_commit(request, &cancelling->write, run_cancel, go_on);
}
