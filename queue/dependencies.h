/* dependencies.h - one job waits for how another one ends; batches, reruns, graphs.
 *
 * Part of queue.h. A dependency is a row (job, parent, condition, state). It is settled
 * once, met or impossible, in the transaction in which its parent ends (or starts), by
 * the table `dependency_rules`; what that means for the job (go on, be skipped) follows
 * in the same transaction, and so on down. Where more than DEPENDENTS_SLICE jobs hang on
 * one end, the rest is written down in the table `unresolved` and settled in the
 * transactions that follow, whoever dies in between. */
#ifndef REEVE_QUEUE_DEPENDENCIES_H
#define REEVE_QUEUE_DEPENDENCIES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/common.h"

struct attempt;
struct output;
struct queue;
struct submission;
struct submitted;
struct viewer;

#define DEPENDENTS_SLICE 1000

/* clang-format off */
#define DEPENDENCY_CONDITIONS(X) \
	X(DEPENDS_SUCCESS, "success") \
	X(DEPENDS_FAILURE, "failure") \
	X(DEPENDS_ANY,     "any") \
	X(DEPENDS_STARTED, "started")
#define DEPENDENCY_STATES(X) \
	X(DEPENDENCY_PENDING,    "pending") \
	X(DEPENDENCY_MET,        "met") \
	X(DEPENDENCY_IMPOSSIBLE, "impossible")
/* clang-format on */

enum dependency_condition {
	DEPENDS_NONE = 0,
#define DEPENDENCY_CONDITION_ENUM_(value, word) value,
	DEPENDENCY_CONDITIONS(DEPENDENCY_CONDITION_ENUM_)
#undef DEPENDENCY_CONDITION_ENUM_
};
enum dependency_state {
#define DEPENDENCY_STATE_ENUM_(value, word) value,
	DEPENDENCY_STATES(DEPENDENCY_STATE_ENUM_)
#undef DEPENDENCY_STATE_ENUM_
};

const char *dependency_condition_word(enum dependency_condition condition);
/* DEPENDS_NONE when it is none. */
enum dependency_condition dependency_condition_parse(const char *word);
const char *dependency_state_word(enum dependency_state state);

/* What a submission waits for. */
struct dependency_wish {
	int64_t parent_row; /* of a job that is there; 0: an item of the same batch */
	size_t parent_item; /* its index in the batch, lower than the own one */
	enum dependency_condition condition;
};

/* The row of a job that this viewer may see, by its id or a prefix of it. 1, 0 none, -1
 * (ERR_CONFLICT: several begin so). */
int queue_job_row(struct queue *queue, const struct viewer *viewer, const char *id,
		  int64_t *ret_row, struct err *err);

/* --- batches --- */

/* Many submissions, stored all or none. Items stand so that parents come first; their
 * idempotency keys are not looked at, the batch has its own. */
struct batch {
	const char *owner;
	const char *idempotency_key; /* NULL: none */
	uint8_t body_hash[DIGEST_BYTES];
	const struct submission *item;
	size_t count;
};

struct batch_submitted {
	char *id;		/* of the batch; JOB_ID_BYTES of the caller's */
	bool is_replay;		/* an earlier request with this key made it */
	struct submitted *item; /* `count` of the caller's, in the order of the items; on
				   a replay those of the first time */
	size_t failed_item; /* on ERR_INVALID and ERR_CONFLICT: which one, or SIZE_MAX */
};

/* [write] Errors as queue_submit; nothing of it is stored then, and the transaction may
 * go on (it is done in a savepoint). */
int queue_submit_batch(struct queue *queue, const struct batch *batch,
		       struct batch_submitted *ret, struct err *err);

/* --- settling --- */

/* [write] Goes on with what one transaction could not hold, and with rows written by
 * hand; a transaction settles at most DEPENDENTS_SLICE dependencies altogether. How many
 * it settled, or -1; whether there are more, for the next transaction. */
int queue_resolve(struct queue *queue, bool *ret_is_more, struct err *err);

/* Is there anything for queue_resolve to do? 1, 0, -1. */
int queue_unresolved(struct queue *queue, struct err *err);

/* --- asking --- */

struct dependency {
	char parent_id[37]; /* "": one that the viewer may not see */
	int64_t parent_row;
	enum dependency_condition condition;
	enum dependency_state state;
	bool is_pruned; /* only its id is left of the parent */
};
struct dependency_list {
	struct dependency *item;
	size_t count;
	int64_t dependants; /* how many jobs that the viewer may see wait (or waited)
			     * for this one */
};
/* What a job waits for (ids of pruned parents too), and how many wait for it. */
int queue_dependencies(struct queue *queue, const struct viewer *viewer, int64_t job_row,
		       struct dependency_list *ret, struct err *err);
void dependency_list_release(struct dependency_list *list);

/* The jobs that hang together with one, and the dependencies between them. */
#define GRAPH_JOBS_MAX 10000
#define GRAPH_EDGES_MAX 100000
struct graph_job {
	char id[37];
	int64_t row;
	char *name, *task, *command; /* heap; NULL where the job has none */
	char state[12];		     /* of a pruned one: as it ended */
};
struct graph_edge {
	size_t job, parent; /* indexes of graph.job */
	enum dependency_condition condition;
	enum dependency_state state;
};
struct graph {
	struct graph_job *job; /* [0] is the one that was asked for */
	size_t jobs;
	struct graph_edge *edge;
	size_t edges;
	bool is_cut; /* there were more than `max` jobs, or too many edges */
};
/* 1, 0 no such job, -1. Jobs that the viewer may not see are left out with their edges.
 */
int queue_graph(struct queue *queue, const struct viewer *viewer, const char *id,
		size_t max, struct graph *ret, struct err *err);
void graph_release(struct graph *graph);

/* --- reading --- */

/* Opens the output whose stdout is to be another job's input: of the last attempt of this
 * job, which is told too (attempt_release). 1, 0 it wrote nothing there, -1: ERR_CONFLICT
 * or ERR_GONE when not all of it is there, or it has not succeeded; the text names it. */
int queue_input_open(struct queue *queue, const char *state_dir, int64_t parent_row,
		     struct output **ret, struct attempt *ret_last, struct err *err);

/* --- again --- */

struct rerun_wish {
	bool is_cascade;
	size_t max;			    /* jobs of a cascade */
	const struct queue_settings *lanes; /* that there are; NULL: any will do */
	const char *idempotency_key;	    /* NULL: none */
	const uint8_t *body_hash;	    /* of what goes with the key */
};
struct rerun {
	char id[37];	/* of the new job */
	char batch[37]; /* of all of them; "" without cascade */
	int64_t jobs;	/* how many were made */
	bool is_replay; /* an earlier request with this key made it; only `id` is known */
};
/* [write] A new job like an old one, owned by the viewer: same command, task definition,
 * parameters, environment, input, labels, limits, retries and priority; not its times,
 * its hold or its dependencies (but for the one that its stdin comes from). With
 * `is_cascade` also new ones like all that depend on it, however indirectly, with the
 * same dependencies: on the new one where the parent was made again, else on the old
 * one. Dependants that still live are made again too. ERR_NOT_FOUND; ERR_CONFLICT while
 * the job has not ended, and when one of them depends on a job that was pruned;
 * ERR_TOO_LARGE above `max` jobs, with nothing written; ERR_INVALID when the key was used
 * for another request, or the queue of one of them is not configured any more. */
int queue_rerun(struct queue *queue, const struct viewer *viewer, const char *id,
		const struct rerun_wish *wish, struct rerun *ret, struct err *err);

#endif
