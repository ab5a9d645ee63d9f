/* readers.c - reading connections to the database, lent to whoever asks something. */
#include "httpapi/readers.h"

#include <pthread.h>

#define READERS_KEPT 64

struct readers {
	pthread_mutex_t lock;
	char *state_dir;
	struct queue *free[READERS_KEPT];
	size_t count;
};

struct readers *readers_open(const char *state_dir)
{
	struct readers *readers = mem_alloc(sizeof(*readers));
	pthread_mutex_init(&readers->lock, NULL);
	readers->state_dir = mem_strdup(state_dir);
	return readers;
}

void readers_close(struct readers *readers)
{
	if (!readers)
		return;
	while (readers->count > 0)
		queue_close(readers->free[--readers->count]);
	pthread_mutex_destroy(&readers->lock);
	free(readers->state_dir);
	free(readers);
}

int readers_take(struct readers *readers, struct queue **ret, struct err *err)
{
	struct queue *queue = NULL;
	pthread_mutex_lock(&readers->lock);
	if (readers->count > 0)
		queue = readers->free[--readers->count];
	pthread_mutex_unlock(&readers->lock);
	if (!queue && queue_open(&queue, readers->state_dir, QUEUE_READ, err) < 0)
		return -1;
	*ret = queue;
	return 0;
}

void readers_give(struct readers *readers, struct queue *queue)
{
	if (!queue)
		return;
	pthread_mutex_lock(&readers->lock);
	bool is_kept = readers->count < READERS_KEPT;
	if (is_kept)
		readers->free[readers->count++] = queue;
	pthread_mutex_unlock(&readers->lock);
	if (!is_kept)
		queue_close(queue);
}
