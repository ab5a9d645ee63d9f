/* spare.c - see spare.h. */
#include "worker/spare.h"

bool spare_keep(struct spares *spares, const struct attempt_name *name,
		const struct journal *journal, size_t most)
{
	if (!journal->has_ended || journal->key[0] == '\0' || spares->count >= most ||
	    spares->count >= SPARES_MAX)
		return false;
	spares->item[spares->count++] = *name;
	return true;
}

int spare_prepare(struct spares *spares, int state_fd, const struct attempt_name *name,
		  struct err *err)
{
	while (spares->count > 0) {
		const struct attempt_name old = spares->item[--spares->count];

		if (attempt_reuse(state_fd, &old, name) == 0)
			return 0;
		attempt_discard(state_fd, &old, false);
	}
	return attempt_prepare(state_fd, name, err);
}

void spares_drop(struct spares *spares, int state_fd)
{
	while (spares->count > 0)
		attempt_discard(state_fd, &spares->item[--spares->count], false);
}
