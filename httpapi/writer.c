/* writer.c - the one thread that writes, and its group commit (see writer.h). */
#include "httpapi/writer.h"

#include <microhttpd.h>
#include <pthread.h>
#include <unistd.h>

#include "httpapi/server.h"
#include "httpapi/watcher.h"

/* How often old idempotency keys are forgotten, and how many at a time. */
#define EXPIRE_EVERY_US (INT64_C(60) * US_PER_S)
#define EXPIRE_SLICE 500

struct writer {
	struct server *server;
	struct queue *queue;
	struct bell_ringer *ringer;
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t filled;
	struct write *first, **last; /* waiting, in order */
	bool is_closing;
	bool is_finished;   /* the thread has ended */
	int64_t expired_us; /* CLOCK_BOOTTIME of the last expiry */
};

static void run_one(struct writer *writer, struct write *write)
{
	write->err = (struct err)ERR_INIT;
	write->is_changed = true;
	write->is_watched = true;
	write->is_more = false;
	write->waiter = NULL;
	write->result = write->run(writer->queue, write) < 0 ? -1 : 0;
}

static void fail_all(struct write *const *batch, size_t count, const struct err *err)
{
	for (size_t i = 0; i < count; i++) {
		if (batch[i]->result == 0) {
			batch[i]->result = -1;
			batch[i]->err = *err;
		}
	}
}

/* A commit that failed with an I/O error may still come true: nobody can be told
 * anything, and the next life reads what is really there. */
static void commit_batch(struct writer *writer, struct write *const *batch, size_t count)
{
	struct err err = ERR_INIT;
	if (queue_commit(writer->queue, &err) == 0)
		return;
	if (err.code == ERR_INTERNAL) {
		log_event(LOG_ERROR, "commit_failed", LOG_TEXT("error", err.text),
			  LOG_INT("requests", count), LOG_END);
		_exit(EXIT_TEMPORARY);
	}
	queue_rollback(writer->queue);
	fail_all(batch, count, &err);
}

/* One transaction. Returns -1, with everything rolled back, when a write failed in a way
 * that spoils the transaction. */
static int run_batch(struct writer *writer, struct write *const *batch, size_t count,
		     struct err *err)
{
	if (queue_begin(writer->queue, err) < 0)
		return -1;
	for (size_t i = 0; i < count; i++) {
		struct write *write = batch[i];
		run_one(writer, write);
		if (write->result < 0 && !err_is_refusal(&write->err)) {
			*err = write->err;
			queue_rollback(writer->queue);
			return -1;
		}
	}
	commit_batch(writer, batch, count);
	return 0;
}

/* When a batch is spoilt, each is tried alone, so that only the culprit is refused. */
static void run_writes(struct writer *writer, struct write *const *batch, size_t count)
{
	struct err err = ERR_INIT;
	if (count == 0 || run_batch(writer, batch, count, &err) == 0)
		return;
	for (size_t i = 0; i < count; i++) {
		if (count == 1 || run_batch(writer, &batch[i], 1, &err) < 0) {
			batch[i]->result = -1;
			batch[i]->err = err;
		}
	}
}

/* What would happen is what happens, and is then taken back. */
static void run_dry(struct writer *writer, struct write *write)
{
	write->err = (struct err)ERR_INIT;
	write->result = queue_begin(writer->queue, &write->err);
	if (write->result == 0)
		run_one(writer, write);
	queue_rollback(writer->queue);
}

/* One probe of the disk answers all who ask at the same time. */
static void run_apart(struct writer *writer, struct write *const *batch, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (i == 0 || batch[i]->run != batch[i - 1]->run) {
			run_one(writer, batch[i]);
		} else {
			batch[i]->result = batch[i - 1]->result;
			batch[i]->err = batch[i - 1]->err;
		}
	}
}

static void expire_keys(struct writer *writer)
{
	int64_t now_us = clock_boot_us();
	if (now_us - writer->expired_us < EXPIRE_EVERY_US)
		return;
	writer->expired_us = now_us;
	struct err err = ERR_INIT;
	struct settings *settings = settings_take(&writer->server->settings);
	int64_t keep_us = settings->config.http.idempotency_keep_us;
	settings_give(settings);
	if (queue_begin(writer->queue, &err) == 0 &&
	    queue_idempotency_expire(writer->queue, keep_us, EXPIRE_SLICE, &err) >= 0 &&
	    queue_commit(writer->queue, &err) == 0)
		return;
	queue_rollback(writer->queue);
	log_event(LOG_WARN, "expire_failed", LOG_TEXT("error", err.text), LOG_END);
}

/* What one transaction could not hold is gone on with in the next, behind those who came
 * meanwhile; also while the writer is being ended, since it was taken. */
static bool put_again(struct writer *writer, struct write *write)
{
	if (write->result < 0 || !write->is_more)
		return false;
	write->next = NULL;
	pthread_mutex_lock(&writer->lock);
	*writer->last = write;
	writer->last = &write->next;
	pthread_mutex_unlock(&writer->lock);
	return true;
}

/* From here on it may be freed at any moment. */
static void let_go(struct write *write)
{
	if (write->result == 0 && write->waiter)
		waiter_leave(write->waiter);
	else
		MHD_resume_connection(write->connection);
}

