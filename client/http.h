/* http.h - requests to the service, over TCP or its Unix socket.
 *
 * One place talks to libcurl: it gives up after the time limit, follows no redirect, uses
 * no proxy, and listens for Ctrl-C while it waits if the command asked for that. Several
 * requests may run at once, so that `wait --any` needs no threads. */
#ifndef REEVE_CLIENT_HTTP_H
#define REEVE_CLIENT_HTTP_H

#include "client/cli.h"

/* One request and its answer. Zeroed, then the request's fields set; released after. */
struct exchange {
	/* the request */
	const char *method; /* "GET", "POST" */
	char *path;	    /* "/v1/jobs?limit=1"; heap, released with the exchange */
	const char *body;   /* NULL: none */
	size_t body_bytes;
	const char *idempotency_key; /* NULL: none */
	int64_t range_from;	     /* > 0: Range: bytes=N- */
	bool wants_events;	     /* Accept: text/event-stream */
	const char *last_event_id;   /* NULL: none */
	int64_t wait_s;	    /* > 0: Prefer: wait=N (RFC 7240); the service cuts it to its
			       limit */
	int64_t timeout_us; /* of the whole; 0: a stream, which has no limit */
	/* Gets the body of a 2xx answer piece by piece; false ends the transfer. NULL:
	 * collect it in `answer`. Answers that are no 2xx are always collected. */
	bool (*sink)(void *sink_context, const struct exchange *exchange,
		     const void *data, size_t bytes);
	void *sink_context;

	/* the answer */
	int status;	   /* 0: none came */
	struct buf answer; /* its body */
	char content_type[64];
	bool is_replay;	    /* Idempotency-Replayed: true */
	bool was_sent;	    /* the connection was made: the request may have arrived */
	bool is_finished;   /* whole, in the words of HTTP */
	struct err failure; /* why it did not finish */
	struct http_transfer *transfer;
};

void exchange_init(struct exchange *exchange, const char *method, const char *path_format,
		   ...) __attribute__((format(printf, 3, 4)));
void exchange_release(struct exchange *exchange);

/* Connects nothing yet: finds out where the service is (see connect.h) and gets ready. */
int http_open(struct cli *cli, struct err *err);
void http_close(struct http *http);
const char *http_where(const struct http *http); /* for messages */

/* From now on Ctrl-C does not end the program but whatever waits here. */
int http_listen_for_interrupt(struct cli *cli, struct err *err);

/* Runs all of them until each has finished or failed, or, with until_first, until one
 * has; what has not finished then is cancelled. -1 only when none could be run, or on
 * Ctrl-C (cli->is_interrupted); what became of each stands in itself. */
int http_perform(struct cli *cli, struct exchange *const *exchange, size_t count,
		 bool until_first, struct err *err);

/* After an exchange that brought no useful answer: may the service only be away for a
 * moment, so that asking again makes sense? Not when it was never there. */
bool http_may_return(const struct cli *cli, const struct exchange *exchange);

/* Waits before a repetition, for at most `pause_us`. -1 on Ctrl-C. */
int http_pause(struct cli *cli, int64_t pause_us, struct err *err);

/* The same, ending also when `fd` has something to read (or will never again): then 1. */
int http_pause_or_input(struct cli *cli, int64_t pause_us, int fd, struct err *err);

#endif
