/* server.c - the intake as one object: opening it, serving, and closing it in order.
 *
 * The order of closing is the only one that works: nobody new is accepted, the waiting
 * are rung and answer (libmicrohttpd must not be stopped with suspended connections),
 * what is under way finishes, then the HTTP threads, then those that they hand work to.
 */
#include "httpapi/server.h"

#include <pthread.h>
#include <stdarg.h>
#include <unistd.h>

#include "httpapi/clients.h"
#include "httpapi/kept.h"
#include "httpapi/listen.h"
#include "httpapi/readers.h"
#include "httpapi/request.h"
#include "httpapi/shares.h"
#include "httpapi/watcher.h"
#include "httpapi/writer.h"

/* Of a connection's memory, beside its request line and headers: what the library keeps
 * with them, and the head of the answer. Half of all that is written to for each
 * connection, used or not, so a thousand followers feel every KiB. */
#define CONNECTION_SPARE_BYTES 8192

/* How long requests under way may take to finish when the server stops. */
#define FINISH_US (INT64_C(5) * US_PER_S)
#define ANSWER_US US_PER_S /* for answers that have only to be sent */
#define FINISH_LOOK_US 2000

/* --- what the HTTP library calls --- */

static void *on_request_line(void *cls, const char *target,
			     struct MHD_Connection *connection)
{
	(void)cls;
	const union MHD_ConnectionInfo *info =
		MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
	return request_new(info->socket_context, connection, target);
}

static enum MHD_Result on_turn(void *cls, struct MHD_Connection *connection,
			       const char *path, const char *method, const char *version,
			       const char *data, size_t *bytes, void **context)
{
	(void)cls;
	(void)connection;
	(void)path;
	return *context ? request_turn(*context, method, version, data, bytes) : MHD_NO;
}

static void on_completed(void *cls, struct MHD_Connection *connection, void **context,
			 enum MHD_RequestTerminationCode code)
{
	(void)cls;
	(void)connection;
	(void)code;
	if (*context)
		request_free(*context);
	*context = NULL;
}

/* MHD_quiesce_daemon would do this, but in 0.9.75 it races with the threads of its pool:
 * both take the listening socket out of the epoll set, and whoever comes second aborts
 * the program. */
static enum MHD_Result on_accept(void *cls, const struct sockaddr *address,
				 socklen_t bytes)
{
	const struct front *front = cls;
	(void)address;
	(void)bytes;
	return atomic_load(&front->is_shut) ? MHD_NO : MHD_YES;
}

static void on_connection(void *cls, struct MHD_Connection *connection, void **context,
			  enum MHD_ConnectionNotificationCode code)
{
	struct front *front = cls;
	struct server *server = front->server;
	if (code == MHD_CONNECTION_NOTIFY_STARTED) {
		const union MHD_ConnectionInfo *info = MHD_get_connection_info(
			connection, MHD_CONNECTION_INFO_CONNECTION_FD);
		struct settings *settings = settings_take(&server->settings);
		*context = client_add(server->clients, front, info->connect_fd,
				      settings->config.http.header_deadline_us);
		settings_give(settings);
	} else if (*context) {
		client_remove(server->clients, *context);
		*context = NULL;
	}
}

static void on_library_log(void *cls, const char *format, va_list args)
	__attribute__((format(printf, 2, 0)));
static void on_library_log(void *cls, const char *format, va_list args)
{
	char text[512];
	(void)cls;
	vsnprintf(text, sizeof(text), format, args);
	text[strcspn(text, "\n")] = '\0';
	log_event(LOG_DEBUG, "http", LOG_TEXT("text", text), LOG_END);
}

/* --- opening --- */

/* When exactly 128 things are ready at once on a thread, libmicrohttpd 0.9.75 (MHD_epoll)
 * asks for more before it looks at them, and sleeps until one more comes: nobody is
 * answered. So there are threads enough that none ever has as many: its connections, the
 * listening socket, and what other threads wake it by. */
#define THREAD_CONNECTIONS_MAX (127 - 2)

static unsigned threads_of(const struct config *config)
{
	int64_t least = (config->limits.connections + THREAD_CONNECTIONS_MAX - 1) /
			THREAD_CONNECTIONS_MAX;
	return (unsigned)(config->http.threads > least ? config->http.threads : least);
}

static int start_front(struct front *front, struct err *err)
{
	const struct config *config = front->server->started_with;
	unsigned threads = threads_of(config);
	/* The inactivity limit bounds those who do not read what they asked for. */
	struct MHD_OptionItem options[] = {
		{MHD_OPTION_EXTERNAL_LOGGER, (intptr_t)on_library_log, NULL},
		{MHD_OPTION_LISTEN_SOCKET, front->fd, NULL},
		{MHD_OPTION_URI_LOG_CALLBACK, (intptr_t)on_request_line, front},
		{MHD_OPTION_NOTIFY_COMPLETED, (intptr_t)on_completed, front},
		{MHD_OPTION_NOTIFY_CONNECTION, (intptr_t)on_connection, front},
		{MHD_OPTION_CONNECTION_LIMIT, (intptr_t)config->limits.connections, NULL},
		{MHD_OPTION_PER_IP_CONNECTION_LIMIT,
		 (intptr_t)config->limits.connections_per_address, NULL},
		{MHD_OPTION_CONNECTION_MEMORY_LIMIT,
		 (intptr_t)(config->limits.header_bytes + config->limits.target_bytes +
			    CONNECTION_SPARE_BYTES),
		 NULL},
		{MHD_OPTION_CONNECTION_TIMEOUT,
		 (intptr_t)((config->http.request_deadline_us + US_PER_S - 1) / US_PER_S),
		 NULL},
		{MHD_OPTION_STRICT_FOR_CLIENT, 1, NULL},
		{threads > 1 ? MHD_OPTION_THREAD_POOL_SIZE : MHD_OPTION_END, threads,
		 NULL},
		{MHD_OPTION_END, 0, NULL},
	};
	front->daemon = MHD_start_daemon(MHD_USE_EPOLL_INTERNAL_THREAD |
						 MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ITC |
						 MHD_USE_ERROR_LOG,
					 0, on_accept, front, on_turn, front,
					 MHD_OPTION_ARRAY, options, MHD_OPTION_END);
	if (!front->daemon)
		return err_set(err, ERR_UNAVAILABLE, "%s: the HTTP server did not start",
			       front->address);
	return 0;
}

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
		if (start_front(&server->fronts[i], err) < 0)
			return -1;
	return 0;
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

static void stop_accepting(struct server *server)
{
	for (size_t i = 0; i < server->front_count; i++)
		atomic_store(&server->fronts[i].is_shut, true);
}

/* The library closes the listening socket, which it was lent. */
static void stop_front(struct front *front)
{
	if (!front->daemon)
		return;
	MHD_stop_daemon(front->daemon);
	front->daemon = NULL;
	front->fd = -1;
}

/* Rings the waiting again and again, since one may have been about to park when it was
 * rung, and gives those that send an answer the time to do so. */
static void ring_until_idle(struct server *server, int64_t patience_us)
{
	int64_t until_us = clock_boot_us() + patience_us;
	while (atomic_load(&server->active) > 0 && clock_boot_us() < until_us) {
		watcher_ring_all(server->watcher);
		usleep(FINISH_LOOK_US);
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
	stop_accepting(server);
	if (server->watcher)
		finish_requests(server);
	for (size_t i = 0; i < server->front_count; i++)
		stop_front(&server->fronts[i]);
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
