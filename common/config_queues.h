/* config_queues.h - the setting `queues`: names, limits, timeouts.
 *
 * {"thumbs": {"max_running": 2, "default_timeout_s": 600}}; the queue `default` is there
 * whether it is named or not. */
#ifndef REEVE_CONFIG_QUEUES_H
#define REEVE_CONFIG_QUEUES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define QUEUE_NAME_MAX 64

struct queue_setting {
	char *name;
	int64_t max_running;	    /* -1: no limit of its own */
	int64_t default_timeout_us; /* of jobs that name none; 0: none of its own */
};

struct queue_settings {
	struct queue_setting *item;
	size_t count;
};

/* The row of this name, or NULL. */
const struct queue_setting *queue_setting_find(const struct queue_settings *queues,
					       const char *name);

/* 1 to QUEUE_NAME_MAX of A-Z a-z 0-9 _ . - ? */
bool queue_name_is_valid(const char *name);

#endif
