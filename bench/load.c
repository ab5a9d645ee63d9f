/* load.c - asks the same again and again, over kept-alive connections, as fast as the
 * server answers.
 *
 *   load [-m METHOD] [-p PATH | -P FILE] [-b BODY | -B FILE] [-H HEADER]... [-e STATUS]
 *        [-k http|beanstalk] unix:PATH|ADDRESS:PORT CONNECTIONS SECONDSs|COUNT
 *
 * POST /v1/jobs and 201 unless said otherwise; the paths in FILE, one a line, are asked
 * for in turn. With -k beanstalk BODY is put into a beanstalkd's tube. One thread, epoll.
 * Each connection has one request out at any time and sends the next when the whole
 * answer is there. Prints one line of JSON: how many were answered as expected, what else
 * came, the rate, and how long answers took. Ends with 1 if anything else came. */
#include <errno.h>
#include <getopt.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "bench/client.h"
#include "bench/tools.h"

#define ANSWER_BYTES_MAX (1 << 20)
#define HEADERS_MAX 16
#define PATHS_MAX 100000

struct request {
	char *data;
	size_t bytes;
};

struct connection {
	int fd;
	size_t got; /* of the answer */
	int64_t begin_ns;
	char answer[ANSWER_BYTES_MAX];
};

struct load {
	int epoll_fd;
	struct connection *connection;
	const struct protocol *protocol;
	const char *target, *method, *path, *paths_file, *body;
	char *headers[HEADERS_MAX + 1];
	int status;
	struct request *request; /* asked in turn */
	size_t requests;
	int64_t begun;
	int64_t count_max; /* 0: as many as fit into the time */
	int64_t end_ns;
	int64_t expected, other, open;
	struct samples samples;
};

/* What differs between kinds of servers. */
struct protocol {
	const char *name;
	void (*prepare)(struct load *load);
	/* Length of the whole answer, or 0 while that cannot be said. */
	size_t (*answer_bytes)(const char *answer);
	bool (*is_expected)(const struct load *load, const char *answer);
};

/* --- HTTP ------------------------------------------------------------------------- */

static void http_add(struct load *load, const char *path)
{
	struct request *const request = &load->request[load->requests++];
	request->data = make_request(load->target, load->method, path, load->headers,
				     load->body, &request->bytes);
}

static void http_prepare(struct load *load)
{
	if (!load->paths_file) {
		http_add(load, load->path);
		return;
	}
	char *const text = read_file(load->paths_file, NULL);
	char *rest = NULL;
	for (char *line = strtok_r(text, "\n", &rest); line && load->requests < PATHS_MAX;
	     line = strtok_r(NULL, "\n", &rest))
		http_add(load, line);
	free(text);
}

static size_t http_answer_bytes(const char *answer)
{
	const struct head head = read_head(answer);
	if (head.is_chunked) {
		fprintf(stderr, "load: answers in chunks are not understood\n");
		exit(1);
	}
	return head.bytes ? head.bytes + head.body_bytes : 0;
}

static bool http_is_expected(const struct load *load, const char *answer)
{
	return read_head(answer).status == load->status;
}

/* --- beanstalkd ------------------------------------------------------------------- */

static void beanstalk_prepare(struct load *load)
{
	struct request *const request = &load->request[load->requests++];
	FILE *const out = open_memstream(&request->data, &request->bytes);
	if (!out || !load->body)
		die("beanstalk: a body");
	fprintf(out, "put 0 0 60 %zu\r\n%s\r\n", strlen(load->body), load->body);
	if (fclose(out))
		die("beanstalk: a request");
}

static size_t beanstalk_answer_bytes(const char *answer)
{
	const char *const end = strstr(answer, "\r\n");
	return end ? (size_t)(end - answer) + 2 : 0;
}

static bool beanstalk_is_expected(const struct load *load, const char *answer)
{
	(void)load;
	return strncmp(answer, "INSERTED ", 9) == 0;
}

/* clang-format off */
static const struct protocol PROTOCOLS[] = {
	{.name = "http", .prepare = http_prepare, .answer_bytes = http_answer_bytes,
	 .is_expected = http_is_expected},
	{.name = "beanstalk", .prepare = beanstalk_prepare,
	 .answer_bytes = beanstalk_answer_bytes, .is_expected = beanstalk_is_expected},
};
/* clang-format on */

static const struct protocol *protocol_named(const char *name)
{
	for (size_t i = 0; i < sizeof PROTOCOLS / sizeof PROTOCOLS[0]; i++)
		if (strcmp(PROTOCOLS[i].name, name) == 0)
			return &PROTOCOLS[i];
	fprintf(stderr, "load: -k http or -k beanstalk\n");
	exit(2);
}

/* --- the loop --------------------------------------------------------------------- */

