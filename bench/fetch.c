/* fetch.c - reads one thing to its end, over so many connections at once.
 *
 *   fetch unix:PATH|ADDRESS:PORT CONNECTIONS PATH [HEADER...]
 *
 * Each connection asks once and counts the bytes of the body until it is whole: plain,
 * or in chunks, as a followed output comes. Prints one line of JSON when the last has
 * all: the seconds from the first request, and the fewest and most bytes that one got.
 * Ends with 1 when an answer was not 200 or broke off. */
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "bench/client.h"
#include "bench/tools.h"

#define HEAD_BYTES_MAX 16384

/* Where in a body in chunks we are. */
enum place {
	PLACE_HEAD,
	PLACE_PLAIN,
	PLACE_SIZE,    /* in the line that says how long a chunk is */
	PLACE_CHUNK,   /* in the bytes of one */
	PLACE_NEWLINE, /* behind them */
};

struct reader {
	int fd;
	enum place place;
	size_t left; /* of the body, or of the chunk, or the size as read so far */
	size_t bytes;
	size_t head_bytes;
	char head[HEAD_BYTES_MAX];
};

struct fetch {
	int epoll_fd;
	int64_t open;
	size_t fewest, most;
	bool is_wrong;
	char data[1 << 18];
};

static void end(struct fetch *fetch, struct reader *reader)
{
	close(reader->fd);
	fetch->open--;
	if (reader->bytes < fetch->fewest)
		fetch->fewest = reader->bytes;
	if (reader->bytes > fetch->most)
		fetch->most = reader->bytes;
}

/* Takes what belongs to the head; how much that was. */
static size_t take_head(struct fetch *fetch, struct reader *reader, const char *data,
			size_t bytes)
{
	const size_t before = reader->head_bytes;
	size_t room = sizeof reader->head - 1 - before;
	if (room > bytes)
		room = bytes;
	memcpy(reader->head + before, data, room);
	reader->head_bytes += room;
	reader->head[reader->head_bytes] = '\0';
	const struct head head = read_head(reader->head);
	if (!head.bytes) {
		if (room < bytes) {
			errno = EMSGSIZE;
			die("the head of an answer");
		}
		return room;
	}
	if (head.status != 200) {
		fprintf(stderr, "fetch: %s\n", reader->head);
		fetch->is_wrong = true;
	}
	reader->place = head.is_chunked ? PLACE_SIZE : PLACE_PLAIN;
	reader->left = head.is_chunked ? 0 : head.body_bytes;
	return head.bytes - before;
}

static int hex_digit(char c)
{
	static const char digits[] = "0123456789abcdef";
	const char *const found = c ? strchr(digits, c | 0x20) : NULL;
	return found ? (int)(found - digits) : -1;
}

/* One byte of the line before a chunk. */
static bool take_size(struct reader *reader, char c)
{
	const int digit = hex_digit(c);
	if (digit >= 0)
		reader->left = reader->left * 16 + (size_t)digit;
	if (c != '\n')
		return false;
	reader->place = PLACE_CHUNK;
	return reader->left == 0; /* the last chunk is empty */
}

static size_t take_bytes(struct reader *reader, size_t bytes)
{
	const size_t taken = bytes < reader->left ? bytes : reader->left;
	reader->left -= taken;
	reader->bytes += taken;
	return taken;
}

/* Whether the answer is whole. */
static bool take(struct fetch *fetch, struct reader *reader, const char *data,
		 size_t bytes)
{
	size_t at = 0;
	if (reader->place == PLACE_HEAD)
		at = take_head(fetch, reader, data, bytes);
	while (at < bytes || (reader->place == PLACE_PLAIN && reader->left == 0)) {
		switch (reader->place) {
		case PLACE_PLAIN:
			at += take_bytes(reader, bytes - at);
			if (reader->left == 0)
				return true;
			break;
		case PLACE_SIZE:
			if (take_size(reader, data[at++]))
				return true;
			break;
		case PLACE_CHUNK:
			at += take_bytes(reader, bytes - at);
			if (reader->left == 0)
				reader->place = PLACE_NEWLINE;
			break;
		case PLACE_NEWLINE:
			if (data[at++] == '\n')
				reader->place = PLACE_SIZE;
			break;
		case PLACE_HEAD:
		default:
			return false;
		}
	}
	return false;
}

static void receive(struct fetch *fetch, struct reader *reader)
{
	const ssize_t n = recv(reader->fd, fetch->data, sizeof fetch->data, 0);
	if (n > 0 && !take(fetch, reader, fetch->data, (size_t)n))
		return;
	if (n <= 0) {
		fprintf(stderr, "fetch: an answer broke off after %zu bytes\n",
			reader->bytes);
		fetch->is_wrong = true;
	}
	end(fetch, reader);
}

static void ask_all(struct fetch *fetch, struct reader *reader, int64_t count,
		    const char *target, const char *path, char **headers)
{
	size_t bytes;
	char *const request = make_request(target, "GET", path, headers, NULL, &bytes);
	for (int64_t i = 0; i < count; i++, reader++) {
		struct epoll_event event = {.events = EPOLLIN, .data.ptr = reader};
		reader->fd = dial(target);
		send_all(reader->fd, request, bytes);
		if (epoll_ctl(fetch->epoll_fd, EPOLL_CTL_ADD, reader->fd, &event) < 0)
			die("epoll_ctl");
		fetch->open++;
	}
	free(request);
}

int main(int argc, char **argv)
{
	static struct fetch fetch;
	if (argc < 4) {
		fprintf(stderr, "usage: fetch unix:PATH|ADDRESS:PORT CONNECTIONS PATH "
				"[HEADER...]\n");
		return 2;
	}
	const int64_t count = number(argv[2], "CONNECTIONS", 1, 10000);
	struct reader *const readers = calloc((size_t)count, sizeof *readers);
	fetch.epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	fetch.fewest = SIZE_MAX;
	if (!readers || fetch.epoll_fd < 0)
		die("start");
	const int64_t begin_ns = now_ns();
	ask_all(&fetch, readers, count, argv[1], argv[3], argv + 4);
	struct epoll_event events[256];
	while (fetch.open > 0) {
		const int n = epoll_wait(fetch.epoll_fd, events, 256, 60000);
		if (n == 0)
			errno = ETIMEDOUT;
		if (n <= 0)
			die("no answer");
		for (int i = 0; i < n; i++)
			receive(&fetch, events[i].data.ptr);
	}
	const double seconds = (double)(now_ns() - begin_ns) / 1e9;
	printf("{\"seconds\": %.6f, \"fewest\": %zu, \"most\": %zu}\n", seconds,
	       fetch.fewest, fetch.most);
	free(readers);
	return fetch.is_wrong ? 1 : 0;
}
