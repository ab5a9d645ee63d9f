/* start.c - how long it takes from a submission until its program runs.
 *
 *   start unix:PATH|ADDRESS:PORT COUNT PAUSE_MS STAMP SOCKET
 *
 * Submits the job `STAMP SOCKET` and takes the time from before the request is sent until
 * the job's main() runs, which the job itself says (bench/stamp.c); then waits for its
 * end, and PAUSE_MS, so that everything sleeps again; COUNT times. Prints one line of
 * JSON. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "bench/client.h"
#include "bench/tools.h"

#define LIMIT_S 30

static int listen_for_stamps(const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
	unlink(path);
	const int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	const struct timeval limit = {.tv_sec = LIMIT_S};
	if (fd < 0 || bind(fd, (const struct sockaddr *)&address, sizeof address) < 0 ||
	    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit) < 0)
		die(path);
	return fd;
}

/* Sends the request and reads the whole answer, which must have the status. */
static void ask(int fd, const char *request, size_t bytes, int status)
{
	static char answer[1 << 16];
	size_t got = 0;
	struct head head = {0};
	send_all(fd, request, bytes);
	while (!head.bytes || got < head.bytes + head.body_bytes) {
		const ssize_t n = recv(fd, answer + got, sizeof answer - 1 - got, 0);
		if (n <= 0)
			die("no answer");
		got += (size_t)n;
		answer[got] = '\0';
		head = read_head(answer);
	}
	if (head.status != status) {
		fprintf(stderr, "start: %s\n", answer);
		exit(1);
	}
}

int main(int argc, char **argv)
{
	if (argc != 6) {
		fprintf(stderr,
			"usage: start unix:PATH|ADDRESS:PORT COUNT PAUSE_MS STAMP "
			"SOCKET\n");
		return 2;
	}
	const int64_t count = number(argv[2], "COUNT", 1, 1000000);
	const int64_t pause_ms = number(argv[3], "PAUSE_MS", 0, 10000);
	const struct timespec pause = {.tv_sec = pause_ms / 1000,
				       .tv_nsec = pause_ms % 1000 * 1000000};
	char body[1024];
	snprintf(body, sizeof body, "{\"command\": \"%s\", \"args\": [\"%s\"]}", argv[4],
		 argv[5]);
	size_t submit_bytes, wait_bytes;
	char *const submit =
		make_request(argv[1], "POST", "/v1/jobs", NULL, body, &submit_bytes);
	char *const wait = make_request(argv[1], "GET", "/v1/jobs/last?wait=30", NULL,
					NULL, &wait_bytes);
	const int stamps = listen_for_stamps(argv[5]), server = dial(argv[1]);
	struct samples samples;
	samples_init(&samples);
	for (int64_t i = 0; i < count; i++) {
		int64_t began_ns;
		nanosleep(&pause, NULL);
		const int64_t sent_ns = now_ns();
		ask(server, submit, submit_bytes, 201);
		if (recv(stamps, &began_ns, sizeof began_ns, 0) != sizeof began_ns)
			die("the job did not run");
		samples_add(&samples, began_ns - sent_ns);
		ask(server, wait, wait_bytes, 200);
	}
	printf("{\"count\": %lld, ", (long long)count);
	samples_print(&samples);
	printf("}\n");
	samples_release(&samples);
	free(submit);
	free(wait);
	return 0;
}
