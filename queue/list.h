/* list.h - finding jobs: filters, pages, counts, and cancelling all that a filter finds.
 *
 * Part of queue.h. A list walks one index (its driver) from a position on, in the order
 * asked for; what the other filters say is looked up for each job it meets. Of several
 * indexes that could drive, the one with little to walk does (list_driver.c). It never
 * counts, never skips and never sorts, so a page costs what it looks at, and that is
 * bounded: after LIST_LOOKED_MAX jobs that do not fit, a page ends early (even empty) and
 * says where to go on. What no index would help is refused with words that say which
 * filter to add. */
#ifndef REEVE_QUEUE_LIST_H
#define REEVE_QUEUE_LIST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/common.h"

struct job;
struct queue;
struct viewer;

#define JOB_LIST_MAX 500
#define JOB_COUNT_MAX 10000
#define LIST_LOOKED_MAX 10000

/* --- filters --- */

/* Of several values of one filter any may fit; different filters must all fit. */
/* clang-format off */
#define LIST_FILTERS(X) \
	X(FILTER_STATE, "state") \
	X(FILTER_QUEUE, "queue") \
	X(FILTER_TASK,  "task") \
	X(FILTER_OWNER, "owner") \
	X(FILTER_LABEL, "label")  /* name=value */ \
	X(FILTER_BATCH, "batch")  /* its id */ \
	X(FILTER_TEXT,  "q")      /* is part of the name or the command, joined by blanks */

/* From `..._after` on, up to but without `..._before`. */
#define LIST_TIMES(X) \
	X(TIME_CREATED_AFTER,   "created_after") \
	X(TIME_CREATED_BEFORE,  "created_before") \
	X(TIME_FINISHED_AFTER,  "finished_after") \
	X(TIME_FINISHED_BEFORE, "finished_before")

/* "Submitted" is the order of acceptance; by "finished" only what has ended is listed. */
#define LIST_SORTS(X) \
	X(SORT_SUBMITTED_DESC, "-submitted_at") \
	X(SORT_SUBMITTED_ASC,  "submitted_at") \
	X(SORT_FINISHED_DESC,  "-finished_at") \
	X(SORT_FINISHED_ASC,   "finished_at")
/* clang-format on */

#define LIST_ENUM_(value, word) value,
enum list_filter { LIST_FILTERS(LIST_ENUM_) FILTER_COUNT_ };
enum list_time { LIST_TIMES(LIST_ENUM_) TIME_COUNT_ };
/* SORT_DEFAULT: newest first; where a finished_ time is given, last ended first. */
enum job_sort { SORT_DEFAULT = 0, LIST_SORTS(LIST_ENUM_) SORT_COUNT_ };
#undef LIST_ENUM_

#define FILTER_VALUES_MAX 16

struct filter_values {
	const char *value[FILTER_VALUES_MAX]; /* each once */
	size_t count;			      /* 0: not filtered by this */
};

/* All zero lists every job that the viewer sees. Texts are the caller's. */
struct job_filter {
	struct filter_values any[FILTER_COUNT_];
	bool has_time[TIME_COUNT_];
	int64_t time[TIME_COUNT_]; /* microseconds */
	enum job_sort sort;
	bool is_living; /* only what has not ended, whatever `state` says */
};

/* Is this a filter's name? The names are those of LIST_FILTERS and LIST_TIMES. */
bool job_filter_knows(const char *name);
bool job_filter_repeats(const char *name); /* may it be given more than once? */

/* Adds `name` = `value` (kept, not copied). ERR_INVALID: no such name (the nearest is
 * named), no such state, a label without "=", no id, no time (RFC 3339), more than
 * FILTER_VALUES_MAX values. */
int job_filter_add(struct job_filter *filter, const char *name, const char *value,
		   struct err *err);
/* "-submitted_at" and so on. ERR_INVALID. */
int job_filter_sort(struct job_filter *filter, const char *word, struct err *err);

/* Does it filter by anything but `q`? */
bool job_filter_narrows(const struct job_filter *filter);

/* A digest of filter, order and viewer, to bind a cursor to. */
void job_filter_digest(const struct job_filter *filter, const struct viewer *viewer,
		       uint8_t ret[DIGEST_BYTES]);

/* --- pages --- */

/* The job after which a list goes on: its sort key and row. */
struct list_position {
	int64_t key, row;
};

struct list_page {
	int limit;			   /* 1 to JOB_LIST_MAX */
	const struct list_position *after; /* NULL: from the beginning */
	int looked_max;			   /* 0: LIST_LOOKED_MAX */
};

struct job_list {
	struct job *item;
	size_t count;
	bool has_next; /* there may be more, after: */
	struct list_position next;
};

/* A page. Jobs that come meanwhile neither shift it nor appear twice. ERR_INVALID when no
 * index serves the filter in this order. */
int queue_job_list(struct queue *queue, const struct viewer *viewer,
		   const struct job_filter *filter, const struct list_page *page,
		   struct job_list *ret, struct err *err);
void job_list_release(struct job_list *list);

/* The rows of a page alone, for who looks at each (view.h). */
struct job_rows {
	int64_t row[JOB_LIST_MAX];
	size_t count;
	bool has_next; /* there may be more, after: */
	struct list_position next;
};
int queue_job_rows(struct queue *queue, const struct viewer *viewer,
		   const struct job_filter *filter, const struct list_page *page,
		   struct job_rows *ret, struct err *err);

/* How many the whole list has, if they are at most JOB_COUNT_MAX and found soon: else
 * *ret_capped, and there are at least *ret. */
int queue_job_count(struct queue *queue, const struct viewer *viewer,
		    const struct job_filter *filter, int64_t *ret, bool *ret_capped,
		    struct err *err);

/* --- cancelling many --- */

#define CANCEL_SLICE 500

/* How far it has come; all zero to begin with. */
struct cancel_progress {
	int64_t cancelled, stopping;
	int64_t already_final; /* the end of another one of them ended it first */
	bool has_position, is_done;
	struct list_position position;
};

/* [write] Cancels what the viewer sees of the living jobs that fit, newest first, so that
 * none is skipped because of one it depends on: at most CANCEL_SLICE in one call.
 * `progress` is where to begin and afterwards where to go on, until is_done; on failure
 * it is untouched. Jobs that come meanwhile are left alone. ERR_INVALID as for lists. */
int queue_cancel_many(struct queue *queue, const struct viewer *viewer,
		      const struct job_filter *filter, const char *text, bool force,
		      struct cancel_progress *progress, struct err *err);

#endif
