/* stream.h - how a body ends that libmicrohttpd asks us for piece by piece.
 *
 * A content reader of libmicrohttpd 0.9.75 may say that the body is over or has failed.
 * When the library takes that as "close the connection", and had called the reader while
 * it looked for something to send, it marks the connection as closed and then forgets it:
 * the descriptor stays open, counted against every limit, until something else wakes that
 * thread, and longer if an older connection is idle on it. A send that fails, however, it
 * always cleans up after. So whatever ends with the connection ends in a send that fails.
 */
#ifndef REEVE_HTTPAPI_STREAM_H
#define REEVE_HTTPAPI_STREAM_H

#include "httpapi/request.h"

/* What a content reader returns to cut the body short: what was sent before still arrives
 * and then the connection ends, without the last chunk or the promised length, so that
 * the client can tell. `data` is the reader's buffer. */
ssize_t stream_cut(const struct client *client, char *data);

/* What it returns at the end of a body of unknown length. Where HTTP/1.0 knows no chunks,
 * the end of the connection is the end of the body. */
ssize_t stream_end(const struct request *request, char *data);

#endif
