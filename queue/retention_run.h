/* retention_run.h - what the parts of a run of retention share.
 *
 * Private to queue/: retention.c walks and decides, prune_jobs.c and prune_events.c
 * write, output_files.c removes files. */
#ifndef REEVE_QUEUE_RETENTION_RUN_H
#define REEVE_QUEUE_RETENTION_RUN_H

#include "queue/db.h"

/* A job of which something goes. */
struct leaver {
	int64_t row;
	struct retention_tally *tally;
	int64_t output_bytes;
	bool has_output; /* and it goes */
	bool is_going;	 /* the job itself */
};

struct leavers {
	struct leaver item[RETENTION_SLICE_MAX];
	size_t count;
};

struct retention {
	const struct retention_policy *policy;
	const char *principal;
	size_t only;
	bool is_preview;
	int phase;
	int64_t now;
	/* the walk */
	int64_t after_at, after_row; /* where it is */
	int64_t mark_row, mark_attempt;
	struct retention_tally *tally; /* one for each rule and one more */
	struct tally_kept {	       /* what each keeps */
		int64_t outputs, output_bytes, jobs, job_bytes;
	} * kept;
	struct leavers leavers;
	struct retention_report report;
};

/* --- a write transaction of a run, timed --- */

struct timed {
	int64_t began_us;
};
int timed_begin(struct queue *queue, struct timed *timed, struct err *err);
int timed_commit(struct queue *queue, struct timed *timed, struct retention *retention,
		 struct err *err);

/* Adds what the leavers say that they are, to their rules. */
void leavers_count(struct retention *run);

/* --- prune_jobs.c --- */

/* Lets go of all in run->leavers. 0 or -1. */
int prune_leavers(struct queue *queue, struct retention *run, struct err *err);

/* Goes on with outputs that were marked before. 1 more, 0, -1. */
int prune_marked(struct queue *queue, struct retention *run, struct err *err);

/* May this job not go? 1 exempt, 0, -1. */
int prune_is_exempt(struct queue *queue, int64_t row, struct err *err);

/* --- prune_events.c --- */

/* 1 more, 0, -1. */
int prune_old_events(struct queue *queue, struct retention *run, struct err *err);

/* The newest head of the chain: 1, 0 it begins at the beginning, -1. */
struct chain_head {
	int64_t id, before;
	struct event_hash hash;
};
int chain_head_load(struct queue *queue, struct chain_head *ret, struct err *err);
/* Does this event vouch for that head? */
bool chain_head_is_named(const struct chain_head *head, const char *kind,
			 const char *data);

/* The digest of the tombstones of one moment (see retention.h), and how many. */
int tombstones_digest(struct queue *queue, int64_t pruned_at, uint8_t ret[DIGEST_BYTES],
		      int64_t *ret_count, struct err *err);

/* --- output_names.c --- */

struct output_name {
	char job_id[JOB_ID_BYTES];
	int attempt;
};

/* Is it "<uuid>-<number><suffix>"? */
bool output_name_parse(const char *name, const char *suffix, struct output_name *ret);

/* Is it like "2026-11-21"? */
bool output_day_is(const char *name);

/* --- output_files.c --- */

/* Opens the directory in which an attempt's output lies, following no link; -1, errno. */
int output_day_open(const char *state_dir, const char *job_id, int attempt);

/* Removes log, compressed or not, and index of an attempt's output, by directories that
 * are no links. `is_gone` is whether none is there any more. */
void output_files_remove(const char *state_dir, const char *job_id, int attempt,
			 bool *ret_is_gone);
/* "<state_dir>/<name>" as a directory that is no link, or -1 with errno. */
int state_directory_open(const char *state_dir, const char *name);

#endif
