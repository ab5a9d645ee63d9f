/* follow.c - a job's output as it comes to be, from byte to byte and from attempt to
 * attempt.
 *
 * It is read as server-sent events, because their ids say where each piece ends: after a
 * lost connection, or a service that restarts, the next request names the last whole
 * event (Last-Event-ID). So nothing is printed twice and nothing is left out, wherever
 * the stream broke off, and whichever attempt was next meanwhile. */
#include "client/api.h"

#include <stdlib.h>
#include <string.h>

#include "client/logs.h"
#include "client/output.h"
#include "client/printer.h"
#include "client/sse.h"

#define STATUS_NOTHING_MORE 204
#define FIRST_ID "0:0" /* before the first attempt */
#define PIECE_BYTES_MAX (64u << 20)

struct follow {
	struct cli *cli;
	const struct output_request *request;
	struct printer printer;
	struct sse sse;
	int64_t attempt; /* of the last event; 0: none came yet */
	bool is_midline; /* what is printed does not end with a newline */
	bool is_ended;
	struct patience patience;
	struct err failure;
};

/* "<attempt>:<byte>", of the end with more behind it */
static int read_id(const char *id, int64_t *ret_attempt, int64_t *ret_offset)
{
	long long attempt = 0, offset = 0;
	if (sscanf(id, "%18lld:%18lld", &attempt, &offset) != 2)
		return -1;
	*ret_attempt = attempt;
	*ret_offset = offset;
	return 0;
}

/* --- one event --- */

/* With the time before each line that begins in it. */
static int print_timed(struct follow *follow, const char *at, const char *data,
		       size_t bytes)
{
	AUTO_BUF struct buf out = BUF_INIT(PIECE_BYTES_MAX);
	for (const char *end = data + bytes; data < end;) {
		const char *newline = memchr(data, '\n', (size_t)(end - data));
		const char *stop = newline != NULL ? newline + 1 : end;
		if (!follow->is_midline)
			buf_printf(&out, "%s ", at);
		buf_append(&out, data, (size_t)(stop - data));
		follow->is_midline = newline == NULL;
		data = stop;
	}
	return printer_add(&follow->printer, buf_text(&out), out.length,
			   &follow->failure);
}

static int print_bytes(struct follow *follow, const char *at, const void *data,
		       size_t bytes)
{
	if (follow->request->has_timestamps)
		return print_timed(follow, at, data, bytes);
	return printer_add(&follow->printer, data, bytes, &follow->failure);
}

/* {"at": "...", "text": "..."}, or "base64" where it is no text. */
static int print_piece(struct follow *follow, const struct sse_event *event)
{
	cJSON *piece = NULL;
	uint8_t *bytes = NULL;
	size_t count = 0;
	if (json_parse(event->data, event->bytes, NULL, &piece, &follow->failure) < 0)
		return err_wrap(&follow->failure, "event %s of %s", event->id,
				http_where(follow->cli->http));
	const char *at = item_text(piece, "at");
	const char *text = item_text(piece, "text");
	const char *base64 = item_text(piece, "base64");
	int status = -1;
	if (at != NULL && text != NULL)
		status = print_bytes(follow, at, text, strlen(text));
	else if (at != NULL && base64 != NULL &&
		 base64_decode(base64, strlen(base64), &bytes, &count) == 0)
		status = print_bytes(follow, at, bytes, count);
	else
		err_set(&follow->failure, ERR_INTERNAL, "event %s of %s has no bytes",
			event->id, http_where(follow->cli->http));
	free(bytes);
	cJSON_Delete(piece);
	return status;
}

/* With times a new attempt begins a line, as it does where the service writes them. */
static int begin_attempt(struct follow *follow, int64_t attempt)
{
	const bool is_next = follow->attempt > 0 && attempt > follow->attempt;
	follow->attempt = attempt;
	if (!is_next)
		return 0;
	say(follow->cli, "attempt %lld", (long long)attempt);
	if (!follow->is_midline)
		return 0;
	follow->is_midline = false;
	return printer_add(&follow->printer, "\n", 1, &follow->failure);
}

/* False ends the transfer: nobody reads our output any more. */
static bool on_event(void *context, const struct sse_event *event)
{
	struct follow *follow = context;
	int64_t attempt = 0, offset = 0;
	if (read_id(event->id, &attempt, &offset) < 0) {
		err_set(&follow->failure, ERR_INTERNAL,
			"%s sends an event with the id %s", http_where(follow->cli->http),
			event->id);
		return false;
	}
	if (begin_attempt(follow, attempt) < 0)
		return false;
	const bool is_piece =
		strcmp(event->name, "stdout") == 0 || strcmp(event->name, "stderr") == 0;
	if (is_piece && print_piece(follow, event) < 0)
		return false;
	follow->is_ended = strcmp(event->name, "end") == 0;
	return true;
}

static bool on_piece(void *context, const struct exchange *exchange, const void *data,
		     size_t bytes)
{
	struct follow *follow = context;
	(void)exchange;
	patience_renew(&follow->patience);
	if (sse_feed(&follow->sse, data, bytes, on_event, follow))
		return true;
	if (follow->sse.is_too_large)
		err_set(&follow->failure, ERR_TOO_LARGE,
			"%s sends an event of over %u MiB", http_where(follow->cli->http),
			SSE_BYTES_MAX >> 20);
	return false;
}

/* --- one answer, and what comes after it --- */

static void prepare(struct follow *follow, struct exchange *exchange)
{
	struct output_request request = *follow->request;
	request.has_timestamps = false; /* each event says when */
	sse_restart(&follow->sse);
	const char *last_id = sse_last_id(&follow->sse);
	if (last_id[0] == '\0')
		last_id = request.is_from_first ? FIRST_ID : NULL;
	if (last_id != NULL)
		request.tail_lines = -1; /* it says where they begin */
	output_exchange(&request, "/events", exchange);
	exchange->wants_events = true;
	exchange->last_event_id = last_id;
	exchange->sink = on_piece;
	exchange->sink_context = follow;
}

/* After one answer: 1 that was all, 0 ask again, -1. */
static int judge(struct follow *follow, const struct exchange *exchange, struct err *err)
{
	if (follow->failure.code != ERR_NONE) {
		*err = follow->failure;
		return -1;
	}
	if (follow->is_ended)
		return 1;
	if (exchange->is_finished && exchange->status == STATUS_NOTHING_MORE)
		return 1;
	if (exchange->is_finished && exchange->status >= 300 && exchange->status < 500)
		return api_answer(follow->cli, exchange, NULL, err);
	int64_t attempt = 0, offset = 0;
	(void)read_id(sse_last_id(&follow->sse), &attempt, &offset); /* none yet: 0 */
	return patience_wait(&follow->patience, follow->cli, exchange, offset, err);
}

int output_follow(struct cli *cli, const struct output_request *request, struct err *err)
{
	struct follow follow = {.cli = cli, .request = request};
	int status = 0;
	printer_init(&follow.printer, cli, request->is_raw);
	sse_init(&follow.sse);
	while (status == 0) {
		struct exchange exchange;
		struct exchange *const list[] = {&exchange};
		prepare(&follow, &exchange);
		status = http_perform(cli, list, 1, false, err);
		if (status == 0)
			status = judge(&follow, &exchange, err);
		exchange_release(&exchange);
	}
	sse_release(&follow.sse);
	return status < 0 ? -1 : printer_end(&follow.printer, err);
}
