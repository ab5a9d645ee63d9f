/* shim_pipes.c - the job's two pipes: every byte, in the order of the writes.
 *
 * Two ordinary pipes lose that order: what was written to both before somebody looks may
 * have come in any order. So each pipe has room for one packet (O_DIRECT, one page), and
 * both are in one edge-triggered epoll set, whose ready list is a queue by the time of
 * the wake-up. A second write to the same pipe has to wait until the first was read, so
 * each pipe stands in the list once for the one packet that it holds; taking one event
 * and one packet at a time gives the order in which the packets were put in.
 *
 * That costs a wake-up of the writer for each packet. Usually a job writes to one stream
 * for a while; then the other pipe is closed for that while by a packet of ours, the
 * bolt: it takes the only room, and whoever writes there waits. With that the order is
 * certain whatever happens in the open pipe, which is made wide: room for many packets,
 * which may merge. When it runs dry, or has had its turn, it is made narrow again, and
 * only then the bolt is drawn:
 *
 *   mode   active pipe       other pipe  ends with
 *   EXACT  narrow            narrow      BULK: so many packets of one stream in a row
 *   BULK   wide              bolted      EXACT: nothing came for DRY_US
 *                                        TURN: BULK_US are over, though more comes
 *   TURN   narrow, not read  narrow      EXACT: the other wrote, or TURN_US are over
 *   LOOSE  ordinary          ordinary    never
 *
 * TURN lets those through who waited at the bolt: they have to wake up first. LOOSE is
 * for a job that changes its pipes: one that made a pipe larger, or does not wait when it
 * is full (O_NONBLOCK) and might lose what it could not write at once. Such pipes are
 * read like any others: all bytes, their order as far as it can be seen.
 *
 * The shim keeps the writing ends as well, to bolt and to switch packets on and off. So
 * there is never an end of file; the attempt is over when its processes are. */
#include <sys/epoll.h>

#include "worker/shim.h"

#define BULK_US (20 * US_PER_MS)
#define TURN_US INT64_C(300)
#define DRY_US INT64_C(150)

/* A bulk that was worth it makes the next one come sooner, one that was not, later. */
#define RUN_FIRST 16
#define RUN_SHORTEST 2
#define RUN_LONGEST 256
#define BULK_WORTH_BYTES ((int64_t)32 << 10)

#define NARROW_TRIES 64
#define NARROW_AGAIN_US US_PER_MS

#define BIT(source) (1U << (source))
#define BOTH_STREAMS (BIT(SOURCE_STDOUT) | BIT(SOURCE_STDERR))

int pipes_open(struct pipes *pipes, struct shim *shim, struct sink *sink)
{
	*pipes = (struct pipes){.shim = shim,
				.sink = sink,
				.run_wanted = RUN_FIRST,
				.ends = {{-1, -1, -1, false}, {-1, -1, -1, false}}};
	return pipe_open(pipes, 0) == 0 && pipe_open(pipes, 1) == 0 ? 0 : -1;
}

void pipes_close(struct pipes *pipes)
{
	for (size_t i = 0; i < ARRAY_SIZE(pipes->ends); i++) {
		struct pipe_ends *ends = &pipes->ends[i];

		mem_close(&ends->read_fd);
		mem_close(&ends->write_fd);
		mem_close(&ends->bolt_fd);
		*ends = (struct pipe_ends){-1, -1, -1, false};
	}
}

/* Waits for one to `count` sources, and which: a set of bits. */
static unsigned int wait_for(const struct pipes *pipes, int count, int64_t wait_us)
{
	const struct timespec limit = {.tv_sec = wait_us / US_PER_S,
				       .tv_nsec = wait_us % US_PER_S * 1000};
	struct epoll_event events[SOURCES];
	const int got = epoll_pwait2(pipes->shim->epoll_fd, events, count,
				     wait_us < 0 ? NULL : &limit, NULL);
	unsigned int ready = 0;

	for (int i = 0; i < got; i++)
		ready |= BIT(events[i].data.u32);
	return ready;
}

/* --- from mode to mode --- */

