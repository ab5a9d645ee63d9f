/* routes.c - the one table of what can be asked (see routes.h). */
#include "httpapi/routes.h"

#include "httpapi/handlers.h"
#include "queue/queue.h"

#define WORD_(value, word) word,

/* clang-format off */
static const struct route ROUTES[] = {
	{.method = "POST", .path = "/v1/jobs", .role = ROLE_FULL, .body = BODY_REQUIRED, .is_change = true,
	 .handle = handle_job_submit, .params = {"wait", "dry_run"},
	 .help = "submit one job"},
	{.method = "POST", .path = "/v1/batches", .role = ROLE_FULL, .body = BODY_REQUIRED, .size = SIZE_BATCH,
	 .is_change = true, .handle = handle_batch_submit, .params = {"dry_run"},
	 .help = "submit many jobs that may wait for each other, all or none"},
	{.method = "GET", .path = "/v1/jobs", .role = ROLE_READONLY,
	 .handle = handle_job_list, .many = {LIST_FILTERS(WORD_)},
	 .params = {LIST_TIMES(WORD_) "sort", "limit", "cursor", "count"},
	 .help = "list, filter, page"},
	{.method = "POST", .path = "/v1/jobs/cancel", .role = ROLE_FULL, .body = BODY_REQUIRED, .is_change = true,
	 .is_stream = true, .handle = handle_jobs_cancel,
	 .help = "cancel all that a filter finds"},
	{.method = "GET", .path = "/v1/jobs/{id}", .role = ROLE_READONLY,
	 .handle = handle_job_get, .params = {"wait"},
	 .help = "one job"},
	{.method = "PATCH", .path = "/v1/jobs/{id}", .role = ROLE_FULL, .body = BODY_REQUIRED, .is_change = true,
	 .takes_if_match = true, .handle = handle_job_change,
	 .help = "change what has not started"},
	{.method = "GET", .path = "/v1/jobs/{id}/attempts", .role = ROLE_READONLY,
	 .handle = handle_job_attempts,
	 .help = "every attempt with usage and outcome"},
	{.method = "GET", .path = "/v1/jobs/{id}/events", .role = ROLE_READONLY,
	 .handle = handle_job_events, .many = {"kind"}, .params = {"after", "limit", "wait", "until"},
	 .help = "its history, oldest first; JSON or server-sent events"},
	{.method = "GET", .path = "/v1/jobs/{id}/output", .role = ROLE_READONLY, .is_stream = true,
	 .handle = handle_job_output,
	 .params = {"stream", "attempt", "tail_lines", "timestamps", "follow"},
	 .help = "what it wrote"},
	{.method = "GET", .path = "/v1/jobs/{id}/output/events", .role = ROLE_READONLY, .is_stream = true,
	 .handle = handle_job_output_events, .params = {"stream", "attempt", "tail_lines", "after"},
	 .help = "what it writes, as server-sent events"},
	{.method = "GET", .path = "/v1/jobs/{id}/output/search", .role = ROLE_READONLY,
	 .handle = handle_job_search, .params = {"q", "stream", "attempt", "ignore_case", "limit", "cursor"},
	 .raw = {"q"},
	 .help = "the lines of its output in which something stands"},
	{.method = "POST", .path = "/v1/jobs/{id}/hold", .role = ROLE_FULL, .body = BODY_OPTIONAL, .is_change = true,
	 .handle = handle_job_hold,
	 .help = "let it not start until it is released"},
	{.method = "POST", .path = "/v1/jobs/{id}/release", .role = ROLE_FULL, .body = BODY_OPTIONAL, .is_change = true,
	 .handle = handle_job_release,
	 .help = "let it start again"},
	{.method = "POST", .path = "/v1/jobs/{id}/cancel", .role = ROLE_FULL, .body = BODY_OPTIONAL, .is_change = true,
	 .handle = handle_job_cancel,
	 .help = "stop it, or let it never start"},
	{.method = "POST", .path = "/v1/jobs/{id}/signal", .role = ROLE_FULL, .body = BODY_REQUIRED, .is_change = true,
	 .handle = handle_job_signal,
	 .help = "send a signal to its main process"},
	{.method = "POST", .path = "/v1/jobs/{id}/rerun", .role = ROLE_FULL, .body = BODY_OPTIONAL, .is_change = true,
	 .handle = handle_job_rerun,
	 .help = "a new job like one that has ended"},
	{.method = "GET", .path = "/v1/jobs/{id}/graph", .role = ROLE_READONLY,
	 .handle = handle_job_graph, .params = {"limit"},
	 .help = "the jobs that hang together with it, and how"},
	{.method = "GET", .path = "/v1/jobs/{id}/explain", .role = ROLE_READONLY,
	 .handle = handle_job_explain,
	 .help = "every reason why it does not run yet, and what is ahead of it"},
	{.method = "GET", .path = "/v1/jobs/{id}/callbacks", .role = ROLE_READONLY,
	 .handle = handle_callback_list, .params = {"state", "limit", "cursor"},
	 .help = "who was, or is to be, told about it"},
	{.method = "GET", .path = "/v1/queues", .role = ROLE_READONLY,
	 .handle = handle_queue_list,
	 .help = "all queues, and whether the service drains"},
	{.method = "GET", .path = "/v1/queues/{queue}", .role = ROLE_READONLY,
	 .handle = handle_queue_get,
	 .help = "one queue: what waits and runs, its limit, who paused it"},
	{.method = "PATCH", .path = "/v1/queues/{queue}", .role = ROLE_ADMIN, .body = BODY_REQUIRED, .is_change = true,
	 .handle = handle_queue_change,
	 .help = "set its limit of running jobs"},
	{.method = "POST", .path = "/v1/queues/{queue}/pause", .role = ROLE_ADMIN, .body = BODY_OPTIONAL, .is_change = true,
	 .handle = handle_queue_pause,
	 .help = "start nothing of it until it is resumed"},
	{.method = "POST", .path = "/v1/queues/{queue}/resume", .role = ROLE_ADMIN, .body = BODY_OPTIONAL, .is_change = true,
	 .handle = handle_queue_resume,
	 .help = "start jobs of it again"},
	{.method = "GET", .path = "/v1/drain", .role = ROLE_READONLY,
	 .handle = handle_drain_get,
	 .help = "whether the service drains, and how many jobs still run"},
	{.method = "POST", .path = "/v1/drain", .role = ROLE_ADMIN, .body = BODY_OPTIONAL, .is_change = true,
	 .handle = handle_drain,
	 .help = "start nothing any more; what runs goes on"},
	{.method = "POST", .path = "/v1/undrain", .role = ROLE_ADMIN, .body = BODY_OPTIONAL, .is_change = true,
	 .handle = handle_undrain,
	 .help = "start jobs again"},
	{.method = "GET", .path = "/v1/callbacks", .role = ROLE_READONLY,
	 .handle = handle_callback_list, .params = {"state", "job", "limit", "cursor"},
	 .help = "what others are told about jobs, newest first, and how that went"},
	{.method = "GET", .path = "/v1/callbacks/{callback}", .role = ROLE_READONLY,
	 .handle = handle_callback_get,
	 .help = "one callback, with its body"},
	{.method = "POST", .path = "/v1/callbacks/{callback}/redeliver", .role = ROLE_FULL, .body = BODY_OPTIONAL,
	 .is_change = true, .handle = handle_callback_redeliver,
	 .help = "send it again"},
	{.method = "GET", .path = "/v1/tasks", .role = ROLE_READONLY,
	 .handle = handle_task_list,
	 .help = "the tasks that can be submitted"},
	{.method = "GET", .path = "/v1/tasks/{task}", .role = ROLE_READONLY,
	 .handle = handle_task_get,
	 .help = "one task, with all that a form needs to know"},
	{.method = "GET", .path = "/v1/events", .role = ROLE_READONLY,
	 .handle = handle_event_list, .many = {"jobs", "queue", "label", "kind"},
	 .params = {"after", "limit", "wait", "until"},
	 .help = "all that happened and happens; JSON or server-sent events"},
	{.method = "GET", .path = "/v1/stats", .role = ROLE_READONLY,
	 .handle = handle_stats,
	 .help = "counts by state and queue, what happened in the last minute, hour and day, sizes"},
	{.method = "GET", .path = "/v1/whoami", .role = ROLE_READONLY,
	 .handle = handle_whoami,
	 .help = "the caller's principal and role"},
	{.method = "GET", .path = "/healthz/live", .role = ROLE_NONE,
	 .handle = handle_live,
	 .help = "the intake runs"},
	{.method = "GET", .path = "/healthz/ready", .role = ROLE_READONLY,
	 .handle = handle_ready,
	 .help = "database, worker and disk are well"},
	{.method = "GET", .path = "/problems/{name}", .role = ROLE_NONE,
	 .handle = handle_problem,
	 .help = "what an error's type means"},
};
/* clang-format on */
#undef WORD_

