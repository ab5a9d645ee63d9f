/* event_stream.c - events as they happen, as server-sent events.
 *
 * The stream is nothing but one page after the other of the same question that JSON pages
 * answer, each going on after the last: there is no seam between what has happened and
 * what happens, and so neither a gap nor an event twice. */
#include "httpapi/answer.h"
#include "httpapi/event_feed.h"
#include "httpapi/feed.h"
#include "httpapi/job_json.h"
#include "httpapi/readers.h"
#include "httpapi/sse.h"

/* A page is about a block of the feed, and looked for in so few events that others of the
 * same thread do not wait for long. */
#define STREAM_EVENTS 64
#define STREAM_LOOKED 2000

/* More data than this is left out, so that a stream has a bound: a change of many labels
 * may be longer. A page has it. */
#define STREAM_DATA_BYTES (64u << 10)

#define ID_BYTES 24

struct event_stream {
	struct request *request;
	struct event_asking asking;
	int64_t told; /* the id that the client would resume at */
	bool has_begun, has_more;
};

static void stream_free(void *cls)
{
	free(cls);
}

static void id_text(char ret[ID_BYTES], int64_t id)
{
	(void)snprintf(ret, ID_BYTES, "%lld", (long long)id);
}

/* Moves the client on to where we have looked. */
static void tell(struct event_stream *stream, struct buf *out)
{
	char id[ID_BYTES];
	id_text(id, stream->asking.after);
	sse_put_id(out, id);
	stream->told = stream->asking.after;
}

static void put_reset(const struct event_page *page, int64_t asked, struct buf *out)
{
	AUTO_BUF struct buf data = BUF_INIT(512);
	struct json_writer json;
	char id[ID_BYTES];
	id_text(id, page->after);
	json_writer_init(&json, &data);
	event_reset_put(&json, NULL, page, asked);
	sse_put(out, id, "reset", buf_text(&data), data.length);
}

static void put_event(const struct event *event, struct buf *out)
{
	AUTO_BUF struct buf data = BUF_INIT(FEED_BYTES_MAX);
	struct json_writer json;
	char id[ID_BYTES];
	id_text(id, event->id);
	json_writer_init(&json, &data);
	event_put(&json, event);
	sse_put(out, id, event->kind, buf_text(&data), data.length);
}

static void put_end(int64_t after, struct buf *out)
{
	char id[ID_BYTES], data[64];
	id_text(id, after);
	const int bytes =
		snprintf(data, sizeof(data), "{\"after\":%lld}", (long long)after);
	sse_put(out, id, "end", data, (size_t)bytes);
}

static void put_page(struct event_stream *stream, const struct event_page *page,
		     struct buf *out)
{
	const int64_t asked = stream->asking.after;
	stream->asking.after = page->next;
	stream->has_more = page->has_more;
	if (page->reset != EVENT_RESET_NONE)
		put_reset(page, asked, out);
	for (size_t i = 0; i < page->count; i++)
		put_event(&page->item[i], out);
	if (page->count > 0)
		stream->told = page->item[page->count - 1].id;
	else if (page->reset != EVENT_RESET_NONE)
		stream->told = page->after;
	if (page->is_over)
		put_end(page->next, out);
	/* After the beginning, so that a stream that breaks off before its first event
	 * goes on from here; and after many events that were not for this client. */
	else if (page->count == 0 && stream->told != page->next &&
		 (asked < 0 || page->has_more))
		tell(stream, out);
}

static void shorten(struct event *event)
{
	const size_t bytes = event->data ? strlen(event->data) : 0;
	if (bytes <= STREAM_DATA_BYTES)
		return;
	free(event->data);
	event->data = mem_printf("{\"omitted_bytes\":%zu}", bytes);
}

static int look(struct event_stream *stream, struct event_page *ret, struct err *err)
{
	struct readers *readers = stream->request->server->readers;
	const struct viewer viewer = request_viewer(stream->request);
	const struct event_question question = {
		.after = stream->asking.after,
		.limit = STREAM_EVENTS,
		.looked_max = STREAM_LOOKED,
		.data_bytes = FEED_BLOCK_BYTES,
		.until_final = stream->asking.until_final,
	};
	struct queue *queue = NULL;
	if (readers_take(readers, &queue, err) < 0)
		return -1;
	const int result = queue_event_page(queue, &viewer, &stream->asking.filter,
					    &question, ret, err);
	readers_give(readers, queue);
	for (size_t i = 0; result == 0 && i < ret->count; i++)
		shorten(&ret->item[i]);
	return result;
}

static enum feed_next stream_next(void *cls, bool is_newer, struct buf *out,
				  struct err *err)
{
	struct event_stream *stream = cls;
	struct event_page page;
	if (!is_newer && !stream->has_more)
		return FEED_LATER;
	if (!stream->has_begun)
		sse_begin(out, NULL);
	stream->has_begun = true;
	if (look(stream, &page, err) < 0)
		return FEED_FAILED;
	put_page(stream, &page, out);
	const bool is_over = page.is_over;
	event_page_release(&page);
	if (out->is_full) {
		err_set(err, ERR_TOO_LARGE, "an event is too long to be sent");
		return FEED_FAILED;
	}
	if (is_over)
		return FEED_END;
	if (stream->has_more)
		return FEED_BYTES;
	return out->length > 0 ? FEED_CAUGHT_UP : FEED_LATER;
}

static void stream_idle(void *cls, struct buf *out)
{
	struct event_stream *stream = cls;
	if (stream->told != stream->asking.after)
		tell(stream, out);
	sse_put_keepalive(out);
}

static const struct feed_source EVENT_STREAM = {
	.name = "events", .next = stream_next, .free = stream_free, .idle = stream_idle};

struct MHD_Response *event_stream_response(struct request *request,
					   const struct event_asking *asking)
{
	struct event_stream *stream = mem_alloc(sizeof(*stream));
	*stream = (struct event_stream){
		.request = request, .asking = *asking, .told = asking->after};
	client_expect_nothing(request->client);
	request_wait_for(request, asking->job_id, asking->job_id[0] == '\0');
	struct MHD_Response *response = feed_response(request, &EVENT_STREAM, stream);
	answer_guard(response);
	sse_headers(response);
	return response;
}
