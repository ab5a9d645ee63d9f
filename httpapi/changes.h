/* changes.h - which jobs have changed since the last look at the database. */
#ifndef REEVE_HTTPAPI_CHANGES_H
#define REEVE_HTTPAPI_CHANGES_H

#include "queue/queue.h"

struct changes {
	struct queue *queue;
	int64_t version; /* of the data, when last looked at */
	int64_t after;	 /* the last event seen */
};

/* From now on. */
int changes_open(struct changes *changes, const char *state_dir, struct err *err);
void changes_close(struct changes *changes);

/* Has anybody written since the last call, in whatever way? 1, 0, -1. */
int changes_are_there(struct changes *changes, struct err *err);

/* Tells `see` of each change, and of none when `is_needed` says that nobody wants to
 * know: it is asked again after the last event was read, so that whoever joins later
 * looks at the database later still. */
struct changes_use {
	bool (*is_needed)(void *cls);
	void (*see)(void *cls, const struct change *change, int count);
	void *cls;
};
int changes_read(struct changes *changes, const struct changes_use *use, struct err *err);

#endif
