/* watches.h - files that grow, and who waits for that.
 *
 * One inotify watch and one crowd per file, however many follow it. All of it under the
 * watcher's lock. */
#ifndef REEVE_HTTPAPI_WATCHES_H
#define REEVE_HTTPAPI_WATCHES_H

#include "httpapi/crowd.h"

struct watches;

/* ret_fd is readable when something has grown; borrowed. */
int watches_open(struct watches **ret, int *ret_fd, struct err *err);
void watches_close(struct watches *watches);

/* From here on growth of the file behind `fd` rings the waiter. False: out of watches. */
bool watches_add(struct watches *watches, struct waiter *waiter, int fd);

/* The waiter leaves its crowd; a watch that nobody is left for goes. */
void watches_drop(struct watches *watches, struct waiter *waiter);

/* Rings for what has grown. True: some of it was lost, ring everybody. */
bool watches_take(struct watches *watches, int64_t now_us);

/* Rings whose time has come; when to come back, INT64_MAX: no need. */
int64_t watches_settle(struct watches *watches, int64_t now_us);

#endif
