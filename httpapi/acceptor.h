/* acceptor.h - the one thread that lets connections in.
 *
 * It keeps the limits of each listener: a connection too many of one address is closed;
 * of all together, it waits outside until another ends. Those it lets in it brings to the
 * threads that serve them (loops.h). */
#ifndef REEVE_HTTPAPI_ACCEPTOR_H
#define REEVE_HTTPAPI_ACCEPTOR_H

#include <sys/socket.h>

#include "httpapi/server.h"

struct acceptor;

/* The fronts listen, and their loops run. */
int acceptor_open(struct acceptor **ret, struct server *server, struct err *err);

/* Lets nobody in any more: closes the listening sockets. Twice is fine. */
void acceptor_stop(struct acceptor *acceptor);

/* After the last acceptor_left. */
void acceptor_close(struct acceptor *acceptor);

/* A connection that was let in has ended. From any thread. */
void acceptor_left(struct front *front, const struct sockaddr *address);

#endif
