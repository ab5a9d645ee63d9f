/* change.h - changing what was asked for, before it starts.
 *
 * Part of queue.h. */
#ifndef REEVE_QUEUE_CHANGE_H
#define REEVE_QUEUE_CHANGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/common.h"

struct queue;
struct viewer;

/* What is to be different. Texts are the caller's. */
struct job_change {
	bool has_name, has_priority, has_labels, has_run_at, has_keep;
	const char *name; /* NULL: none */
	int priority;
	const char *labels; /* JSON object of strings, replaces all; NULL: none */
	int64_t run_at;	    /* not before; 0: at once */
	bool is_kept;	    /* exempt from retention */

	/* Only if the job's version is one of these, as somebody saw it. */
	bool has_versions;
	const int64_t *version;
	size_t versions;
};

/* [write] Changes a job that is waiting or queued, also between two of its attempts;
 * `is_kept` also one that runs or has ended. With a new run_at a job waits for it or goes
 * on at once, as if it had been submitted so; a held one stays held. All in one event
 * `changed` with the old and the new values, and one new version (but that of a job that
 * has ended stays, as its row does). What is as it was already is no change, and without
 * any there is no event.
 * ERR_NOT_FOUND; ERR_PRECONDITION: another version, which is in *ret_version;
 * ERR_CONFLICT when it runs or has ended; ERR_INVALID when run_at is not earlier than its
 * expires_at.
 */
int queue_job_change(struct queue *queue, const struct viewer *viewer, const char *id,
		     const struct job_change *change, int64_t *ret_version,
		     struct err *err);

#endif
