/* sse.c - see sse.h. */
#include "client/sse.h"

#include <string.h>

#define NAME_BYTES_MAX 256

void sse_init(struct sse *sse)
{
	*sse = (struct sse){.line = BUF_INIT(SSE_BYTES_MAX),
			    .data = BUF_INIT(SSE_BYTES_MAX),
			    .name = BUF_INIT(NAME_BYTES_MAX),
			    .id = BUF_INIT(NAME_BYTES_MAX),
			    .next_id = BUF_INIT(NAME_BYTES_MAX)};
}

void sse_release(struct sse *sse)
{
	buf_release(&sse->line);
	buf_release(&sse->data);
	buf_release(&sse->name);
	buf_release(&sse->id);
	buf_release(&sse->next_id);
}

static void set(struct buf *buf, const char *text)
{
	buf_reset(buf);
	buf_append_text(buf, text);
}

static void begin_event(struct sse *sse)
{
	buf_reset(&sse->data);
	buf_reset(&sse->name);
	sse->has_data = false;
}

void sse_restart(struct sse *sse)
{
	begin_event(sse);
	buf_reset(&sse->line);
	set(&sse->next_id, buf_text(&sse->id));
	sse->skips_newline = false;
}

const char *sse_last_id(const struct sse *sse)
{
	return buf_text(&sse->id);
}

/* "name: value"; one blank after the colon is not part of the value. */
static void take_field(struct sse *sse)
{
	const char *line = buf_text(&sse->line);
	const size_t length = strcspn(line, ":");
	const char *value = line + length + (line[length] == ':' ? 1 : 0);
	value += *value == ' ' ? 1 : 0;
	if (length == 2 && strncmp(line, "id", length) == 0) {
		set(&sse->next_id, value);
	} else if (length == 5 && strncmp(line, "event", length) == 0) {
		set(&sse->name, value);
	} else if (length == 4 && strncmp(line, "data", length) == 0) {
		if ((sse->has_data && buf_append_char(&sse->data, '\n') < 0) ||
		    buf_append_text(&sse->data, value) < 0)
			sse->is_too_large = true;
		sse->has_data = true;
	} /* "retry", comments and what may come to be are none of our business */
}

/* An empty line: the event is whole. Its id counts even when it has no data. */
static bool take_event(struct sse *sse,
		       bool (*on_event)(void *context, const struct sse_event *event),
		       void *context)
{
	bool goes_on = true;
	set(&sse->id, buf_text(&sse->next_id));
	if (sse->has_data) {
		const struct sse_event event = {
			.id = buf_text(&sse->id),
			.name = sse->name.length > 0 ? buf_text(&sse->name) : "message",
			.data = buf_text(&sse->data),
			.bytes = sse->data.length};
		goes_on = on_event(context, &event);
	}
	begin_event(sse);
	return goes_on;
}

bool sse_feed(struct sse *sse, const void *data, size_t bytes,
	      bool (*on_event)(void *context, const struct sse_event *event),
	      void *context)
{
	const char *at = data;
	const char *end = at + bytes;
	while (at < end) {
		if (sse->skips_newline && *at == '\n')
			at++;
		sse->skips_newline = false;
		const char *stop = at;
		while (stop < end && *stop != '\n' && *stop != '\r')
			stop++;
		if (buf_append(&sse->line, at, (size_t)(stop - at)) < 0)
			sse->is_too_large = true;
		if (stop == end || sse->is_too_large)
			break;
		sse->skips_newline = *stop == '\r';
		at = stop + 1;
		const bool is_empty = sse->line.length == 0;
		if (!is_empty)
			take_field(sse);
		buf_reset(&sse->line);
		if (is_empty && !take_event(sse, on_event, context))
			return false;
	}
	return !sse->is_too_large;
}
