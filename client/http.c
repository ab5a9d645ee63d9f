/* http.c - libcurl's multi interface behind struct exchange. See http.h.
 *
 * Ctrl-C arrives through a signalfd that is polled with the sockets: no handler, no
 * global, and no moment in which it could be missed. */
#include "client/http.h"

#include <curl/curl.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "client/connect.h"

#define POLL_MS 1000

struct http {
	CURLM *multi;
	struct endpoint endpoint;
	int interrupt_fd; /* -1: Ctrl-C ends the program as usual */
};

struct http_transfer {
	CURL *easy;
	struct curl_slist *headers;
	char text[CURL_ERROR_SIZE];
	bool is_refused_by_sink;
};

/* --- one exchange --- */

void exchange_init(struct exchange *exchange, const char *method, const char *path_format,
		   ...)
{
	*exchange = (struct exchange){.method = method};
	buf_init(&exchange->answer, ANSWER_BYTES_MAX);
	struct buf path = BUF_INIT(1u << 20);
	va_list args;
	va_start(args, path_format);
	buf_vprintf(&path, path_format, args);
	va_end(args);
	exchange->path = buf_take(&path);
}

static void transfer_free(struct exchange *exchange)
{
	if (exchange->transfer == NULL)
		return;
	curl_easy_cleanup(exchange->transfer->easy);
	curl_slist_free_all(exchange->transfer->headers);
	free(exchange->transfer);
	exchange->transfer = NULL;
}

void exchange_release(struct exchange *exchange)
{
	transfer_free(exchange);
	buf_release(&exchange->answer);
	free(exchange->path);
	*exchange = (struct exchange){0};
}

/* Returning less than what came makes curl end the transfer with CURLE_WRITE_ERROR. */
static size_t on_body(char *data, size_t size, size_t count, void *context)
{
	struct exchange *exchange = context;
	const size_t bytes = size * count;
	const bool is_success = exchange->status >= 200 && exchange->status < 300;
	if (is_success && exchange->sink != NULL) {
		if (exchange->sink(exchange->sink_context, exchange, data, bytes))
			return bytes;
		exchange->transfer->is_refused_by_sink = true;
		return 0;
	}
	return buf_append(&exchange->answer, data, bytes) == 0 ? bytes : 0;
}

/* The value of a header line if its name is `name`, without blanks around it. */
static bool header_value(const char *line, size_t bytes, const char *name, char *ret,
			 size_t ret_bytes)
{
	const size_t length = strlen(name);
	if (bytes <= length || strncasecmp(line, name, length) != 0 ||
	    line[length] != ':')
		return false;
	const char *from = line + length + 1;
	const char *to = line + bytes;
	while (from < to && (*from == ' ' || *from == '\t'))
		from++;
	while (to > from && strchr("\r\n \t", to[-1]) != NULL)
		to--;
	snprintf(ret, ret_bytes, "%.*s", (int)(to - from), from);
	return true;
}

/* A status line begins a new block of headers (100 Continue comes before the answer). */
static size_t on_header(char *data, size_t size, size_t count, void *context)
{
	struct exchange *exchange = context;
	const size_t bytes = size * count;
	char value[64];
	if (bytes > 5 && strncmp(data, "HTTP/", 5) == 0) {
		long status = 0;
		curl_easy_getinfo(exchange->transfer->easy, CURLINFO_RESPONSE_CODE,
				  &status);
		exchange->status = (int)status;
	}
	if (header_value(data, bytes, "Content-Type", value, sizeof(value)))
		snprintf(exchange->content_type, sizeof(exchange->content_type), "%s",
			 value);
	if (header_value(data, bytes, "Idempotency-Replayed", value, sizeof(value)))
		exchange->is_replay = strcasecmp(value, "true") == 0;
	return bytes;
}

