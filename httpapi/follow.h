/* follow.h - sending an attempt's output while it grows. */
#ifndef REEVE_HTTPAPI_FOLLOW_H
#define REEVE_HTTPAPI_FOLLOW_H

#include "httpapi/request.h"

/* A response whose body is the stream from its first byte until the attempt has ended;
 * `attempt` 0 is the last one there is, and if there is none yet, the first to come. The
 * connection is suspended while there is nothing to send. When the server stops or the
 * output cannot be read the connection is cut, so that the client can tell it from the
 * end. */
struct MHD_Response *follow_response(struct request *request, const struct job *job,
				     int attempt, enum output_stream stream);

#endif
