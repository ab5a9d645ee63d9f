/* steer.c - changing how the service runs jobs (see steer.h). */
#include "httpapi/steer.h"

#include "httpapi/answer.h"
#include "httpapi/lane_names.h"

#define REASON_BYTES_MAX 1000
#define MEMBERS_MAX 8

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
		  struct steer_wish *wish)
{
	if (!cJSON_IsString(value) || strlen(value->valuestring) > REASON_BYTES_MAX)
		problems_add(problems, pointer, "must be a string of at most %d bytes",
			     REASON_BYTES_MAX);
	else
		wish->reason = value->valuestring;
}

static void complain_unknown(const struct steering *steering, const char *name,
			     struct problems *problems)
{
	const char *names[MEMBERS_MAX];
	for (size_t i = 0; i < steering->members; i++)
		names[i] = steering->member[i].name;
	const char *nearest = text_nearest(name, names, steering->members);
	problems_add_member(problems, "#", name, "unknown key%s%s%s",
			    nearest ? "; did you mean \"" : "", nearest ? nearest : "",
			    nearest ? "\"?" : "");
}

static void read_member(struct steer_work *steer, const cJSON *value,
			struct problems *problems)
{
	const struct steering *steering = steer->steering;
	for (size_t i = 0; i < steering->members; i++) {
		const struct steer_member *member = &steering->member[i];
		if (strcmp(member->name, value->string) != 0)
			continue;
		char pointer[64];
		snprintf(pointer, sizeof(pointer), "#/%s", member->name);
		if (member->takes_null || !cJSON_IsNull(value))
			member->read(problems, pointer, value, &steer->wish);
		return;
	}
	complain_unknown(steering, value->string, problems);
}

static void check_required(const struct steer_work *steer, struct problems *problems)
{
	const struct steering *steering = steer->steering;
	for (size_t i = 0; i < steering->members; i++)
		if (steering->member[i].is_required &&
		    !cJSON_GetObjectItemCaseSensitive(steer->tree,
						      steering->member[i].name))
			problems_add_member(problems, "#", steering->member[i].name,
					    "is required");
}

static int read_body(const struct request *request, struct steer_work *steer,
		     struct problems *problems, struct err *err)
{
	if (request->body.length == 0)
		return 0;
	if (json_parse(buf_text(&request->body), request->body.length, NULL, &steer->tree,
		       err) < 0)
		return -1;
	if (!cJSON_IsObject(steer->tree)) {
		problems_add(problems, "#", "must be an object");
		return 0;
	}
	const cJSON *value;
	cJSON_ArrayForEach(value, steer->tree)
	{
		read_member(steer, value, problems);
	}
	check_required(steer, problems);
	return 0;
}

/* The commit is behind us. */
static enum MHD_Result go_on(struct request *request)
{
	struct steer_work *steer = request->work;
	if (steer->wish.lane && steer->write.result < 0 &&
	    steer->write.err.code == ERR_NOT_FOUND) {
		AUTO_BUF struct buf words = BUF_INIT(LANE_WORDS_MAX);
		lane_complain(&request->settings->config, steer->wish.lane, &words);
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
	if (read_body(request, steer, &problems, &err) < 0)
		answered = answer_error(request, &err);
	else if (problems.total > 0)
		answered = answer_problems(request, ERR_INVALID, &problems);
	else
		answered = commit(request);
	problems_release(&problems);
	return answered;
}