static void add_header(struct http_transfer *transfer, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
static void add_header(struct http_transfer *transfer, const char *format, ...)
{
	AUTO_BUF struct buf line = BUF_INIT(16384);
	va_list args;
	va_start(args, format);
	buf_vprintf(&line, format, args);
	va_end(args);
	transfer->headers = curl_slist_append(transfer->headers, buf_text(&line));
}

/* A header with nothing behind its colon is one that curl must not add by itself. */
static void add_headers(const struct http *http, const struct exchange *exchange)
{
	struct http_transfer *transfer = exchange->transfer;
	add_header(transfer, "Accept: %s",
		   exchange->wants_events ? "text/event-stream"
					  : "application/json, */*");
	add_header(transfer, "Expect:");
	add_header(transfer, "Content-Type:%s",
		   exchange->body != NULL ? " application/json" : "");
	if (http->endpoint.token != NULL)
		add_header(transfer, "Authorization: Bearer %s", http->endpoint.token);
	if (exchange->idempotency_key != NULL)
		add_header(transfer, "Idempotency-Key: \"%s\"",
			   exchange->idempotency_key);
	if (exchange->wait_s > 0)
		add_header(transfer, "Prefer: wait=%lld", (long long)exchange->wait_s);
	if (exchange->last_event_id != NULL)
		add_header(transfer, "Last-Event-ID: %s", exchange->last_event_id);
	if (exchange->range_from > 0)
		add_header(transfer, "Range: bytes=%lld-",
			   (long long)exchange->range_from);
}

/* curl's macros hide that this is variadic; one spot for the type they want. */
#define SET(option, value) curl_easy_setopt(easy, option, value)

/* The host of a Unix socket is only a name for the Host header. The path goes out as it
 * is: curl would resolve dots in it. */
static void set_where(CURL *easy, const struct http *http,
		      const struct exchange *exchange)
{
	AUTO_FREE char *url = mem_printf("%s%s", http->endpoint.url, exchange->path);
	SET(CURLOPT_URL, url);
	if (http->endpoint.unix_path != NULL)
		SET(CURLOPT_UNIX_SOCKET_PATH, http->endpoint.unix_path);
	SET(CURLOPT_PROXY, "");
	SET(CURLOPT_PROTOCOLS_STR, "http,https");
	SET(CURLOPT_FOLLOWLOCATION, 0L);
	SET(CURLOPT_PATH_AS_IS, 1L);
	SET(CURLOPT_USERAGENT, "reeve/" REEVE_VERSION);
}

static int transfer_start(struct cli *cli, struct exchange *exchange, struct err *err)
{
	struct http *http = cli->http;
	CURL *easy = curl_easy_init();
	if (easy == NULL)
		return err_set(err, ERR_INTERNAL, "libcurl does not start");
	struct http_transfer *transfer = mem_alloc(sizeof(*transfer));
	transfer->easy = easy;
	exchange->transfer = transfer;
	exchange->status = 0;
	exchange->is_finished = false;
	set_where(easy, http, exchange);
	add_headers(http, exchange);
	SET(CURLOPT_HTTPHEADER, transfer->headers);
	SET(CURLOPT_CUSTOMREQUEST, exchange->method);
	if (strcmp(exchange->method, "HEAD") == 0)
		SET(CURLOPT_NOBODY, 1L);
	const bool is_post = strcmp(exchange->method, "POST") == 0;
	if (exchange->body != NULL || is_post) { /* a POST says that it has no body */
		SET(CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)exchange->body_bytes);
		SET(CURLOPT_POSTFIELDS, exchange->body != NULL ? exchange->body : "");
	}
	SET(CURLOPT_NOSIGNAL, 1L);
	SET(CURLOPT_ERRORBUFFER, transfer->text);
	SET(CURLOPT_CONNECTTIMEOUT_MS, (long)(cli->timeout_us / US_PER_MS) + 1);
	if (exchange->timeout_us > 0)
		SET(CURLOPT_TIMEOUT_MS, (long)(exchange->timeout_us / US_PER_MS) + 1);
	SET(CURLOPT_TCP_KEEPALIVE, 1L);
	SET(CURLOPT_WRITEFUNCTION, on_body);
	SET(CURLOPT_WRITEDATA, exchange);
	SET(CURLOPT_HEADERFUNCTION, on_header);
	SET(CURLOPT_HEADERDATA, exchange);
	SET(CURLOPT_PRIVATE, exchange);
	curl_multi_add_handle(http->multi, easy);
	return 0;
}

