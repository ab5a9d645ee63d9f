/* watcher.h - the one thread that waits for everything else.
 *
 * It sleeps in one epoll: the doorbell (the database has changed), inotify (a followed
 * output has grown), the sockets of waiting clients (somebody hung up), and a tick for
 * deadlines. What it finds it turns into rings (waiter.h). So a waiting or following
 * client costs no thread. */
#ifndef REEVE_HTTPAPI_WATCHER_H
#define REEVE_HTTPAPI_WATCHER_H

#include "httpapi/waiter.h"

#define WATCHER_BELL "httpapi"

struct server;
struct watcher;

int watcher_open(struct watcher **ret, struct server *server, struct err *err);
void watcher_close(struct watcher *watcher);

/* "Look at the database": our own writer has changed something. */
void watcher_poke(struct watcher *watcher);

/* Rings every waiter, for instance because the server stops. */
void watcher_ring_all(struct watcher *watcher);

/* Puts a waiter in the list, awake. The caller has filled connection, socket_fd, job_id,
 * only_final, wants_bell and deadline_us. What happens from here on will ring it, so look
 * at the database after this, not before. */
void watcher_add(struct watcher *watcher, struct waiter *waiter);

/* Takes it out, if it is in. Nobody touches it afterwards. */
void watcher_remove(struct watcher *watcher, struct waiter *waiter);

/* From here on growth of the file behind `fd` rings the waiter, instead of the bell. Read
 * again after this. */
void watcher_follow(struct watcher *watcher, struct waiter *waiter, int fd);

/* Back to the bell. Look at the database after this. */
void watcher_unfollow(struct watcher *watcher, struct waiter *waiter);

/* It has sent a block and there is more: whether it should park before the next, so that
 * many who follow the same leave the machine to others. It will be rung. */
bool watcher_rest(struct watcher *watcher, struct waiter *waiter);

/* Rings it at this time (CLOCK_BOOTTIME), instead of its former deadline. */
void watcher_expect(struct watcher *watcher, struct waiter *waiter, int64_t deadline_us);

#endif
