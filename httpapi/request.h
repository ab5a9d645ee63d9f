/* request.h - one request on its way through the intake.
 *
 * A request is born when its request line has been read (so that the raw target can be
 * kept) and freed when libmicrohttpd says it is completed, always by the same server
 * thread. While it is parked - suspended, waiting for the writer or the watcher - exactly
 * one other thread may wake it, and only through the function named there. */
#ifndef REEVE_HTTPAPI_REQUEST_H
#define REEVE_HTTPAPI_REQUEST_H

#include "httpapi/auth.h"
#include "httpapi/clients.h"
#include "httpapi/server.h"
#include "httpapi/target.h"
#include "httpapi/waiter.h"

struct route;

/* Headers that we read. Each may come once; a second one is refused. */
struct headers {
	const char *host, *content_type, *content_length, *transfer_encoding,
		*content_encoding;
	const char *authorization, *security_token, *origin, *sec_fetch_site, *expect;
	const char *idempotency_key, *prefer, *range, *if_range, *if_none_match,
		*if_match;
	const char *traceparent, *accept, *last_event_id;
	size_t bytes; /* of all header lines */
};

enum request_step {
	STEP_HEADERS, /* the request line has been read, the headers not yet judged */
	STEP_BODY,    /* collecting the body */
	STEP_DISCARD, /* an answer is ready; the rest of the body is thrown away first */
	STEP_RUN,     /* with its handler, perhaps parked */
	STEP_DONE,    /* the answer is queued */
};

struct request {
	struct server *server;
	struct settings *settings; /* held: by these it is judged and answered */
	struct client *client;
	struct MHD_Connection *connection;
	enum request_step step;
	bool has_body;	 /* one is announced */
	bool must_close; /* framing cannot be trusted: answer and close */
	bool has_chunks; /* the client knows them: HTTP/1.1 */
	bool is_handed;	 /* the library sends the answer without us (handed.h) */
	const char *method;
	struct target target;
	struct headers headers;
	struct principal who;
	const struct route *route;
	const char *argument; /* what stands for {id} or {name} in the path */
	const char *fault; /* the parameter of the query that is wrong (lookup_refuse) */
	struct buf body;
	int64_t held_bytes; /* of body, counted in server->held_bytes */
	int64_t began_us;   /* CLOCK_BOOTTIME, when the request line was read */
	uint64_t number;
	/* the answer, while it waits for the end of the body */
	struct MHD_Response *response;
	unsigned status;
	char *removed; /* JSON: what remains of what is gone (gone.h); NULL, or heap */
	/* for a parked request: what goes on when it is woken, and what that needs */
	enum MHD_Result (*resume)(struct request *request);
	struct waiter waiter;
	void *work; /* of the handler; freed by free_work at the end */
	void (*free_work)(void *work);
};

struct request *request_new(struct client *client, struct MHD_Connection *connection,
			    const char *raw_target);
void request_free(struct request *request);

/* The callback of libmicrohttpd: one more turn for this request. */
enum MHD_Result request_turn(struct request *request, const char *method,
			     const char *version, const char *data, size_t *bytes);

/* Gives the handler's data to the request, which frees it at its end. */
void request_keep(struct request *request, void *work, void (*free_work)(void *));

/* Makes its waiter ready to be added: to be rung when this job changes ("": none), and if
 * it `wants_bell` whenever anything does. */
void request_wait_for(struct request *request, const char *job_id, bool wants_bell);

/* Whose jobs the asker sees. */
struct viewer request_viewer(const struct request *request);

#endif