static void become_loose(struct pipes *pipes)
{
	for (size_t stream = 0; stream < ARRAY_SIZE(pipes->ends); stream++) {
		struct pipe_ends *ends = &pipes->ends[stream];

		if (pipe_is_narrow(ends))
			(void)pipe_set_room(ends, PIPE_WIDE_BYTES);
		pipe_set_packets(ends, false);
		(void)pipe_watch(pipes, stream, EPOLL_CTL_MOD, 0);
	}
	pipes->mode = PIPES_LOOSE;
}

/* One pipe that does not wait is enough: closed by a bolt it would lose bytes of the job
 * for which it has room. */
static bool are_ours(const struct pipes *pipes)
{
	return pipe_is_ours(&pipes->ends[0]) && pipe_is_ours(&pipes->ends[1]);
}

static void become_exact(struct pipes *pipes)
{
	pipes->mode = PIPES_EXACT;
	pipes->run = 0;
	if (!are_ours(pipes))
		become_loose(pipes);
}

static void become_bulk(struct pipes *pipes)
{
	const struct pipe_ends *ends = &pipes->ends[pipes->active];
	const int64_t now = clock_boot_us();

	pipes->run = 0;
	if (!are_ours(pipes)) {
		become_loose(pipes);
		return;
	}
	if (!pipe_bolt(pipes, !pipes->active))
		return;
	(void)pipe_set_room(ends, PIPE_WIDE_BYTES);
	pipe_set_packets(ends, false);
	pipes->mode = PIPES_BULK;
	pipes->bulk_bytes = 0;
	pipes->has_more = true;
	pipes->until_us = now + BULK_US;
	pipes->dry_at_us = now + DRY_US;
}

/* Room for one packet again, and nothing in it but packets. A pipe cannot have less room
 * than is taken, and whoever floods it takes it again at once: but the less there is, the
 * sooner he has to wait, and while he wakes up it is empty. false: not this time. */
static bool make_narrow(struct pipes *pipes)
{
	const struct pipe_ends *ends = &pipes->ends[pipes->active];
	int room = PIPE_WIDE_BYTES;

	for (int i = 0; i < NARROW_TRIES; i++) {
		const size_t fetched = pipe_fetch(pipes, pipes->active);
		const bool is_done = pipe_set_room(ends, PIPE_NARROW_BYTES);

		if (!is_done && room > 2 * PIPE_NARROW_BYTES &&
		    pipe_set_room(ends, room / 2))
			room /= 2;
		pipe_keep(pipes, pipes->active, fetched);
		if (is_done) {
			pipe_set_packets(ends, true);
			(void)pipe_take(pipes, pipes->active);
			return true;
		}
	}
	(void)pipe_set_room(ends, PIPE_WIDE_BYTES);
	return false;
}

static void leave_bulk(struct pipes *pipes, bool is_dry)
{
	const bool was_worth = pipes->bulk_bytes >= BULK_WORTH_BYTES;

	if (!make_narrow(pipes)) {
		pipes->until_us = clock_boot_us() + NARROW_AGAIN_US;
		pipes->has_more = true;
		return;
	}
	/* What the list says of the active pipe is of bytes that were read since, and at
	 * their place in it. From here on one entry is one packet. */
	pipe_list_anew(pipes, pipes->active);
	pipe_unbolt(pipes, !pipes->active);
	become_exact(pipes);
	if (was_worth)
		pipes->run_wanted = RUN_SHORTEST;
	else if (pipes->run_wanted < RUN_LONGEST)
		pipes->run_wanted *= 2;
	if (pipes->mode == PIPES_EXACT && !is_dry) {
		pipes->mode = PIPES_TURN;
		pipes->is_held = false;
		pipes->until_us = clock_boot_us() + TURN_US;
	}
}

/* --- what each mode does with what is ready --- */

/* One packet, and whether the pipes are still as we made them. */
static void take_packet(struct pipes *pipes, size_t stream)
{
	if (pipe_take(pipes, stream) == 0)
		return;
	pipes->run = stream == pipes->active ? pipes->run + 1 : 1;
	pipes->active = stream;
	if (!are_ours(pipes))
		become_loose(pipes);
}

