/* lanes.c - named queues: what the configuration says, and what an operator has set. What
 * it means for claiming is in turns.c. */
#include "queue/turns.h"

#define DEFAULT_LANE "default"

/* --- events about the service --- */

int service_event(struct queue *queue, const char *kind, const char *principal,
		  struct json_writer *json, struct err *err)
{
	json_close(json, '}');
	if (json->out->is_full)
		return err_set(err, ERR_TOO_LARGE, "the reason is too long");
	return event_append(queue,
			    &(const struct event_row){
				    .at = clock_now_us(),
				    .kind = kind,
				    .principal = principal,
				    .data = buf_text(json->out),
			    },
			    err);
}

/* Begins the data of an event about a queue. */
static void lane_data(struct json_writer *json, struct buf *out, const char *name)
{
	json_writer_init(json, out);
	json_open(json, NULL, '{');
	json_put_text(json, "queue", name);
}

/* --- the configuration --- */

static bool is_named(const struct queue_settings *settings, const char *name)
{
	for (size_t i = 0; i < settings->count; i++)
		if (text_equal(settings->item[i].name, name))
			return true;
	return false;
}

static int configure_one(struct queue *queue, const char *name, int64_t max_running,
			 struct err *err)
{
	return db_run(queue, STATEMENT_LANE_CONFIGURE,
		      BINDS(as_text(name), as_int_if(max_running >= 0, max_running),
			    as_int(clock_now_us())),
		      err);
}

/* The next configured queue after `*name`, into it: 1, 0 none, -1. */
static int configured_next(struct queue *queue, char **name, struct err *err)
{
	sqlite3_stmt *stmt;
	if (db_start(queue, STATEMENT_LANE_CONFIGURED, BINDS(as_text(*name)), &stmt,
		     err) != 0)
		return -1;
	const int found = db_step(queue, stmt, err);
	char *next = found == 1 ? column_text(stmt, 0) : NULL;
	db_end(stmt);
	if (next != NULL) {
		free(*name);
		*name = next;
	}
	return found;
}

/* What the configuration does not name any more. */
static int unconfigure_others(struct queue *queue, const struct queue_settings *settings,
			      struct err *err)
{
	AUTO_FREE char *name = mem_strdup("");
	int found;
	while ((found = configured_next(queue, &name, err)) == 1) {
		if (text_equal(name, DEFAULT_LANE) || is_named(settings, name))
			continue;
		if (db_run(queue, STATEMENT_LANE_UNCONFIGURE,
			   BINDS(as_text(name), as_int(clock_now_us())), err) < 0)
			return -1;
	}
	return found;
}

static int configure(struct queue *queue, const struct queue_settings *settings,
		     struct err *err)
{
	if (!is_named(settings, DEFAULT_LANE) &&
	    configure_one(queue, DEFAULT_LANE, -1, err) < 0)
		return -1;
	for (size_t i = 0; i < settings->count; i++)
		if (configure_one(queue, settings->item[i].name,
				  settings->item[i].max_running, err) < 0)
			return -1;
	return unconfigure_others(queue, settings, err);
}

int queue_lanes_configure(struct queue *queue, const struct queue_settings *settings,
			  struct err *err)
{
	if (queue_begin(queue, err) != 0)
		return -1;
	if (configure(queue, settings, err) < 0) {
		queue_rollback(queue);
		return -1;
	}
	return queue_commit(queue, err);
}

/* --- asking --- */

/* Its row, if it has one: 1, 0, -1. */
static int row_load(struct queue *queue, const char *name, struct lane *ret,
		    struct err *err)
{
	sqlite3_stmt *stmt;
	if (db_start(queue, STATEMENT_LANE_ROW, BINDS(as_text(name)), &stmt, err) != 0)
		return -1;
	const int found = db_step(queue, stmt, err);
	if (found == 1) {
		const bool has_limit = sqlite3_column_type(stmt, 1) != SQLITE_NULL;
		ret->is_configured = sqlite3_column_int(stmt, 0) != 0;
		ret->configured_max_running =
			has_limit ? sqlite3_column_int64(stmt, 1) : -1;
		ret->is_limit_set = sqlite3_column_type(stmt, 2) != SQLITE_NULL;
		ret->max_running = ret->is_limit_set ? sqlite3_column_int64(stmt, 2)
						     : ret->configured_max_running;
		ret->paused_at = sqlite3_column_int64(stmt, 3);
		ret->paused_until = sqlite3_column_int64(stmt, 4);
		ret->paused_by = column_text(stmt, 5);
		ret->pause_reason = column_text(stmt, 6);
	}
	db_end(stmt);
	return found;
}

