/* server.h - the intake as one object: what every request can reach.
 *
 * One `struct server` lives from server_open to server_close. Nothing in it changes while
 * requests are served, but for the atomics and the settings in force. A `struct front` is
 * one listener with its own threads, because who a client is follows from the door it
 * came through. */
#ifndef REEVE_HTTPAPI_SERVER_H
#define REEVE_HTTPAPI_SERVER_H

#include <microhttpd.h>
#include <stdatomic.h>

#include "httpapi/settings.h"
#include "queue/queue.h"

struct acceptor;
struct clients;
struct kept;
struct loops;
struct readers;
struct server;
struct shares;
struct watcher;
struct writer;

#define FRONT_HOSTS_MAX 6

struct front {
	struct server *server;
	const struct listener *listener;
	int fd;			      /* -1 once it no longer listens */
	int port;		      /* 0 for a Unix socket */
	char *address;		      /* as logged: "127.0.0.1:8080", "unix:/..." */
	char *socket_path;	      /* to be removed at the end; NULL for TCP */
	char *hosts[FRONT_HOSTS_MAX]; /* values of Host that mean us; none: any will do */
	size_t host_count;
	struct loops *loops;
};

struct server {
	struct settings_cell settings;	   /* for requests, which take them */
	const struct config *started_with; /* for what cannot change meanwhile */
	struct readers *readers;
	struct kept *kept;
	struct writer *writer;
	struct watcher *watcher;
	struct clients *clients;
	struct shares *shares;
	struct acceptor *acceptor;
	struct front *fronts;
	size_t front_count;
	bool has_token;
	uint8_t token_hash[DIGEST_BYTES];
	uint64_t request_prefix; /* makes request ids of two lives differ */
	_Atomic uint64_t request_number;
	_Atomic int64_t held_bytes; /* of bodies in memory, over all requests */
	_Atomic int active;	    /* requests begun and not completed */
	_Atomic int64_t fresh; /* connections let in whose first request did not begin */
	_Atomic bool is_stopping; /* waiting and following end at once */
};

/* How much of all bodies together may be in memory. */
#define HELD_BYTES_MAX (INT64_C(256) << 20)

/* Opens the database, the listeners and the threads; requests are served from here on.
 * The caller holds the settings until after server_close. */
int server_open(struct server *server, struct settings *settings, struct err *err);

/* Reads the settings again, puts them in force if nothing is wrong with them, and logs
 * what came of it (reload.c). */
void server_reload(struct server *server, const char *config_path);

/* Stops accepting, finishes what is under way, ends streams, closes everything. */
void server_close(struct server *server);

#endif
