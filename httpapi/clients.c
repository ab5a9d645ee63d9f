/* clients.c - the connections, and how long each may take.
 *
 * Setting a deadline is one relaxed store, since every request does it four times; the
 * sweep a few times a second pays for it by looking at all of them. */
#include "httpapi/clients.h"

#include <pthread.h>
#include <sys/socket.h>

struct clients {
	pthread_mutex_t lock;
	struct client *first;
};

struct clients *clients_open(void)
{
	struct clients *clients = mem_alloc(sizeof(*clients));
	pthread_mutex_init(&clients->lock, NULL);
	return clients;
}

void clients_close(struct clients *clients)
{
	if (!clients)
		return;
	pthread_mutex_destroy(&clients->lock);
	free(clients);
}

struct client *client_add(struct clients *clients, struct front *front, int fd,
			  int64_t deadline_us)
{
	struct client *client = mem_alloc(sizeof(*client));
	client->front = front;
	client->fd = fd;
	struct ucred peer;
	socklen_t bytes = sizeof(peer);
	int family = 0;
	socklen_t family_bytes = sizeof(family);
	if (getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &family, &family_bytes) == 0 &&
	    family == AF_UNIX &&
	    getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &bytes) == 0) {
		client->uid = peer.uid;
		client->has_uid = true;
	}
	client_expect_within(client, deadline_us);
	pthread_mutex_lock(&clients->lock);
	client->next = clients->first;
	client->link = &clients->first;
	if (client->next)
		client->next->link = &client->next;
	clients->first = client;
	pthread_mutex_unlock(&clients->lock);
	return client;
}

void client_remove(struct clients *clients, struct client *client)
{
	pthread_mutex_lock(&clients->lock);
	*client->link = client->next;
	if (client->next)
		client->next->link = client->link;
	pthread_mutex_unlock(&clients->lock);
	free(client);
}

void client_expect_within(struct client *client, int64_t us)
{
	client_expect_until(client, clock_boot_us() + us);
}

void client_expect_until(struct client *client, int64_t at_us)
{
	atomic_store_explicit(&client->deadline_us, at_us, memory_order_relaxed);
}

void client_expect_nothing(struct client *client)
{
	atomic_store_explicit(&client->deadline_us, 0, memory_order_relaxed);
}

size_t clients_sweep(struct clients *clients, int64_t now_us)
{
	size_t count = 0;
	pthread_mutex_lock(&clients->lock);
	for (struct client *client = clients->first; client; client = client->next) {
		int64_t deadline_us =
			atomic_load_explicit(&client->deadline_us, memory_order_relaxed);
		/* The library closes the descriptor only after client_remove, so under
		 * this lock the number still means this connection. */
		if (deadline_us != 0 && deadline_us <= now_us)
			shutdown(client->fd, SHUT_RDWR);
		count++;
	}
	pthread_mutex_unlock(&clients->lock);
	return count;
}
