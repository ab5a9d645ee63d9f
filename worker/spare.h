/* spare.h - journals of ended attempts, kept for the next ones.
 *
 * A file system may take long to find a number for a new file when many were removed just
 * now. So while jobs are short and more of them are at hand, the journal of one becomes
 * that of another: emptied, then renamed. Its lines name their attempt (journal.h), so
 * that whatever a power loss leaves of them is not taken for another's. */
#ifndef REEVE_WORKER_SPARE_H
#define REEVE_WORKER_SPARE_H

#include "worker/attempt.h"

#define SPARES_MAX 64

struct spares {
	struct attempt_name item[SPARES_MAX];
	size_t count;
};

/* Keeps the journal of an attempt whose end is committed, if there are fewer than `most`
 * and it can be used again. false: it is to be removed. */
bool spare_keep(struct spares *spares, const struct attempt_name *name,
		const struct journal *journal, size_t most);

/* Like attempt_prepare, from a spare one if there is any. */
int spare_prepare(struct spares *spares, int state_fd, const struct attempt_name *name,
		  struct err *err);

/* Removes those that are left. */
void spares_drop(struct spares *spares, int state_fd);

#endif
