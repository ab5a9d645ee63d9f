/* track.h - where somebody who follows a job's output is: which attempt, at which byte,
 * and whether more can come.
 *
 * The order of looks is what makes it exact: the end of an attempt is read first, its
 * output after it, so that a last byte written before the end is never missed. So a user
 * reads until there is nothing, then asks track_turn what that means. */
#ifndef REEVE_HTTPAPI_TRACK_H
#define REEVE_HTTPAPI_TRACK_H

#include "httpapi/request.h"
#include "httpapi/shares.h"

/* What is asked for. */
struct track_wish {
	enum output_stream stream;
	int attempt;	     /* to begin with; 0: the last, or else the first to come */
	bool is_one_attempt; /* and not those that follow it */
	int64_t offset;	     /* where to begin; a byte of the stream */
	int64_t tail_lines;  /* -1; else begin before the last so many lines */
	bool is_pinned;	     /* only what is there now */
};

struct track {
	struct request *request;
	struct track_wish wish;
	char job_id[JOB_ID_BYTES];
	int attempt;	     /* 0: none yet */
	int64_t offset;	     /* of the next byte */
	int64_t end;	     /* there is nothing beyond; INT64_MAX: as far as there is */
	struct share *share; /* NULL: nothing was written yet */
	bool is_watched;     /* the watcher knows the file */
	bool is_ended;	     /* nothing is added to this attempt any more */
	bool is_last;	     /* and no other comes */
	bool has_next;	     /* there is a later one */
	bool is_stale;	     /* the database may have changed since: a feed's is_newer */
};

/* Looks for the first time. The caller releases the track in any case. ERR_RANGE: there
 * is no such offset, *ret_size is what there is. ERR_GONE: it was removed. */
int track_init(struct track *track, struct request *request, struct queue *queue,
	       const struct job *job, const struct track_wish *wish, int64_t *ret_size,
	       struct err *err);
void track_release(struct track *track);

/* The next bytes, at most `max`; they count as taken. 0: nothing now, see track_turn. */
ssize_t track_read(struct track *track, void *data, size_t max, struct err *err);

/* Where the next bytes come from, cut to what there may be. 1, 0 there are none now. */
int track_source(struct track *track, int64_t offset, struct output_source *ret,
		 struct err *err);

/* The bytes at `offset`, without taking them. */
ssize_t track_peek(struct track *track, int64_t offset, void *data, size_t max,
		   struct err *err);

enum track_turn {
	TRACK_AGAIN, /* something is new: read again */
	TRACK_LATER, /* nothing is, until the waiter is rung */
	TRACK_NEXT,  /* at the beginning of the next attempt now */
	TRACK_END,   /* that was all */
	TRACK_FAILED,
};

/* When all was read: is there nothing before the waiter is rung? As if track_turn said
 * TRACK_LATER, without looking. */
bool track_is_quiet(const struct track *track);

/* Can more come than what there is now? */
bool track_is_open(const struct track *track);

/* What it means that there is nothing to read. */
enum track_turn track_turn(struct track *track, struct err *err);

#endif
