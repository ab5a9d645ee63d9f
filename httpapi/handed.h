/* handed.h - an answer that the library sends from a file by itself.
 *
 * The kernel moves the bytes from the file to the socket (sendfile), 128 KiB a turn, so
 * that one connection does not keep the others of its thread waiting. Nothing of ours is
 * called meanwhile, so that no deadline can be moved: for that long it is the library's
 * limit on inactivity that cuts off who has taken nothing for http.stall_s. A socket
 * takes more only when a good part of what it holds has been read, so a byte a second is
 * nothing. A file that somebody makes shorter meanwhile ends the connection as well. */
#ifndef REEVE_HTTPAPI_HANDED_H
#define REEVE_HTTPAPI_HANDED_H

#include "httpapi/request.h"

/* The response to be sent for this request; takes the descriptor. */
struct MHD_Response *handed_response(struct request *request, int fd, int64_t offset,
				     int64_t bytes);

/* The request is over: its connection is under the ordinary limit again. */
void handed_end(struct request *request);

#endif
