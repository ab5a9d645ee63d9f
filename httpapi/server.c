/* server.c - the intake as one object: opening it, serving, and closing it in order.
 *
 * The order of closing is the only one that works: nobody new is accepted, the waiting
 * are rung and answer (libmicrohttpd must not be stopped with suspended connections),
 * what is under way finishes, then the HTTP threads, then those that they hand work to.
 */
#include "httpapi/server.h"

#include <unistd.h>

#include "httpapi/acceptor.h"
#include "httpapi/clients.h"
#include "httpapi/kept.h"
#include "httpapi/listen.h"
#include "httpapi/loops.h"
#include "httpapi/readers.h"
#include "httpapi/shares.h"
#include "httpapi/watcher.h"
#include "httpapi/writer.h"

/* How long requests under way may take to finish when the server stops. */
#define FINISH_US (INT64_C(5) * US_PER_S)
#define ANSWER_US US_PER_S /* for answers that have only to be sent */
#define FINISH_LOOK_US 2000
#define FRESH_US (200 * US_PER_MS) /* for a first request of who was let in */

/* --- opening --- */

static int load_token(struct server *server, struct err *err)
{
	bool is_new;
	bool is_needed = false;
	for (size_t i = 0; i < server->started_with->listeners.count; i++)
		is_needed |= !server->started_with->listeners.item[i].is_unix;
	if (!is_needed)
		return 0;
	if (auth_token_load(server->started_with, server->token_hash, &is_new, err) < 0)
		return -1;
	server->has_token = true;
	AUTO_FREE char *path = config_path(server->started_with, "token");
	log_event(LOG_INFO, is_new ? "token_made" : "token_read", LOG_TEXT("file", path),
		  LOG_END);
	return 0;
}

static int open_parts(struct server *server, struct err *err)
{
	const struct config *config = server->started_with;
	if (file_make_dirs(config->state_dir, 0700, err) < 0 ||
	    load_token(server, err) < 0)
		return -1;
	server->clients = clients_open();
	server->shares = shares_open();
	server->readers = readers_open(config->state_dir);
	server->kept = kept_open();
	if (writer_open(&server->writer, server, err) < 0 ||
	    watcher_open(&server->watcher, server, err) < 0)
		return -1;
	return 0;
}

static int open_fronts(struct server *server, struct err *err)
{
	const struct listeners *listeners = &server->started_with->listeners;
	server->fronts = mem_array(listeners->count, sizeof(*server->fronts));
	for (size_t i = 0; i < listeners->count; i++) {
		struct front *front = &server->fronts[i];
		front->server = server;
		front->listener = &listeners->item[i];
		if (front_listen(front, err) < 0)
			return -1;
		server->front_count++;
	}
	/* Nobody is served before all can be. */
	for (size_t i = 0; i < server->front_count; i++)
		if (loops_open(&server->fronts[i].loops, &server->fronts[i], err) < 0)
			return -1;
	return acceptor_open(&server->acceptor, server, err);
}

int server_open(struct server *server, struct settings *settings, struct err *err)
{
	*server = (struct server){.started_with = &settings->config};
	settings_cell_init(&server->settings, settings);
	random_bytes(&server->request_prefix, sizeof(server->request_prefix));
	if (open_parts(server, err) < 0 || open_fronts(server, err) < 0) {
		server_close(server);
		return -1;
	}
	return 0;
}

/* --- closing --- */

/* Rings the waiting again and again, since one may have been about to park when it was
 * rung, and gives those that send an answer the time to do so. */
static void ring_until_idle(struct server *server, int64_t patience_us)
{
	const int64_t began_us = clock_boot_us();
	int64_t now_us = began_us;
	while (now_us < began_us + patience_us &&
	       (atomic_load(&server->active) > 0 ||
		(atomic_load(&server->fresh) > 0 && now_us < began_us + FRESH_US))) {
		watcher_ring_all(server->watcher);
		usleep(FINISH_LOOK_US);
		now_us = clock_boot_us();
	}
}

static void finish_requests(struct server *server)
{
	atomic_store(&server->is_stopping, true);
	ring_until_idle(server, FINISH_US);
	/* Who is still there does not read, or waits for a slow disk. None of them may be
	 * suspended when the library stops, so the writer ends first, however long that
	 * takes; whose write it has just committed gets the time for the answer. */
	writer_finish(server->writer);
	ring_until_idle(server, ANSWER_US);
	watcher_ring_all(server->watcher);
}

void server_close(struct server *server)
{
	acceptor_stop(server->acceptor);
	if (server->watcher)
		finish_requests(server);
	for (size_t i = 0; i < server->front_count; i++)
		loops_close(server->fronts[i].loops);
	acceptor_close(server->acceptor);
	writer_close(server->writer);
	watcher_close(server->watcher);
	readers_close(server->readers);
	kept_close(server->kept);
	clients_close(server->clients);
	shares_close(server->shares);
	for (size_t i = 0; i < server->front_count; i++)
		front_release(&server->fronts[i]);
	free(server->fronts);
	settings_cell_release(&server->settings);
	*server = (struct server){0};
}
