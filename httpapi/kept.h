/* kept.h - jobs that have ended, as the API shows them, kept to be shown again.
 *
 * Who asks for the same jobs again and again, alone or in pages, is answered without
 * asking the database: what is kept is good for exactly as long as nothing at all was
 * committed, by whatever program (queue/snapshot.h), for the same viewer and under the
 * same settings. Only what the database alone says may be kept: nothing of a running
 * process, of a growing file or of the clock. */
#ifndef REEVE_HTTPAPI_KEPT_H
#define REEVE_HTTPAPI_KEPT_H

#include "queue/queue.h"

/* All together take no more memory than about this; longer ones than KEPT_TEXT_MAX are
 * not kept. */
#define KEPT_BYTES_MAX (6u << 20)
#define KEPT_TEXT_MAX (8u << 10)

struct kept;
struct kept *kept_open(void);
void kept_close(struct kept *kept);

/* Whose view of which job. */
struct kept_key {
	struct viewer viewer;
	uint64_t settings; /* their serial */
	const char *job;   /* its whole id as it was asked for, or its row as digits */
};

/* Appends the job to `body`; false: it is not there from this state of the database. Any
 * thread. */
bool kept_find(struct kept *kept, const struct kept_key *key,
	       const struct queue_stamp *stamp, struct buf *body, int64_t *ret_version);

/* Keeps a job that was read from this state, if it is one that may be kept; others may go
 * for it. */
void kept_put(struct kept *kept, const struct kept_key *key,
	      const struct queue_stamp *stamp, const struct job_view *view,
	      const char *text, size_t length);

#endif