/* --- how it went --- */

/* Then nothing was sent, and nothing can have happened. */
static bool never_connected(CURLcode code)
{
	return code == CURLE_COULDNT_CONNECT || code == CURLE_COULDNT_RESOLVE_HOST ||
	       code == CURLE_URL_MALFORMAT || code == CURLE_UNSUPPORTED_PROTOCOL;
}

/* curl would speak of a host and a port, which a socket of this machine has not; without
 * a number from the system it is its queue that is full. */
static const char *why_unconnected(const struct http *http, long number, const char *why)
{
	if (number != 0)
		return strerror((int)number);
	return http->endpoint.unix_path != NULL ? "it takes no connection just now" : why;
}

/* Curl's many ways to fail are three to us: never reached, lost, or too much. */
static void transfer_result(struct cli *cli, struct exchange *exchange, CURLcode code)
{
	const struct http_transfer *transfer = exchange->transfer;
	const char *why =
		transfer->text[0] != '\0' ? transfer->text : curl_easy_strerror(code);
	long number = 0;
	curl_easy_getinfo(transfer->easy, CURLINFO_OS_ERRNO, &number);
	exchange->was_sent = !never_connected(code);
	exchange->is_finished = code == CURLE_OK;
	exchange->failure = (struct err)ERR_INIT;
	if (exchange->status > 0 && exchange->status < 500)
		cli->is_reached = true; /* even if it was lost later */
	if (code == CURLE_OK)
		return;
	if (transfer->is_refused_by_sink)
		exchange->is_finished = true;
	else if (code == CURLE_URL_MALFORMAT)
		err_set(&exchange->failure, ERR_INVALID, "%s%s is no address: %s",
			http_where(cli->http), exchange->path, why);
	else if (code == CURLE_WRITE_ERROR)
		err_set(&exchange->failure, ERR_TOO_LARGE,
			"the answer of %s is over %u MiB", http_where(cli->http),
			ANSWER_BYTES_MAX >> 20);
	else if (never_connected(code) && (number == EACCES || number == EPERM))
		err_set(&exchange->failure, ERR_DENIED, "%s: %s", http_where(cli->http),
			strerror((int)number));
	else if (never_connected(code))
		err_set(&exchange->failure, ERR_UNAVAILABLE,
			"cannot reach the service at %s: %s", http_where(cli->http),
			why_unconnected(cli->http, number, why));
	else
		err_set(&exchange->failure, ERR_UNAVAILABLE,
			"the connection to %s was lost: %s", http_where(cli->http), why);
}

/* Takes what curl has finished; the count. */
static size_t collect(struct cli *cli)
{
	size_t finished = 0;
	int left = 0;
	for (CURLMsg *message;
	     (message = curl_multi_info_read(cli->http->multi, &left));) {
		if (message->msg != CURLMSG_DONE)
			continue;
		struct exchange *exchange = NULL;
		curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &exchange);
		transfer_result(cli, exchange, message->data.result);
		finished++;
	}
	return finished;
}

/* The signal is blocked, so it waits in the descriptor until somebody looks. */
static bool take_interrupt(struct cli *cli)
{
	struct signalfd_siginfo info;
	if (cli->http->interrupt_fd < 0 ||
	    read(cli->http->interrupt_fd, &info, sizeof(info)) < 0)
		return false;
	cli->is_interrupted = true;
	return true;
}

