/* waiter.h - a suspended connection that something will wake.
 *
 * One word of state decides who resumes a connection, so that it happens exactly once:
 *
 *     WAITER_AWAKE  --park-->  WAITER_PARKED  --ring--> WAITER_AWAKE (resumed)
 *     WAITER_AWAKE  --ring-->  WAITER_RUNG    --park--> WAITER_AWAKE (looks again)
 *
 * The server thread parks, or the writer in its stead; the watcher rings, holding its
 * lock, and only waiters that are in its list. A connection is always suspended before
 * PARKED becomes visible. */
#ifndef REEVE_HTTPAPI_WAITER_H
#define REEVE_HTTPAPI_WAITER_H

#include <microhttpd.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "queue/queue.h"

struct crowd;

enum waiter_turn { WAITER_AWAKE, WAITER_PARKED, WAITER_RUNG };

struct waiter {
	struct waiter *next, **link; /* the watcher's list, under its lock */
	bool is_listed; /* it is in that list; of the thread that has the request */
	struct MHD_Connection *connection;
	int socket_fd;
	uint64_t serial; /* names it in the watcher's epoll set */
	char job_id[JOB_ID_BYTES];
	bool only_final;     /* is not interested before the job is final */
	bool wants_bell;     /* also every ring of the doorbell: output may have begun */
	int64_t deadline_us; /* CLOCK_BOOTTIME; 0: none */
	/* who is woken together with it (crowd.h), under the watcher's lock */
	struct crowd *crowd; /* NULL: nobody */
	struct waiter *crowd_next, **crowd_link;
	_Atomic int turn;
	_Atomic bool is_gone;  /* the client has hung up */
	_Atomic bool is_newer; /* the job, or for who wants the bell anything, has changed
				  since this was last cleared */
};

/* Called by the thread that serves the connection, from a handler or a content reader.
 * True: the connection is suspended, return at once. False: rung meanwhile, look again.
 */
bool waiter_park(struct waiter *waiter);

/* Called by the writer instead of resuming the connection, which it has suspended: from
 * here on a ring resumes it, or has done so already. Nobody may touch it afterwards. */
void waiter_leave(struct waiter *waiter);

/* Called by the watcher under its lock. */
void waiter_ring(struct waiter *waiter);

#endif
