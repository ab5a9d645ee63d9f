/* queue_names.h - which queues there are to the configuration, and what it says of them.
 */
#ifndef REEVE_QUEUE_NAMES_H
#define REEVE_QUEUE_NAMES_H

#include "common/buf.h"
#include "common/config_queues.h"

/* Is it one of the configuration's? `default` always is. */
bool queue_name_is_known(const struct queue_settings *queues, const char *name);

/* Appends that there is no such queue, and which was meant or which there are. */
#define QUEUE_WORDS_MAX 2048
void queue_name_complain(const struct queue_settings *queues, const char *name,
			 struct buf *out);

/* The timeout of jobs of this queue that name none; 0: it has none of its own. */
int64_t queue_timeout_us(const struct queue_settings *queues, const char *name);

#endif