/* Tells the worker about new work, and our own watcher about what changed for those who
 * may be waiting already. */
static void tell_others(struct writer *writer, struct write *const *batch, size_t count)
{
	bool is_changed = false, is_watched = false;
	for (size_t i = 0; i < count; i++) {
		if (batch[i]->result < 0)
			continue;
		is_changed |= batch[i]->is_changed;
		is_watched |= batch[i]->is_watched;
	}
	if (is_changed)
		bell_ring(writer->ringer, WATCHER_BELL);
	if (is_watched)
		watcher_poke(writer->server->watcher);
}

/* Waits for writes and takes up to WRITER_BATCH. 0: it is over. */
static size_t take(struct writer *writer, struct write **ret)
{
	size_t count = 0;
	pthread_mutex_lock(&writer->lock);
	while (!writer->first && !writer->is_closing)
		pthread_cond_wait(&writer->filled, &writer->lock);
	while (writer->first && count < WRITER_BATCH) {
		ret[count++] = writer->first;
		writer->first = writer->first->next;
	}
	if (!writer->first)
		writer->last = &writer->first;
	pthread_mutex_unlock(&writer->lock);
	return count;
}

static void *writer_main(void *cls)
{
	struct writer *writer = cls;
	struct write *taken[WRITER_BATCH], *writes[WRITER_BATCH], *apart[WRITER_BATCH];
	struct write *dry[WRITER_BATCH];
	size_t count;
	while ((count = take(writer, taken)) > 0) {
		size_t write_count = 0, apart_count = 0, dry_count = 0;
		for (size_t i = 0; i < count; i++) {
			if (taken[i]->is_apart)
				apart[apart_count++] = taken[i];
			else if (taken[i]->is_dry_run)
				dry[dry_count++] = taken[i];
			else
				writes[write_count++] = taken[i];
		}
		for (size_t i = 0; i < dry_count; i++)
			run_dry(writer, dry[i]);
		run_writes(writer, writes, write_count);
		run_apart(writer, apart, apart_count);
		tell_others(writer, writes, write_count);
		for (size_t i = 0; i < count; i++)
			if (!put_again(writer, taken[i]))
				let_go(taken[i]);
		expire_keys(writer);
	}
	return NULL;
}

/* Where it cannot be written now the rows stay as they are: the worker's start does the
 * same, and requests can be answered meanwhile. */
static void configure_queues(struct queue *queue, const struct config *config)
{
	struct err err = ERR_INIT;
	if (queue_lanes_configure(queue, &config->queues, &err) < 0)
		log_event(LOG_WARN, "queues_unconfigured", LOG_TEXT("error", err.text),
			  LOG_END);
}

int writer_open(struct writer **ret, struct server *server, struct err *err)
{
	struct queue *queue;
	if (queue_open(&queue, server->started_with->state_dir, QUEUE_WRITE, err) < 0)
		return -1;
	configure_queues(queue, server->started_with);
	struct writer *writer = mem_alloc(sizeof(*writer));
	writer->server = server;
	writer->queue = queue;
	writer->ringer = bell_ringer_open(server->started_with->state_dir);
	writer->last = &writer->first;
	writer->expired_us = clock_boot_us();
	pthread_mutex_init(&writer->lock, NULL);
	pthread_cond_init(&writer->filled, NULL);
	if (pthread_create(&writer->thread, NULL, writer_main, writer) != 0)
		abort(); /* at the start, for want of memory */
	*ret = writer;
	return 0;
}

void writer_finish(struct writer *writer)
{
	if (!writer || writer->is_finished)
		return;
	pthread_mutex_lock(&writer->lock);
	writer->is_closing = true;
	pthread_cond_signal(&writer->filled);
	pthread_mutex_unlock(&writer->lock);
	pthread_join(writer->thread, NULL);
	writer->is_finished = true;
}

void writer_close(struct writer *writer)
{
	if (!writer)
		return;
	writer_finish(writer);
	bell_ringer_close(writer->ringer);
	queue_close(writer->queue);
	pthread_cond_destroy(&writer->filled);
	pthread_mutex_destroy(&writer->lock);
	free(writer);
}

/* Of a connection that is suspended already; it will be resumed. */
static void put(struct writer *writer, struct write *write)
{
	write->next = NULL;
	pthread_mutex_lock(&writer->lock);
	bool is_closing = writer->is_closing;
	if (!is_closing) {
		*writer->last = write;
		writer->last = &write->next;
		pthread_cond_signal(&writer->filled);
	}
	pthread_mutex_unlock(&writer->lock);
	if (is_closing) {
		write->result = err_set(&write->err, ERR_UNAVAILABLE, "stopping");
		MHD_resume_connection(write->connection);
	}
}

enum MHD_Result writer_commit(struct request *request, struct write *write,
			      int (*run)(struct queue *queue, struct write *write),
			      enum MHD_Result (*go_on)(struct request *request))
{
	write->connection = request->connection;
	write->run = run;
	request->resume = go_on;
	/* Suspended first: the writer may be done before we are back. */
	MHD_suspend_connection(request->connection);
	put(request->server->writer, write);
	return MHD_YES;
}
