/* watcher.c - the one thread that waits for everything else (see watcher.h). */
#include "httpapi/watcher.h"

#include <errno.h>
#include <pthread.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "httpapi/changes.h"
#include "httpapi/clients.h"
#include "httpapi/server.h"
#include "httpapi/watches.h"

/* Everything that waits is looked at this often even if no hint came: a row written by
 * hand with sqlite3, a bell that was lost. */
#define TICK_US US_PER_S
#define TICK_LEAST_US (50 * US_PER_MS)

#define BUCKETS 256
#define EVENTS_AT_ONCE 64

/* What a descriptor in the epoll set is; larger values are serials of waiters. */
enum { SOURCE_BELL, SOURCE_POKE, SOURCE_GROWTH, SOURCE_FIRST_WAITER };

struct watcher {
	struct server *server;
	struct changes changes;
	pthread_t thread;
	int epoll_fd, bell_fd, poke_fd;
	int64_t next_tick_us; /* CLOCK_BOOTTIME */
	_Atomic bool is_closing, is_poked;
	_Atomic bool is_blind;		/* some output could not be watched, once */
	pthread_mutex_t lock;		/* for what follows */
	struct waiter *bucket[BUCKETS]; /* by job */
	size_t waiters;
	uint64_t serial;
	int64_t earliest_us;	 /* no waiter's deadline is before this */
	struct watches *watches; /* outputs that grow */
	struct crowd bell;	 /* who wants the bell */
	int64_t settle_us;	 /* when a crowd is to be woken that was woken lately */
};

static size_t bucket_of(const char *job_id)
{
	uint32_t hash = 2166136261u; /* FNV-1a */
	for (const char *c = job_id; *c; c++)
		hash = (hash ^ (unsigned char)*c) * 16777619u;
	return hash % BUCKETS;
}

/* --- the list --- */

/* There is something to wait for that comes earlier. */
static void wake(struct watcher *watcher)
{
	uint64_t one = 1;
	ssize_t written = write(watcher->poke_fd, &one, sizeof(one));
	(void)written; /* full means: it will wake */
}

void watcher_poke(struct watcher *watcher)
{
	atomic_store(&watcher->is_poked, true);
	wake(watcher);
}

void watcher_add(struct watcher *watcher, struct waiter *waiter)
{
	struct epoll_event hang_up = {.events = EPOLLRDHUP | EPOLLET};
	waiter->is_listed = true;
	pthread_mutex_lock(&watcher->lock);
	struct waiter **first = &watcher->bucket[bucket_of(waiter->job_id)];
	waiter->serial = watcher->serial++;
	waiter->next = *first;
	waiter->link = first;
	if (waiter->next)
		waiter->next->link = &waiter->next;
	*first = waiter;
	watcher->waiters++;
	waiter->crowd = NULL;
	if (waiter->wants_bell)
		crowd_join(&watcher->bell, waiter);
	bool is_earlier =
		waiter->deadline_us != 0 && waiter->deadline_us < watcher->earliest_us;
	if (is_earlier)
		watcher->earliest_us = waiter->deadline_us;
	hang_up.data.u64 = waiter->serial;
	epoll_ctl(watcher->epoll_fd, EPOLL_CTL_ADD, waiter->socket_fd, &hang_up);
	pthread_mutex_unlock(&watcher->lock);
	if (is_earlier)
		wake(watcher);
}

/* Calls `visit` for every waiter; the lock is held. */
static void for_each(struct watcher *watcher,
		     void (*visit)(struct watcher *, struct waiter *, int64_t),
		     int64_t value)
{
	for (size_t i = 0; i < BUCKETS; i++)
		for (struct waiter *at = watcher->bucket[i]; at; at = at->next)
			visit(watcher, at, value);
}