/* The next request goes out, unless enough have; then the connection is closed. */
static void begin(struct load *load, struct connection *connection)
{
	const int64_t now = now_ns();
	if (load->count_max ? load->begun >= load->count_max : now >= load->end_ns) {
		close(connection->fd);
		load->open--;
		return;
	}
	const struct request *const request =
		&load->request[(size_t)load->begun++ % load->requests];
	connection->got = 0;
	connection->begin_ns = now;
	send_all(connection->fd, request->data, request->bytes);
}

static void finish(struct load *load, struct connection *connection)
{
	if (load->protocol->is_expected(load, connection->answer))
		load->expected++;
	else if (load->other++ == 0)
		fprintf(stderr, "load: %s\n", connection->answer);
	samples_add(&load->samples, now_ns() - connection->begin_ns);
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
	connection->answer[connection->got] = '\0';
	const size_t bytes = load->protocol->answer_bytes(connection->answer);
	if (bytes >= sizeof connection->answer) {
		fprintf(stderr, "load: an answer of %zu bytes is too long\n", bytes);
		exit(1);
	}
	if (bytes && connection->got >= bytes)
		finish(load, connection);
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

static void connect_all(struct load *load, int64_t connections)
{
	load->connection = calloc((size_t)connections, sizeof *load->connection);
	if (!load->connection)
		die("calloc");
	for (int64_t i = 0; i < connections; i++) {
		struct connection *const connection = &load->connection[i];
		connection->fd = dial(load->target);
		struct epoll_event event = {.events = EPOLLIN, .data.ptr = connection};
		if (epoll_ctl(load->epoll_fd, EPOLL_CTL_ADD, connection->fd, &event) < 0)
			die("epoll_ctl");
		load->open++;
		begin(load, connection);
	}
}

/* --- the command line ------------------------------------------------------------- */

_Noreturn static void usage(void)
{
	fprintf(stderr,
		"usage: load [-m METHOD] [-p PATH | -P FILE] [-b BODY | -B FILE] "
		"[-H HEADER]... [-e STATUS]\n"
		"            [-k http|beanstalk] unix:PATH|ADDRESS:PORT CONNECTIONS "
		"SECONDSs|COUNT\n");
	exit(2);
}

static void add_header(struct load *load, char *header)
{
	for (size_t i = 0; i < HEADERS_MAX; i++) {
		if (!load->headers[i]) {
			load->headers[i] = header;
			return;
		}
	}
	usage();
}

static void read_options(struct load *load, int argc, char **argv)
{
	int option;
	while ((option = getopt(argc, argv, "m:p:P:b:B:H:e:k:")) != -1) {
		switch (option) {
		case 'm':
			load->method = optarg;
			break;
		case 'p':
			load->path = optarg;
			break;
		case 'P':
			load->paths_file = optarg;
			break;
		case 'b':
			load->body = optarg;
			break;
		case 'B':
			load->body = read_file(optarg, NULL);
			break;
		case 'H':
			add_header(load, optarg);
			break;
		case 'e':
			load->status = (int)number(optarg, "-e", 100, 599);
			break;
		case 'k':
			load->protocol = protocol_named(optarg);
			break;
		default:
			usage();
		}
	}
	if (argc - optind != 3)
		usage();
	load->target = argv[optind];
}

static void read_amount(struct load *load, char *text)
{
	const size_t bytes = strlen(text);
	if (bytes > 0 && text[bytes - 1] == 's') {
		text[bytes - 1] = '\0';
		load->end_ns = now_ns() + seconds_ns(text, "SECONDSs");
	} else {
		load->count_max = number(text, "SECONDSs|COUNT", 1, 1000000000);
	}
}

int main(int argc, char **argv)
{
	struct load load = {.epoll_fd = epoll_create1(EPOLL_CLOEXEC),
			    .protocol = &PROTOCOLS[0],
			    .method = "POST",
			    .path = "/v1/jobs",
			    .status = 201};
	read_options(&load, argc, argv);
	load.request = calloc(PATHS_MAX, sizeof *load.request);
	if (!load.request || load.epoll_fd < 0)
		die("start");
	samples_init(&load.samples);
	load.protocol->prepare(&load);
	if (load.requests == 0)
		usage();
	const int64_t connections = number(argv[optind + 1], "CONNECTIONS", 1, 10000);

	const int64_t begin_ns = now_ns();
	read_amount(&load, argv[optind + 2]);
	connect_all(&load, connections);
	drive(&load);
	const double seconds = (double)(now_ns() - begin_ns) / 1e9;

	printf("{\"expected\": %lld, \"other\": %lld, \"seconds\": %.6f, "
	       "\"per_second\": %.1f, ",
	       (long long)load.expected, (long long)load.other, seconds,
	       (double)load.expected / seconds);
	samples_print(&load.samples);
	printf("}\n");
	return load.other ? 1 : 0;
}
