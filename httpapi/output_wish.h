/* output_wish.h - which part of a job's output a request asks for. */
#ifndef REEVE_HTTPAPI_OUTPUT_WISH_H
#define REEVE_HTTPAPI_OUTPUT_WISH_H

#include "httpapi/track.h"

/* stream=, attempt= and tail_lines= of the query. ERR_BAD_REQUEST. */
int output_wish_read(struct request *request, struct track_wish *ret, struct err *err);

/* Is it there to be asked for? ERR_NOT_FOUND: the job has fewer attempts, and who follows
 * cannot wait for this one either. ERR_GONE: it, or what follows it, was removed; the
 * request then has what remains (gone.h). */
int output_wish_check(struct request *request, struct queue *queue, const struct job *job,
		      const struct track_wish *wish, struct err *err);

/* ERR_NOT_FOUND, in words. */
int output_wish_no_attempt(const struct job *job, int64_t attempt, struct err *err);

/* Where tail_lines begin in the output. ERR_BAD_REQUEST: further back than is looked. */
int output_wish_tail(struct request *request, struct output *output,
		     const struct track_wish *wish, int64_t *ret_offset, struct err *err);

#endif
