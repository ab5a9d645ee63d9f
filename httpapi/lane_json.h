/* lane_json.h - queues and draining as the API shows them. */
#ifndef REEVE_HTTPAPI_LANE_JSON_H
#define REEVE_HTTPAPI_LANE_JSON_H

#include "queue/queue.h"

/* One queue. */
void lane_put(struct json_writer *json, const char *key, const struct config *config,
	      const struct lane *lane);

/* Whether the service drains, and how many jobs run all the same; `drain` NULL: it does
 * not. */
void drain_put(struct json_writer *json, const char *key, const struct drain *drain,
	       int64_t running);

#endif
