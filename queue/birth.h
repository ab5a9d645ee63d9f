/* birth.h - what submitting one job, many jobs and one again share.
 *
 * Private to queue/. A birth is decided first, from what the parents have done by then,
 * and written afterwards; nothing of it can be refused in between. */
#ifndef REEVE_QUEUE_BIRTH_H
#define REEVE_QUEUE_BIRTH_H

#include "queue/db.h"

struct birth {
	int64_t now;
	uint8_t uuid[DB_UUID_BYTES];
	const uint8_t *batch; /* NULL: it came alone */
	enum job_state state;
	const char *reason;	      /* NULL, or one of ours */
	enum dependency_state *fate;  /* of each dependency; heap, NULL without any */
	char parent_id[JOB_ID_BYTES]; /* skipped: the first that makes it impossible */
	char parent_state[12];
};

/* Looks at the parents. `siblings` are the items of the same batch that were submitted
 * before. ERR_INVALID when a parent is not there. */
int birth_decide(struct queue *queue, const struct submission *submission,
		 const struct submitted *siblings, struct birth *birth, struct err *err);
void birth_release(struct birth *birth);

/* The row of the parent that is wished for. */
int64_t wish_row(const struct dependency_wish *wish, const struct submitted *siblings);

/* The rows of table dependencies, after the job's row and before its first event. */
int birth_dependencies(struct queue *queue, const struct submission *submission,
		       const struct submitted *siblings, const struct birth *birth,
		       int64_t row, struct err *err);

/* The job's first event. `rerun_of` NULL: of nothing. */
int birth_event(struct queue *queue, const struct birth *birth, int64_t row,
		const char *owner, int64_t run_at, const char *rerun_of, struct err *err);

/* One job without looking at its key: queue_submit and the items of a batch. */
int submit_one(struct queue *queue, const struct submission *submission,
	       const struct submitted *siblings, const uint8_t *batch,
	       struct submitted *ret, struct err *err);

/* What a job waits for, without the count of those that wait for it (dependency.c). The
 * list is to be released after a failure too. */
int dependency_list_load(struct queue *queue, const struct viewer *viewer,
			 int64_t job_row, struct dependency_list *list, struct err *err);

/* Is work of this name alive already? 1 then *ret is it, 0 go on (it may have been
 * cancelled to make room), -1 (ERR_CONFLICT). */
int unique_look(struct queue *queue, const struct submission *submission,
		struct submitted *ret, struct err *err);

/* --- a part of a transaction (part.c) --- */

/* May be taken back without the rest of the transaction. Parts do not nest. */
struct part {
	struct event_chain chain;
	int settle_left;
	struct tally tally;
};
int part_begin(struct queue *queue, struct part *part, struct err *err);
int part_end(struct queue *queue, struct part *part, struct err *err);
/* After a refusal: 0, or -1 when the whole transaction is to be rolled back. */
int part_undo(struct queue *queue, struct part *part, struct err *err);

/* --- idempotency keys (key.c) --- */

struct request_key {
	const char *principal, *text; /* text NULL: none */
	const uint8_t *body_hash;
};

/* Whether this principal used the key before. 1 (then *ret is that job), 0, -1
 * (ERR_INVALID: with another request). */
int key_find(struct queue *queue, const struct request_key *key, struct submitted *ret,
	     struct err *err);

/* [write] The key made this job, or this batch whose first job it is. */
int key_keep(struct queue *queue, const struct request_key *key, int64_t row,
	     const uint8_t *batch, struct err *err);

#endif
