/* drain.c - draining: nothing is started any more, and what still runs. */
#include "queue/turns.h"

int queue_drain(struct queue *queue, const char *principal, const char *reason,
		struct err *err)
{
	AUTO_BUF struct buf data = BUF_INIT(EVENT_DATA_BYTES);
	struct json_writer json;
	const int changed = db_run(
		queue, STATEMENT_DRAIN_SET,
		BINDS(as_int(clock_now_us()), as_text(principal), as_text(reason)), err);
	if (changed <= 0)
		return changed;
	json_writer_init(&json, &data);
	json_open(&json, NULL, '{');
	if (reason != NULL)
		json_put_text(&json, "reason", reason);
	return service_event(queue, "draining", principal, &json, err) == 0
		       ? 0
		       : db_fail_late(err);
}

int queue_undrain(struct queue *queue, const char *principal, struct err *err)
{
	AUTO_BUF struct buf data = BUF_INIT(EVENT_DATA_BYTES);
	struct json_writer json;
	const int changed = db_run(queue, STATEMENT_DRAIN_CLEAR, NO_BINDS, err);
	if (changed <= 0)
		return changed;
	json_writer_init(&json, &data);
	json_open(&json, NULL, '{');
	return service_event(queue, "undrained", principal, &json, err) == 0
		       ? 0
		       : db_fail_late(err);
}

int queue_drain_get(struct queue *queue, struct drain *ret, struct err *err)
{
	sqlite3_stmt *stmt;
	if (db_start(queue, STATEMENT_DRAIN_GET, NO_BINDS, &stmt, err) != 0)
		return -1;
	const int found = db_step(queue, stmt, err);
	if (found == 1)
		*ret = (struct drain){.since = sqlite3_column_int64(stmt, 0),
				      .by = column_text(stmt, 1),
				      .reason = column_text(stmt, 2)};
	db_end(stmt);
	return found;
}

void drain_release(struct drain *drain)
{
	free(drain->by);
	free(drain->reason);
	*drain = (struct drain){.by = NULL};
}

int queue_running(struct queue *queue, int64_t *ret, struct err *err)
{
	return db_ask(queue, STATEMENT_EXPLAIN_RUNNING, BINDS(as_int(INT64_MAX)), ret,
		      err) < 0
		       ? -1
		       : 0;
}
