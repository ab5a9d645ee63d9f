/* answer.c - what goes back (see answer.h). */
#include "httpapi/answer.h"

#include <inttypes.h>

/* A Link repeats the target, which may have 64 KiB (limits.target_bytes). */
#define HEADER_BYTES_MAX (80 * 1024)
#define HEADER_BYTES_ORDINARY 128 /* nearly all others */

/* One row per problem type: the word of ERRORS, a title, and the page behind `type`. */
struct problem_type {
	const char *word, *title, *text;
};

/* clang-format off */
static const struct problem_type PROBLEM_TYPES[] = {
	{.word = "invalid_argument", .title = "The request is not valid",
	 .text = "Something in the request is wrong. 400: it could not be read at all. 422: it could,\n"
		 "and `errors` names each fault by a JSON pointer into the body or a query parameter.\n"
		 "Nothing was stored.\n"},
	{.word = "unauthenticated", .title = "Who are you?",
	 .text = "This listener needs `Authorization: Bearer <token>`. The token is in the file `token`\n"
		 "of the state directory. On the Unix socket no token is needed.\n"},
	{.word = "permission_denied", .title = "Not allowed",
	 .text = "The server knows who you are, and that you may not do this; or a browser sent the\n"
		 "request from another site.\n"},
	{.word = "not_found", .title = "Not found",
	 .text = "There is no such thing, or it is not yours to see.\n"},
	{.word = "method_not_allowed", .title = "Not this method",
	 .text = "The path exists, the method does not; `Allow` lists those that do.\n"},
	{.word = "request_timeout", .title = "Too slow",
	 .text = "The request did not arrive in time.\n"},
	{.word = "conflict", .title = "Conflict",
	 .text = "The thing is in a state in which this cannot be done.\n"},
	{.word = "gone", .title = "Gone",
	 .text = "It was here and has been removed, as the service's retention says. `removed` has what\n"
		 "remains: of a job how and when it ended, of an output its length and SHA-256.\n"},
	{.word = "precondition_failed", .title = "Changed meanwhile",
	 .text = "The thing is no longer what your precondition says.\n"},
	{.word = "too_large", .title = "Too large",
	 .text = "A limit of the server was passed; `detail` names the setting.\n"},
	{.word = "unsupported_media_type", .title = "Not this content type",
	 .text = "Bodies are `Content-Type: application/json`, not compressed.\n"},
	{.word = "range_not_satisfiable", .title = "Nothing in that range",
	 .text = "`Content-Range` says how long it is.\n"},
	{.word = "misdirected", .title = "Not this server",
	 .text = "`Host` names another server than this one. This is what stops DNS rebinding.\n"},
	{.word = "rate_limited", .title = "Too many requests",
	 .text = "Try again later.\n"},
	{.word = "internal", .title = "Our fault",
	 .text = "The server failed. Whether a change took effect is not known: repeat it with the same\n"
		 "`Idempotency-Key`. The server's log has more under the `request_id`.\n"},
	{.word = "unavailable", .title = "Not now",
	 .text = "The server cannot do this at the moment. Repeat it with the same `Idempotency-Key`.\n"},
	{.word = "out_of_space", .title = "No space",
	 .text = "The server's disk is full. It answers questions and takes no new work.\n"},
};
/* clang-format on */

static const struct problem_type *problem_type(const char *word)
{
	for (size_t i = 0; i < ARRAY_SIZE(PROBLEM_TYPES); i++)
		if (strcmp(PROBLEM_TYPES[i].word, word) == 0)
			return &PROBLEM_TYPES[i];
	return NULL;
}

const char *answer_problem_text(const char *name)
{
	const struct problem_type *type = problem_type(name);
	return type ? type->text : NULL;
}

void answer_guard(struct MHD_Response *response)
{
	MHD_add_response_header(response, "X-Content-Type-Options", "nosniff");
	MHD_add_response_header(response, "Cache-Control", "no-store");
	MHD_add_response_header(response, "Content-Security-Policy",
				"default-src 'none'; frame-ancestors 'none'");
}

static struct MHD_Response *response_of(size_t length, void *data,
					enum MHD_ResponseMemoryMode mode)
{
	struct MHD_Response *response =
		MHD_create_response_from_buffer(length, data, mode);
	if (!response)
		abort(); /* only for want of memory */
	answer_guard(response);
	return response;
}

struct MHD_Response *answer_json(struct buf *body)
{
	buf_append_char(body, '\n');
	size_t length = body->length;
	struct MHD_Response *response =
		response_of(length, buf_take(body), MHD_RESPMEM_MUST_FREE);
	MHD_add_response_header(response, "Content-Type", "application/json");
	return response;
}

struct MHD_Response *answer_text(const char *text)
{
	struct MHD_Response *response =
		response_of(strlen(text), mem_strdup(text), MHD_RESPMEM_MUST_FREE);
	MHD_add_response_header(response, "Content-Type", "text/plain; charset=utf-8");
	return response;
}

struct MHD_Response *answer_empty(void)
{
	return response_of(0, NULL, MHD_RESPMEM_PERSISTENT);
}

void answer_header(struct MHD_Response *response, const char *name, const char *format,
		   ...)
{
	char few[HEADER_BYTES_ORDINARY];
	va_list args;
	va_start(args, format);
	const int length = vsnprintf(few, sizeof(few), format, args);
	va_end(args);
	if (length < (int)sizeof(few)) {
		MHD_add_response_header(response, name, few);
		return;
	}
	AUTO_BUF struct buf value = BUF_INIT(HEADER_BYTES_MAX);
	va_start(args, format);
	buf_vprintf(&value, format, args);
	va_end(args);
	MHD_add_response_header(response, name, buf_text(&value));
}

