/* executor.h - where attempts run, as a small interface.
 *
 * The supervisor knows attempts; an executor knows how to get a shim to take one. A new
 * one is a new file and a row in executor.c. Everything an executor says is a hint: what
 * happened stands in the attempt's journal. Preparing, collecting, revoking and sweeping
 * are written once for all of them, in attempt.c. */
#ifndef REEVE_WORKER_EXECUTOR_H
#define REEVE_WORKER_EXECUTOR_H

#include "queue/queue.h"
#include "worker/journal.h"
#include "worker/spec.h"

struct executor;

enum start_result {
	START_STARTED, /* handed over; reports follow */
	START_REFUSED, /* this one cannot be run here, trying again would not help */
	START_MAYBE,   /* nobody knows whether it was handed over */
	START_BUSY,    /* no room just now */
	START_DOWN,    /* the engine does not answer */
};

enum report_kind {
	REPORT_STARTED,	 /* the process is there */
	REPORT_STOPPING, /* the shim began a stop of its own */
	REPORT_LOOK,	 /* something happened: read the journal */
};
struct report {
	enum report_kind kind;
	void *cookie; /* what start or watch was given */
	pid_t pid;
	int64_t pid_started, at_us;
	enum stop_reason reason;
};
typedef void report_fn(void *context, const struct report *report);

struct executor_ops {
	const char *name;

	int (*open)(struct executor **ret, const struct config *config, struct err *err);
	/* Never stops jobs. */
	void (*close)(struct executor *executor);

	/* How many attempts may start now. */
	int (*capacity)(const struct executor *executor);

	/* There are as many slots from here on. What is busy above that goes on. */
	void (*resize)(struct executor *executor, size_t slots);

	/* Hands an attempt over whose journal is there. Asynchronous. stdin_fd stays the
	 * caller's; -1 means /dev/null. */
	enum start_result (*start)(struct executor *executor, const struct spec *spec,
				   int stdin_fd, void *cookie, struct err *err);

	/* Takes care of an attempt that an earlier worker started: reports when its shim
	 * is gone. It takes up room. -1: the shim is gone already. */
	int (*watch)(struct executor *executor, const struct journal *journal,
		     void *cookie);

	/* The attempt with this cookie is over, whatever the engine knows of it: nothing
	 * more is reported of it. */
	void (*forget)(struct executor *executor, const void *cookie);

	/* Readable when poll has something to report. */
	int (*wait_fd)(const struct executor *executor);

	/* Reports all that is known to have happened since the last time. */
	void (*poll)(struct executor *executor, report_fn *report, void *context);

	/* Starts the stop sequence of the attempt with this journal. 0, or -1: there is
	 * nobody to tell (yet). */
	int (*signal)(struct executor *executor, const struct journal *journal,
		      uint32_t tag, bool is_forced);

	/* Is this process part of the engine, so that it must not be taken for something
	 * that a job left behind? */
	bool (*owns)(const struct executor *executor, pid_t pid);
};

/* The row with this name, or NULL. */
const struct executor_ops *executor_find(const char *name);

extern const struct executor_ops executor_local;

#endif
