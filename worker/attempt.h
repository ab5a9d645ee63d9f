/* attempt.h - the files of an attempt, whoever runs it: prepare, collect, revoke, sweep.
 *
 * All names are below the state directory, given as a descriptor. */
#ifndef REEVE_WORKER_ATTEMPT_H
#define REEVE_WORKER_ATTEMPT_H

#include "queue/queue.h"
#include "worker/journal.h"
#include "worker/judge.h"

/* Which attempt. */
struct attempt_name {
	char job_id[JOB_ID_BYTES];
	int number;
};

/* Makes the journal, empty. To be called after the claim is committed and before anybody
 * is told of the attempt. ERR_OUT_OF_SPACE, ERR_UNAVAILABLE, ERR_INTERNAL. */
int attempt_prepare(int state_fd, const struct attempt_name *name, struct err *err);

/* The same, from the journal of an attempt that has ended for good. -1: it cannot be
 * used, and is to be discarded. */
int attempt_reuse(int state_fd, const struct attempt_name *old,
		  const struct attempt_name *name);

/* What there is to know of an attempt. */
struct finding {
	enum verdict verdict;
	struct journal journal;
};

/* Reads the journal and judges. When the verdict is that it never ran, the journal is
 * removed under its lock before this returns, so that whoever may still hold the order to
 * run it will not. -1: it cannot be read now (no descriptors, no memory), so nothing is
 * known. */
int attempt_collect(int state_fd, const struct attempt_name *name, bool is_same_boot,
		    struct finding *ret, struct err *err);

/* The output of an ended attempt, for its import: up to fold_bytes are read into the two
 * buffers, larger ones are named by `ret_path` (ATTEMPT_PATH_BYTES, lives as long as the
 * end), and `end` points to what was found. Bytes that the record counts but the files do
 * not have (after a power loss) become dropped ones. -1: cannot be read now. */
int attempt_read_output(int state_fd, const struct attempt_name *name, int64_t fold_bytes,
			struct attempt_end *end, struct buf *content, struct buf *frames,
			char *ret_path, struct err *err);

/* Removes the journal and, with `has_folded`, the output files. Only after the commit. */
void attempt_discard(int state_fd, const struct attempt_name *name, bool has_folded);
void attempt_discard_output(int state_fd, const struct attempt_name *name);

/* Calls `visit` for each journal that is there. */
typedef void attempt_visit_fn(void *context, const struct attempt_name *name);
void attempt_each(int state_fd, attempt_visit_fn *visit, void *context);

#endif
