/* writer.h - the one thread that writes, and its group commit.
 *
 * A durable commit costs a disk flush; many submissions may share one. Requests put their
 * write here, suspended; the thread takes all that are waiting, up to WRITER_BATCH, runs
 * them in one transaction, commits, and only then wakes each. While one commit is being
 * flushed the next batch gathers by itself, so a lonely request waits for nobody. */
#ifndef REEVE_HTTPAPI_WRITER_H
#define REEVE_HTTPAPI_WRITER_H

#include <stddef.h>

#include "httpapi/request.h"

#define WRITER_BATCH 256

struct writer;

/* One write of one request. It is a member, named `write`, of the request's work, where
 * `run` finds what is wished and leaves what came of it; the writer knows neither. All of
 * it lives until the request is woken. */
struct write {
	struct write *next;
	struct MHD_Connection *connection; /* suspended; resumed when the write is done */
	/* Writes, within a transaction, or returns -1 with write->err. Runs in the
	 * writer's thread; again when the transaction was rolled back for another's
	 * fault, and each time it begins anew. */
	int (*run)(struct queue *queue, struct write *write);
	/* said beforehand: */
	bool is_dry_run; /* alone in a transaction that is taken back */
	bool is_apart; /* in a transaction that `run` makes, and nobody is told; once for
			  those with the same `run` that are taken one after another */
	/* What most writes mean is set before each run; `run` may set it otherwise: */
	bool is_changed;       /* true: the worker is to look */
	bool is_watched;       /* true: somebody may be waiting for it already */
	struct waiter *waiter; /* NULL; else listed: its ring resumes, not the commit */
	bool is_more; /* false: this was all; else it is run again in the next turn */
	/* how it ended: 0, or -1 with err; never 0 before the commit */
	int result;
	struct err err;
};

/* The request's work that a write is a member of. */
#define WRITE_WORK(type, write_of) ((type *)write_work(write_of, offsetof(type, write)))
static inline void *write_work(struct write *write, size_t offset)
{
	return (char *)write - offset;
}

/* Opens the database for writing, making it when there is none, and starts the thread. */
int writer_open(struct writer **ret, struct server *server, struct err *err);

/* Finishes what has been put, then ends the thread. From here on a write that is put
 * fails at once, so that nobody stays suspended. */
void writer_finish(struct writer *writer);

/* Releases it, finished; nobody may put anything any more. */
void writer_close(struct writer *writer);

/* Has `run` done for a request, which is suspended until that is committed or has failed;
 * then `go_on` answers. For a handler to return. */
enum MHD_Result writer_commit(struct request *request, struct write *write,
			      int (*run)(struct queue *queue, struct write *write),
			      enum MHD_Result (*go_on)(struct request *request));

#endif
