/* executor.c - the list of executors. */
#include "worker/executor.h"

static const struct executor_ops *const EXECUTORS[] = {
	&executor_local,
};

const struct executor_ops *executor_find(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(EXECUTORS); i++) {
		if (text_equal(EXECUTORS[i]->name, name))
			return EXECUTORS[i];
	}
	return NULL;
}
