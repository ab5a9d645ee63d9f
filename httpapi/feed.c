/* feed.c - an answer without an end in sight (see feed.h). */
#include "httpapi/feed.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include "httpapi/sse.h"
#include "httpapi/stream.h"
#include "httpapi/watcher.h"

/* With chunks the library has bytes put where it sends them from. */
#define CHUNKED_BLOCK_BYTES 512

#define SOCKET_BYTES (128 * 1024)

struct feed {
	struct request *request;
	const struct feed_source *source;
	void *cls;
	struct buf out; /* not taken yet; without memory while there is nothing */
	size_t sent;
	bool is_block;	   /* it was a whole block: perhaps there is much more */
	bool is_over;	   /* what is in out is the last */
	bool is_caught_up; /* nothing to ask for before the waiter is rung */
	int64_t last_us; /* CLOCK_BOOTTIME, when something was last given to the client */
	int64_t rings_us; /* when the waiter is rung for being idle */
};

static void feed_free(void *cls)
{
	struct feed *feed = cls;
	feed->source->free(feed->cls);
	buf_release(&feed->out);
	free(feed);
}

static ssize_t give(struct feed *feed, char *data, size_t max)
{
	const struct request *request = feed->request;
	const size_t left = feed->out.length - feed->sent;
	size_t bytes = left < max ? left : max;
	/* In pieces, since the library keeps as much memory as it was ever given. */
	bytes = bytes < FEED_BLOCK_BYTES ? bytes : FEED_BLOCK_BYTES;
	memcpy(data, feed->out.data + feed->sent, bytes);
	feed->sent += bytes;
	if (bytes == left) {
		buf_release(&feed->out);
		feed->sent = 0;
	}
	feed->last_us = clock_boot_us();
	client_expect_within(request->client, request->settings->config.http.stall_us);
	return (ssize_t)bytes;
}

static ssize_t fail(const struct feed *feed, char *data, const struct err *err)
{
	log_event(LOG_WARN, "follow_failed", LOG_TEXT("what", feed->source->name),
		  LOG_TEXT("target", feed->request->target.raw),
		  LOG_TEXT("error", err->text), LOG_END);
	return stream_cut(feed->request->client, data);
}

/* Says that nothing happens if that has lasted long enough, else sees to being rung when
 * it will have. */
static void mind_silence(struct feed *feed)
{
	if (!feed->source->idle)
		return;
	const int64_t now_us = clock_boot_us();
	const int64_t due_us = feed->last_us + SSE_KEEPALIVE_US;
	if (due_us <= now_us) {
		feed->source->idle(feed->cls, &feed->out);
	} else if (feed->rings_us <= now_us) {
		feed->rings_us = due_us;
		watcher_expect(feed->request->server->watcher, &feed->request->waiter,
			       due_us);
	}
}

/* Asks the source. True: there is something to send, or it is over. */
static bool ask(struct feed *feed, struct err *err)
{
	struct waiter *waiter = &feed->request->waiter;
	const bool is_newer = atomic_exchange(&waiter->is_newer, false);
	switch (feed->source->next(feed->cls, is_newer, &feed->out, err)) {
	case FEED_BYTES:
		feed->is_block = feed->out.length >= FEED_BLOCK_BYTES / 2;
		return true;
	case FEED_CAUGHT_UP:
		feed->is_caught_up = true;
		return true;
	case FEED_END:
		feed->is_over = true;
		return true;
	case FEED_FAILED:
		if (err->code == ERR_NONE)
			err_set(err, ERR_INTERNAL, "for no known reason");
		return true;
	case FEED_LATER:
		buf_release(&feed->out);
		feed->is_caught_up = true;
		break;
	}
	return false;
}

/* A block has been sent. Is it for others now? */
static bool must_rest(struct feed *feed)
{
	struct request *request = feed->request;
	if (!feed->is_block)
		return false;
	feed->is_block = false;
	return watcher_rest(request->server->watcher, &request->waiter);
}

