/* api.c - see api.h: problem documents, ids. */
#include "client/api.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "client/neutral.h"
#include "client/output.h"

char *url_encode(const char *text)
{
	struct buf out = BUF_INIT(1u << 20);
	for (const unsigned char *at = (const unsigned char *)text; *at != '\0'; at++) {
		if (isalnum(*at) || strchr("-._~", *at) != NULL)
			buf_append_char(&out, (char)*at);
		else
			buf_printf(&out, "%%%02X", *at);
	}
	return buf_take(&out);
}

/* One line for each pointer, for main to print below the error. */
static void note_errors(struct cli *cli, const cJSON *problem)
{
	const cJSON *entry = NULL;
	cJSON_ArrayForEach(entry, json_get(problem, "errors"))
	{
		const char *in_body = item_text(entry, "pointer");
		const char *pointer = in_body ? in_body : item_text(entry, "parameter");
		const char *detail = item_text(entry, "detail");
		if (pointer == NULL && detail == NULL)
			continue;
		buf_append_text(&cli->notes, "  ");
		neutral_text(pointer != NULL ? pointer : "#", true, &cli->notes);
		buf_append_text(&cli->notes, ": ");
		neutral_text(detail != NULL ? detail : "", true, &cli->notes);
		buf_append_char(&cli->notes, '\n');
	}
	const int64_t omitted = item_int(problem, "errors_omitted", 0);
	if (omitted > 0)
		buf_printf(&cli->notes, "  ... and %lld more\n", (long long)omitted);
	const char *request_id = item_text(problem, "request_id");
	if (request_id != NULL && item_int(problem, "status", 0) >= 500) {
		buf_append_text(&cli->notes, "  request ");
		neutral_text(request_id, true, &cli->notes);
		buf_append_char(&cli->notes, '\n');
	}
}

/* A proxy or another program may answer with anything: what is no problem document is
 * reported by its status alone, never printed. */
static int fail_by_problem(struct cli *cli, const struct exchange *exchange,
			   struct err *err)
{
	cJSON *problem = NULL;
	struct err ignored = ERR_INIT;
	const int parsed = json_parse(buf_text(&exchange->answer),
				      exchange->answer.length, NULL, &problem, &ignored);
	const char *code = item_text(problem, "code");
	const char *title = item_text(problem, "title");
	const char *detail = item_text(problem, "detail");
	const enum err_code kind = err_from_http(exchange->status, code);
	if (parsed < 0 || (title == NULL && detail == NULL)) {
		err_set(err, kind, "%s answered %d", http_where(cli->http),
			exchange->status);
	} else {
		note_errors(cli, problem);
		err_set(err, kind, "%s%s%s", title != NULL ? title : "",
			title != NULL && detail != NULL ? ": " : "",
			detail != NULL ? detail : "");
	}
	cJSON_Delete(problem);
	return -1;
}

int api_answer(struct cli *cli, const struct exchange *exchange, cJSON **ret,
	       struct err *err)
{
	if (!exchange->is_finished) {
		*err = exchange->failure;
		return -1;
	}
	if (exchange->status < 200 || exchange->status > 299)
		return fail_by_problem(cli, exchange, err);
	if (ret == NULL)
		return 0;
	if (json_parse(buf_text(&exchange->answer), exchange->answer.length, NULL, ret,
		       err) < 0) {
		err_wrap(err, "the answer of %s is not JSON", http_where(cli->http));
		err->code = ERR_INTERNAL;
		return -1;
	}
	return 0;
}

int api_ask(struct cli *cli, struct exchange *exchange, cJSON **ret, struct err *err)
{
	struct exchange *const list[] = {exchange};
	if (http_perform(cli, list, 1, false, err) != 0)
		return -1;
	return api_answer(cli, exchange, ret, err);
}

/* `body` NULL: none. */
static int ask_path(struct cli *cli, const char *method, const char *path,
		    const char *body, cJSON **ret, struct err *err)
{
	struct exchange exchange;
	exchange_init(&exchange, method, "%s", path);
	exchange.body = body;
	exchange.body_bytes = body != NULL ? strlen(body) : 0;
	exchange.timeout_us = cli->timeout_us;
	const int status = api_ask(cli, &exchange, ret, err);
	exchange_release(&exchange);
	return status;
}

int api_get(struct cli *cli, cJSON **ret, struct err *err, const char *path_format, ...)
{
	AUTO_BUF struct buf path = BUF_INIT(1u << 16);
	va_list args;
	va_start(args, path_format);
	buf_vprintf(&path, path_format, args);
	va_end(args);
	return ask_path(cli, "GET", buf_text(&path), NULL, ret, err);
}

int api_send(struct cli *cli, cJSON **ret, struct err *err, const char *method,
	     const char *body, const char *path_format, ...)
{
	AUTO_BUF struct buf path = BUF_INIT(1u << 16);
	va_list args;
	va_start(args, path_format);
	buf_vprintf(&path, path_format, args);
	va_end(args);
	return ask_path(cli, method, buf_text(&path), body, ret, err);
}

/* Two questions, because only the service knows which principal we are to it. */
static int last_job_id(struct cli *cli, char **ret, struct err *err)
{
	cJSON *who = NULL;
	cJSON *page = NULL;
	int status = api_get(cli, &who, err, "/v1/whoami");
	const char *principal = item_text(who, "principal");
	if (status == 0 && principal == NULL)
		status =
			err_set(err, ERR_INTERNAL, "the service does not say who we are");
	if (status == 0) {
		AUTO_FREE char *owner = url_encode(principal);
		status = api_get(cli, &page, err, "/v1/jobs?owner=%s&limit=1", owner);
	}
	if (status == 0) {
		const cJSON *job = cJSON_GetArrayItem(json_get(page, "items"), 0);
		const char *id = item_text(job, "id");
		if (id != NULL)
			*ret = mem_strdup(id);
		else
			status = err_set(err, ERR_NOT_FOUND, "%s has no job yet",
					 principal);
	}
	cJSON_Delete(who);
	cJSON_Delete(page);
	return status;
}

int api_job_id(struct cli *cli, const char *word, char **ret, struct err *err)
{
	if (strcmp(word, "last") == 0)
		return last_job_id(cli, ret, err);
	const size_t length = strlen(word);
	if (length < 4 || length >= 37 ||
	    strspn(word, "0123456789abcdefABCDEF-") != length)
		return err_set(err, ERR_INVALID,
			       "\"%s\" is no job id: a UUID, its first 4 or more "
			       "characters, or last",
			       word);
	*ret = mem_strdup(word);
	return 0;
}