void watcher_remove(struct watcher *watcher, struct waiter *waiter)
{
	if (!waiter->is_listed)
		return;
	waiter->is_listed = false;
	pthread_mutex_lock(&watcher->lock);
	*waiter->link = waiter->next;
	if (waiter->next)
		waiter->next->link = waiter->link;
	waiter->link = NULL;
	watcher->waiters--;
	epoll_ctl(watcher->epoll_fd, EPOLL_CTL_DEL, waiter->socket_fd, NULL);
	watches_drop(watcher->watches, waiter);
	pthread_mutex_unlock(&watcher->lock);
}

void watcher_follow(struct watcher *watcher, struct waiter *waiter, int fd)
{
	pthread_mutex_lock(&watcher->lock);
	watches_drop(watcher->watches, waiter);
	/* Out of watches: every ring of the bell and every tick must do. */
	if (!watches_add(watcher->watches, waiter, fd)) {
		crowd_join(&watcher->bell, waiter);
		atomic_store(&watcher->is_blind, true);
	}
	pthread_mutex_unlock(&watcher->lock);
}

void watcher_unfollow(struct watcher *watcher, struct waiter *waiter)
{
	pthread_mutex_lock(&watcher->lock);
	watches_drop(watcher->watches, waiter);
	crowd_join(&watcher->bell, waiter);
	pthread_mutex_unlock(&watcher->lock);
}

bool watcher_rest(struct watcher *watcher, struct waiter *waiter)
{
	bool is_earlier = false;
	pthread_mutex_lock(&watcher->lock);
	const bool is_rest = waiter->crowd && crowd_rest(waiter->crowd);
	if (is_rest && waiter->crowd->pause_us < watcher->settle_us) {
		watcher->settle_us = waiter->crowd->pause_us;
		is_earlier = true;
	}
	pthread_mutex_unlock(&watcher->lock);
	if (is_earlier)
		wake(watcher);
	return is_rest;
}

void watcher_expect(struct watcher *watcher, struct waiter *waiter, int64_t deadline_us)
{
	pthread_mutex_lock(&watcher->lock);
	waiter->deadline_us = deadline_us;
	const bool is_earlier = deadline_us < watcher->earliest_us;
	if (is_earlier)
		watcher->earliest_us = deadline_us;
	pthread_mutex_unlock(&watcher->lock);
	if (is_earlier)
		wake(watcher);
}

static void ring_any(struct watcher *watcher, struct waiter *waiter, int64_t unused)
{
	(void)watcher;
	(void)unused;
	atomic_store(&waiter->is_newer, true);
	waiter_ring(waiter);
}

void watcher_ring_all(struct watcher *watcher)
{
	pthread_mutex_lock(&watcher->lock);
	for_each(watcher, ring_any, 0);
	pthread_mutex_unlock(&watcher->lock);
}

/* --- what happens --- */

static void ring_changed(struct watcher *watcher, const struct change *change)
{
	bool is_final = job_state_is_final(change->state);
	struct waiter *at = watcher->bucket[bucket_of(change->job_id)];
	for (; at; at = at->next) {
		if (strcmp(at->job_id, change->job_id) != 0 ||
		    (at->only_final && !is_final))
			continue;
		atomic_store(&at->is_newer, true);
		waiter_ring(at);
	}
}

static void see_changes(void *cls, const struct change *changes, int count)
{
	struct watcher *watcher = cls;
	pthread_mutex_lock(&watcher->lock);
	for (int i = 0; i < count; i++)
		ring_changed(watcher, &changes[i]);
	pthread_mutex_unlock(&watcher->lock);
}

static bool has_waiters(void *cls)
{
	struct watcher *watcher = cls;
	pthread_mutex_lock(&watcher->lock);
	bool has = watcher->waiters > 0;
	pthread_mutex_unlock(&watcher->lock);
	return has;
}

static void on_bell(struct watcher *watcher)
{
	const struct changes_use use = {
		.is_needed = has_waiters, .see = see_changes, .cls = watcher};
	struct err err = ERR_INIT;
	if (changes_read(&watcher->changes, &use, &err) < 0)
		log_event(LOG_WARN, "watch_failed", LOG_TEXT("error", err.text), LOG_END);
	pthread_mutex_lock(&watcher->lock);
	crowd_ring(&watcher->bell, clock_boot_us());
	watcher->settle_us = 0;
	pthread_mutex_unlock(&watcher->lock);
}

