/* health.h - what more than one answer wants to know of the service's state. */
#ifndef REEVE_HTTPAPI_HEALTH_H
#define REEVE_HTTPAPI_HEALTH_H

#include "queue/queue.h"

/* Has it been heard of lately, and not said goodbye? */
bool worker_is_alive(const struct worker_info *worker);

/* Room in the state directory that its user may take; -1: it cannot be told. */
int64_t state_dir_free_bytes(const struct config *config);

#endif
