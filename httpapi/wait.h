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

/* Before the commit of a job that is new: has it rung at the job's end, so that nothing
 * happens to the request until then. To be followed by wait_and_answer. Anew if it is
 * called again, because the transaction was. */
struct waiter *wait_listen(struct request *request, const struct wait *wait,
			   const char *job_id);

/* The waiting is over, or the job was not committed after all. */
void wait_forget(struct request *request);

/* A response that is this job, with ETag and the headers that `wait` asks for. Takes the
 * buffer. */
struct MHD_Response *wait_response(const struct wait *wait, struct buf *body,
				   int64_t version);

#endif
