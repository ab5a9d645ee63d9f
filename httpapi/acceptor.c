/* acceptor.c - the one thread that lets connections in (see acceptor.h). */
#include "httpapi/acceptor.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "httpapi/addresses.h"
#include "httpapi/loops.h"

/* From one listener before the others are looked at. */
#define TURN_MAX 64

/* When there are no descriptors or no memory for more: until some may have been given
 * back. */
#define PAUSE_MS 100

/* What the acceptor knows of one front. */
struct entrance {
	struct addresses addresses; /* under the acceptor's lock */
	_Atomic int64_t inside;	    /* connections let in and not ended */
};

struct acceptor {
	struct server *server;
	struct entrance *entrance; /* one for each front */
	struct pollfd *ready;	   /* those of the fronts, then wake_fd */
	pthread_mutex_t lock;
	pthread_t thread;
	int wake_fd;
	bool is_running;
	bool is_exhausted;   /* the last one could not be accepted */
	bool has_complained; /* since one could */
	_Atomic bool is_stopping;
};

static struct entrance *entrance_of(const struct front *front)
{
	const struct server *server = front->server;
	return &server->acceptor->entrance[front - server->fronts];
}

static void wake(struct acceptor *acceptor)
{
	const uint64_t one = 1;
	const ssize_t ignored = write(acceptor->wake_fd, &one, sizeof(one));
	(void)ignored; /* full: it is awake */
}

static bool is_full(const struct front *front)
{
	return atomic_load(&entrance_of(front)->inside) >=
	       front->server->started_with->limits.connections;
}

void acceptor_left(struct front *front, const struct sockaddr *address)
{
	struct acceptor *acceptor = front->server->acceptor;
	struct entrance *entrance = entrance_of(front);
	pthread_mutex_lock(&acceptor->lock);
	addresses_remove(&entrance->addresses, address);
	pthread_mutex_unlock(&acceptor->lock);
	if (atomic_fetch_sub(&entrance->inside, 1) >=
	    front->server->started_with->limits.connections)
		wake(acceptor);
}

static void let_in(struct acceptor *acceptor, struct front *front, int fd,
		   const struct sockaddr *address, socklen_t bytes)
{
	struct entrance *entrance = entrance_of(front);
	const int64_t max = front->server->started_with->limits.connections_per_address;
	pthread_mutex_lock(&acceptor->lock);
	bool is_welcome = addresses_add(&entrance->addresses, address, max);
	pthread_mutex_unlock(&acceptor->lock);
	if (!is_welcome) {
		close(fd);
		return;
	}
	atomic_fetch_add(&entrance->inside, 1);
	loops_bring(front->loops, fd, address, bytes);
}

/* What is wrong with one connection is no reason not to take the next. */
static bool is_exhaustion(int number)
{
	return number == EMFILE || number == ENFILE || number == ENOBUFS ||
	       number == ENOMEM;
}

static void accept_some(struct acceptor *acceptor, struct front *front)
{
	for (int i = 0; i < TURN_MAX && !is_full(front); i++) {
		struct sockaddr_storage address = {0};
		socklen_t bytes = sizeof(address);
		int fd = accept4(front->fd, (struct sockaddr *)&address, &bytes,
				 SOCK_NONBLOCK | SOCK_CLOEXEC);
		if (fd < 0 && is_exhaustion(errno)) {
			if (!acceptor->has_complained)
				log_event(LOG_WARN, "accept_failed",
					  LOG_TEXT("listener", front->address),
					  LOG_TEXT("error", strerror(errno)), LOG_END);
			acceptor->is_exhausted = acceptor->has_complained = true;
			return;
		}
		if (fd < 0)
			return;
		acceptor->has_complained = false;
		let_in(acceptor, front, fd, (struct sockaddr *)&address, bytes);
	}
}

/* Until somebody knocks, or one inside may have made room. */
static void wait_for_some(struct acceptor *acceptor)
{
	const struct server *server = acceptor->server;
	uint64_t count;
	for (size_t i = 0; i < server->front_count; i++) {
		const struct front *front = &server->fronts[i];
		bool is_shut = acceptor->is_exhausted || is_full(front);
		acceptor->ready[i] =
			(struct pollfd){.fd = is_shut ? -1 : front->fd, .events = POLLIN};
	}
	struct pollfd *woken = &acceptor->ready[server->front_count];
	*woken = (struct pollfd){.fd = acceptor->wake_fd, .events = POLLIN};
	if (poll(acceptor->ready, server->front_count + 1,
		 acceptor->is_exhausted ? PAUSE_MS : -1) < 0)
		abort(); /* no signal comes to this thread */
	if (woken->revents && read(acceptor->wake_fd, &count, sizeof(count)) < 0)
		abort(); /* it was ready, and nobody else reads it */
	acceptor->is_exhausted = false;
}

static void *acceptor_main(void *cls)
{
	struct acceptor *acceptor = cls;
	const struct server *server = acceptor->server;
	while (!atomic_load(&acceptor->is_stopping)) {
		wait_for_some(acceptor);
		for (size_t i = 0; i < server->front_count; i++)
			if (acceptor->ready[i].revents)
				accept_some(acceptor, &server->fronts[i]);
	}
	return NULL;
}

int acceptor_open(struct acceptor **ret, struct server *server, struct err *err)
{
	struct acceptor *acceptor = mem_alloc(sizeof(*acceptor));
	acceptor->server = server;
	acceptor->entrance = mem_array(server->front_count, sizeof(*acceptor->entrance));
	acceptor->ready = mem_array(server->front_count + 1, sizeof(*acceptor->ready));
	pthread_mutex_init(&acceptor->lock, NULL);
	acceptor->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (acceptor->wake_fd < 0) {
		err_sys(err, ERR_UNAVAILABLE, errno, "eventfd");
		acceptor_close(acceptor);
		return -1;
	}
	*ret = acceptor; /* the loops tell it who left */
	if (pthread_create(&acceptor->thread, NULL, acceptor_main, acceptor) != 0)
		abort(); /* at the start, for want of memory */
	acceptor->is_running = true;
	return 0;
}

void acceptor_stop(struct acceptor *acceptor)
{
	if (!acceptor || !acceptor->is_running)
		return;
	atomic_store(&acceptor->is_stopping, true);
	wake(acceptor);
	pthread_join(acceptor->thread, NULL);
	acceptor->is_running = false;
	for (size_t i = 0; i < acceptor->server->front_count; i++)
		mem_close(&acceptor->server->fronts[i].fd);
}

void acceptor_close(struct acceptor *acceptor)
{
	if (!acceptor)
		return;
	acceptor_stop(acceptor);
	mem_close(&acceptor->wake_fd);
	for (size_t i = 0; i < acceptor->server->front_count; i++)
		addresses_release(&acceptor->entrance[i].addresses);
	pthread_mutex_destroy(&acceptor->lock);
	free(acceptor->entrance);
	free(acceptor->ready);
	free(acceptor);
}
