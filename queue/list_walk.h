/* list_walk.h - walking the jobs that fit a filter, one after the other.
 *
 * Private to queue/. See list.h for what is promised. */
#ifndef REEVE_QUEUE_LIST_WALK_H
#define REEVE_QUEUE_LIST_WALK_H

#include "queue/db.h"

/* The order that a filter asks for; never SORT_DEFAULT. */
enum job_sort filter_sort(const struct job_filter *filter);
bool filter_has(const struct filter_values *values, const char *value);

/* ERR_INVALID with words for the asker when no index serves it. A viewer who sees their
 * own jobs only has asked for these without saying so. */
int filter_check_served(const struct job_filter *filter, const struct viewer *viewer,
			struct err *err);

struct list_driver;

/* One index, from the rows of one value of its filter on. Rows are fetched in chunks, so
 * that no statement stays open. */
struct list_stream {
	struct bind value[2];
	uint8_t uuid[DB_UUID_BYTES]; /* what a value of a batch points to */
	struct list_position from;   /* what was fetched last */
	struct list_position *row;   /* heap */
	size_t count, next, capacity;
	bool is_exhausted; /* nothing is to be fetched any more */
};

struct list_walk {
	struct queue *queue;
	struct job_filter filter; /* with the viewer's rights and `is_living` in it */
	const char *owner;	  /* whose jobs are seen; NULL: all */
	enum job_sort sort;
	int64_t end; /* sort key to stop at */
	const struct list_driver *driver;
	struct list_stream *stream; /* heap */
	size_t streams;
	size_t chunk;	   /* how many rows are fetched next */
	unsigned residual; /* bits of the filters that are looked up for each job */
	bool needs_facts;  /* each has to be looked up, also for the viewer's rights */
	bool is_empty;	   /* nothing can fit */
	struct list_position position; /* what was looked at last */
	bool has_position;
	int looked, looked_max;
	bool is_cut;			 /* looked_max was reached */
	char *needle[FILTER_VALUES_MAX]; /* of `q`, in lower case */
	struct buf text;		 /* of one job, for `q` */
};

/* `wanted` is how many jobs will be asked for. The walk borrows the filter's texts. To be
 * closed in any case. */
int walk_open(struct list_walk *walk, struct queue *queue, const struct viewer *viewer,
	      const struct job_filter *filter, const struct list_position *after,
	      size_t wanted, struct err *err);
/* The next one that fits, in order, each once: 1 with walk->position, 0 none, or is_cut,
 * -1. */
int walk_next(struct list_walk *walk, struct err *err);
void walk_close(struct list_walk *walk);

bool walk_is_descending(const struct list_walk *walk);
bool walk_is_by_finished(const struct list_walk *walk);

/* Chooses the index and makes its streams, which begin behind walk->position
 * (list_driver.c). */
int walk_set_driver(struct list_walk *walk, struct err *err);
/* Fetches the next rows of a stream that has none left, at most so many. */
int stream_fill(struct list_walk *walk, const struct list_driver *driver,
		struct list_stream *stream, size_t rows, struct err *err);
void streams_release(struct list_stream *stream, size_t count);

/* ASCII letters to lower case. */
void text_lower(char *text, size_t length);

/* Does a job fit what its driver does not know (list_fit.c)? 1, 0, -1. */
int walk_fits(struct list_walk *walk, int64_t row, struct err *err);

#endif
