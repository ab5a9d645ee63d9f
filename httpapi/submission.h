/* submission.h - from the body of POST /v1/jobs to a validated submission.
 *
 * One table of members; every fault is found in one pass and reported with its pointer.
 * What is validated: the program lies below the exec roots, the environment follows the
 * policy, every size is within its limit. Nothing is stored here. */
#ifndef REEVE_HTTPAPI_SUBMISSION_H
#define REEVE_HTTPAPI_SUBMISSION_H

#include "queue/queue.h"
#include "tasks/tasks.h"

/* One thing that a submission waits for, as it names it. */
struct wanted {
	const char *job; /* an id, or @ref in a batch; NULL: what was there was wrong */
	enum dependency_condition condition;
};

/* A submission and the memory that its texts live in. */
struct intake {
	struct submission submission;
	cJSON *tree;	 /* of the whole body; NULL in a batch, which has it */
	const char *ref; /* in a batch: what others call it; NULL: nothing */
	/* what it waits for, as the request names it, and as depends.c found it */
	struct wanted *wanted;
	size_t wanted_count;
	const char *stdin_job; /* whose stdout becomes its stdin; NULL: nobody's */
	struct dependency_wish *wishes;
	size_t wish_count;
	size_t stdin_wish; /* which of them stdin_job is */
	struct buf command, environment, labels, retry, callback;
	uint8_t *stdin_bytes; /* decoded base64 */
	char *parameters;     /* of a task, checked */
};

void intake_init(struct intake *intake);
void intake_release(struct intake *intake);

/* Reads and validates. ERR_BAD_REQUEST (with line and column) when the body is no JSON;
 * else 0, and what is wrong is in `problems`. The submission's owner, idempotency key,
 * trace context and body hash are the caller's. */
int intake_read(struct intake *intake, const struct config *config,
		const struct tasks *tasks, const char *body, size_t length,
		struct problems *problems, struct err *err);

/* The program that a job of a batch names, for the next one: nearly always it is the
 * same, and is then not looked for again. Begins with zeros. */
struct found_program {
	const char *command; /* as named; of the batch's tree */
	char *path;	     /* heap, the holder's to free */
};

/* The same for an object of a body that is parsed already: one job of a batch, when there
 * is `last`. The tree must outlive the intake. */
void intake_read_tree(struct intake *intake, const struct config *config,
		      const struct tasks *tasks, const cJSON *tree,
		      struct found_program *last, struct problems *problems);

/* May a request set this environment variable? By the configuration, or with a task by
 * that. NULL: yes; else words that say why not. */
const char *intake_environment_refusal(const struct config *config,
				       const struct task *task, const char *name);

#endif
