/* answer.h - what goes back: JSON, problem documents, and the headers every answer has.
 *
 * An answer is built as one response, given its headers, then sent. If the request's body
 * has not been read yet, sending keeps the answer until it has (so that the connection
 * stays usable), unless the framing cannot be trusted: then it is sent at once and the
 * connection closed. */
#ifndef REEVE_HTTPAPI_ANSWER_H
#define REEVE_HTTPAPI_ANSWER_H

#include "httpapi/request.h"

/* One answer of JSON is at most this long: a page of 500 jobs with long commands. */
#define ANSWER_BYTES_MAX (256u << 20)

/* A response of JSON; takes the buffer's content. */
struct MHD_Response *answer_json(struct buf *body);

/* A response of plain text that lives for ever (a constant). */
struct MHD_Response *answer_text(const char *text);

/* A response without a body. */
struct MHD_Response *answer_empty(void);

/* The headers that every answer has. answer_json and the others do it themselves. */
void answer_guard(struct MHD_Response *response);

void answer_header(struct MHD_Response *response, const char *name, const char *format,
		   ...) __attribute__((format(printf, 3, 4)));

/* Sends it and gives up our share of it. */
enum MHD_Result answer_send(struct request *request, unsigned status,
			    struct MHD_Response *response);

/* Sends what answer_send kept. */
enum MHD_Result answer_send_kept(struct request *request);

/* Problem documents (RFC 9457). What a 5xx was about goes to the log, not to the client.
 */
enum MHD_Result answer_error(struct request *request, const struct err *err);
enum MHD_Result answer_problems(struct request *request, enum err_code code,
				const struct problems *problems);

/* With the id of the job that is in the way, as the member `job`; "" for none. */
enum MHD_Result answer_error_about(struct request *request, const struct err *err,
				   const char *job_id);
enum MHD_Result answer_problems_about(struct request *request, enum err_code code,
				      const struct problems *problems,
				      const char *job_id);

/* The problem document as a response, for those that need more headers. */
struct MHD_Response *answer_problem_new(struct request *request, const struct err *err,
					const struct problems *problems);

/* The explanation of a problem type, served as /problems/<name>; NULL: no such. */
const char *answer_problem_text(const char *name);

#endif
