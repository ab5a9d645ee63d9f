/* history.c - reading attempts and events, and what changed since somebody looked. */
#include "queue/db.h"

#define AT(member) .offset = offsetof(struct attempt, member)
#define WORD(member)                                                                     \
	.offset = offsetof(struct attempt, member),                                      \
	.flag = sizeof(((struct attempt *)0)->member)

/* clang-format off */
static const struct field ATTEMPT_FIELDS[] = {
	{FIELD_INT,    AT(number)},
	{FIELD_WORD,   WORD(state)},
	{FIELD_WORD,   WORD(outcome)},
	{FIELD_INT64,  AT(claimed_at)},
	{FIELD_INT64,  AT(started_at)},
	{FIELD_INT64,  AT(ended_at)},
	{FIELD_INT,    AT(pid)},
	{FIELD_INT64,  AT(pid_started)},
	{FIELD_FLAG,   AT(exit_code), .flag = offsetof(struct attempt, has_exit_code)},
	{FIELD_FLAG,   AT(signal), .flag = offsetof(struct attempt, has_signal)},
	{FIELD_TEXT,   AT(error)},
	{FIELD_INT64,  AT(cpu_user_us)},
	{FIELD_INT64,  AT(cpu_system_us)},
	{FIELD_INT64,  AT(max_rss_bytes)},
	{FIELD_INT64,  AT(read_bytes)},
	{FIELD_INT64,  AT(written_bytes)},
	{FIELD_INT64,  AT(stdout_bytes)},
	{FIELD_INT64,  AT(stderr_bytes)},
	{FIELD_INT64,  AT(dropped_bytes)},
	{FIELD_WORD,   WORD(stored)},
	{FIELD_DIGEST, AT(sha256)},
	{FIELD_INT64,  AT(removed_at)},
	{FIELD_WORD,   WORD(encoding)},
	{FIELD_INT64,  AT(file_bytes)},
};
#undef AT
#undef WORD

#define AT(member) .offset = offsetof(struct event, member)
static const struct field EVENT_FIELDS[] = {
	{FIELD_INT64, AT(id)},
	{FIELD_INT64, AT(at)},
	{FIELD_UUID,  AT(job_id)},
	{FIELD_TEXT,  AT(kind)},
	{FIELD_TEXT,  AT(state)},
	{FIELD_TEXT,  AT(principal)},
	{FIELD_TEXT,  AT(data)},
	{FIELD_TEXT,  AT(owner)},
	{FIELD_TEXT,  AT(queue)},
};
#undef AT
/* clang-format on */

void attempt_release(struct attempt *attempt)
{
	fields_release(ATTEMPT_FIELDS, ARRAY_SIZE(ATTEMPT_FIELDS), attempt,
		       sizeof *attempt);
}

void event_fill(sqlite3_stmt *stmt, struct event *ret)
{
	memset(ret, 0, sizeof *ret);
	fields_fill(stmt, EVENT_FIELDS, ARRAY_SIZE(EVENT_FIELDS), ret);
}

void event_release(struct event *event)
{
	fields_release(EVENT_FIELDS, ARRAY_SIZE(EVENT_FIELDS), event, sizeof *event);
}

/* Room for one item more in an array that doubles. */
static void *list_room(void *items, size_t count, size_t item_bytes)
{
	const bool is_full = count == 0 || (count >= 8 && (count & (count - 1)) == 0);
	if (!is_full)
		return items;
	return mem_grow(items, (count == 0 ? 8 : count * 2) * item_bytes);
}

static int attempts_load(struct queue *queue, int64_t job_row, int first, int last,
			 struct attempt_list *list, struct err *err)
{
	sqlite3_stmt *stmt;
	int more;
	if (db_start(queue, STATEMENT_ATTEMPT_LIST,
		     BINDS(as_int(job_row), as_int(first), as_int(last)), &stmt,
		     err) != 0)
		return -1;
	while ((more = db_step(queue, stmt, err)) == 1) {
		list->item = list_room(list->item, list->count, sizeof *list->item);
		struct attempt *item = &list->item[list->count++];
		memset(item, 0, sizeof *item);
		fields_fill(stmt, ATTEMPT_FIELDS, ARRAY_SIZE(ATTEMPT_FIELDS), item);
		if (item->ended_at == 0)
			(void)snprintf(item->stored, sizeof item->stored, "live");
	}
	db_end(stmt);
	return more;
}