static void step_exact(struct pipes *pipes, unsigned int ready)
{
	if ((ready & BOTH_STREAMS) == 0)
		return;
	take_packet(pipes, ready & BIT(SOURCE_STDOUT) ? 0 : 1);
	if (pipes->mode == PIPES_EXACT && pipes->run >= pipes->run_wanted)
		become_bulk(pipes);
}

static void step_bulk(struct pipes *pipes, unsigned int ready)
{
	size_t got = 0;
	int64_t now = 0;

	/* Whoever does not wait must not find it closed. */
	if (!pipe_is_waiting(&pipes->ends[!pipes->active])) {
		pipe_unbolt(pipes, !pipes->active);
		become_loose(pipes);
		return;
	}
	if (pipes->has_more || (ready & BIT(pipes->active)) != 0)
		got = pipe_take(pipes, pipes->active);
	now = clock_boot_us();
	pipes->bulk_bytes += (int64_t)got;
	pipes->has_more = got == SHIM_BUFFER_BYTES;
	if (got > 0)
		pipes->dry_at_us = now + DRY_US;
	if (now >= pipes->until_us)
		leave_bulk(pipes, false);
	else if (now >= pipes->dry_at_us)
		leave_bulk(pipes, true);
}

static void step_turn(struct pipes *pipes, unsigned int ready)
{
	const size_t other = !pipes->active;
	const bool has_other = (ready & BIT(other)) != 0;

	if (ready & BIT(pipes->active))
		pipes->is_held = true;
	if (!has_other && clock_boot_us() < pipes->until_us)
		return;
	pipes->mode = PIPES_EXACT;
	/* It came before. */
	if (pipes->is_held)
		take_packet(pipes, pipes->active);
	if (has_other) {
		pipes->run_wanted = RUN_FIRST;
		take_packet(pipes, other);
	}
}

static void step_loose(struct pipes *pipes, unsigned int ready)
{
	for (size_t stream = 0; stream < ARRAY_SIZE(pipes->ends); stream++) {
		if (ready & BIT(stream))
			(void)pipe_take(pipes, stream);
	}
}

/* How long until something has to be done though nothing comes; -1: for ever. */
static int64_t patience(const struct pipes *pipes)
{
	int64_t until_us = pipes->until_us;

	if (pipes->mode != PIPES_BULK && pipes->mode != PIPES_TURN)
		return -1;
	if (pipes->mode == PIPES_BULK && pipes->has_more)
		return 0;
	if (pipes->mode == PIPES_BULK && pipes->dry_at_us < until_us)
		until_us = pipes->dry_at_us;
	until_us -= clock_boot_us();
	return until_us > 0 ? until_us : 0;
}

struct mode {
	int events; /* taken at a time: one where their order counts */
	void (*step)(struct pipes *pipes, unsigned int ready);
};

/* clang-format off */
static const struct mode MODES[PIPES_MODES] = {
	[PIPES_EXACT] = { .events = 1,       .step = step_exact },
	[PIPES_BULK]  = { .events = SOURCES, .step = step_bulk },
	[PIPES_TURN]  = { .events = 1,       .step = step_turn },
	[PIPES_LOOSE] = { .events = SOURCES, .step = step_loose },
};
/* clang-format on */

unsigned int pipes_step(struct pipes *pipes, int64_t wait_us)
{
	const struct mode *mode = &MODES[pipes->mode];
	const int64_t own_us = patience(pipes);
	const unsigned int ready = wait_for(
		pipes, mode->events,
		own_us >= 0 && (wait_us < 0 || own_us < wait_us) ? own_us : wait_us);

	mode->step(pipes, ready);
	return ready & ~BOTH_STREAMS;
}

void pipes_finish(struct pipes *pipes)
{
	if (pipes->mode == PIPES_BULK || (pipes->mode == PIPES_TURN && pipes->is_held)) {
		pipe_take_rest(pipes, pipes->active);
		pipe_unbolt(pipes, !pipes->active);
	}
	/* One packet each, at most: whose is first? */
	for (unsigned int ready = 1, i = 0; ready != 0 && i < SOURCES; i++) {
		ready = wait_for(pipes, 1, 0);
		step_loose(pipes, ready);
	}
	pipe_take_rest(pipes, 0);
	pipe_take_rest(pipes, 1);
}