static enum MHD_Result send_now(struct request *request, unsigned status,
				struct MHD_Response *response)
{
	request->step = STEP_DONE;
	enum MHD_Result result =
		MHD_queue_response(request->connection, status, response);
	MHD_destroy_response(response);
	return result;
}

enum MHD_Result answer_send(struct request *request, unsigned status,
			    struct MHD_Response *response)
{
	if (request->must_close || atomic_load(&request->server->is_stopping))
		MHD_add_response_header(response, "Connection", "close");
	if (request->must_close)
		return send_now(request, status, response);
	if (request->step != STEP_HEADERS && request->step != STEP_BODY)
		return send_now(request, status, response);
	request->step = STEP_DISCARD;
	request->status = status;
	request->response = response;
	return MHD_YES;
}

enum MHD_Result answer_send_kept(struct request *request)
{
	struct MHD_Response *response = request->response;
	request->response = NULL;
	return send_now(request, request->status, response);
}

/* --- problems --- */

static void put_faults(struct json_writer *json, const struct problems *problems)
{
	json_open(json, "errors", '[');
	for (size_t i = 0; i < problems->count; i++) {
		const struct problem *problem = &problems->item[i];
		bool is_parameter = problem->pointer[0] == '?';
		json_open(json, NULL, '{');
		json_put_text(json, is_parameter ? "parameter" : "pointer",
			      problem->pointer + (is_parameter ? 1 : 0));
		json_put_text(json, "detail", problem->detail);
		json_close(json, '}');
	}
	json_close(json, ']');
	if (problems->total > problems->count)
		json_put_int(json, "errors_omitted",
			     (int64_t)(problems->total - problems->count));
}

/* The one parameter that lookup_refuse found, whose name begins the error's words. */
static void put_fault(struct json_writer *json, const char *name, const struct err *err)
{
	json_open(json, "errors", '[');
	json_open(json, NULL, '{');
	json_put_text(json, "parameter", name);
	json_put_text(json, "detail", err->text + strlen(name) + 1);
	json_close(json, '}');
	json_close(json, ']');
}

static void log_failure(const struct request *request, const struct err *err,
			const char *id)
{
	log_event(LOG_ERROR, "request_failed", LOG_TEXT("request", id),
		  LOG_TEXT("method", request->method),
		  LOG_TEXT("target", request->target.raw),
		  LOG_TEXT("code", err_word(err->code)), LOG_TEXT("error", err->text),
		  LOG_END);
}

static struct MHD_Response *problem_about(struct request *request, const struct err *err,
					  const struct problems *problems,
					  const char *job_id)
{
	int status = err_http_status(err->code);
	const char *word = err_word(err->code);
	const struct problem_type *type = problem_type(word);
	char id[40];
	snprintf(id, sizeof(id), "%016" PRIx64 "-%" PRIu64,
		 request->server->request_prefix, request->number);
	if (status >= 500)
		log_failure(request, err, id);
	struct buf body = BUF_INIT(1 << 20);
	struct json_writer json;
	json_writer_init(&json, &body);
	json_open(&json, NULL, '{');
	AUTO_FREE char *name = mem_printf("/problems/%s", word);
	json_put_text(&json, "type", name);
	json_put_text(&json, "title", type ? type->title : word);
	json_put_int(&json, "status", status);
	/* The words of a 5xx may name files of ours. */
	json_put_text(&json, "detail",
		      status >= 500 ? "see the server's log for this request_id"
				    : err->text);
	json_put_text(&json, "code", word);
	if (problems)
		put_faults(&json, problems);
	else if (request->fault && err->code == ERR_BAD_REQUEST)
		put_fault(&json, request->fault, err);
	if (job_id[0])
		json_put_text(&json, "job", job_id);
	if (err->code == ERR_GONE && request->removed)
		json_put_raw(&json, "removed", request->removed);
	json_put_text(&json, "request_id", id);
	json_close(&json, '}');
	struct MHD_Response *response = answer_json(&body);
	MHD_del_response_header(response, "Content-Type", "application/json");
	MHD_add_response_header(response, "Content-Type", "application/problem+json");
	if (err->code == ERR_UNAUTHENTICATED)
		MHD_add_response_header(response, "WWW-Authenticate",
					"Bearer realm=\"reeve\"");
	if (status >= 503)
		MHD_add_response_header(response, "Retry-After", "1");
	return response;
}

struct MHD_Response *answer_problem_new(struct request *request, const struct err *err,
					const struct problems *problems)
{
	return problem_about(request, err, problems, "");
}

enum MHD_Result answer_error(struct request *request, const struct err *err)
{
	return answer_error_about(request, err, "");
}

enum MHD_Result answer_error_about(struct request *request, const struct err *err,
				   const char *job_id)
{
	return answer_send(request, (unsigned)err_http_status(err->code),
			   problem_about(request, err, NULL, job_id));
}

enum MHD_Result answer_problems(struct request *request, enum err_code code,
				const struct problems *problems)
{
	return answer_problems_about(request, code, problems, "");
}

enum MHD_Result answer_problems_about(struct request *request, enum err_code code,
				      const struct problems *problems, const char *job_id)
{
	struct err err = {.code = code};
	if (problems->total == 1)
		snprintf(err.text, sizeof(err.text), "%s %s", problems->item[0].pointer,
			 problems->item[0].detail);
	else
		snprintf(err.text, sizeof(err.text), "%zu things are wrong",
			 problems->total);
	return answer_send(request, (unsigned)err_http_status(code),
			   problem_about(request, &err, problems, job_id));
}
