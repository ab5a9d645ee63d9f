/* clients.h - the connections, and how long each may take.
 *
 * The HTTP library knows only inactivity, under which one byte a second lives for ever.
 * Here every connection has one absolute deadline, moved by the phase it is in; the
 * watcher looks over them and shuts the socket of a late one down, which the library
 * takes as the client's leaving. */
#ifndef REEVE_HTTPAPI_CLIENTS_H
#define REEVE_HTTPAPI_CLIENTS_H

#include <stdatomic.h>
#include <sys/types.h>

#include "common/common.h"

struct front;

struct client {
	struct client *next, **link;
	struct front *front;
	int fd;
	uid_t uid; /* of the peer; Unix sockets only */
	bool has_uid;
	bool has_begun;		     /* its first request */
	_Atomic int64_t deadline_us; /* CLOCK_BOOTTIME; 0: none */
};

struct clients;
struct clients *clients_open(void);
void clients_close(struct clients *clients);

/* A connection has been accepted, and is about to be closed. */
struct client *client_add(struct clients *clients, struct front *front, int fd,
			  int64_t deadline_us);
void client_remove(struct clients *clients, struct client *client);

/* The phases. `us` counts from now. */
void client_expect_within(struct client *client, int64_t us);
void client_expect_until(struct client *client, int64_t at_us); /* CLOCK_BOOTTIME */
void client_expect_nothing(struct client *client);

/* Shuts down every connection that is late at `now_us`. How many there are in all. */
size_t clients_sweep(struct clients *clients, int64_t now_us);

#endif