/* Nothing is to be sent: waits for a ring. True: the connection is suspended. */
static bool wait_for_ring(struct feed *feed)
{
	client_expect_nothing(feed->request->client);
	/* Whatever happens after the source was asked rings, now or while it is parked.
	 */
	feed->is_caught_up = false;
	return waiter_park(&feed->request->waiter);
}

/* Called by the HTTP library whenever it could send more. */
static ssize_t feed_read(void *cls, uint64_t unused, char *data, size_t max)
{
	struct feed *feed = cls;
	struct request *request = feed->request;
	(void)unused;
	for (;;) {
		struct err err = ERR_INIT;
		if (feed->out.length > 0)
			return give(feed, data, max);
		if (feed->is_over)
			return stream_end(request, data);
		if (!feed->is_caught_up && !must_rest(feed) && ask(feed, &err)) {
			if (err.code != ERR_NONE)
				return fail(feed, data, &err);
			continue;
		}
		if (atomic_load(&request->waiter.is_gone) ||
		    atomic_load(&request->server->is_stopping))
			return stream_cut(request->client, data);
		mind_silence(feed);
		if (feed->out.length == 0 && wait_for_ring(feed))
			return 0;
	}
}

/* What the kernel keeps for a client that does not read is memory as well, of TCP up to
 * some MiB each unless it is told; and a client that is gone without a word, while there
 * is nothing to send, is only found out by asking. */
static void prepare_socket(int fd, int64_t stall_us)
{
	const int s = (int)(stall_us / US_PER_S) + 1;
	const struct {
		int level, name, value;
	} options[] = {
		{SOL_SOCKET, SO_SNDBUF, SOCKET_BYTES},
		{SOL_SOCKET, SO_KEEPALIVE, 1},
		{IPPROTO_TCP, TCP_KEEPIDLE, s},
		{IPPROTO_TCP, TCP_KEEPINTVL, s},
		{IPPROTO_TCP, TCP_KEEPCNT, 3},
		{IPPROTO_TCP, TCP_USER_TIMEOUT, s * 1000},
	};
	/* A Unix socket knows only the first, and needs no more. */
	for (size_t i = 0; i < ARRAY_SIZE(options); i++)
		setsockopt(fd, options[i].level, options[i].name, &options[i].value,
			   sizeof(options[i].value));
}

static struct MHD_Response *response_of(size_t block, MHD_ContentReaderCallback read,
					void *cls, MHD_ContentReaderFreeCallback free)
{
	struct MHD_Response *response = MHD_create_response_from_callback(
		MHD_SIZE_UNKNOWN, block, read, cls, free);
	if (!response)
		abort(); /* only for want of memory */
	return response;
}

static ssize_t nothing_read(void *cls, uint64_t position, char *data, size_t max)
{
	(void)cls, (void)position, (void)data, (void)max;
	return MHD_CONTENT_READER_END_OF_STREAM;
}

/* The headers alone. With chunks the library would send the last one even so, and the
 * client take it for the next answer: the connection ends instead. */
static struct MHD_Response *headers_response(const struct request *request)
{
	struct MHD_Response *response =
		response_of(CHUNKED_BLOCK_BYTES, nothing_read, NULL, NULL);
	client_expect_within(request->client, request->settings->config.http.stall_us);
	MHD_set_response_options(response, MHD_RF_HTTP_VERSION_1_0_ONLY, MHD_RO_END);
	return response;
}

struct MHD_Response *feed_response(struct request *request,
				   const struct feed_source *source, void *cls)
{
	if (strcmp(request->method, "HEAD") == 0) {
		source->free(cls);
		return headers_response(request);
	}
	struct feed *feed = mem_alloc(sizeof(*feed));
	struct waiter *waiter = &request->waiter;
	*feed = (struct feed){.request = request,
			      .source = source,
			      .cls = cls,
			      .out = BUF_INIT(FEED_BYTES_MAX),
			      .last_us = clock_boot_us()};
	atomic_store(&waiter->is_newer, true);
	prepare_socket(waiter->socket_fd, request->settings->config.http.stall_us);
	watcher_add(request->server->watcher, waiter);
	return response_of(request->has_chunks ? CHUNKED_BLOCK_BYTES : FEED_BLOCK_BYTES,
			   feed_read, feed, feed_free);
}
