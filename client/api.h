/* api.h - questions to the service: answers as JSON, refusals as errors.
 *
 * A problem document (RFC 9457) becomes one struct err of the kind that its status and
 * code stand for, so that its exit code follows from the same table as everywhere, and
 * one line for each of its pointers, which main prints below. */
#ifndef REEVE_CLIENT_API_H
#define REEVE_CLIENT_API_H

#include "client/http.h"

/* Whoever waits for the service goes on after a restart of it, but not for longer. */
#define OUT_OF_REACH_US (60 * US_PER_S)

/* GETs a path (printf) and parses the answer; the caller frees with cJSON_Delete. */
int api_get(struct cli *cli, cJSON **ret, struct err *err, const char *path_format, ...)
	__attribute__((format(printf, 4, 5)));

/* Sends a changing request with a body of JSON to a path (printf) and parses the answer,
 * which the caller frees. Not repeated when the connection is lost. */
int api_send(struct cli *cli, cJSON **ret, struct err *err, const char *method,
	     const char *body, const char *path_format, ...)
	__attribute__((format(printf, 6, 7)));

/* The two above for an exchange that is made otherwise: runs it alone, then api_answer.
 * The caller releases it. */
int api_ask(struct cli *cli, struct exchange *exchange, cJSON **ret, struct err *err);

/* After http_perform: 0 with the parsed answer (`ret` may be NULL), or the failure or
 * problem as -1. */
int api_answer(struct cli *cli, const struct exchange *exchange, cJSON **ret,
	       struct err *err);

/* What the person wrote for a job -> what to put into a path: `last` becomes the id of
 * the caller's newest job, prefixes stay (the service resolves them). The caller frees.
 * ERR_INVALID when it cannot be an id. */
int api_job_id(struct cli *cli, const char *word, char **ret, struct err *err);

/* "a b&c" -> "a%20b%26c"; the caller frees. */
char *url_encode(const char *text);

/* Waits until the job is final: 1 with the job, 0 when `deadline_us` (CLOCK_BOOTTIME; 0:
 * none) came first, -1. Survives a restart of the service. */
int api_wait(struct cli *cli, const char *id, int64_t deadline_us, cJSON **ret_job,
	     struct err *err);

/* The same for the first of several; *ret_index says which. */
int api_wait_any(struct cli *cli, char *const *id, size_t count, int64_t deadline_us,
		 cJSON **ret_job, size_t *ret_index, struct err *err);

#endif
