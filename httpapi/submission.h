/* submission.h - from the body of POST /v1/jobs to a validated submission.
 *
 * One table of members; every fault is found in one pass and reported with its pointer.
 * What is validated: the program lies below the exec roots, the environment follows the
 * policy, every size is within its limit. Nothing is stored here. */
#ifndef REEVE_HTTPAPI_SUBMISSION_H
#define REEVE_HTTPAPI_SUBMISSION_H

#include "queue/queue.h"
#include "tasks/tasks.h"

/* A submission and the memory that its texts live in. */
struct intake {
	struct submission submission;
	cJSON *tree;
	struct buf command, environment, labels, retry;
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

/* May a request set this environment variable? By the configuration, or with a task by
 * that. NULL: yes; else words that say why not. */
const char *intake_environment_refusal(const struct config *config,
				       const struct task *task, const char *name);

#endif
