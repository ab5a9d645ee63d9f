/* loops.c - the threads that serve the connections of one listener (see loops.h). */
#include "httpapi/loops.h"

#include <stdarg.h>
#include <unistd.h>

#include "httpapi/acceptor.h"
#include "httpapi/clients.h"
#include "httpapi/request.h"

/* Of a connection's memory, beside its request line and headers: what the library keeps
 * with them, and the head of the answer. All of it is cleared for each request, used or
 * not, and half of it written to for each connection, so a thousand followers feel every
 * KiB. */
#define CONNECTION_SPARE_BYTES 8192

/* When exactly 128 things are ready at once on a thread, libmicrohttpd 0.9.75 (MHD_epoll)
 * asks for more before it looks at them, and sleeps until one more comes: nobody is
 * answered. So none ever has as many: its connections, and what other threads wake it by.
 */
#define LOOP_CONNECTIONS_MAX (127 - 2)

struct loop {
	struct front *front;
	struct MHD_Daemon *daemon;
	_Atomic int connections; /* brought and not ended */
};

struct loops {
	struct front *front;
	struct loop *item;
	size_t count, max;
	size_t ordinary; /* so many, before any has more than one connection */
};

/* --- what the library calls --- */

/* A request of it begins, or none ever will. */
static void client_begin(struct server *server, struct client *client)
{
	if (!client->has_begun)
		atomic_fetch_sub(&server->fresh, 1);
	client->has_begun = true;
}