/* The poll ends by itself now and then, since curl keeps timers of its own. */
static int run_all(struct cli *cli, size_t count, bool until_first, struct err *err)
{
	struct http *http = cli->http;
	size_t finished = 0;
	while (finished < count) {
		int running = 0;
		if (curl_multi_perform(http->multi, &running) != CURLM_OK)
			return err_set(err, ERR_INTERNAL, "libcurl failed");
		finished += collect(cli);
		if (finished >= count || (until_first && finished > 0))
			break;
		struct curl_waitfd interrupt = {.fd = http->interrupt_fd,
						.events = CURL_WAIT_POLLIN};
		const unsigned extra = http->interrupt_fd >= 0 ? 1 : 0;
		if (curl_multi_poll(http->multi, &interrupt, extra, POLL_MS, NULL) !=
		    CURLM_OK)
			return err_set(err, ERR_INTERNAL, "libcurl failed");
		if (take_interrupt(cli))
			return err_set(err, ERR_INTERNAL, "interrupted");
	}
	return 0;
}

int http_perform(struct cli *cli, struct exchange *const *exchange, size_t count,
		 bool until_first, struct err *err)
{
	if (http_open(cli, err) < 0)
		return -1;
	int status = 0;
	size_t started = 0;
	for (; started < count && status == 0; started++)
		status = transfer_start(cli, exchange[started], err);
	if (status == 0)
		status = run_all(cli, count, until_first, err);
	for (size_t i = 0; i < started; i++) {
		if (exchange[i]->transfer == NULL)
			continue;
		curl_multi_remove_handle(cli->http->multi, exchange[i]->transfer->easy);
		transfer_free(exchange[i]);
	}
	return status;
}

bool http_may_return(const struct cli *cli, const struct exchange *exchange)
{
	if (exchange->is_finished)
		return exchange->status >= 500 && cli->is_reached;
	return exchange->was_sent || cli->is_reached;
}

int http_pause_or_input(struct cli *cli, int64_t pause_us, int fd, struct err *err)
{
	struct pollfd fds[] = {{.fd = cli->http->interrupt_fd, .events = POLLIN},
			       {.fd = fd, .events = POLLIN}};
	const int ready = poll(fds, ARRAY_SIZE(fds), (int)(pause_us / US_PER_MS));
	if (take_interrupt(cli))
		return err_set(err, ERR_INTERNAL, "interrupted");
	return ready > 0 && fds[1].revents != 0 ? 1 : 0;
}

int http_pause(struct cli *cli, int64_t pause_us, struct err *err)
{
	return http_pause_or_input(cli, pause_us, -1, err) < 0 ? -1 : 0;
}

/* --- the handle --- */

int http_open(struct cli *cli, struct err *err)
{
	if (cli->http != NULL)
		return 0;
	struct endpoint endpoint = {0};
	if (endpoint_find(&endpoint, &cli->args, err) < 0)
		return -1;
	struct http *http = mem_alloc(sizeof(*http));
	http->interrupt_fd = -1;
	http->endpoint = endpoint;
	curl_global_init(CURL_GLOBAL_DEFAULT);
	http->multi = curl_multi_init();
	if (http->multi == NULL) {
		http_close(http);
		return err_set(err, ERR_INTERNAL, "libcurl does not start");
	}
	cli->http = http;
	return 0;
}

void http_close(struct http *http)
{
	if (http == NULL)
		return;
	if (http->multi != NULL)
		curl_multi_cleanup(http->multi);
	if (http->interrupt_fd >= 0)
		close(http->interrupt_fd);
	endpoint_release(&http->endpoint);
	curl_global_cleanup();
	free(http);
}

const char *http_where(const struct http *http)
{
	return http->endpoint.where;
}

/* Blocked from here to the end of the program: a Ctrl-C between two waits is seen by the
 * next one. If the parent had it ignored (nohup, background), it stays so. */
int http_listen_for_interrupt(struct cli *cli, struct err *err)
{
	if (http_open(cli, err) < 0)
		return -1;
	if (cli->http->interrupt_fd >= 0)
		return 0;
	sigset_t set;
	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigprocmask(SIG_BLOCK, &set, NULL);
	cli->http->interrupt_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (cli->http->interrupt_fd < 0)
		return err_sys(err, ERR_INTERNAL, errno, "signalfd");
	return 0;
}