static int queued_load(struct queue *queue, const char *name, struct lane *ret,
		       struct err *err)
{
	sqlite3_stmt *stmt;
	if (db_start(queue, STATEMENT_LANE_COUNT_QUEUED, BINDS(as_text(name)), &stmt,
		     err) != 0)
		return -1;
	const int found = db_step(queue, stmt, err);
	if (found == 1) {
		ret->queued = sqlite3_column_int64(stmt, 0);
		ret->oldest_queued_at = sqlite3_column_int64(stmt, 1);
	}
	db_end(stmt);
	return found;
}

int lane_gates(struct queue *queue, const char *name, struct lane *ret, struct err *err)
{
	struct lane lane = {.name = mem_strdup(name),
			    .max_running = -1,
			    .configured_max_running = -1};
	const int found = row_load(queue, name, &lane, err);
	if (found < 0 || db_ask(queue, STATEMENT_LANE_COUNT_RUNNING, BINDS(as_text(name)),
				&lane.running, err) < 0) {
		lane_release(&lane);
		return -1;
	}
	*ret = lane;
	return found;
}

static int lane_load(struct queue *queue, const char *name, struct lane *ret,
		     struct err *err)
{
	struct lane lane;
	const int found = lane_gates(queue, name, &lane, err);
	if (found < 0)
		return -1;
	if (queued_load(queue, name, &lane, err) < 0 ||
	    db_ask(queue, STATEMENT_LANE_COUNT_WAITING, BINDS(as_text(name)),
		   &lane.waiting, err) < 0) {
		lane_release(&lane);
		return -1;
	}
	if (found == 0 && lane.waiting + lane.queued + lane.running == 0) {
		lane_release(&lane);
		return 0;
	}
	*ret = lane;
	return 1;
}

int queue_lane_get(struct queue *queue, const char *name, struct lane *ret,
		   struct err *err)
{
	bool is_own;
	if (snapshot_join(queue, &is_own, err) != 0)
		return -1;
	const int found = lane_load(queue, name, ret, err);
	snapshot_leave(queue, is_own);
	return found;
}

/* The next queue after `*name`, into it: 1, 0 none, -1. */
static int name_next(struct queue *queue, char **name, struct err *err)
{
	sqlite3_stmt *stmt;
	if (db_start(queue, STATEMENT_LANE_NEXT, BINDS(as_text(*name)), &stmt, err) != 0)
		return -1;
	int found = db_step(queue, stmt, err);
	char *next = found == 1 ? column_text(stmt, 0) : NULL;
	db_end(stmt);
	if (found < 0 || next == NULL)
		return found < 0 ? -1 : 0;
	free(*name);
	*name = next;
	return 1;
}

static int list_load(struct queue *queue, struct lane_list *list, struct err *err)
{
	AUTO_FREE char *name = mem_strdup("");
	size_t capacity = 0;
	int found;
	while ((found = name_next(queue, &name, err)) == 1) {
		if (list->count == capacity) {
			capacity = capacity > 0 ? 2 * capacity : 8;
			list->item = mem_grow(list->item, capacity * sizeof *list->item);
		}
		if (lane_load(queue, name, &list->item[list->count], err) != 1)
			return -1;
		list->count++;
	}
	return found;
}

int queue_lane_list(struct queue *queue, struct lane_list *ret, struct err *err)
{
	struct lane_list list = {.item = NULL};
	bool is_own;
	if (snapshot_join(queue, &is_own, err) != 0)
		return -1;
	const int result = list_load(queue, &list, err);
	snapshot_leave(queue, is_own);
	if (result < 0) {
		lane_list_release(&list);
		return -1;
	}
	*ret = list;
	return 0;
}

void lane_release(struct lane *lane)
{
	free(lane->name);
	free(lane->paused_by);
	free(lane->pause_reason);
	*lane = (struct lane){.name = NULL};
}

void lane_list_release(struct lane_list *list)
{
	for (size_t i = 0; i < list->count; i++)
		lane_release(&list->item[i]);
	free(list->item);
	*list = (struct lane_list){.item = NULL};
}

/* --- pausing and limits --- */

