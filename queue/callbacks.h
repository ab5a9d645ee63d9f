/* callbacks.h - the outbox: what others are to be told about jobs, and how that went.
 *
 * A submission may name an address (`callback`: {"url": ..., "on": [...]}). Whoever
 * starts or ends a job writes the message in the same transaction (settle.c);
 * reeve-sender sends it afterwards, again and again after CALLBACK_DELAYS_US, until the
 * receiver answers 2xx or all tries are used up: at least once, always with the same
 * webhook_id and body. What is dead can be sent again by hand.
 *
 * The message is {"type": "job.started" | "job.<final state>", "timestamp": when,
 * "data": {the job as it was then}}; the headers and the signature are those of Standard
 * Webhooks (https://www.standardwebhooks.com). */
#ifndef REEVE_QUEUE_CALLBACKS_H
#define REEVE_QUEUE_CALLBACKS_H

#include <stddef.h>
#include <stdint.h>

#include "common/common.h"

struct queue;
struct viewer;

/* When a callback is sent: words of "on". Any other word there is a final state's. */
#define CALLBACK_ON_STARTED "started" /* every time an attempt has a process */
#define CALLBACK_ON_FINAL "final"     /* once, whatever the final state */

#define WEBHOOK_ID_BYTES 40 /* "msg_", 32 hexadecimal digits, NUL; rounded up */

/* One message. Texts are owned by the struct; NULL where the column is. */
struct callback {
	int64_t row;
	char webhook_id[WEBHOOK_ID_BYTES];
	char job_id[37]; /* also after the job was pruned; "": there never was one */
	char kind[12];	 /* started, final */
	char state[12];	 /* pending, delivered, dead */
	int attempt, tries;
	char *owner, *url, *host, *body, *last_error;	    /* host: HOST:PORT */
	int64_t created_at, next_at, last_try_at, ended_at; /* 0: none */
	int last_status;				    /* 0: none */
};
void callback_release(struct callback *callback);

struct callback_list {
	struct callback *item;
	size_t count;
};
void callback_list_release(struct callback_list *list);

/* --- for people --- */

/* Which ones: each NULL or 0 for all. */
struct callback_filter {
	const char *state;  /* a word */
	int64_t job_row;    /* of one job */
	int64_t before_row; /* older than this one: the cursor, 0 from the newest on */
	int limit;
};

/* Newest first, only those that the viewer may see. */
int queue_callback_list(struct queue *queue, const struct viewer *viewer,
			const struct callback_filter *filter, struct callback_list *ret,
			struct err *err);

/* 1, 0 none that this viewer may see, -1. */
int queue_callback_get(struct queue *queue, const struct viewer *viewer,
		       const char *webhook_id, struct callback *ret, struct err *err);

/* [write] Sends it again as soon as possible, with a fresh count of tries: one that is
 * dead or was delivered; one that is pending is tried at once. ERR_NOT_FOUND. With an
 * event of the job. */
int queue_callback_redeliver(struct queue *queue, const struct viewer *viewer,
			     const char *webhook_id, struct err *err);

/* --- for the sender --- */

/* The next HOST:PORT after this one ("": the first, in the order of bytes) that something
 * pending is for. 1, 0 there is none, -1. */
int queue_callback_host(struct queue *queue, const char *after, char ret[HOST_PORT_BYTES],
			struct err *err);

/* Those for this HOST:PORT whose next try is due at `now`, the most overdue first, at
 * most `max`. *ret_next_at is when the first one after these is due, which may be past
 * (0: there is none). */
int queue_callbacks_due(struct queue *queue, const char *host, int64_t now, int max,
			struct callback_list *ret, int64_t *ret_next_at, struct err *err);

enum callback_outcome { CALLBACK_DELIVERED, CALLBACK_AGAIN, CALLBACK_DEAD };

/* How one try went, of the message as `tries` and `due_at` (its next_at) were then. */
struct callback_try {
	int64_t row;
	int tries;
	int64_t due_at;
	enum callback_outcome outcome;
	int64_t at;	   /* when it was tried */
	int64_t next_at;   /* CALLBACK_AGAIN: not before this */
	int status;	   /* HTTP status, 0: no answer */
	const char *error; /* words of ours; NULL */
};

/* [write] Writes it down, with an event of the job when the matter is closed. Nothing
 * happens when somebody has closed it meanwhile, or asked for it to be sent again: then
 * that is still to come. */
int queue_callback_tried(struct queue *queue, const struct callback_try *tried,
			 struct err *err);

/* The wait before each try, in microseconds, without jitter: the first is sent at once.
 * (The schedule of Standard Webhooks.) */
#define CALLBACK_TRIES 10
extern const int64_t CALLBACK_DELAYS_US[CALLBACK_TRIES];

/* How long to wait after the `tries`-th try (from 1) failed: the table's delay, up to
 * CALLBACK_JITTER_PERCENT more or less by `random`, any number, so that a receiver that
 * comes back is not met by all at once. -1: that was the last one. */
#define CALLBACK_JITTER_PERCENT 15
int64_t callback_wait_us(int tries, uint32_t random);

/* --- for retention --- */

#define CALLBACK_ORPHAN_KEPT_US (7 * 24 * 3600 * US_PER_S)

/* [write] Removes at most `max` that ended before `before` and whose job was pruned while
 * they were pending. (The others go with their job.) How many, or -1. */
int queue_callbacks_forget(struct queue *queue, int64_t before, int max, struct err *err);

#endif
