/* listen.c - the sockets that the intake listens on (see listen.h). */
#include "httpapi/listen.h"

#include <arpa/inet.h>
#include <errno.h>
#include <libgen.h>
#include <netdb.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define BACKLOG 1024

static int open_socket(int family, int *ret_fd, struct err *err)
{
	*ret_fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	return *ret_fd < 0 ? err_sys(err, ERR_UNAVAILABLE, errno, "socket") : 0;
}

/* --- Unix --- */

/* Is somebody still serving this socket? */
static bool is_served(const struct sockaddr_un *address)
{
	AUTO_CLOSE int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	return fd >= 0 &&
	       connect(fd, (const struct sockaddr *)address, sizeof(*address)) == 0;
}

static int bind_unix(int fd, const char *path, unsigned mode, struct err *err)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	struct stat st;
	/* The settings refuse a longer one. */
	snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
	if (lstat(path, &st) == 0) {
		if (!S_ISSOCK(st.st_mode))
			return err_set(err, ERR_INVALID, "%s exists and is no socket",
				       path);
		if (is_served(&address))
			return err_set(err, ERR_UNAVAILABLE,
				       "%s is served by another process", path);
		unlink(path);
	}
	/* Nobody else may connect before the mode is right. */
	mode_t old = umask(0177);
	int bound = bind(fd, (struct sockaddr *)&address, sizeof(address));
	int saved = errno;
	umask(old);
	if (bound < 0)
		return err_sys(err, ERR_UNAVAILABLE, saved, "%s", path);
	if (chmod(path, (mode_t)mode) < 0)
		return err_sys(err, ERR_INTERNAL, errno, "%s", path);
	return 0;
}

static int listen_unix(struct front *front, struct err *err)
{
	const struct listener *listener = front->listener;
	AUTO_FREE char *path = config_path(front->server->started_with,
					   listener->address + strlen("unix:"));
	AUTO_FREE char *dir = mem_strdup(path);
	if (file_make_dirs(dirname(dir), 0700, err) < 0 ||
	    open_socket(AF_UNIX, &front->fd, err) < 0 ||
	    bind_unix(front->fd, path, listener->mode, err) < 0)
		return -1;
	front->address = mem_printf("unix:%s", path);
	front->socket_path = path;
	path = NULL;
	return 0;
}

/* --- TCP --- */

/* The port is left out of Host when it is the scheme's own. */
static void add_host(struct front *front, const char *host)
{
	const char *open = strchr(host, ':') ? "[" : "", *close = *open ? "]" : "";
	front->hosts[front->host_count++] =
		mem_printf("%s%s%s:%d", open, host, close, front->port);
	if (front->port == 80)
		front->hosts[front->host_count++] =
			mem_printf("%s%s%s", open, host, close);
}

/* A page that a browser got from elsewhere can make it ask us under its own name (DNS
 * rebinding); only these names are ours. */
static void fill_hosts(struct front *front)
{
	const char *host = front->listener->host;
	add_host(front, host);
	add_host(front, "localhost");
	if (strcmp(host, "127.0.0.1") != 0 && !strchr(host, ':'))
		add_host(front, "127.0.0.1");
}

static int find_port(struct front *front, struct err *err)
{
	struct sockaddr_storage address;
	socklen_t bytes = sizeof(address);
	char host[NI_MAXHOST], port[NI_MAXSERV];
	if (getsockname(front->fd, (struct sockaddr *)&address, &bytes) < 0 ||
	    getnameinfo((struct sockaddr *)&address, bytes, host, sizeof(host), port,
			sizeof(port), NI_NUMERICHOST | NI_NUMERICSERV) != 0)
		return err_sys(err, ERR_INTERNAL, errno, "getsockname");
	front->port = (int)strtol(port, NULL, 10);
	front->address = strchr(host, ':') ? mem_printf("[%s]:%d", host, front->port)
					   : mem_printf("%s:%d", host, front->port);
	fill_hosts(front);
	return 0;
}

static int listen_tcp(struct front *front, struct err *err)
{
	const struct listener *listener = front->listener;
	struct addrinfo hints = {.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV | AI_PASSIVE,
				 .ai_socktype = SOCK_STREAM};
	struct addrinfo *found = NULL;
	char port[16];
	snprintf(port, sizeof(port), "%d", listener->port);
	if (getaddrinfo(listener->host, port, &hints, &found) != 0)
		return err_set(err, ERR_INVALID, "%s is no address", listener->address);
	int one = 1, result = open_socket(found->ai_family, &front->fd, err);
	if (result == 0) {
		setsockopt(front->fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
		if (bind(front->fd, found->ai_addr, found->ai_addrlen) < 0)
			result = err_sys(err, ERR_UNAVAILABLE, errno, "%s",
					 listener->address);
	}
	freeaddrinfo(found);
	return result < 0 ? -1 : find_port(front, err);
}

int front_listen(struct front *front, struct err *err)
{
	front->fd = -1;
	int result = front->listener->is_unix ? listen_unix(front, err)
					      : listen_tcp(front, err);
	if (result == 0 && listen(front->fd, BACKLOG) < 0)
		result = err_sys(err, ERR_UNAVAILABLE, errno, "%s", front->address);
	if (result < 0)
		front_release(front);
	return result;
}

void front_release(struct front *front)
{
	if (front->fd >= 0)
		close(front->fd);
	front->fd = -1;
	if (front->socket_path)
		unlink(front->socket_path);
	for (size_t i = 0; i < front->host_count; i++)
		free(front->hosts[i]);
	front->host_count = 0;
	free(front->socket_path);
	free(front->address);
	front->socket_path = front->address = NULL;
}
