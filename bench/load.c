/* load.c - submits jobs over kept-alive connections as fast as the server answers.
 *
 *   load unix:PATH|HOST:PORT CONNECTIONS (SECONDS s | COUNT) BODY [HEADER ...]
 *
 * One thread, epoll. Each connection has one request out at any time and sends the next
 * when the whole answer is there. Prints one line of JSON: how many were answered 201,
 * what else came, the rate, and how long answers took. Ends with 1 if anything but 201
 * came. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "bench/tools.h"

#define ANSWER_BYTES_MAX 65536
#define SAMPLES_MAX (1 << 22)

struct connection {
	int fd;
	size_t sent; /* of the request */
	size_t got;  /* of the answer */
	int64_t begin_ns;
	char answer[ANSWER_BYTES_MAX];
};

struct load {
	int epoll_fd;
	struct connection *connection;
	char *request;
	size_t request_bytes;
	int64_t begun,
		count_max; /* requests; count_max 0: as many as fit into the time */
	int64_t end_ns;
	int64_t created, other, open;
	uint32_t *sample_us; /* how long each answer took */
	size_t samples;
};

static int dial(const char *target)
{
	struct sockaddr_storage address = {0};
	socklen_t bytes;
	if (strncmp(target, "unix:", 5) == 0) {
		struct sockaddr_un *const local = (struct sockaddr_un *)&address;
		local->sun_family = AF_UNIX;
		snprintf(local->sun_path, sizeof local->sun_path, "%s", target + 5);
		bytes = sizeof *local;
	} else {
		struct sockaddr_in *const in = (struct sockaddr_in *)&address;
		char host[64];
		const char *const colon = strrchr(target, ':');
		if (!colon || (size_t)(colon - target) >= sizeof host) {
			fprintf(stderr, "load: %s: unix:PATH or ADDRESS:PORT\n", target);
			exit(2);
		}
		snprintf(host, sizeof host, "%.*s", (int)(colon - target), target);
		in->sin_family = AF_INET;
		in->sin_port = htons((uint16_t)number(colon + 1, "PORT", 1, 65535));
		if (inet_pton(AF_INET, host, &in->sin_addr) != 1)
			die(host);
		bytes = sizeof *in;
	}
	const int fd = socket(address.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || connect(fd, (const struct sockaddr *)&address, bytes) < 0)
		die(target);
	if (address.ss_family == AF_INET)
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
	return fd;
}

static void make_request(struct load *load, const char *body, char **headers)
{
	const size_t room = strlen(body) + 65536;
	load->request = malloc(room);
	if (!load->request)
		die("malloc");
	int length = snprintf(load->request, room,
			      "POST /v1/jobs HTTP/1.1\r\nHost: localhost\r\n"
			      "Content-Type: application/json\r\nContent-Length: %zu\r\n",
			      strlen(body));
	for (; *headers; headers++)
		length += snprintf(load->request + length, room - (size_t)length,
				   "%s\r\n", *headers);
	length += snprintf(load->request + length, room - (size_t)length, "\r\n%s", body);
	load->request_bytes = (size_t)length;
}

/* The next request goes out, unless enough have; then the connection is closed. */
static void begin(struct load *load, struct connection *connection)
{
	const int64_t now = now_ns();
	if (load->count_max ? load->begun >= load->count_max : now >= load->end_ns) {
		close(connection->fd);
		load->open--;
		return;
	}
	load->begun++;
	connection->got = 0;
	connection->begin_ns = now;
	connection->sent = 0;
	while (connection->sent < load->request_bytes) {
		const ssize_t n =
			send(connection->fd, load->request + connection->sent,
			     load->request_bytes - connection->sent, MSG_NOSIGNAL);
		if (n < 0)
			die("send");
		connection->sent += (size_t)n;
	}
}

/* Length of the whole answer once its head is there, else 0. */
static size_t answer_length(struct connection *connection)
{
	connection->answer[connection->got] = '\0';
	const char *const head_end = strstr(connection->answer, "\r\n\r\n");
	if (!head_end)
		return 0;
	size_t body_bytes = 0;
	for (const char *line = connection->answer; line < head_end;
	     line = strstr(line, "\r\n") + 2) {
		if (strncasecmp(line, "Content-Length:", 15) == 0)
			body_bytes = (size_t)strtoul(line + 15, NULL, 10);
	}
	return (size_t)(head_end - connection->answer) + 4 + body_bytes;
}

