/* db_json.h - a job read from the database, as the JSON that the service would give, so
 * that `db ls` and `ls` print with the same code. */
#ifndef REEVE_CLIENT_DB_JSON_H
#define REEVE_CLIENT_DB_JSON_H

#include "queue/queue.h"

/* The caller frees with cJSON_Delete. `has_attempt`: with the figures of the last attempt
 * (process, output), which is another question to the database. */
int db_job_json(struct queue *queue, const struct job *job, bool has_attempt, cJSON **ret,
		struct err *err);

#endif
