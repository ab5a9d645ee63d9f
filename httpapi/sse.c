/* sse.c - server-sent events as they go over the wire (see sse.h). */
#include "httpapi/sse.h"

#include <strings.h>

static const char EVENT_STREAM[] = "text/event-stream";

/* Is there a "q=0" among the parameters of a media type? It says "not that". */
static bool is_refused(const char *parameters)
{
	const char *at = parameters;
	while (*(at += strspn(at, " \t")) == ';') {
		at += 1 + strspn(at + 1, " \t");
		const size_t length = strcspn(at, " \t,;");
		if (strncasecmp(at, "q=0", 3) == 0 && strspn(at + 2, "0.") + 2 == length)
			return true;
		at += length;
	}
	return false;
}

bool sse_is_wanted(const struct request *request)
{
	/* A list of media types with parameters: "text/event-stream;q=1, text/html". */
	const char *accept = request->headers.accept;
	while (accept && *accept) {
		accept += strspn(accept, " \t,");
		const size_t length = strcspn(accept, " \t,;");
		if (length == sizeof(EVENT_STREAM) - 1 &&
		    strncasecmp(accept, EVENT_STREAM, length) == 0)
			return !is_refused(accept + length);
		accept += strcspn(accept, ",");
	}
	return false;
}

const char *sse_last_id(const struct request *request, const char **ret_name)
{
	const char *id = request->headers.last_event_id;
	const bool has_id = id && id[0];
	*ret_name = has_id ? SSE_LAST_ID : "after";
	return has_id ? id : target_param(&request->target, "after");
}

/* A value of one line: nothing in it may end the line. */
static void put_field(struct buf *out, const char *name, const char *value)
{
	buf_printf(out, "%s: ", name);
	buf_append(out, value, strcspn(value, "\r\n"));
	buf_append_char(out, '\n');
}

void sse_begin(struct buf *out, const char *id)
{
	buf_printf(out, "retry: %d\n", SSE_RETRY_MS);
	if (id)
		put_field(out, "id", id);
	buf_append_char(out, '\n');
}

void sse_put(struct buf *out, const char *id, const char *event, const char *data,
	     size_t bytes)
{
	if (id)
		put_field(out, "id", id);
	if (event)
		put_field(out, "event", event);
	for (size_t at = 0;;) {
		size_t length = 0;
		while (at + length < bytes && data[at + length] != '\n' &&
		       data[at + length] != '\r')
			length++;
		buf_append_text(out, "data: ");
		buf_append(out, data + at, length);
		buf_append_char(out, '\n');
		at += length;
		if (at >= bytes)
			break;
		at += data[at] == '\r' && at + 1 < bytes && data[at + 1] == '\n' ? 2 : 1;
	}
	buf_append_char(out, '\n');
}

void sse_put_id(struct buf *out, const char *id)
{
	put_field(out, "id", id);
	buf_append_char(out, '\n');
}

void sse_put_keepalive(struct buf *out)
{
	buf_append_text(out, ": keepalive\n\n");
}

void sse_headers(struct MHD_Response *response)
{
	MHD_add_response_header(response, "Content-Type", EVENT_STREAM);
	/* A proxy that collects the whole before it passes it on would wait for ever. */
	MHD_add_response_header(response, "X-Accel-Buffering", "no");
}
