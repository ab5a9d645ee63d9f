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

#define EXIT_TEMPORARY 111

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

static int run_submit(struct queue *queue, struct write *write)
{
	return queue_submit(queue, write->submission, &write->submitted, &write->err);
}

static int run_cancel(struct queue *queue, struct write *write)
{
	return queue_cancel(queue, &write->viewer, write->job_id, write->text,
			    write->force, &write->cancelled, &write->err);
}

static int run_hold(struct queue *queue, struct write *write)
{
	return queue_hold(queue, &write->viewer, write->job_id, write->is_hold,
			  &write->err);
}

static int (*const RUN[])(struct queue *, struct write *) = {
	[WRITE_SUBMIT] = run_submit,
	[WRITE_CANCEL] = run_cancel,
	[WRITE_HOLD] = run_hold,
};

/* An error after which the transaction may go on: this write changed nothing. */
static bool is_refusal(enum err_code code)
{
	return code == ERR_INVALID || code == ERR_NOT_FOUND || code == ERR_CONFLICT;
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
		write->err = (struct err)ERR_INIT;
		write->result = RUN[write->kind](writer->queue, write) < 0 ? -1 : 0;
		if (write->result < 0 && !is_refusal(write->err.code)) {
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

static void run_probes(struct writer *writer, struct write *const *batch, size_t count)
{
	struct err err = ERR_INIT;
	int result = count > 0 ? queue_probe_write(writer->queue, &err) : 0;
	for (size_t i = 0; i < count; i++) {
		batch[i]->result = result;
		batch[i]->err = err;
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

/* Tells the worker about new work, and our own watcher about what changed for those who
 * may be waiting already. */
static void tell_others(struct writer *writer, struct write *const *batch, size_t count)
{
	bool is_changed = false, is_watched = false;
	for (size_t i = 0; i < count; i++) {
		if (batch[i]->result < 0)
			continue;
		bool is_submit = batch[i]->kind == WRITE_SUBMIT;
		is_changed |= !is_submit || !batch[i]->submitted.is_replay;
		is_watched |= !is_submit;
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
	struct write *taken[WRITER_BATCH], *writes[WRITER_BATCH], *probes[WRITER_BATCH];
	size_t count;
	while ((count = take(writer, taken)) > 0) {
		size_t write_count = 0, probe_count = 0;
		for (size_t i = 0; i < count; i++) {
			if (taken[i]->kind == WRITE_PROBE)
				probes[probe_count++] = taken[i];
			else
				writes[write_count++] = taken[i];
		}
		run_writes(writer, writes, write_count);
		run_probes(writer, probes, probe_count);
		tell_others(writer, writes, write_count);
		/* From its resumption on, a write may be freed at any moment. */
		for (size_t i = 0; i < count; i++)
			MHD_resume_connection(taken[i]->connection);
		expire_keys(writer);
	}
	return NULL;
}

int writer_open(struct writer **ret, struct server *server, struct err *err)
{
	struct queue *queue;
	if (queue_open(&queue, server->started_with->state_dir, QUEUE_WRITE, err) < 0)
		return -1;
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

void writer_put(struct writer *writer, struct write *write)
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
