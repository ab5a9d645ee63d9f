/* loops.h - the threads that serve the connections of one listener.
 *
 * Each is one daemon of libmicrohttpd with one thread, its own epoll and no listening
 * socket: connections are brought to it (acceptor.h), and stay. As few run as serve
 * everybody well, since each more only means that fewer requests are answered between two
 * switches of thread: http.threads of them, each begun when the others have something,
 * and another only when every one has as many connections as it can bear. */
#ifndef REEVE_HTTPAPI_LOOPS_H
#define REEVE_HTTPAPI_LOOPS_H

#include <sys/socket.h>

#include "httpapi/server.h"

struct loops;

/* The inactivity that the library bears, unless a connection is told otherwise: in whole
 * seconds, of settings that do not change while it runs. */
unsigned loops_timeout_s(const struct server *server);

/* With the first thread. ERR_UNAVAILABLE. */
int loops_open(struct loops **ret, struct front *front, struct err *err);

/* Gives a connection to one of the threads; called by one thread only. The socket is
 * closed when it ends, and acceptor_left told, or at once when it cannot be served. */
void loops_bring(struct loops *loops, int fd, const struct sockaddr *address,
		 socklen_t bytes);

/* Ends the connections and the threads. None may be suspended. */
void loops_close(struct loops *loops);

#endif