static void on_growth(struct watcher *watcher)
{
	pthread_mutex_lock(&watcher->lock);
	if (watches_take(watcher->watches, clock_boot_us()))
		for_each(watcher, ring_any, 0);
	watcher->settle_us = 0;
	pthread_mutex_unlock(&watcher->lock);
}

static void ring_gone(struct watcher *watcher, struct waiter *waiter, int64_t serial)
{
	(void)watcher;
	if (waiter->serial != (uint64_t)serial)
		return;
	atomic_store(&waiter->is_gone, true);
	waiter_ring(waiter);
}

static void on_hang_up(struct watcher *watcher, uint64_t serial)
{
	pthread_mutex_lock(&watcher->lock);
	for_each(watcher, ring_gone, (int64_t)serial);
	pthread_mutex_unlock(&watcher->lock);
}

/* --- time --- */

static void ring_late(struct watcher *watcher, struct waiter *waiter, int64_t now_us)
{
	if (waiter->deadline_us == 0)
		return;
	if (waiter->deadline_us <= now_us)
		waiter_ring(waiter);
	else if (waiter->deadline_us < watcher->earliest_us)
		watcher->earliest_us = waiter->deadline_us;
}

static void on_time(struct watcher *watcher, int64_t now_us)
{
	pthread_mutex_lock(&watcher->lock);
	if (watcher->earliest_us <= now_us) {
		watcher->earliest_us = INT64_MAX;
		for_each(watcher, ring_late, now_us);
	}
	if (watcher->settle_us <= now_us) {
		const int64_t files_us = watches_settle(watcher->watches, now_us);
		const int64_t bell_us = crowd_settle(&watcher->bell, now_us);
		watcher->settle_us = files_us < bell_us ? files_us : bell_us;
	}
	pthread_mutex_unlock(&watcher->lock);
}

/* Between two looks at the clients. */
static int64_t tick_us(struct server *server)
{
	struct settings *settings = settings_take(&server->settings);
	int64_t us = settings->config.http.header_deadline_us / 8;
	settings_give(settings);
	if (us > TICK_US)
		return TICK_US;
	return us < TICK_LEAST_US ? TICK_LEAST_US : us;
}

static void on_tick(struct watcher *watcher, int64_t now_us)
{
	if (now_us < watcher->next_tick_us)
		return;
	size_t clients = clients_sweep(watcher->server->clients, now_us);
	/* Nobody there: nothing to be late, so the whole second will do. */
	watcher->next_tick_us =
		now_us + (clients > 0 ? tick_us(watcher->server) : TICK_US);
	struct err err = ERR_INIT;
	const int found = changes_are_there(&watcher->changes, &err);
	if (found < 0)
		log_event(LOG_WARN, "watch_failed", LOG_TEXT("error", err.text), LOG_END);
	else if (found == 1 || watcher->is_blind)
		on_bell(watcher);
}

static int sleep_ms(struct watcher *watcher)
{
	int64_t now_us = clock_boot_us();
	pthread_mutex_lock(&watcher->lock);
	int64_t until_us = watcher->earliest_us < watcher->settle_us
				   ? watcher->earliest_us
				   : watcher->settle_us;
	pthread_mutex_unlock(&watcher->lock);
	if (watcher->next_tick_us < until_us)
		until_us = watcher->next_tick_us;
	if (until_us <= now_us)
		return 0;
	return (int)((until_us - now_us + US_PER_MS - 1) / US_PER_MS);
}

