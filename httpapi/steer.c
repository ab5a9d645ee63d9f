/* steer.c - changing how the service runs jobs (see steer.h). */
#include "httpapi/steer.h"

#include "httpapi/answer.h"

struct steer_work {
	const struct steering *steering;
	struct write write;
	struct steer_wish wish;
	cJSON *tree; /* the wish's reason lives in it */
};

static void work_free(void *work)
{
	struct steer_work *steer = work;
	cJSON_Delete(steer->tree);
	free(steer);
}

void steer_reason(struct problems *problems, const char *pointer, const cJSON *value,
		  void *wish)
{
	((struct steer_wish *)wish)->reason = body_reason(problems, pointer, value);
}

/* The commit is behind us. */
static enum MHD_Result go_on(struct request *request)
{
	struct steer_work *steer = request->work;
	if (steer->wish.lane && steer->write.result < 0 &&
	    steer->write.err.code == ERR_NOT_FOUND) {
		AUTO_BUF struct buf words = BUF_INIT(QUEUE_WORDS_MAX);
		queue_name_complain(&request->settings->config.queues, steer->wish.lane,
				    &words);
		err_set(&steer->write.err, ERR_NOT_FOUND, "%s", buf_text(&words));
	}
	if (steer->write.result < 0)
		return answer_error(request, &steer->write.err);
	return steer->steering->answer(request);
}

static int run_steering(struct queue *queue, struct write *write)
{
	const struct steer_work *steer = WRITE_WORK(struct steer_work, write);
	return steer->steering->run(queue, &steer->wish, &write->err);
}

static enum MHD_Result commit(struct request *request)
{
	struct steer_work *steer = request->work;
	steer->wish.principal = request_viewer(request).principal;
	steer->wish.lane = request->argument;
	return writer_commit(request, &steer->write, run_steering, go_on);
}

enum MHD_Result steer_run(struct request *request, const struct steering *steering)
{
	struct steer_work *steer = mem_alloc(sizeof(*steer));
	struct err err = ERR_INIT;
	struct problems problems;
	steer->steering = steering;
	request_keep(request, steer, work_free);
	problems_init(&problems);
	enum MHD_Result answered = MHD_YES;
	if (body_read(request, steering->member, steering->members, &steer->wish,
		      &steer->tree, &problems, &err) < 0)
		answered = answer_error(request, &err);
	else if (problems.total > 0)
		answered = answer_problems(request, ERR_INVALID, &problems);
	else
		answered = commit(request);
	problems_release(&problems);
	return answered;
}
