/* change.c - PATCH /v1/jobs/{id}.
 *
 * A member stands for the value it would have had in the submission, and null for what it
 * would have been without (RFC 7396), so the readers are those of a submission. But for a
 * task's default priority: the task may be another one by now, so null is 0 for all. */
#include "httpapi/answer.h"
#include "httpapi/handlers.h"
#include "httpapi/lookup.h"
#include "httpapi/members.h"
#include "httpapi/wait.h"
#include "httpapi/writer.h"

#define TAGS_MAX 64

struct changing {
	struct wait wait; /* first: wait.c finds it as request->work */
	struct intake intake;
	struct job_change change;
	struct write write;
	struct viewer viewer;
	int64_t version_before;	   /* of the job */
	int64_t version[TAGS_MAX]; /* that If-Match names */
};

static void changing_free(void *work)
{
	struct changing *changing = work;
	intake_release(&changing->intake);
	free(changing);
}

/* --- the body --- */

/* clang-format off */
static const struct member CHANGE[] = {
	{.name = "name",     .read = member_name},
	{.name = "priority", .read = member_priority},
	{.name = "labels",   .read = member_labels},
	{.name = "run_at",   .read = member_run_at},
	{.name = "keep",     .read = member_keep},
};
/* clang-format on */

static bool has(const cJSON *tree, const char *name)
{
	return cJSON_GetObjectItemCaseSensitive(tree, name) != NULL;
}

static struct job_change change_of(const struct intake *intake)
{
	const struct submission *submission = &intake->submission;
	const char *labels = submission->labels;
	return (struct job_change){
		.has_name = has(intake->tree, "name"),
		.has_priority = has(intake->tree, "priority"),
		.has_labels = has(intake->tree, "labels"),
		.has_run_at = has(intake->tree, "run_at"),
		.has_keep = has(intake->tree, "keep"),
		.name = submission->name,
		.priority = submission->priority,
		.labels = text_equal(labels, "{}") ? NULL : labels,
		.run_at = submission->run_at,
		.is_kept = submission->is_kept,
	};
}

static int read_body(struct request *request, struct changing *changing,
		     struct problems *problems, struct err *err)
{
	struct intake *intake = &changing->intake;
	struct reading reading = {.intake = intake,
				  .config = &request->settings->config,
				  .problems = problems};
	if (request->body.length > 0 &&
	    json_parse(buf_text(&request->body), request->body.length, NULL,
		       &intake->tree, err) < 0)
		return -1;
	if (!intake->tree || (cJSON_IsObject(intake->tree) && !intake->tree->child))
		problems_add(problems, "#",
			     "nothing to change: give name, priority, labels, run_at or "
			     "keep");
	else
		members_read(&reading, "#", intake->tree, CHANGE, ARRAY_SIZE(CHANGE));
	changing->change = change_of(intake);
	return 0;
}

/* --- If-Match --- */

/* One entity-tag of RFC 9110, 8.8.3; NULL when it is none. */
static const char *skip_tag(const char *text, const char **ret_tag, size_t *ret_length)
{
	*ret_tag = NULL;
	if (strncmp(text, "W/", 2) != 0)
		*ret_tag = text + 1;
	else
		text += 2; /* a weak one never matches */
	if (*text != '"')
		return NULL;
	*ret_length = strcspn(text + 1, "\"");
	text += 1 + *ret_length;
	return *text == '"' ? text + 1 : NULL;
}

static void take_tag(struct changing *changing, const char *tag, size_t length)
{
	struct job_change *change = &changing->change;
	char digits[24];
	int64_t version;
	if (!tag || length >= sizeof(digits) || change->versions == TAGS_MAX)
		return;
	memcpy(digits, tag, length);
	digits[length] = '\0';
	if (text_parse_int(digits, 1, INT64_MAX, &version) == 0)
		changing->version[change->versions++] = version;
}

/* "*" is any version; else a list, of which the strong tags count (RFC 9110, 13.1.1). */
static int read_if_match(const char *text, struct changing *changing, struct err *err)
{
	struct job_change *change = &changing->change;
	if (!text || strcmp(text, "*") == 0)
		return 0;
	change->has_versions = true;
	change->version = changing->version;
	for (;;) {
		const char *tag;
		size_t length = 0;
		text += strspn(text, " \t,");
		if (!*text)
			return 0;
		text = skip_tag(text, &tag, &length);
		if (!text)
			return err_set(err, ERR_BAD_REQUEST,
				       "If-Match is * or a list of ETags such as \"3\"");
		take_tag(changing, tag, length);
	}
}

/* --- the answer --- */

static enum MHD_Result answer_changed_meanwhile(struct request *request,
						const struct changing *changing)
{
	struct MHD_Response *response =
		answer_problem_new(request, &changing->write.err, NULL);
	answer_header(response, "ETag", "\"%lld\"", (long long)changing->version_before);
	return answer_send(request, MHD_HTTP_PRECONDITION_FAILED, response);
}

/* What only the job's row could tell is about run_at. */
static enum MHD_Result answer_invalid(struct request *request, const struct err *err)
{
	struct problems problems;
	problems_init(&problems);
	problems_add(&problems, "#/run_at", "%s", err->text);
	enum MHD_Result result = answer_problems(request, ERR_INVALID, &problems);
	problems_release(&problems);
	return result;
}

/* The commit is behind us: the job as it is now. */
static enum MHD_Result go_on(struct request *request)
{
	struct changing *changing = request->work;
	const struct write *write = &changing->write;
	if (write->result == 0)
		return wait_and_answer(request, &changing->wait);
	if (write->err.code == ERR_PRECONDITION)
		return answer_changed_meanwhile(request, changing);
	if (write->err.code == ERR_INVALID)
		return answer_invalid(request, &write->err);
	return answer_error(request, &write->err);
}

static int run_change(struct queue *queue, struct write *write)
{
	struct changing *changing = WRITE_WORK(struct changing, write);
	return queue_job_change(queue, &changing->viewer, changing->wait.job_id,
				&changing->change, &changing->version_before,
				&write->err);
}

static int read_request(struct request *request, struct changing *changing,
			struct problems *problems, struct err *err)
{
	if (read_body(request, changing, problems, err) < 0 ||
	    read_if_match(request->headers.if_match, changing, err) < 0)
		return -1;
	return problems->total > 0 ? 0
				   : lookup_job_id(request, changing->wait.job_id, err);
}

enum MHD_Result handle_job_change(struct request *request)
{
	struct changing *changing = mem_alloc(sizeof(*changing));
	struct err err = ERR_INIT;
	struct problems problems;
	intake_init(&changing->intake);
	request_keep(request, changing, changing_free);
	changing->wait.status = MHD_HTTP_OK;
	problems_init(&problems);
	int result = read_request(request, changing, &problems, &err);
	enum MHD_Result answered = MHD_YES;
	if (result < 0)
		answered = answer_error(request, &err);
	else if (problems.total > 0)
		answered = answer_problems(request, ERR_INVALID, &problems);
	const bool is_answered = result < 0 || problems.total > 0;
	problems_release(&problems);
	if (is_answered)
		return answered;
	changing->viewer = request_viewer(request);
	return writer_commit(request, &changing->write, run_change, go_on);
}
