/* request.c - one request on its way through the intake (see request.h). */
#include "httpapi/request.h"

#include "httpapi/answer.h"
#include "httpapi/gate.h"
#include "httpapi/handed.h"
#include "httpapi/routes.h"
#include "httpapi/watcher.h"

struct request *request_new(struct client *client, struct MHD_Connection *connection,
			    const char *raw_target)
{
	struct server *server = client->front->server;
	struct request *request = mem_alloc(sizeof(*request));
	request->server = server;
	request->settings = settings_take(&server->settings);
	request->client = client;
	request->connection = connection;
	request->began_us = clock_boot_us();
	request->number = atomic_fetch_add(&server->request_number, 1) + 1;
	target_init(&request->target, raw_target);
	buf_init(&request->body, 0); /* until the route is known */
	client_expect_until(client,
			    request->began_us +
				    request->settings->config.http.header_deadline_us);
	atomic_fetch_add(&server->active, 1);
	return request;
}

void request_free(struct request *request)
{
	struct server *server = request->server;
	watcher_remove(server->watcher, &request->waiter);
	handed_end(request);
	if (request->free_work)
		request->free_work(request->work);
	if (request->response)
		MHD_destroy_response(request->response);
	target_release(&request->target);
	buf_release(&request->body);
	free(request->removed);
	if (request->held_bytes > 0)
		atomic_fetch_sub(&server->held_bytes, request->held_bytes);
	client_expect_within(request->client,
			     request->settings->config.http.header_deadline_us);
	settings_give(request->settings);
	atomic_fetch_sub(&server->active, 1);
	free(request);
}

void request_keep(struct request *request, void *work, void (*free_work)(void *))
{
	request->work = work;
	request->free_work = free_work;
}

void request_wait_for(struct request *request, const char *job_id, bool wants_bell)
{
	struct waiter *waiter = &request->waiter;
	*waiter = (struct waiter){.connection = request->connection,
				  .socket_fd = request->client->fd,
				  .wants_bell = wants_bell};
	snprintf(waiter->job_id, sizeof(waiter->job_id), "%s", job_id);
}

struct viewer request_viewer(const struct request *request)
{
	return (struct viewer){.principal = request->who.name,
			       .sees_all = auth_sees_all(&request->who)};
}

/* What is left of the time for the whole request, and at most `us`. */
static void expect_within(const struct request *request, int64_t us)
{
	int64_t end_us =
		request->began_us + request->settings->config.http.request_deadline_us;
	if (us < INT64_MAX) {
		int64_t then_us = clock_boot_us() + us;
		end_us = then_us < end_us ? then_us : end_us;
	}
	client_expect_until(request->client, end_us);
}

/* --- judging --- */

/* Permission comes before "there is no such path", so that nobody without a credential
 * learns which paths there are. */
static int find_and_permit(struct request *request, struct buf *allow, struct err *err)
{
	struct err missing = ERR_INIT;
	int found = route_find(request, allow, &missing);
	enum role needed = found == 0 ? request->route->role : ROLE_READONLY;
	auth_identify(request->server, request->client, request->headers.authorization,
		      &request->who);
	if (auth_permit(&request->who, needed, err) < 0)
		return -1;
	if (found < 0)
		*err = missing;
	return found;
}

static int judge_route(struct request *request, struct err *err)
{
	const struct route *route = request->route;
	const char *setting;
	request->body.max = (size_t)gate_body_max(request, &setting);
	if (route->body == BODY_NONE && request->has_body) {
		request->must_close = true;
		return err_set(err, ERR_BAD_REQUEST, "%s takes no body here",
			       request->method);
	}
	return route->is_change ? gate_change(request, err) : 0;
}

static void log_refusal(const struct request *request, const struct err *err)
{
	log_event(LOG_DEBUG, "refused", LOG_TEXT("principal", request->who.name),
		  LOG_TEXT("method", request->method),
		  LOG_TEXT("target", request->target.raw),
		  LOG_TEXT("code", err_word(err->code)), LOG_TEXT("error", err->text),
		  LOG_END);
}

static enum MHD_Result refuse(struct request *request, const struct err *err,
			      const struct buf *allow)
{
	log_refusal(request, err);
	struct MHD_Response *response = answer_problem_new(request, err, NULL);
	if (err->code == ERR_METHOD)
		answer_header(response, "Allow", "%s", buf_text(allow));
	return answer_send(request, (unsigned)err_http_status(err->code), response);
}

static enum MHD_Result judge(struct request *request)
{
	struct err err = ERR_INIT;
	AUTO_BUF struct buf allow = BUF_INIT(256);
	if (gate_framing(request, &err) < 0 || gate_host(request, &err) < 0 ||
	    find_and_permit(request, &allow, &err) < 0 || judge_route(request, &err) < 0)
		return refuse(request, &err, &allow);
	struct problems problems;
	problems_init(&problems);
	const struct target_known known = {.once = request->route->params,
					   .many = request->route->many,
					   .raw = request->route->raw};
	target_check_params(&request->target, &known, &problems);
	if (problems.total > 0) {
		enum MHD_Result result =
			answer_problems(request, ERR_BAD_REQUEST, &problems);
		problems_release(&problems);
		return result;
	}
	problems_release(&problems);
	request->must_close = false;
	request->step = STEP_BODY;
	return MHD_YES;
}

static enum MHD_Result begin(struct request *request, const char *method,
			     const char *version)
{
	request->method = method;
	request->has_chunks = strcmp(version, MHD_HTTP_VERSION_1_0) != 0;
	enum MHD_Result result = judge(request);
	expect_within(request, request->settings->config.http.body_deadline_us);
	return result;
}

/* --- the body --- */

static enum MHD_Result refuse_body(struct request *request, const struct err *err)
{
	buf_release(&request->body);
	return answer_error(request, err);
}

static enum MHD_Result take_body(struct request *request, const char *data, size_t bytes)
{
	struct server *server = request->server;
	int64_t held = atomic_fetch_add(&server->held_bytes, (int64_t)bytes);
	request->held_bytes += (int64_t)bytes;
	struct err err = ERR_INIT;
	const char *setting;
	if (held + (int64_t)bytes > HELD_BYTES_MAX) {
		err_set(&err, ERR_UNAVAILABLE, "too many bodies in memory");
		return refuse_body(request, &err);
	}
	if (buf_append(&request->body, data, bytes) < 0) {
		gate_body_max(request, &setting);
		err_set(&err, ERR_TOO_LARGE, "the body is longer than %s", setting);
		return refuse_body(request, &err);
	}
	return MHD_YES;
}

/* --- turns --- */

static enum MHD_Result run(struct request *request)
{
	request->step = STEP_RUN;
	if (request->route->is_stream)
		client_expect_nothing(request->client);
	else
		expect_within(request, INT64_MAX);
	return request->route->handle(request);
}

enum MHD_Result request_turn(struct request *request, const char *method,
			     const char *version, const char *data, size_t *bytes)
{
	size_t length = *bytes;
	*bytes = 0;
	switch (request->step) {
	case STEP_HEADERS:
		*bytes = length;
		return begin(request, method, version);
	case STEP_BODY:
		return length > 0 ? take_body(request, data, length) : run(request);
	case STEP_DISCARD:
		return length > 0 ? MHD_YES : answer_send_kept(request);
	case STEP_RUN:
		return request->resume(request);
	case STEP_DONE:
		return MHD_YES;
	}
	return MHD_NO;
}
