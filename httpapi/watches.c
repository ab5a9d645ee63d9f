/* watches.c - files that grow, and who waits for that (see watches.h). */
#include "httpapi/watches.h"

#include <errno.h>
#include <limits.h>
#include <sys/inotify.h>
#include <unistd.h>

#define BUCKETS 256

struct watch {
	struct crowd crowd; /* first, so that a crowd's address is its watch's */
	int number;
	struct watch *next, **link;
};

struct watches {
	int fd;
	struct watch *bucket[BUCKETS]; /* by number */
};

int watches_open(struct watches **ret, int *ret_fd, struct err *err)
{
	const int fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	if (fd < 0)
		return err_sys(err, ERR_INTERNAL, errno, "setting up the watcher");
	struct watches *watches = mem_alloc(sizeof(*watches));
	watches->fd = fd;
	*ret = watches;
	*ret_fd = fd;
	return 0;
}

/* By then nobody follows anything any more. */
void watches_close(struct watches *watches)
{
	if (!watches)
		return;
	close(watches->fd);
	free(watches);
}

static struct watch **bucket_of(struct watches *watches, int number)
{
	return &watches->bucket[(unsigned)number % BUCKETS];
}

static struct watch *watch_find(struct watches *watches, int number)
{
	struct watch *at = *bucket_of(watches, number);
	while (at && at->number != number)
		at = at->next;
	return at;
}

static struct watch *watch_new(struct watches *watches, int number)
{
	struct watch **first = bucket_of(watches, number);
	struct watch *watch = mem_alloc(sizeof(*watch));
	watch->number = number;
	watch->next = *first;
	watch->link = first;
	if (watch->next)
		watch->next->link = &watch->next;
	*first = watch;
	return watch;
}

bool watches_add(struct watches *watches, struct waiter *waiter, int fd)
{
	char path[40];
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	/* The same file gives the same number. */
	const int number = inotify_add_watch(watches->fd, path, IN_MODIFY);
	if (number < 0)
		return false;
	struct watch *watch = watch_find(watches, number);
	crowd_join(watch ? &watch->crowd : &watch_new(watches, number)->crowd, waiter);
	return true;
}

void watches_drop(struct watches *watches, struct waiter *waiter)
{
	struct crowd *crowd = waiter->crowd;
	crowd_leave(waiter);
	if (!crowd || crowd->is_bell || crowd->count > 0)
		return;
	struct watch *watch = (struct watch *)(void *)crowd;
	inotify_rm_watch(watches->fd, watch->number);
	*watch->link = watch->next;
	if (watch->next)
		watch->next->link = watch->link;
	free(watch);
}

bool watches_take(struct watches *watches, int64_t now_us)
{
	union {
		struct inotify_event event; /* for its alignment */
		char bytes[16 * (sizeof(struct inotify_event) + NAME_MAX + 1)];
	} buffer;
	bool is_lost = false;
	ssize_t got;
	while ((got = read(watches->fd, buffer.bytes, sizeof(buffer.bytes))) > 0) {
		for (ssize_t at = 0; at < got;) {
			struct inotify_event event;
			memcpy(&event, buffer.bytes + at, sizeof(event));
			struct watch *watch = watch_find(watches, event.wd);
			if (event.mask & IN_Q_OVERFLOW)
				is_lost = true;
			else if (watch)
				crowd_ring(&watch->crowd, now_us);
			at += (ssize_t)(sizeof(event) + event.len);
		}
	}
	return is_lost;
}

int64_t watches_settle(struct watches *watches, int64_t now_us)
{
	int64_t next_us = INT64_MAX;
	for (size_t i = 0; i < BUCKETS; i++)
		for (struct watch *at = watches->bucket[i]; at; at = at->next) {
			const int64_t us = crowd_settle(&at->crowd, now_us);
			next_us = us < next_us ? us : next_us;
		}
	return next_us;
}
