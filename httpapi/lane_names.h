/* lane_names.h - which queues there are to the configuration, and what it says of them.
 */
#ifndef REEVE_HTTPAPI_LANE_NAMES_H
#define REEVE_HTTPAPI_LANE_NAMES_H

#include "common/common.h"

/* Is it one of the configuration's? `default` always is. */
bool lane_is_known(const struct config *config, const char *name);

/* Appends that there is no such queue, and which was meant or which there are. */
#define LANE_WORDS_MAX 2048
void lane_complain(const struct config *config, const char *name, struct buf *out);

/* The timeout of jobs of this queue that name none; 0: it has none of its own. */
int64_t lane_timeout_us(const struct config *config, const char *name);

#endif
