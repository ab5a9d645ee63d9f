/* environment.h - the environment of a job, built from nothing.
 *
 * Nothing of the worker's own environment reaches a job: neither its secrets nor whatever
 * the person had set who started it. */
#ifndef REEVE_WORKER_ENVIRONMENT_H
#define REEVE_WORKER_ENVIRONMENT_H

#include "queue/queue.h"

/* Who the jobs run as, looked up once. */
struct account {
	char *name; /* the number, when the user has no name */
	char *home; /* "/", when there is none */
};
void account_init(struct account *ret);
void account_release(struct account *account);

/* "NAME=value" for PATH, HOME, USER and LANG, then the request's own, which may replace
 * those, then REEVE_JOB_ID, REEVE_ATTEMPT, REEVE_QUEUE and, if the submission had one,
 * TRACEPARENT, which nothing replaces. ret: NULL-terminated, heap; words_free frees.
 * ERR_INVALID: the stored environment is not a JSON object of strings. */
int environment_of(const struct config *config, const struct account *account,
		   const struct claim *claim, char ***ret, struct err *err);

/* The job's argv from its JSON array; as above. */
int argv_of(const char *command, char ***ret, struct err *err);

void words_free(char **words);

#endif
