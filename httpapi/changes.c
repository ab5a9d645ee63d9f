/* changes.c - which jobs have changed (see changes.h). */
#include "httpapi/changes.h"

#define CHANGES_AT_ONCE 256

int changes_open(struct changes *changes, const char *state_dir, struct err *err)
{
	if (queue_open(&changes->queue, state_dir, QUEUE_READ, err) < 0 ||
	    queue_event_last(changes->queue, &changes->after, err) < 0)
		return -1;
	return queue_data_version(changes->queue, &changes->version, err);
}

void changes_close(struct changes *changes)
{
	queue_close(changes->queue);
	changes->queue = NULL;
}

int changes_are_there(struct changes *changes, struct err *err)
{
	int64_t version;
	if (queue_data_version(changes->queue, &version, err) < 0)
		return -1;
	const bool is_new = version != changes->version;
	changes->version = version;
	return is_new;
}

/* Nobody wants to know of what has been. */
static int skip(struct changes *changes, const struct changes_use *use, struct err *err)
{
	int64_t last;
	if (use->is_needed(use->cls))
		return 0;
	if (queue_event_last(changes->queue, &last, err) < 0)
		return -1;
	if (use->is_needed(use->cls))
		return 0;
	changes->after = last;
	return 1;
}

static int read_all(struct changes *changes, const struct changes_use *use,
		    struct err *err)
{
	struct change found[CHANGES_AT_ONCE];
	const int skipped = skip(changes, use, err);
	if (skipped != 0)
		return skipped < 0 ? -1 : 0;
	for (int count = CHANGES_AT_ONCE; count == CHANGES_AT_ONCE;) {
		count = queue_changes(changes->queue, changes->after, found,
				      CHANGES_AT_ONCE, &changes->after, err);
		if (count < 0)
			return -1;
		use->see(use->cls, found, count);
	}
	return 0;
}

int changes_read(struct changes *changes, const struct changes_use *use, struct err *err)
{
	const int result = read_all(changes, use, err);
	if (result < 0)
		changes->version = -1; /* none: they are still there to be read */
	return result;
}