static void finish(struct load *load, struct connection *connection)
{
	if (strncmp(connection->answer, "HTTP/1.1 201", 12) == 0) {
		load->created++;
	} else if (load->other++ == 0) {
		fprintf(stderr, "load: %s\n", connection->answer);
	}
	if (load->samples < SAMPLES_MAX)
		load->sample_us[load->samples++] =
			(uint32_t)((now_ns() - connection->begin_ns) / 1000);
	begin(load, connection);
}

static void receive(struct load *load, struct connection *connection)
{
	const ssize_t n = recv(connection->fd, connection->answer + connection->got,
			       sizeof connection->answer - 1 - connection->got, 0);
	if (n <= 0) {
		if (n == 0)
			errno = ECONNRESET;
		die("the server closed a connection");
	}
	connection->got += (size_t)n;
	const size_t length = answer_length(connection);
	if (length >= sizeof connection->answer) {
		fprintf(stderr, "load: an answer of %zu bytes is too long\n", length);
		exit(1);
	}
	if (length && connection->got >= length)
		finish(load, connection);
}

static int by_value(const void *a, const void *b)
{
	const uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
	return (x > y) - (x < y);
}

static double percentile_ms(const struct load *load, double part)
{
	if (!load->samples)
		return 0;
	return load->sample_us[(size_t)((double)(load->samples - 1) * part)] / 1e3;
}

static void drive(struct load *load)
{
	struct epoll_event events[256];
	while (load->open > 0) {
		const int n = epoll_wait(load->epoll_fd, events, 256, 30000);
		if (n == 0)
			errno = ETIMEDOUT;
		if (n <= 0)
			die("no answer");
		for (int i = 0; i < n; i++)
			receive(load, events[i].data.ptr);
	}
}

static void connect_all(struct load *load, const char *target, int64_t connections)
{
	load->connection = calloc((size_t)connections, sizeof *load->connection);
	if (!load->connection)
		die("calloc");
	for (int64_t i = 0; i < connections; i++) {
		struct connection *const connection = &load->connection[i];
		connection->fd = dial(target);
		struct epoll_event event = {.events = EPOLLIN, .data.ptr = connection};
		if (epoll_ctl(load->epoll_fd, EPOLL_CTL_ADD, connection->fd, &event) < 0)
			die("epoll_ctl");
		load->open++;
		begin(load, connection);
	}
}

int main(int argc, char **argv)
{
	if (argc < 5) {
		fprintf(stderr, "usage: load unix:PATH|ADDRESS:PORT CONNECTIONS "
				"SECONDSs|COUNT BODY "
				"[HEADER...]\n");
		return 2;
	}
	struct load load = {.epoll_fd = epoll_create1(EPOLL_CLOEXEC)};
	char *const how_long = argv[3];
	const size_t last = strlen(how_long) - 1;
	const bool is_timed = how_long[last] == 's';
	if (is_timed)
		how_long[last] = '\0';
	const int64_t amount = number(how_long, "SECONDSs|COUNT", 1, 1000000000);
	const int64_t connections = number(argv[2], "CONNECTIONS", 1, 10000);
	make_request(&load, argv[4], argv + 5);
	load.sample_us = malloc(SAMPLES_MAX * sizeof *load.sample_us);
	if (!load.sample_us || load.epoll_fd < 0)
		die("start");

	const int64_t begin_ns = now_ns();
	load.end_ns = begin_ns + (is_timed ? amount * 1000000000 : 0);
	load.count_max = is_timed ? 0 : amount;
	connect_all(&load, argv[1], connections);
	drive(&load);
	const double seconds = (double)(now_ns() - begin_ns) / 1e9;

	qsort(load.sample_us, load.samples, sizeof *load.sample_us, by_value);
	printf("{\"created\": %lld, \"other\": %lld, \"seconds\": %.3f, \"per_second\": "
	       "%.1f, "
	       "\"p50_ms\": %.3f, \"p99_ms\": %.3f, \"max_ms\": %.3f}\n",
	       (long long)load.created, (long long)load.other, seconds,
	       (double)load.created / seconds, percentile_ms(&load, 0.5),
	       percentile_ms(&load, 0.99), percentile_ms(&load, 1));
	free(load.connection);
	free(load.sample_us);
	free(load.request);
	return load.other ? 1 : 0;
}
