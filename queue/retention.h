/* retention.h - letting go of what is old, and of what belongs to nothing.
 *
 * Part of queue.h. A run walks the jobs that are over, from the newest to the oldest, by
 * the policy of today, and counts for each rule what it keeps; what is over a limit goes:
 *
 *   max_age_us   since the job ended
 *   keep_last    so many of the jobs that the rule is for (output: of those with output)
 *   max_bytes    so many bytes of their outputs; of rows: of what they take in the
 *                database, about; the newest that fit are kept
 *
 * Never: jobs that have not ended, jobs that one which has not ended depends on (or will
 * read the output of), kept jobs. Everything is done in steps: a short read, then at most
 * two short transactions of at most `slice` jobs or events, so that others write in
 * between. Between any two steps, and at any moment within one, the process may die: the
 * next run goes on.
 *
 * An output goes so: its row is marked and that is committed; the file goes; the row says
 * `removed` (length and hash stay). A job goes so: a tombstone is put in its place, then
 * its rows go; an event `jobs_pruned` tells of each step that let something go:
 *   {"jobs":N,"outputs":N,"bytes":N,"tombstones":"<hex>"}
 * where tombstones is the SHA-256 of a line "<row> <uuid> <owner> <state> <finished_at>"
 * and "\n" for each, by ascending row; they are those whose pruned_at is the event's at.
 *
 * Events go from the oldest on, by age alone, those of jobs that are still there too (one
 * kept job would else hold all that came after it). First an event
 *   pruned {"through":ID,"hash":"<hex>","before":"<time>","events":N}
 * is appended and the table chain_heads gets the same, so that the chain goes on from
 * that hash; then they are deleted. */
#ifndef REEVE_QUEUE_RETENTION_H
#define REEVE_QUEUE_RETENTION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/common.h"

struct queue;
struct viewer;

#define RETENTION_SLICE_MAX 500

/* What a rule let go, or would. */
struct retention_tally {
	int64_t seen; /* jobs that it is for */
	int64_t outputs, output_bytes, jobs;
	int64_t exempt; /* over a limit, and kept all the same */
	int64_t oldest_output_at,
		oldest_job_at; /* ends of the oldest that stay; 0 none */
};

struct retention_report {
	const struct retention_tally
		*rule; /* one for each rule, then that for the rest */
	size_t rules;
	int64_t outputs, output_bytes, jobs; /* in all */
	int64_t definitions;		     /* of tasks that no job refers to */
	int64_t events;
	int64_t unremovable; /* files that could not be removed; tried again next time */
	int64_t longest_us;  /* that the writers' lock was held */
};

struct retention; /* one run */

#define RETENTION_ALL SIZE_MAX

/* Begins a run. The policy must outlive it. `only` is a rule's index (the count of rules:
 * the rest), or RETENTION_ALL. `principal` is who asked, NULL for Reeve itself. A preview
 * changes nothing and needs only a reader. */
struct retention *retention_open(const struct retention_policy *policy, size_t only,
				 bool is_preview, const char *principal);
void retention_close(struct retention *retention);

/* The next step; its own transactions. 1 there is more to do, 0 it is over, -1. */
int queue_retention_step(struct queue *queue, struct retention *retention,
			 struct err *err);
struct retention_report retention_report(const struct retention *retention);

/* --- the sweep --- */

/* Repairs what a crash, a restored backup or a person left: files below output/ and
 * attempts/ that no row needs go (if they are older than SWEEP_GRACE_US and nobody has
 * them locked), rows whose file is missing say so with an event `output_missing`, empty
 * directories of days go. Nothing that belongs to an attempt that has not ended is
 * touched, nothing whose name is not one of ours, and no link is followed. If output/ is
 * empty although it should not be, nothing is marked: it may be a disk that is not
 * mounted. */
#define SWEEP_GRACE_US (INT64_C(3600) * 1000000)

struct sweep_report {
	int64_t files;	 /* removed, or to be */
	int64_t missing; /* outputs without their file */
	int64_t days;	 /* directories removed */
	bool is_refused; /* output/ is empty: nothing was marked */
};

struct sweep;
struct sweep *sweep_open(bool is_preview, const char *principal);
void sweep_close(struct sweep *sweep);
/* 1 there is more to do, 0 it is over, -1. */
int queue_sweep_step(struct queue *queue, struct sweep *sweep, struct err *err);
struct sweep_report sweep_report(const struct sweep *sweep);

/* --- what remains --- */

/* A job whose rows were pruned. */
struct tombstone {
	char id[37];
	char state[12];
	int64_t finished_at, pruned_at;
};
/* Of a job of this viewer, by its whole id. 1, 0 none, -1. */
int queue_tombstone_get(struct queue *queue, const struct viewer *viewer, const char *id,
			struct tombstone *ret, struct err *err);

#endif