/* A queue that only jobs know has no row before it needs one. */
static int lane_expect(struct queue *queue, const char *name, struct err *err)
{
	int64_t is_known = 0;
	if (db_expect_writing(queue, err) != 0 ||
	    db_ask(queue, STATEMENT_LANE_IS_KNOWN, BINDS(as_text(name)), &is_known, err) <
		    0)
		return -1;
	if (!is_known)
		return err_set(err, ERR_NOT_FOUND, "no queue %s", name);
	return db_run(queue, STATEMENT_LANE_ENSURE, BINDS(as_text(name)), err) < 0
		       ? db_fail_late(err)
		       : 0;
}

int queue_lane_pause(struct queue *queue, const char *principal, const char *name,
		     const char *reason, int64_t until, struct err *err)
{
	AUTO_BUF struct buf data = BUF_INIT(EVENT_DATA_BYTES);
	struct json_writer json;
	if (lane_expect(queue, name, err) != 0)
		return -1;
	lane_data(&json, &data, name);
	if (reason != NULL)
		json_put_text(&json, "reason", reason);
	if (until != 0)
		json_put_time(&json, "until", until);
	if (db_run(queue, STATEMENT_LANE_PAUSE,
		   BINDS(as_text(name), as_int(clock_now_us()),
			 as_int_if(until != 0, until), as_text(principal),
			 as_text(reason)),
		   err) < 0 ||
	    service_event(queue, "queue_paused", principal, &json, err) != 0)
		return db_fail_late(err);
	return 0;
}

/* 1 resumed, 0 it was not paused, -1. */
static int resume(struct queue *queue, const char *principal, const char *name,
		  struct err *err)
{
	AUTO_BUF struct buf data = BUF_INIT(EVENT_DATA_BYTES);
	struct json_writer json;
	const int changed = db_run(queue, STATEMENT_LANE_RESUME,
				   BINDS(as_text(name), as_int(clock_now_us())), err);
	if (changed <= 0)
		return changed;
	lane_data(&json, &data, name);
	return service_event(queue, "queue_resumed", principal, &json, err) == 0 ? 1 : -1;
}

int queue_lane_resume(struct queue *queue, const char *principal, const char *name,
		      struct err *err)
{
	if (lane_expect(queue, name, err) != 0)
		return -1;
	return resume(queue, principal, name, err) < 0 ? db_fail_late(err) : 0;
}

int queue_lane_limit(struct queue *queue, const char *principal, const char *name,
		     int64_t max_running, struct err *err)
{
	AUTO_BUF struct buf data = BUF_INIT(EVENT_DATA_BYTES);
	struct json_writer json;
	const bool is_set = max_running != LANE_AS_CONFIGURED;
	if (is_set && max_running < -1)
		return err_set(err, ERR_INVALID, "a queue cannot run %lld jobs",
			       (long long)max_running);
	if (lane_expect(queue, name, err) != 0)
		return -1;
	const int changed = db_run(queue, STATEMENT_LANE_LIMIT,
				   BINDS(as_text(name), as_int_if(is_set, max_running),
					 as_int(clock_now_us())),
				   err);
	if (changed <= 0)
		return changed < 0 ? db_fail_late(err) : 0;
	lane_data(&json, &data, name);
	if (!is_set)
		json_put_text(&json, "max_running", "configured");
	else if (max_running < 0)
		json_put_null(&json, "max_running");
	else
		json_put_int(&json, "max_running", max_running);
	return service_event(queue, "queue_limited", principal, &json, err) == 0
		       ? 0
		       : db_fail_late(err);
}

/* The next pause that ends by itself: 1, 0 none by `until`, -1. */
static int due_find(struct queue *queue, int64_t until, char **ret_name, int64_t *ret_at,
		    struct err *err)
{
	sqlite3_stmt *stmt;
	if (db_start(queue, STATEMENT_LANE_DUE, BINDS(as_int(until)), &stmt, err) != 0)
		return -1;
	const int found = db_step(queue, stmt, err);
	if (found == 1) {
		*ret_name = column_text(stmt, 0);
		*ret_at = sqlite3_column_int64(stmt, 1);
	}
	db_end(stmt);
	return found;
}

int lanes_due(struct queue *queue, int64_t now, struct err *err)
{
	int64_t at;
	char *name;
	int found, resumed = 0;
	while ((found = due_find(queue, now, &name, &at, err)) == 1) {
		const int result = resume(queue, NULL, name, err);
		free(name);
		if (result < 0)
			return db_fail_late(err);
		resumed += result;
	}
	return found < 0 ? -1 : resumed;
}

int lanes_due_next(struct queue *queue, int64_t *ret_at, struct err *err)
{
	char *name;
	const int found = due_find(queue, INT64_MAX, &name, ret_at, err);
	if (found == 1)
		free(name);
	return found;
}
