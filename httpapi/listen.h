/* listen.h - the sockets that the intake listens on. */
#ifndef REEVE_HTTPAPI_LISTEN_H
#define REEVE_HTTPAPI_LISTEN_H

#include "httpapi/server.h"

/* Opens the listening socket of front->listener and fills fd, port, address, socket_path
 * and hosts. A Unix socket that nobody serves any more is replaced; one that is served is
 * ERR_UNAVAILABLE, like a port in use. */
int front_listen(struct front *front, struct err *err);

/* Closes the socket, removes its file, frees the texts. */
void front_release(struct front *front);

#endif
