/* delivery.h - one try to deliver one message, by libcurl.
 *
 * It connects to nobody but the receiver: http and https only, no redirect, no proxy, no
 * connection that another try left open, and no address that is not public, unless the
 * settings say that this receiver is an internal one. Of the answer the status counts;
 * at most ANSWER_BYTES_MAX of the rest are read, and none of them are kept. */
#ifndef REEVE_SENDER_DELIVERY_H
#define REEVE_SENDER_DELIVERY_H

#include "queue/queue.h"
#include "sender/verdict.h"
#include "sender/webhook.h"

#define ANSWER_BYTES_MAX 4096
#define HEADER_BYTES_MAX 65536

struct courier; /* libcurl's multi handle */
struct delivery {
	struct callback callback;
	bool is_over; /* `result` says how it went; to be recorded */
	struct callback_try result;
	char words[VERDICT_WORDS_BYTES];
	/* delivery.c */
	void *easy, *headers; /* CURL *, struct curl_slist * */
	bool is_internal;     /* any address is fine */
	bool was_refused;     /* an address was not */
	bool has_answer;      /* the headers are whole */
	int64_t timeout_us;
	size_t header_bytes, body_bytes;
};

struct courier *courier_open(struct err *err);
void courier_close(struct courier *courier);

/* Begins a try; takes the callback's content. Where it may not or cannot be sent it is
 * over at once. The delivery is the caller's to free. */
struct delivery *delivery_begin(struct courier *courier, struct callback *callback,
				const struct config *config,
				const struct webhook_keys *keys);
void delivery_free(struct courier *courier, struct delivery *delivery);

/* Sleeps until one of the `count` descriptors is readable, something is to be done for a
 * delivery, or the time is over; does it, and sets is_over of those that are. */
struct pollfd;
void courier_wait(struct courier *courier, struct pollfd *fds, unsigned count,
		  int timeout_ms);

#endif
