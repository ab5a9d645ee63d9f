/* readers.c - reading connections to the database, lent to whoever asks something.
 *
 * A place for each of them, emptied and filled by one atomic exchange: what every request
 * does twice must not put threads to sleep. Only who finds all places empty comes to the
 * lock. */
#include "httpapi/readers.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <unistd.h>

#define PLACES_MAX 64

/* So long somebody waits for one to be given back before another is opened. Questions are
 * answered faster than that, so that a burst is served by few; whoever holds one and asks
 * for a second is held up, but never for ever. */
#define WAIT_US (20 * US_PER_MS)

/* Apart, so that processors do not fight for one line of their caches. */
struct place {
	_Atomic(struct queue *) free; /* NULL: lent, or not open */
	char apart[64 - sizeof(void *)];
};

struct readers {
	struct place place[PLACES_MAX];
	size_t enough; /* so many are opened without waiting, and kept */
	char *state_dir;
	_Atomic size_t open;	/* lent or not */
	_Atomic size_t waiting; /* for is_given */
	pthread_mutex_t lock;	/* of is_given */
	pthread_cond_t is_given;
};

static size_t twice_the_processors(void)
{
	const long processors = sysconf(_SC_NPROCESSORS_ONLN);
	const size_t enough = processors > 2 ? 2 * (size_t)processors : 4;
	return enough < PLACES_MAX ? enough : PLACES_MAX;
}

struct readers *readers_open(const char *state_dir)
{
	struct readers *readers = mem_alloc(sizeof(*readers));
	pthread_condattr_t clock;
	pthread_condattr_init(&clock);
	pthread_condattr_setclock(&clock, CLOCK_MONOTONIC);
	pthread_mutex_init(&readers->lock, NULL);
	pthread_cond_init(&readers->is_given, &clock);
	pthread_condattr_destroy(&clock);
	readers->state_dir = mem_strdup(state_dir);
	readers->enough = twice_the_processors();
	return readers;
}

void readers_close(struct readers *readers)
{
	if (!readers)
		return;
	for (size_t i = 0; i < readers->enough; i++)
		queue_close(atomic_load(&readers->place[i].free));
	pthread_cond_destroy(&readers->is_given);
	pthread_mutex_destroy(&readers->lock);
	free(readers->state_dir);
	free(readers);
}

/* Where to look first: what this processor used last is still in its cache. */
static size_t first_place(const struct readers *readers)
{
	const int processor = sched_getcpu();
	return processor > 0 ? (size_t)processor % readers->enough : 0;
}

/* NULL: none is free. */
static struct queue *take_free(struct readers *readers)
{
	const size_t first = first_place(readers);
	struct queue *queue = NULL;
	for (size_t i = 0; i < readers->enough && !queue; i++) {
		struct place *place = &readers->place[(first + i) % readers->enough];
		if (atomic_load(&place->free))
			queue = atomic_exchange(&place->free, NULL);
	}
	return queue;
}

/* True: it lies in a place again. */
static bool put_free(struct readers *readers, struct queue *queue)
{
	const size_t first = first_place(readers);
	for (size_t i = 0; i < readers->enough; i++) {
		struct place *place = &readers->place[(first + i) % readers->enough];
		struct queue *nobody = NULL;
		if (atomic_compare_exchange_strong(&place->free, &nobody, queue))
			return true;
	}
	return false;
}

/* Until one is free, enough of them are not even open, or it takes too long: then NULL.
 */
static struct queue *wait_for_one(struct readers *readers)
{
	struct queue *queue;
	struct timespec until;
	int result = 0;
	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_nsec += WAIT_US * 1000;
	if (until.tv_nsec >= 1000000000) {
		until.tv_nsec -= 1000000000;
		until.tv_sec++;
	}
	pthread_mutex_lock(&readers->lock);
	atomic_fetch_add(&readers->waiting, 1);
	while (!(queue = take_free(readers)) && result != ETIMEDOUT &&
	       atomic_load(&readers->open) >= readers->enough)
		result = pthread_cond_timedwait(&readers->is_given, &readers->lock,
						&until);
	atomic_fetch_sub(&readers->waiting, 1);
	pthread_mutex_unlock(&readers->lock);
	return queue;
}

int readers_take(struct readers *readers, struct queue **ret, struct err *err)
{
	struct queue *queue = take_free(readers);
	if (!queue)
		queue = wait_for_one(readers);
	if (!queue) {
		atomic_fetch_add(&readers->open, 1);
		if (queue_open(&queue, readers->state_dir, QUEUE_READ, err) < 0) {
			atomic_fetch_sub(&readers->open, 1);
			return -1;
		}
	}
	*ret = queue;
	return 0;
}

void readers_give(struct readers *readers, struct queue *queue)
{
	if (!queue)
		return;
	if (!put_free(readers, queue)) {
		queue_close(queue);
		atomic_fetch_sub(&readers->open, 1);
	}
	/* Whoever waits has said so before it looked a last time. */
	if (atomic_load(&readers->waiting) > 0) {
		pthread_mutex_lock(&readers->lock);
		pthread_cond_signal(&readers->is_given);
		pthread_mutex_unlock(&readers->lock);
	}
}