static void on_source(struct watcher *watcher, uint64_t source)
{
	uint64_t pokes;
	switch (source) {
	case SOURCE_BELL:
		bell_drain(watcher->bell_fd);
		on_bell(watcher);
		break;
	case SOURCE_POKE:
		if (read(watcher->poke_fd, &pokes, sizeof(pokes)) > 0 &&
		    atomic_exchange(&watcher->is_poked, false))
			on_bell(watcher);
		break;
	case SOURCE_GROWTH:
		on_growth(watcher);
		break;
	default:
		on_hang_up(watcher, source);
	}
}

static void *watcher_main(void *cls)
{
	struct watcher *watcher = cls;
	struct epoll_event events[EVENTS_AT_ONCE];
	while (!atomic_load(&watcher->is_closing)) {
		int count = epoll_wait(watcher->epoll_fd, events, EVENTS_AT_ONCE,
				       sleep_ms(watcher));
		for (int i = 0; i < count; i++)
			on_source(watcher, events[i].data.u64);
		int64_t now_us = clock_boot_us();
		on_time(watcher, now_us);
		on_tick(watcher, now_us);
	}
	return NULL;
}

/* --- life --- */

static int add_source(struct watcher *watcher, int fd, uint64_t source, struct err *err)
{
	struct epoll_event event = {.events = EPOLLIN, .data.u64 = source};
	if (fd < 0 || epoll_ctl(watcher->epoll_fd, EPOLL_CTL_ADD, fd, &event) < 0)
		return err_sys(err, ERR_INTERNAL, errno, "setting up the watcher");
	return 0;
}

static int open_sources(struct watcher *watcher, struct err *err)
{
	const char *state_dir = watcher->server->started_with->state_dir;
	watcher->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	watcher->poke_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	int growth_fd;
	if (watches_open(&watcher->watches, &growth_fd, err) < 0)
		return -1;
	if (bell_listen(state_dir, WATCHER_BELL, &watcher->bell_fd, err) < 0) {
		/* It may be the one before us, about to end: worth another try. */
		if (err->code == ERR_CONFLICT)
			err_set(err, ERR_UNAVAILABLE,
				"another reeve-httpapi serves this state_dir");
		return -1;
	}
	if (add_source(watcher, watcher->bell_fd, SOURCE_BELL, err) < 0 ||
	    add_source(watcher, watcher->poke_fd, SOURCE_POKE, err) < 0 ||
	    add_source(watcher, growth_fd, SOURCE_GROWTH, err) < 0)
		return -1;
	return changes_open(&watcher->changes, state_dir, err);
}

static void release(struct watcher *watcher)
{
	const int fds[] = {watcher->epoll_fd, watcher->poke_fd, watcher->bell_fd};
	for (size_t i = 0; i < ARRAY_SIZE(fds); i++)
		if (fds[i] >= 0)
			close(fds[i]);
	if (watcher->bell_fd >= 0)
		bell_unlisten(watcher->server->started_with->state_dir, WATCHER_BELL);
	watches_close(watcher->watches);
	changes_close(&watcher->changes);
	pthread_mutex_destroy(&watcher->lock);
	free(watcher);
}

int watcher_open(struct watcher **ret, struct server *server, struct err *err)
{
	struct watcher *watcher = mem_alloc(sizeof(*watcher));
	watcher->server = server;
	watcher->epoll_fd = watcher->poke_fd = watcher->bell_fd = -1;
	watcher->serial = SOURCE_FIRST_WAITER;
	watcher->earliest_us = watcher->settle_us = INT64_MAX;
	watcher->bell.is_bell = true;
	pthread_mutex_init(&watcher->lock, NULL);
	if (open_sources(watcher, err) < 0) {
		release(watcher);
		return -1;
	}
	if (pthread_create(&watcher->thread, NULL, watcher_main, watcher) != 0)
		abort(); /* at the start, for want of memory */
	*ret = watcher;
	return 0;
}

void watcher_close(struct watcher *watcher)
{
	if (!watcher)
		return;
	atomic_store(&watcher->is_closing, true);
	watcher_poke(watcher);
	pthread_join(watcher->thread, NULL);
	release(watcher);
}
