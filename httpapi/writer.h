/* writer.h - the one thread that writes, and its group commit.
 *
 * A durable commit costs a disk flush; many submissions may share one. Requests put their
 * write here, suspended; the thread takes all that are waiting, up to WRITER_BATCH, runs
 * them in one transaction, commits, and only then wakes each. While one commit is being
 * flushed the next batch gathers by itself, so a lonely request waits for nobody. */
#ifndef REEVE_HTTPAPI_WRITER_H
#define REEVE_HTTPAPI_WRITER_H

#include "queue/queue.h"

#define WRITER_BATCH 256

struct MHD_Connection;
struct server;
struct writer;

enum write_kind {
	WRITE_SUBMIT,
	WRITE_BATCH,
	WRITE_RERUN,
	WRITE_CANCEL,
	WRITE_CANCEL_MANY,
	WRITE_HOLD,
	WRITE_CHANGE,
	WRITE_SIGNAL,
	WRITE_PAUSE,
	WRITE_RESUME,
	WRITE_LIMIT,
	WRITE_DRAIN,
	WRITE_UNDRAIN,
	WRITE_PROBE,
};

/* One write of one request; lives in the request's work until it is woken. */
struct write {
	struct write *next;
	enum write_kind kind;
	struct MHD_Connection *connection; /* suspended; resumed when the write is done */
	/* WRITE_SUBMIT, WRITE_BATCH: alone in a transaction that is taken back */
	bool is_dry_run;
	/* WRITE_SUBMIT */
	const struct submission *submission;
	struct submitted submitted;
	struct dependency_list depends; /* of what was stored; write_release */
	/* WRITE_BATCH */
	const struct batch *batch;
	struct batch_submitted batch_submitted;
	/* all but WRITE_BATCH */
	struct viewer viewer;
	/* of those about one job */
	const char *job_id;
	/* WRITE_RERUN */
	size_t rerun_max;
	struct rerun rerun;
	/* WRITE_RERUN, WRITE_CANCEL: with all that depends on it */
	bool is_cascade;
	/* WRITE_HOLD */
	bool is_hold; /* else release */
	/* WRITE_SIGNAL */
	int signal;
	/* WRITE_CHANGE */
	const struct job_change *change;
	int64_t version; /* of the job, as it was before */
	/* WRITE_PAUSE, WRITE_RESUME, WRITE_LIMIT: the queue */
	const char *lane;
	int64_t until;	     /* WRITE_PAUSE; 0: no end */
	int64_t max_running; /* WRITE_LIMIT, as queue_lane_limit takes it */
	/* WRITE_CANCEL, WRITE_CANCEL_MANY, WRITE_PAUSE, WRITE_DRAIN: the words of who
	 * asks, or NULL */
	const char *text;
	/* WRITE_CANCEL */
	bool force;
	enum cancel_result cancelled;
	/* WRITE_CANCEL_MANY: one slice; how far it was, and how far it came */
	const struct job_filter *filter;
	struct cancel_progress before, after;
	/* how it ended: 0, or -1 with err; never 0 before the commit */
	int result;
	struct err err;
};

/* What a write that is over may hold. */
void write_release(struct write *write);

/* Opens the database for writing, making it when there is none, and starts the thread. */
int writer_open(struct writer **ret, struct server *server, struct err *err);

/* Finishes what has been put, then ends the thread. From here on a write that is put
 * fails at once, so that nobody stays suspended. */
void writer_finish(struct writer *writer);

/* Releases it, finished; nobody may put anything any more. */
void writer_close(struct writer *writer);

/* Hands over a write of a connection that is suspended already; it will be resumed. */
void writer_put(struct writer *writer, struct write *write);

#endif
