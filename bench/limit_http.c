/* limit_http.c - how many answers a second libmicrohttpd gives when there is nothing to
 * do.
 *
 *   limit_http SOCKET THREADS STATUS FILE
 *
 * Takes a body, forgets it, and answers STATUS with the constant bytes of FILE, on a Unix
 * socket, in the mode that the intake uses (epoll, a pool of threads). Ends when stdin
 * does. */
#include <microhttpd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "bench/tools.h"

struct answer {
	unsigned status;
	struct MHD_Response *response;
};

static enum MHD_Result handle(void *cls, struct MHD_Connection *connection,
			      const char *url, const char *method, const char *version,
			      const char *data, size_t *data_bytes, void **state)
{
	static char seen;
	(void)url, (void)method, (void)version, (void)data;
	if (!*state) {
		*state = &seen;
		return MHD_YES;
	}
	if (*data_bytes) {
		*data_bytes = 0;
		return MHD_YES;
	}
	const struct answer *const answer = cls;
	return MHD_queue_response(connection, answer->status, answer->response);
}

static int listen_unix(const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	const int length =
		snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
	if (length < 0 || (size_t)length >= sizeof address.sun_path) {
		fprintf(stderr, "limit_http: the socket's path is too long\n");
		exit(2);
	}
	unlink(path);
	const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0 || bind(fd, (const struct sockaddr *)&address, sizeof address) < 0 ||
	    listen(fd, 1024) < 0)
		die(path);
	return fd;
}

int main(int argc, char **argv)
{
	if (argc != 5) {
		fprintf(stderr, "usage: limit_http SOCKET THREADS STATUS FILE\n");
		return 2;
	}
	const unsigned threads = (unsigned)number(argv[2], "THREADS", 1, 1024);
	size_t bytes;
	char *const body = read_file(argv[4], &bytes);
	struct answer answer = {
		.status = (unsigned)number(argv[3], "STATUS", 200, 599),
		.response = MHD_create_response_from_buffer(bytes, body,
							    MHD_RESPMEM_PERSISTENT),
	};
	if (!answer.response ||
	    MHD_add_response_header(answer.response, "Content-Type",
				    "application/json") == MHD_NO ||
	    MHD_add_response_header(answer.response, "Location",
				    "/v1/jobs/0193f2c4-5a00-7abc-8def-0123456789ab") ==
		    MHD_NO)
		die("response");
	/* One thread is asked for without a pool, as libmicrohttpd wants it. */
	struct MHD_Daemon *const daemon = MHD_start_daemon(
		MHD_USE_EPOLL_INTERNAL_THREAD, 0, NULL, NULL, handle, &answer,
		MHD_OPTION_LISTEN_SOCKET, listen_unix(argv[1]),
		MHD_OPTION_CONNECTION_LIMIT, (unsigned)4096,
		threads > 1 ? MHD_OPTION_THREAD_POOL_SIZE : MHD_OPTION_END, threads,
		MHD_OPTION_END);
	if (!daemon)
		die("MHD_start_daemon");
	puts("ready");
	fflush(stdout);
	char byte;
	while (read(STDIN_FILENO, &byte, 1) > 0)
		;
	MHD_stop_daemon(daemon);
	MHD_destroy_response(answer.response);
	free(body);
	return 0;
}
