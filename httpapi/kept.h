/* kept.h - answers about jobs that have ended, kept to be given again.
 *
 * A client that asks for the same job again and again, or many that ask for the same
 * ones, are answered without asking the database: an answer is good for exactly as long
 * as nothing at all was committed, by whatever program (queue/snapshot.h), for the same
 * viewer and under the same settings. Only what the database alone says may be kept:
 * nothing of a running process, of a growing file or of the clock. */
#ifndef REEVE_HTTPAPI_KEPT_H
#define REEVE_HTTPAPI_KEPT_H

#include "queue/queue.h"

/* All answers together take no more memory than about this; longer ones than
 * KEPT_ANSWER_MAX are not kept. */
#define KEPT_BYTES_MAX (8u << 20)
#define KEPT_ANSWER_MAX (8u << 10)

struct kept;
struct kept *kept_open(void);
void kept_close(struct kept *kept);

/* Whose view of which job. */
struct kept_key {
	struct viewer viewer;
	uint64_t settings;  /* their serial */
	const char *job_id; /* the whole id */
};

/* Copies the answer into `body` (empty before); false: there is none from this state of
 * the database. Any thread. */
bool kept_find(struct kept *kept, const struct kept_key *key,
	       const struct queue_stamp *stamp, struct buf *body, int64_t *ret_version);

/* Keeps an answer that was read from this state; others may go for it. */
void kept_put(struct kept *kept, const struct kept_key *key,
	      const struct queue_stamp *stamp, const struct buf *body, int64_t version);

#endif
