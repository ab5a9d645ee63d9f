/* view.h - a job as it is shown: its row, its last attempt with its output, and whether
 * anything depends on it or it on anything, by one statement and without a copy.
 *
 * Part of queue.h. For answers, which are written while the view is open; who keeps a job
 * asks queue_job_get. */
#ifndef REEVE_QUEUE_VIEW_H
#define REEVE_QUEUE_VIEW_H

#include "queue/queue.h"

struct job_view {
	struct job job;	     /* its texts are the statement's: never job_release it */
	struct attempt last; /* as queue_attempt_get would give it; its text likewise */
	bool has_last;
	bool has_parents;    /* queue_dependencies would tell of some */
	bool has_dependants; /* of whatever owner */
};

/* Looks at the job with this row: 1 (until job_view_close; one at a time for each
 * handle), 0 none, -1. Needs no release then. */
int job_view_open(struct queue *queue, int64_t row, struct job_view *ret,
		  struct err *err);
void job_view_close(struct queue *queue);

#endif
