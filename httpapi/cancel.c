/* cancel.c - POST /v1/jobs/{id}/cancel. */
#include "httpapi/answer.h"
#include "httpapi/handlers.h"
#include "httpapi/lookup.h"
#include "httpapi/members.h"
#include "httpapi/wait.h"
#include "httpapi/writer.h"

#define REASON_BYTES_MAX 1000

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

/* The body is small enough for a table of three without readers of its own. */
static void read_member(struct problems *problems, struct cancelling *cancelling,
			const cJSON *member)
{
	static const char *const known[] = {"reason", "force", "cascade"};
	const char *name = member->string;
	struct cancel_wish *wish = &cancelling->wish;
	if (cJSON_IsNull(member))
		return;
	if (strcmp(name, "reason") == 0) {
		if (!cJSON_IsString(member) ||
		    strlen(member->valuestring) > REASON_BYTES_MAX)
			problems_add(problems, "#/reason",
				     "must be a string of at most %d bytes",
				     REASON_BYTES_MAX);
		else
			wish->text = member->valuestring;
	} else if (strcmp(name, "force") == 0) {
		if (!cJSON_IsBool(member))
			problems_add(problems, "#/force", "must be true or false");
		wish->is_forced = cJSON_IsTrue(member);
	} else if (strcmp(name, "cascade") == 0) {
		if (!cJSON_IsBool(member))
			problems_add(problems, "#/cascade", "must be true or false");
		wish->is_cascade = cJSON_IsTrue(member);
	} else {
		const char *nearest = text_nearest(name, known, ARRAY_SIZE(known));
		problems_add_member(problems, "#", name, "unknown key%s%s%s",
				    nearest ? "; did you mean \"" : "",
				    nearest ? nearest : "", nearest ? "\"?" : "");
	}
}

static int read_body(struct request *request, struct cancelling *cancelling,
		     struct problems *problems, struct err *err)
{
	if (request->body.length == 0)
		return 0;
	if (json_parse(buf_text(&request->body), request->body.length, NULL,
		       &cancelling->tree, err) < 0)
		return -1;
	if (!cJSON_IsObject(cancelling->tree))
		problems_add(problems, "#", "must be an object");
	const cJSON *member;
	cJSON_ArrayForEach(member, cancelling->tree)
	{
		if (cJSON_IsObject(cancelling->tree))
			read_member(problems, cancelling, member);
	}
	return 0;
}

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
	int result = read_body(request, cancelling, &problems, &err);
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
