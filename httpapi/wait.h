/* wait.h - answering with a job, at once or when it is final. */
#ifndef REEVE_HTTPAPI_WAIT_H
#define REEVE_HTTPAPI_WAIT_H

#include "httpapi/request.h"

/* How to answer once the waiting is over. */
struct wait {
	char job_id[JOB_ID_BYTES];
	unsigned status;   /* 200, 201 */
	int64_t wait_us;   /* 0: answer now */
	bool is_preferred; /* echo Preference-Applied */
	bool is_replay;	   /* Idempotency-Replayed */
	bool is_created;   /* Location; no If-None-Match */
};

/* Answers with the job, after waiting for it to be final or for the time to be over. The
 * struct must live as long as the request. */
enum MHD_Result wait_and_answer(struct request *request, struct wait *wait);

/* A response that is this job, with ETag and the headers that `wait` asks for. Takes the
 * buffer. */
struct MHD_Response *wait_response(const struct wait *wait, struct buf *body,
				   int64_t version);

#endif
