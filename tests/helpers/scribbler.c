/* scribbler.c - writes numbered lines and tells by each on which stream it went, so that
 * the order of the writes can be seen in what was kept of them.
 *
 *     scribbler LINES SEED [MAX_FLUSH_BYTES [PAUSE_US_EVERY_N]]
 *
 * Line n is "<n> o" on stdout or "<n> e" on stderr, n from 0. Each stream in its turn
 * gets a run of 1 to MAX_FLUSH_BYTES bytes (default 4096, evenly drawn in its bits, so
 * that short runs are as frequent as long ones), rounded up to whole lines. The run is
 * written in write(2)s of random sizes, mostly large, sometimes a byte: a line may be
 * torn, but only among bytes of its own stream. Every ninth run or so is followed by
 * another of the same stream. PAUSE_US_EVERY_N: "<us>/<n>", a pause of so many
 * microseconds after every n writes. The same SEED writes the same. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/common.h"

#define FLUSH_BYTES_MAX ((int64_t)16 << 20)
#define LINE_ROOM 32

struct scribbler {
	uint64_t state; /* of the generator */
	int64_t lines, written, flush_max;
	int64_t pause_us, pause_every;
	int64_t writes;
	char *data;
};

/* splitmix64: the same everywhere, whatever the C library. */
static uint64_t draw(struct scribbler *scribbler, uint64_t below)
{
	uint64_t mixed = scribbler->state += 0x9E3779B97F4A7C15U;

	mixed = (mixed ^ (mixed >> 30)) * 0xBF58476D1CE4E5B9U;
	mixed = (mixed ^ (mixed >> 27)) * 0x94D049BB133111EBU;
	return (mixed ^ (mixed >> 31)) % below;
}

/* 1 to `max`, small numbers as likely as large ones. */
static uint64_t draw_size(struct scribbler *scribbler, uint64_t max)
{
	unsigned int bits = 1;

	while (bits < 63 && (UINT64_C(1) << bits) <= max)
		bits++;
	const uint64_t limit = UINT64_C(1) << (1 + draw(scribbler, bits));
	const uint64_t size = 1 + draw(scribbler, limit);

	return size < max ? size : max;
}

/* The next run: its bytes, whole lines. */
static size_t fill(struct scribbler *scribbler, size_t wanted, char mark)
{
	size_t bytes = 0;

	while (bytes < wanted && scribbler->written < scribbler->lines)
		bytes += (size_t)snprintf(scribbler->data + bytes, LINE_ROOM,
					  "%" PRId64 " %c\n", scribbler->written++, mark);
	return bytes;
}

static int write_run(struct scribbler *scribbler, int fd, size_t bytes)
{
	for (size_t done = 0; done < bytes;) {
		size_t piece = bytes - done;
		ssize_t wrote = 0;

		if (draw(scribbler, 4) == 0)
			piece = draw_size(scribbler, piece);
		wrote = write(fd, scribbler->data + done, piece);
		if (wrote < 0 && errno != EINTR)
			return -1;
		if (wrote > 0)
			done += (size_t)wrote;
		if (scribbler->pause_every > 0 &&
		    ++scribbler->writes % scribbler->pause_every == 0)
			(void)usleep((useconds_t)scribbler->pause_us);
	}
	return 0;
}

static int read_pause(struct scribbler *scribbler, const char *text)
{
	char first[LINE_ROOM];
	const char *slash = strchr(text, '/');

	if (slash == NULL || (size_t)(slash - text) >= sizeof(first))
		return -1;
	memcpy(first, text, (size_t)(slash - text));
	first[slash - text] = '\0';
	if (text_parse_int(first, 0, 999999, &scribbler->pause_us) != 0)
		return -1;
	return text_parse_int(slash + 1, 1, INT64_MAX, &scribbler->pause_every);
}

int main(int argc, char **argv)
{
	struct scribbler scribbler = {.flush_max = 4096};
	int64_t seed = 0;
	int stream = 0;

	if (argc < 3 || argc > 5 ||
	    text_parse_int(argv[1], 0, INT64_MAX, &scribbler.lines) != 0 ||
	    text_parse_int(argv[2], 0, INT64_MAX, &seed) != 0 ||
	    (argc > 3 &&
	     text_parse_int(argv[3], 1, FLUSH_BYTES_MAX, &scribbler.flush_max) != 0) ||
	    (argc > 4 && read_pause(&scribbler, argv[4]) != 0))
		return 2;
	scribbler.state = (uint64_t)seed;
	scribbler.data = mem_alloc((size_t)scribbler.flush_max + LINE_ROOM);
	while (scribbler.written < scribbler.lines) {
		const uint64_t wanted =
			draw_size(&scribbler, (uint64_t)scribbler.flush_max);
		const size_t bytes =
			fill(&scribbler, (size_t)wanted, stream == 0 ? 'o' : 'e');

		if (write_run(&scribbler, stream == 0 ? STDOUT_FILENO : STDERR_FILENO,
			      bytes) != 0)
			return 1;
		if (draw(&scribbler, 9) != 0)
			stream = 1 - stream;
	}
	free(scribbler.data);
	return 0;
}