static void *on_request_line(void *cls, const char *target,
			     struct MHD_Connection *connection)
{
	(void)cls;
	const union MHD_ConnectionInfo *info =
		MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
	struct client *client = info->socket_context;
	struct request *request = request_new(client, connection, target);
	client_begin(client->front->server, client);
	return request;
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

static void connection_begins(struct front *front, struct MHD_Connection *connection,
			      void **context)
{
	struct server *server = front->server;
	const union MHD_ConnectionInfo *info =
		MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
	struct settings *settings = settings_take(&server->settings);
	*context = client_add(server->clients, front, info->connect_fd,
			      settings->config.http.header_deadline_us);
	settings_give(settings);
}

/* The library takes the socket out of its set before it looks for what is ready again, so
 * another connection may come in its place already. */
static void connection_ends(struct loop *loop, struct MHD_Connection *connection,
			    void **context)
{
	const union MHD_ConnectionInfo *info =
		MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
	struct server *server = loop->front->server;
	struct client *client = *context;
	if (client) {
		client_begin(server, client);
		client_remove(server->clients, client);
	}
	*context = NULL;
	atomic_fetch_sub(&loop->connections, 1);
	acceptor_left(loop->front, info->client_addr);
}

static void on_connection(void *cls, struct MHD_Connection *connection, void **context,
			  enum MHD_ConnectionNotificationCode code)
{
	struct loop *loop = cls;
	if (code == MHD_CONNECTION_NOTIFY_STARTED)
		connection_begins(loop->front, connection, context);
	else
		connection_ends(loop, connection, context);
}

static void on_library_log(void *cls, const char *format, va_list args)
	__attribute__((format(printf, 2, 0)));
static void on_library_log(void *cls, const char *format, va_list args)
{
	char text[512];
	(void)cls;
	if (!log_is_wanted(LOG_DEBUG))
		return; /* of a Unix socket it complains with every answer */
	vsnprintf(text, sizeof(text), format, args);
	text[strcspn(text, "\n")] = '\0';
	log_event(LOG_DEBUG, "http", LOG_TEXT("text", text), LOG_END);
}

/* --- threads --- */

unsigned loops_timeout_s(const struct server *server)
{
	const int64_t us = server->started_with->http.request_deadline_us;
	return (unsigned)((us + US_PER_S - 1) / US_PER_S);
}

static struct MHD_Daemon *start(struct loop *loop)
{
	const struct config *config = loop->front->server->started_with;
	/* The inactivity limit bounds those who do not read what they asked for. */
	struct MHD_OptionItem options[] = {
		{MHD_OPTION_EXTERNAL_LOGGER, (intptr_t)on_library_log, NULL},
		{MHD_OPTION_URI_LOG_CALLBACK, (intptr_t)on_request_line, loop},
		{MHD_OPTION_NOTIFY_COMPLETED, (intptr_t)on_completed, loop},
		{MHD_OPTION_NOTIFY_CONNECTION, (intptr_t)on_connection, loop},
		/* It counts one until it is closed; we, until it has ended. */
		{MHD_OPTION_CONNECTION_LIMIT, 2 * LOOP_CONNECTIONS_MAX, NULL},
		{MHD_OPTION_CONNECTION_MEMORY_LIMIT,
		 (intptr_t)(config->limits.header_bytes + config->limits.target_bytes +
			    CONNECTION_SPARE_BYTES),
		 NULL},
		{MHD_OPTION_CONNECTION_TIMEOUT,
		 (intptr_t)loops_timeout_s(loop->front->server), NULL},
		{MHD_OPTION_STRICT_FOR_CLIENT, 1, NULL},
		{MHD_OPTION_END, 0, NULL},
	};
	return MHD_start_daemon(
		MHD_USE_EPOLL_INTERNAL_THREAD | MHD_USE_NO_LISTEN_SOCKET |
			MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ITC | MHD_USE_ERROR_LOG,
		0, NULL, NULL, on_turn, loop, MHD_OPTION_ARRAY, options, MHD_OPTION_END);
}

static bool begin_another(struct loops *loops)
{
	struct loop *loop = &loops->item[loops->count];
	loop->front = loops->front;
	loop->daemon = start(loop);
	if (loop->daemon)
		loops->count++;
	return loop->daemon;
}

static struct loop *least_busy(const struct loops *loops)
{
	struct loop *least = &loops->item[0];
	for (size_t i = 1; i < loops->count; i++)
		if (atomic_load(&loops->item[i].connections) <
		    atomic_load(&least->connections))
			least = &loops->item[i];
	return least;
}

int loops_open(struct loops **ret, struct front *front, struct err *err)
{
	const struct config *config = front->server->started_with;
	struct loops *loops = mem_alloc(sizeof(*loops));
	loops->front = front;
	loops->ordinary = (size_t)config->http.threads;
	loops->max = (size_t)((config->limits.connections + LOOP_CONNECTIONS_MAX - 1) /
			      LOOP_CONNECTIONS_MAX);
	if (loops->max < loops->ordinary)
		loops->max = loops->ordinary;
	loops->item = mem_array(loops->max, sizeof(*loops->item));
	if (!begin_another(loops)) {
		loops_close(loops);
		return err_set(err, ERR_UNAVAILABLE, "%s: the HTTP server did not start",
			       front->address);
	}
	*ret = loops;
	return 0;
}

void loops_bring(struct loops *loops, int fd, const struct sockaddr *address,
		 socklen_t bytes)
{
	struct loop *loop = least_busy(loops);
	const int busy = atomic_load(&loop->connections);
	const bool is_full = busy >= LOOP_CONNECTIONS_MAX;
	if (busy > 0 && loops->count < (is_full ? loops->max : loops->ordinary) &&
	    begin_another(loops))
		loop = &loops->item[loops->count - 1];
	else if (is_full) {
		log_event(LOG_WARN, "connection_refused",
			  LOG_TEXT("listener", loops->front->address), LOG_END);
		close(fd);
		acceptor_left(loops->front, address);
		return;
	}
	atomic_fetch_add(&loop->connections, 1);
	atomic_fetch_add(&loops->front->server->fresh, 1);
	/* It closes the socket when it cannot. */
	if (MHD_add_connection(loop->daemon, fd, address, bytes) != MHD_YES) {
		atomic_fetch_sub(&loop->connections, 1);
		atomic_fetch_sub(&loops->front->server->fresh, 1);
		acceptor_left(loops->front, address);
	}
}

void loops_close(struct loops *loops)
{
	if (!loops)
		return;
	for (size_t i = 0; i < loops->count; i++)
		MHD_stop_daemon(loops->item[i].daemon);
	free(loops->item);
	free(loops);
}
