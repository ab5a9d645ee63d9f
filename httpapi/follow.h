/* follow.h - sending a job's output as raw bytes while it grows. */
#ifndef REEVE_HTTPAPI_FOLLOW_H
#define REEVE_HTTPAPI_FOLLOW_H

#include "httpapi/track.h"

/* A response whose body is what the track leads along, to its end; takes the track. With
 * `has_times` each line begins with the time when it was written. The connection is
 * suspended while there is nothing to send. When the server stops or the output cannot be
 * read the connection is cut, so that the client can tell it from the end. */
struct MHD_Response *follow_response(struct request *request, struct track *track,
				     bool has_times);

#endif
