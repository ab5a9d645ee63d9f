/* delivery.c - see delivery.h. */
#include "sender/delivery.h"

#include <curl/curl.h>
#include <inttypes.h>
#include <poll.h>
#include <unistd.h>

#include "sender/address.h"

#define WAIT_FDS_MAX 8

struct courier {
	CURLM *multi;
};

/* --- its end --- */

/* libcurl's codes in our words; its own (fixed) words stand for the rest. */
static const struct {
	CURLcode code;
	const char *words;
} TROUBLES[] = {
	{CURLE_COULDNT_RESOLVE_HOST, "its name cannot be resolved"},
	{CURLE_COULDNT_CONNECT, "it cannot be connected to"},
	{CURLE_PEER_FAILED_VERIFICATION, "its certificate is not valid"},
	{CURLE_SSL_CONNECT_ERROR, "the TLS handshake failed"},
	{CURLE_GOT_NOTHING, "it closed the connection without an answer"},
	{CURLE_RECV_ERROR, "the connection broke"},
	{CURLE_SEND_ERROR, "the connection broke"},
	{CURLE_PARTIAL_FILE, "the connection broke"},
	{CURLE_UNSUPPORTED_PROTOCOL, "its answer is not HTTP"},
	{CURLE_WEIRD_SERVER_REPLY, "its answer is not HTTP"},
	{CURLE_WRITE_ERROR, "its answer has too many headers"},
};

static void describe(const struct delivery *delivery, CURLcode code,
		     char ret[VERDICT_WORDS_BYTES])
{
	const char *words = curl_easy_strerror(code);
	for (size_t i = 0; i < ARRAY_SIZE(TROUBLES); i++)
		if (TROUBLES[i].code == code)
			words = TROUBLES[i].words;
	if (delivery->was_refused)
		(void)snprintf(ret, VERDICT_WORDS_BYTES,
			       "the address of %.80s is not public",
			       delivery->callback.host);
	else if (code == CURLE_OPERATION_TIMEDOUT)
		(void)snprintf(ret, VERDICT_WORDS_BYTES,
			       "there was no answer within %" PRId64 " s",
			       delivery->timeout_us / US_PER_S);
	else
		(void)snprintf(ret, VERDICT_WORDS_BYTES, "%s", words);
}

static void end(struct delivery *delivery, const struct seen *seen)
{
	uint32_t random;
	random_bytes(&random, sizeof random);
	verdict_of(&delivery->callback, seen, clock_now_us(), random, delivery->words,
		   &delivery->result);
	delivery->is_over = true;
}

/* Once the headers are whole the answer is known, whatever becomes of the rest. */
static void finish(struct delivery *delivery, CURLcode code)
{
	char words[VERDICT_WORDS_BYTES];
	struct seen seen = {.status = 0};
	long status = 0;
	curl_off_t retry_after_s = 0;
	(void)curl_easy_getinfo(delivery->easy, CURLINFO_RESPONSE_CODE, &status);
	(void)curl_easy_getinfo(delivery->easy, CURLINFO_RETRY_AFTER, &retry_after_s);
	if (delivery->has_answer) {
		seen.status = (int)status;
		seen.retry_after_s = retry_after_s;
	} else {
		describe(delivery, code, words);
		seen.trouble = words;
	}
	end(delivery, &seen);
}

/* --- what libcurl asks --- */

static curl_socket_t open_socket(void *context, curlsocktype purpose,
				 struct curl_sockaddr *address)
{
	struct delivery *delivery = context;
	if (purpose != CURLSOCKTYPE_IPCXN ||
	    (!delivery->is_internal && !address_is_public(&address->addr))) {
		delivery->was_refused = true;
		return CURL_SOCKET_BAD;
	}
	return socket(address->family, address->socktype | SOCK_CLOEXEC,
		      address->protocol);
}

