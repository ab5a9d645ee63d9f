/* lookup.h - from the {id} of a path to the job, and waiting for it to end. */
#ifndef REEVE_HTTPAPI_LOOKUP_H
#define REEVE_HTTPAPI_LOOKUP_H

#include "httpapi/request.h"

/* The job that request->argument names: an id, a unique prefix of one, or "last" (the
 * asker's newest). ERR_NOT_FOUND, ERR_CONFLICT (several begin so), ERR_GONE (it was
 * pruned). */
int lookup_job(struct request *request, struct queue *queue, struct job *ret,
	       struct err *err);

/* Its whole id alone, by a reader of its own: the path may hold a prefix, a write names
 * the whole. The errors of lookup_job. */
int lookup_job_id(struct request *request, char ret[JOB_ID_BYTES], struct err *err);

/* How long the request is willing to wait: ?wait=S, else "Prefer: wait=S"; 0: not at all.
 * ret_preferred says that it was a preference, which is echoed when it is applied.
 * ERR_BAD_REQUEST. */
int lookup_wait(struct request *request, int64_t *ret_us, bool *ret_preferred,
		struct err *err);

/* A number in the query, within bounds; `fallback` when it is not there.
 * ERR_BAD_REQUEST. */
int lookup_number(struct request *request, const char *name, int64_t min, int64_t max,
		  int64_t fallback, int64_t *ret, struct err *err);

/* A flag in the query: "1" or "true", "0" or "false". ERR_BAD_REQUEST. */
int lookup_flag(struct request *request, const char *name, bool *ret, struct err *err);

/* ?stream=: "both" (when it is not there), "stdout", "stderr". ERR_BAD_REQUEST. */
int lookup_stream(struct request *request, enum output_stream *ret, struct err *err);
const char *lookup_stream_word(enum output_stream stream);

/* ERR_BAD_REQUEST "<name> <words>", which is answered with the parameter's name as a
 * member of its own. */
int lookup_refuse(struct request *request, const char *name, struct err *err,
		  const char *format, ...) __attribute__((format(printf, 4, 5)));

#endif
