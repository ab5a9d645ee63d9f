/* signal.c - POST /v1/jobs/{id}/signal. */
#include "httpapi/answer.h"
#include "httpapi/body.h"
#include "httpapi/handlers.h"
#include "httpapi/lookup.h"
#include "httpapi/wait.h"
#include "httpapi/writer.h"

struct signalling {
	struct wait wait; /* first: wait.c finds it as request->work */
	struct write write;
	struct viewer viewer;
	int signal;
};

static int number_of(const cJSON *value)
{
	char digits[24];
	if (cJSON_IsString(value))
		return signal_parse(value->valuestring);
	if (!cJSON_IsNumber(value))
		return -1;
	snprintf(digits, sizeof(digits), "%.15g", value->valuedouble);
	return signal_parse(digits);
}

static void read_signal(struct problems *problems, const char *pointer,
			const cJSON *value, void *ret_signal)
{
	const int signal = number_of(value);
	if (signal < 0)
		problems_add(problems, pointer,
			     "must be a signal's name such as \"USR1\", or its number");
	*(int *)ret_signal = signal;
}

static const struct body_member MEMBERS[] = {
	{.name = "signal", .read = read_signal, .is_required = true},
};

/* The commit is behind us: the worker has been told. */
static enum MHD_Result go_on(struct request *request)
{
	struct signalling *signalling = request->work;
	if (signalling->write.result < 0)
		return answer_error(request, &signalling->write.err);
	return wait_and_answer(request, &signalling->wait);
}

static int run_signal(struct queue *queue, struct write *write)
{
	const struct signalling *signalling = WRITE_WORK(struct signalling, write);
	return queue_signal(queue, &signalling->viewer, signalling->wait.job_id,
			    signalling->signal, &write->err);
}

static int read_request(struct request *request, struct signalling *signalling,
			struct problems *problems, struct err *err)
{
	cJSON *tree = NULL;
	int result = body_read(request, MEMBERS, ARRAY_SIZE(MEMBERS), &signalling->signal,
			       &tree, problems, err);
	cJSON_Delete(tree);
	if (result < 0)
		return -1;
	return problems->total > 0 ? 0
				   : lookup_job_id(request, signalling->wait.job_id, err);
}

enum MHD_Result handle_job_signal(struct request *request)
{
	struct signalling *signalling = mem_alloc(sizeof(*signalling));
	struct err err = ERR_INIT;
	struct problems problems;
	request_keep(request, signalling, free);
	signalling->wait.status = MHD_HTTP_ACCEPTED;
	problems_init(&problems);
	const int result = read_request(request, signalling, &problems, &err);
	const bool is_wrong = problems.total > 0;
	enum MHD_Result answered = MHD_YES;
	if (result < 0)
		answered = answer_error(request, &err);
	else if (is_wrong)
		answered = answer_problems(request, ERR_INVALID, &problems);
	problems_release(&problems);
	if (result < 0 || is_wrong)
		return answered;
	signalling->viewer = request_viewer(request);
	return writer_commit(request, &signalling->write, run_signal, go_on);
}