void route_print(FILE *out)
{
	fputs("| method and path | role | query | does |\n|---|---|---|---|\n", out);
	for (size_t i = 0; i < ARRAY_SIZE(ROUTES); i++) {
		const struct route *route = &ROUTES[i];
		fprintf(out, "| `%s %s` | %s |", route->method, route->path,
			role_word(route->role));
		const char *before = " ";
		for (size_t k = 0; route->many[k]; k++, before = ", ")
			fprintf(out, "%s`%s`…", before, route->many[k]);
		for (size_t k = 0; route->params[k]; k++, before = ", ")
			fprintf(out, "%s`%s`", before, route->params[k]);
		fprintf(out, " | %s |\n", route->help);
	}
}

/* Does the path fit the pattern? `ret_argument` is what stood for its {x}. */
static bool path_fits(const char *pattern, const struct target *target,
		      const char **ret_argument)
{
	for (size_t i = 0; i < target->segments; i++) {
		if (*pattern++ != '/')
			return false;
		const char *segment = target->segment[i];
		if (*pattern == '{') {
			*ret_argument = segment;
			pattern += strcspn(pattern, "/");
			continue;
		}
		while (*segment && *segment == *pattern)
			segment++, pattern++;
		if (*segment || (*pattern && *pattern != '/'))
			return false;
	}
	return *pattern == '\0';
}

static void allow(struct buf *ret_allow, const char *method)
{
	buf_printf(ret_allow, "%s%s", ret_allow->length ? ", " : "", method);
	if (strcmp(method, "GET") == 0)
		buf_append_text(ret_allow, ", HEAD");
}

int route_find(struct request *request, struct buf *ret_allow, struct err *err)
{
	const char *method = request->method;
	if (strcmp(method, "HEAD") == 0)
		method = "GET";
	for (size_t i = 0; i < ARRAY_SIZE(ROUTES); i++) {
		const char *argument = NULL;
		if (strcmp(ROUTES[i].method, method) != 0 ||
		    !path_fits(ROUTES[i].path, &request->target, &argument))
			continue;
		request->route = &ROUTES[i];
		request->argument = argument;
		return 0;
	}
	for (size_t i = 0; i < ARRAY_SIZE(ROUTES); i++) {
		const char *argument = NULL;
		if (path_fits(ROUTES[i].path, &request->target, &argument))
			allow(ret_allow, ROUTES[i].method);
	}
	if (ret_allow->length > 0)
		return err_set(err, ERR_METHOD, "this path takes %s",
			       buf_text(ret_allow));
	return err_set(err, ERR_NOT_FOUND, "there is nothing at this path");
}
