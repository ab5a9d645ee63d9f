/* readers.c - reading connections to the database, lent to whoever asks something. */
#include "httpapi/readers.h"

#include <errno.h>
#include <pthread.h>
#include <unistd.h>

#define READERS_KEPT_MAX 64

/* So long somebody waits for one to be given back before another is opened. Questions are
 * answered faster than that, so that a burst is served by few; whoever holds one and asks
 * for a second is held up, but never for ever. */
#define WAIT_US (20 * US_PER_MS)

struct readers {
	pthread_mutex_t lock;
	pthread_cond_t is_given;
	char *state_dir;
	struct queue *free[READERS_KEPT_MAX];
	size_t count;
	size_t lent;
	size_t enough; /* so many are opened without waiting, and kept */
};

static size_t twice_the_processors(void)
{
	const long processors = sysconf(_SC_NPROCESSORS_ONLN);
	const size_t enough = processors > 2 ? 2 * (size_t)processors : 4;
	return enough < READERS_KEPT_MAX ? enough : READERS_KEPT_MAX;
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
	while (readers->count > 0)
		queue_close(readers->free[--readers->count]);
	pthread_cond_destroy(&readers->is_given);
	pthread_mutex_destroy(&readers->lock);
	free(readers->state_dir);
	free(readers);
}

/* Under the lock: until one is free, enough of them are not even open, or it takes too
 * long. */
static void wait_for_one(struct readers *readers)
{
	struct timespec until;
	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_nsec += WAIT_US * 1000;
	if (until.tv_nsec >= 1000000000) {
		until.tv_nsec -= 1000000000;
		until.tv_sec++;
	}
	while (readers->count == 0 && readers->lent >= readers->enough)
		if (pthread_cond_timedwait(&readers->is_given, &readers->lock, &until) ==
		    ETIMEDOUT)
			return;
}

int readers_take(struct readers *readers, struct queue **ret, struct err *err)
{
	struct queue *queue = NULL;
	pthread_mutex_lock(&readers->lock);
	wait_for_one(readers);
	if (readers->count > 0)
		queue = readers->free[--readers->count];
	readers->lent++;
	pthread_mutex_unlock(&readers->lock);
	if (!queue && queue_open(&queue, readers->state_dir, QUEUE_READ, err) < 0) {
		pthread_mutex_lock(&readers->lock);
		readers->lent--;
		pthread_mutex_unlock(&readers->lock);
		return -1;
	}
	*ret = queue;
	return 0;
}

void readers_give(struct readers *readers, struct queue *queue)
{
	if (!queue)
		return;
	pthread_mutex_lock(&readers->lock);
	bool is_kept = readers->count < readers->enough;
	if (is_kept)
		readers->free[readers->count++] = queue;
	readers->lent--;
	pthread_cond_signal(&readers->is_given);
	pthread_mutex_unlock(&readers->lock);
	if (!is_kept)
		queue_close(queue);
}