void attempt_borrow(sqlite3_stmt *stmt, int first, struct attempt *ret)
{
	fields_borrow(stmt, first, ATTEMPT_FIELDS, ARRAY_SIZE(ATTEMPT_FIELDS), ret);
	if (ret->ended_at == 0)
		(void)snprintf(ret->stored, sizeof ret->stored, "live");
}

int queue_attempt_list(struct queue *queue, int64_t job_row, struct attempt_list *ret,
		       struct err *err)
{
	struct attempt_list list = {.item = NULL};
	if (attempts_load(queue, job_row, 1, INT32_MAX, &list, err) != 0) {
		attempt_list_release(&list);
		return -1;
	}
	*ret = list;
	return 0;
}

void attempt_list_release(struct attempt_list *list)
{
	for (size_t i = 0; i < list->count; i++)
		attempt_release(&list->item[i]);
	free(list->item);
	*list = (struct attempt_list){.item = NULL};
}

int queue_attempt_get(struct queue *queue, int64_t job_row, int number,
		      struct attempt *ret, struct err *err)
{
	struct attempt_list list = {.item = NULL};
	const int result = attempts_load(queue, job_row, number, number, &list, err);
	const int found = (int)list.count;
	if (result == 0 && found == 1) {
		*ret = list.item[0]; /* its texts go along */
		list.count = 0;
	}
	attempt_list_release(&list);
	return result == 0 ? found : -1;
}

int queue_event_list(struct queue *queue, int64_t job_row, int64_t after, int limit,
		     struct event_list *ret, struct err *err)
{
	struct event_list list = {.item = NULL};
	sqlite3_stmt *stmt;
	int more;
	if (db_start(queue, STATEMENT_EVENT_LIST,
		     BINDS(as_int(job_row), as_int(after), as_int(limit)), &stmt,
		     err) != 0)
		return -1;
	while ((more = db_step(queue, stmt, err)) == 1) {
		list.item = list_room(list.item, list.count, sizeof *list.item);
		event_fill(stmt, &list.item[list.count++]);
	}
	db_end(stmt);
	if (more != 0) {
		event_list_release(&list);
		return -1;
	}
	*ret = list;
	return 0;
}

void event_list_release(struct event_list *list)
{
	for (size_t i = 0; i < list->count; i++)
		event_release(&list->item[i]);
	free(list->item);
	*list = (struct event_list){.item = NULL};
}

int queue_changes(struct queue *queue, int64_t after, struct change *ret, int max,
		  int64_t *ret_after, struct err *err)
{
	sqlite3_stmt *stmt;
	int n = 0, more = 0;
	int64_t last = after;
	if (db_start(queue, STATEMENT_CHANGES, BINDS(as_int(after), as_int(max)), &stmt,
		     err) != 0)
		return -1;
	while (n < max && (more = db_step(queue, stmt, err)) == 1) {
		last = sqlite3_column_int64(stmt, 0);
		column_id(stmt, 1, ret[n].job_id);
		ret[n++].state =
			job_state_parse((const char *)sqlite3_column_text(stmt, 2));
	}
	db_end(stmt);
	if (more < 0)
		return -1;
	*ret_after = last;
	return n;
}

int queue_event_last(struct queue *queue, int64_t *ret, struct err *err)
{
	int64_t last = 0;
	if (db_ask(queue, STATEMENT_EVENT_TAIL, NO_BINDS, &last, err) < 0)
		return -1;
	*ret = last;
	return 0;
}

int queue_attempts_live(struct queue *queue, struct live_list *ret, struct err *err)
{
	struct live_list list = {.item = NULL};
	sqlite3_stmt *stmt;
	int more;
	if (db_start(queue, STATEMENT_ATTEMPTS_LIVE, NO_BINDS, &stmt, err) != 0)
		return -1;
	while ((more = db_step(queue, stmt, err)) == 1) {
		list.item = list_room(list.item, list.count, sizeof *list.item);
		struct live_attempt *item = &list.item[list.count++];
		memset(item, 0, sizeof *item);
		column_id(stmt, 0, item->job_id);
		item->job_row = sqlite3_column_int64(stmt, 1);
		item->number = sqlite3_column_int(stmt, 2);
		(void)snprintf(item->boot_id, sizeof item->boot_id, "%s",
			       (const char *)sqlite3_column_text(stmt, 3));
		item->worker_epoch = sqlite3_column_int64(stmt, 4);
	}
	db_end(stmt);
	if (more != 0) {
		live_list_release(&list);
		return -1;
	}
	*ret = list;
	return 0;
}

void live_list_release(struct live_list *list)
{
	free(list->item);
	*list = (struct live_list){.item = NULL};
}