/* An empty line ends the headers, those of a 100 Continue too. */
static size_t take_header(char *data, size_t size, size_t count, void *context)
{
	struct delivery *delivery = context;
	const size_t bytes = size * count;
	long status = 0;
	delivery->header_bytes += bytes;
	if (delivery->header_bytes > HEADER_BYTES_MAX)
		return 0;
	if (bytes <= 2 && (data[0] == '\r' || data[0] == '\n')) {
		(void)curl_easy_getinfo(delivery->easy, CURLINFO_RESPONSE_CODE, &status);
		delivery->has_answer = delivery->has_answer || status >= 200;
	}
	return bytes;
}

/* A receiver that is cut off at once may take that for a failure: a short answer is read
 * to its end, and thrown away. */
static size_t take_body(char *data, size_t size, size_t count, void *context)
{
	struct delivery *delivery = context;
	(void)data;
	delivery->body_bytes += size * count;
	return delivery->body_bytes <= ANSWER_BYTES_MAX ? size * count : 0;
}

/* --- its beginning --- */

static void add_header(struct delivery *delivery, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
static void add_header(struct delivery *delivery, const char *format, ...)
{
	AUTO_BUF struct buf line = BUF_INIT(1024);
	va_list args;
	va_start(args, format);
	(void)buf_vprintf(&line, format, args);
	va_end(args);
	delivery->headers = curl_slist_append(delivery->headers, buf_text(&line));
}

static void add_headers(struct delivery *delivery, const struct webhook_keys *keys)
{
	const struct callback *callback = &delivery->callback;
	const int64_t now_s = clock_now_us() / US_PER_S;
	char signature[WEBHOOK_SIGNATURE_BYTES];
	webhook_sign(keys, callback->webhook_id, now_s, callback->body, signature);
	add_header(delivery, "Content-Type: application/json");
	add_header(delivery, "Expect:");
	add_header(delivery, "webhook-id: %s", callback->webhook_id);
	add_header(delivery, "webhook-timestamp: %" PRId64, now_s);
	add_header(delivery, "webhook-signature: %s", signature);
}

/* libcurl refuses an option only when it is out of memory or too old for it. */
#define SET(option, value)                                                               \
	ok = curl_easy_setopt(easy, (option), (value)) == CURLE_OK && ok

static bool set_options(struct delivery *delivery, const struct url *url,
			const struct config *config)
{
	CURL *easy = delivery->easy;
	bool ok = true;
	SET(CURLOPT_PRIVATE, delivery);
	SET(CURLOPT_URL, url->text);
	SET(CURLOPT_PATH_AS_IS, 1L);
	SET(CURLOPT_PROTOCOLS_STR, "http,https");
	SET(CURLOPT_FOLLOWLOCATION, 0L);
	SET(CURLOPT_PROXY, "");
	SET(CURLOPT_NETRC, (long)CURL_NETRC_IGNORED);
	SET(CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
	SET(CURLOPT_USERAGENT, "Reeve/" REEVE_VERSION);
	SET(CURLOPT_POST, 1L);
	SET(CURLOPT_POSTFIELDS, delivery->callback.body);
	SET(CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)strlen(delivery->callback.body));
	SET(CURLOPT_HTTPHEADER, (struct curl_slist *)delivery->headers);
	SET(CURLOPT_OPENSOCKETFUNCTION, open_socket);
	SET(CURLOPT_OPENSOCKETDATA, delivery);
	SET(CURLOPT_HEADERFUNCTION, take_header);
	SET(CURLOPT_HEADERDATA, delivery);
	SET(CURLOPT_WRITEFUNCTION, take_body);
	SET(CURLOPT_WRITEDATA, delivery);
	SET(CURLOPT_SSL_VERIFYPEER, 1L);
	SET(CURLOPT_SSL_VERIFYHOST, 2L);
	SET(CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
	if (!text_equal(config->callbacks.ca_file, "system")) {
		/* instead of the machine's authorities, not besides them */
		SET(CURLOPT_CAINFO, config->callbacks.ca_file);
		SET(CURLOPT_CAPATH, (char *)NULL);
	}
	SET(CURLOPT_TIMEOUT_MS, (long)(delivery->timeout_us / US_PER_MS));
	SET(CURLOPT_NOSIGNAL, 1L);
	/* an address is judged when it is connected to, so each try connects */
	SET(CURLOPT_FRESH_CONNECT, 1L);
	SET(CURLOPT_FORBID_REUSE, 1L);
	/* a resolver that hangs would hold up everybody at the end of this try */
	SET(CURLOPT_QUICK_EXIT, 1L);
	return ok;
}
#undef SET

/* Why it may not be sent at all; NULL. The settings may be others than when it was
 * accepted, and the row may have been written by hand. */
static const char *refuse(const struct callback *callback, const struct config *config,
			  struct url *ret_url)
{
	if (url_read(callback->url, ret_url, NULL) != 0 ||
	    !text_equal(ret_url->host_port, callback->host))
		return "its URL is not one that can be called";
	if (!words_have(&config->callbacks.allowed_hosts, callback->host))
		return "it is not in callbacks.allowed_hosts of the settings";
	return NULL;
}

struct delivery *delivery_begin(struct courier *courier, struct callback *callback,
				const struct config *config,
				const struct webhook_keys *keys)
{
	struct delivery *delivery = mem_alloc(sizeof *delivery);
	struct url url;
	delivery->callback = *callback;
	*callback = (struct callback){.row = 0};
	delivery->timeout_us = config->callbacks.timeout_us;
	delivery->is_internal =
		words_have(&config->callbacks.internal_hosts, delivery->callback.host);
	struct seen seen = {.trouble = refuse(&delivery->callback, config, &url)};
	if (seen.trouble == NULL) {
		delivery->easy = curl_easy_init();
		add_headers(delivery, keys);
		if (delivery->easy == NULL || !set_options(delivery, &url, config) ||
		    curl_multi_add_handle(courier->multi, delivery->easy) != CURLM_OK)
			seen.trouble = "libcurl cannot do it";
	}
	if (seen.trouble != NULL)
		end(delivery, &seen);
	return delivery;
}

void delivery_free(struct courier *courier, struct delivery *delivery)
{
	if (delivery->easy != NULL) {
		(void)curl_multi_remove_handle(courier->multi, delivery->easy);
		curl_easy_cleanup(delivery->easy);
	}
	curl_slist_free_all(delivery->headers);
	callback_release(&delivery->callback);
	free(delivery);
}

/* --- all of them --- */

struct courier *courier_open(struct err *err)
{
	struct courier *courier = mem_alloc(sizeof *courier);
	if (curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK)
		courier->multi = curl_multi_init();
	if (courier->multi != NULL)
		return courier;
	free(courier);
	(void)err_set(err, ERR_INTERNAL, "libcurl cannot be used");
	return NULL;
}

void courier_close(struct courier *courier)
{
	if (courier == NULL)
		return;
	(void)curl_multi_cleanup(courier->multi);
	free(courier);
	curl_global_cleanup();
}

static void take_finished(struct courier *courier)
{
	const CURLMsg *message;
	int left;
	while ((message = curl_multi_info_read(courier->multi, &left)) != NULL) {
		struct delivery *delivery = NULL;
		if (message->msg != CURLMSG_DONE ||
		    curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE,
				      (char **)&delivery) != CURLE_OK)
			continue;
		finish(delivery, message->data.result);
	}
}

void courier_wait(struct courier *courier, struct pollfd *fds, unsigned count,
		  int timeout_ms)
{
	struct curl_waitfd waits[WAIT_FDS_MAX];
	int running;
	for (unsigned i = 0; i < count && i < WAIT_FDS_MAX; i++)
		waits[i] =
			(struct curl_waitfd){.fd = fds[i].fd, .events = CURL_WAIT_POLLIN};
	if (curl_multi_poll(courier->multi, waits, count, timeout_ms, NULL) != CURLM_OK)
		(void)poll(fds, count, timeout_ms);
	else
		(void)poll(fds, count, 0);
	(void)curl_multi_perform(courier->multi, &running);
	take_finished(courier);
}
