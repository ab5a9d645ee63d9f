/* events.h - the feed of events: what happened after the event that somebody saw last.
 *
 * Part of queue.h. Ids of events have no gaps and appear in the order of the commits:
 * they are given one after the other under the writers' lock, and a transaction that is
 * rolled back gives its own back (event.c). So "all events behind N, as of one snapshot"
 * is a sequence that can be cut anywhere and gone on with, without a gap and without an
 * event twice; pages and streams of every kind rely on nothing else.
 *
 * A page looks at a bounded number of events, whether they fit or not, and says up to
 * where it has looked: a reader with a rare wish among ten million events moves on page
 * by page, and one that is up to date looks only at what is new. */
#ifndef REEVE_QUEUE_EVENTS_H
#define REEVE_QUEUE_EVENTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/common.h"
#include "queue/list.h"

struct event;
struct queue;
struct viewer;

/* --- what there is --- */

/* Every kind of event: of jobs, then of the service. docs/events.md explains each; a test
 * compares both with what is written. */
/* clang-format off */
#define EVENT_KINDS(X) \
	X("submitted") \
	X("changed") \
	X("held") \
	X("released") \
	X("due") \
	X("unblocked") \
	X("started") \
	X("signalled") \
	X("stopping") \
	X("retrying") \
	X("requeued") \
	X("ended") \
	X("output_missing") \
	X("callback_delivered") \
	X("callback_dead") \
	X("callback_redelivered") \
	X("queue_paused") \
	X("queue_resumed") \
	X("queue_limited") \
	X("draining") \
	X("undrained") \
	X("jobs_pruned") \
	X("pruned")
/* clang-format on */

/* --- what somebody wants of it --- */

#define EVENT_JOBS_MAX 256

/* All zero wants everything that the viewer sees. Several jobs, queues and labels are
 * several subscriptions of one feed: an event comes when any of them fits (a job's labels
 * are those it has now). `kind` narrows all of them. Texts are the caller's. */
struct event_filter {
	int64_t job[EVENT_JOBS_MAX]; /* rows, each once */
	size_t jobs;
	struct filter_values queue, label, kind;
};

/* Adds `name` ("queue", "label" or "kind") = `value` (kept, not copied). ERR_INVALID: no
 * such kind (the nearest is named), a label without "=", nothing, too many. */
int event_filter_add(struct event_filter *filter, const char *name, const char *value,
		     struct err *err);

/* Adds a job by its whole id, also one that was pruned. 1, 0 the viewer sees no such job,
 * -1 (ERR_INVALID: more than EVENT_JOBS_MAX). */
int event_filter_add_job(struct queue *queue, const struct viewer *viewer,
			 struct event_filter *filter, const char *id, struct err *err);

/* --- asking --- */

#define EVENT_PAGE_MAX 500
#define EVENT_LOOKED_MAX 10000

#define EVENT_AFTER_OLDEST (-1) /* from the oldest there is */
#define EVENT_AFTER_NOW (-2)	/* only what is still to come */

struct event_question {
	int64_t after;	   /* the last event that is known, or EVENT_AFTER_... */
	int limit;	   /* 1 to EVENT_PAGE_MAX */
	int looked_max;	   /* 0: EVENT_LOOKED_MAX */
	size_t data_bytes; /* a page ends once it has so much of data; 0: no limit */
	bool until_final;  /* is_over is asked for */
};

/* Why a feed cannot go on where its reader stopped. */
enum event_reset {
	EVENT_RESET_NONE,
	EVENT_RESET_PRUNED, /* what follows `after` was removed by retention */
	EVENT_RESET_AHEAD,  /* `after` was never given: an older backup is in place */
};
const char *event_reset_word(enum event_reset reset); /* NULL for none */

struct event_page {
	struct event *item; /* oldest first; heap */
	size_t count;
	int64_t after; /* where it began: what was asked for, unless there is a reset */
	int64_t next;  /* all up to this event was looked at: go on after it */
	bool has_more; /* there were events behind `next` */
	enum event_reset reset;
	/* All jobs that the filter names have ended (it names at least one, and nothing
	 * else) and nothing of them is behind `next`. */
	bool is_over;
};

/* One page, of one moment. What the viewer does not see - others' jobs, and the service
 * for whoever does not see all - is not there; only `next` moves past it. */
int queue_event_page(struct queue *queue, const struct viewer *viewer,
		     const struct event_filter *filter,
		     const struct event_question *question, struct event_page *ret,
		     struct err *err);
void event_page_release(struct event_page *page);

#endif
