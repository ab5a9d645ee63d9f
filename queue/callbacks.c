/* callbacks.c - the outbox as its readers see it: people, and the sender. */
#include "queue/callbacks.h"

#include "queue/db.h"

#define S US_PER_S
#define MINUTE (60 * S)
#define HOUR (60 * MINUTE)

const int64_t CALLBACK_DELAYS_US[CALLBACK_TRIES] = {
	0,	  5 * S,     5 * MINUTE, 30 * MINUTE, 2 * HOUR,
	5 * HOUR, 10 * HOUR, 14 * HOUR,	 20 * HOUR,   24 * HOUR,
};

int64_t callback_wait_us(int tries, uint32_t random)
{
	if (tries < 1 || tries >= CALLBACK_TRIES)
		return -1;
	const int64_t delay_us = CALLBACK_DELAYS_US[tries];
	const int64_t most_us = delay_us / 100 * CALLBACK_JITTER_PERCENT;
	return delay_us - most_us +
	       (int64_t)(random % (uint32_t)(2 * CALLBACK_JITTER_PERCENT * 1000 + 1)) *
		       (delay_us / 100000);
}

/* --- rows --- */

#define AT(member) .offset = offsetof(struct callback, member)
#define WORD(member)                                                                     \
	.offset = offsetof(struct callback, member),                                     \
	.flag = sizeof(((struct callback *)0)->member)

/* clang-format off */
static const struct field CALLBACK_FIELDS[] = {
	{FIELD_INT64, AT(row)},
	{FIELD_WORD,  WORD(webhook_id)},
	{FIELD_UUID,  AT(job_id)},
	{FIELD_WORD,  WORD(kind)},
	{FIELD_WORD,  WORD(state)},
	{FIELD_INT,   AT(attempt)},
	{FIELD_INT,   AT(tries)},
	{FIELD_TEXT,  AT(owner)},
	{FIELD_TEXT,  AT(url)},
	{FIELD_TEXT,  AT(host)},
	{FIELD_TEXT,  AT(body)},
	{FIELD_TEXT,  AT(last_error)},
	{FIELD_INT64, AT(created_at)},
	{FIELD_INT64, AT(next_at)},
	{FIELD_INT64, AT(last_try_at)},
	{FIELD_INT64, AT(ended_at)},
	{FIELD_INT,   AT(last_status)},
};
/* clang-format on */
#undef AT
#undef WORD

void callback_release(struct callback *callback)
{
	fields_release(CALLBACK_FIELDS, ARRAY_SIZE(CALLBACK_FIELDS), callback,
		       sizeof *callback);
}

void callback_list_release(struct callback_list *list)
{
	for (size_t i = 0; i < list->count; i++)
		callback_release(&list->item[i]);
	free(list->item);
	*list = (struct callback_list){.item = NULL};
}

/* 1, 0 none, -1. */
static int row_load(struct queue *queue, int64_t row, struct callback *ret,
		    struct err *err)
{
	sqlite3_stmt *stmt;
	if (db_start(queue, STATEMENT_CALLBACK_ROW, BINDS(as_int(row)), &stmt, err) != 0)
		return -1;
	const int found = db_step(queue, stmt, err);
	if (found == 1) {
		memset(ret, 0, sizeof *ret);
		fields_fill(stmt, CALLBACK_FIELDS, ARRAY_SIZE(CALLBACK_FIELDS), ret);
	}
	db_end(stmt);
	return found;
}

static int rows_load(struct queue *queue, const int64_t *row, size_t count,
		     struct callback_list *ret, struct err *err)
{
	struct callback_list list = {.item = mem_array(count + 1, sizeof *list.item)};
	int found = 0;
	for (size_t i = 0; i < count && found >= 0; i++) {
		found = row_load(queue, row[i], &list.item[list.count], err);
		list.count += found == 1;
	}
	if (found < 0) {
		callback_list_release(&list);
		return -1;
	}
	*ret = list;
	return 0;
}

/* --- for people --- */

static enum statement list_statement(const struct viewer *viewer,
				     const struct callback_filter *filter)
{
	if (filter->job_row != 0)
		return STATEMENT_CALLBACK_LIST_JOB;
	if (filter->state != NULL && !text_equal(filter->state, "delivered"))
		return STATEMENT_CALLBACK_LIST_STATE;
	return viewer->sees_all ? STATEMENT_CALLBACK_LIST : STATEMENT_CALLBACK_LIST_OWNER;
}

/* The ids of one page. The count or -1. */
static int list_ids(struct queue *queue, const struct viewer *viewer,
		    const struct callback_filter *filter, int64_t *ret, struct err *err)
{
	const struct bind binds[] = {
		as_int(filter->before_row > 0 ? filter->before_row : INT64_MAX),
		viewer_owner(viewer),
		as_text(filter->state),
		as_int(filter->limit),
		as_int(filter->job_row),
	};
	sqlite3_stmt *stmt;
	int n = 0, more = 0;
	if (db_start(queue, list_statement(viewer, filter), binds,
		     ARRAY_SIZE(binds) - (filter->job_row == 0), &stmt, err) != 0)
		return -1;
	while (n < filter->limit && (more = db_step(queue, stmt, err)) == 1)
		ret[n++] = sqlite3_column_int64(stmt, 0);
	db_end(stmt);
	return more < 0 ? -1 : n;
}

int queue_callback_list(struct queue *queue, const struct viewer *viewer,
			const struct callback_filter *filter, struct callback_list *ret,
			struct err *err)
{
	bool is_own;
	if (snapshot_join(queue, &is_own, err) != 0)
		return -1;
	int64_t *row = mem_array((size_t)filter->limit + 1, sizeof *row);
	const int count = list_ids(queue, viewer, filter, row, err);
	const int result =
		count < 0 ? -1 : rows_load(queue, row, (size_t)count, ret, err);
	free(row);
	snapshot_leave(queue, is_own);
	return result;
}

static int find(struct queue *queue, const struct viewer *viewer, const char *webhook_id,
		int64_t *ret_row, struct err *err)
{
	return db_ask(queue, STATEMENT_CALLBACK_FIND,
		      BINDS(as_text(webhook_id), viewer_owner(viewer)), ret_row, err);
}

int queue_callback_get(struct queue *queue, const struct viewer *viewer,
		       const char *webhook_id, struct callback *ret, struct err *err)
{
	int64_t row;
	const int found = find(queue, viewer, webhook_id, &row, err);
	return found == 1 ? row_load(queue, row, ret, err) : found;
}

/* --- events --- */

/* {"webhook_id":"msg_...","kind":"final","tries":3,"status":200}: of the job, without
 * moving it, also when that was pruned. Never the URL, which may hold a secret. */
static int event_put(struct queue *queue, int64_t row, const char *kind,
		     const char *principal, struct err *err)
{
	AUTO_BUF struct buf data = BUF_INIT(1024);
	struct json_writer json;
	struct event_row event = {.at = clock_now_us(),
				  .has_job = true,
				  .kind = kind,
				  .principal = principal};
	sqlite3_stmt *stmt;
	if (db_start(queue, STATEMENT_CALLBACK_EVENT, BINDS(as_int(row)), &stmt, err) !=
	    0)
		return -1;
	const int found = db_step(queue, stmt, err);
	if (found == 1) {
		event.job_row = sqlite3_column_int64(stmt, 0);
		json_writer_init(&json, &data);
		json_open(&json, NULL, '{');
		json_put_text(&json, "webhook_id",
			      (const char *)sqlite3_column_text(stmt, 1));
		json_put_text(&json, "kind", (const char *)sqlite3_column_text(stmt, 2));
		json_put_int(&json, "tries", sqlite3_column_int64(stmt, 3));
		if (sqlite3_column_type(stmt, 4) != SQLITE_NULL)
			json_put_int(&json, "status", sqlite3_column_int64(stmt, 4));
		json_close(&json, '}');
		event.data = buf_text(&data);
	}
	db_end(stmt);
	return found == 1 ? event_append(queue, &event, err) : -1;
}

int queue_callback_redeliver(struct queue *queue, const struct viewer *viewer,
			     const char *webhook_id, struct err *err)
{
	int64_t row;
	if (db_expect_writing(queue, err) != 0)
		return -1;
	const int found = find(queue, viewer, webhook_id, &row, err);
	if (found < 0)
		return -1;
	if (found == 0)
		return err_set(err, ERR_NOT_FOUND, "no callback %s", webhook_id);
	/* the event first: it says how many tries there were */
	if (event_put(queue, row, "callback_redelivered", viewer->principal, err) != 0 ||
	    db_run(queue, STATEMENT_CALLBACK_AGAIN,
		   BINDS(as_int(row), as_int(clock_now_us())), err) < 0)
		return db_fail_late(err);
	return 0;
}

/* --- for the sender --- */

int queue_callback_host(struct queue *queue, const char *after, char ret[HOST_PORT_BYTES],
			struct err *err)
{
	sqlite3_stmt *stmt;
	if (db_start(queue, STATEMENT_CALLBACK_HOST, BINDS(as_text(after)), &stmt, err) !=
	    0)
		return -1;
	const int found = db_step(queue, stmt, err);
	if (found == 1)
		(void)snprintf(ret, HOST_PORT_BYTES, "%s",
			       (const char *)sqlite3_column_text(stmt, 0));
	db_end(stmt);
	return found;
}

/* The ids of those that are due; the count or -1. */
static int due_ids(struct queue *queue, const char *host, int64_t now, int max,
		   int64_t *ret, int64_t *ret_next_at, struct err *err)
{
	sqlite3_stmt *stmt;
	int n = 0, more;
	*ret_next_at = 0;
	if (db_start(queue, STATEMENT_CALLBACKS_DUE,
		     BINDS(as_text(host), as_int((int64_t)max + 1)), &stmt, err) != 0)
		return -1;
	while ((more = db_step(queue, stmt, err)) == 1) {
		const int64_t at = sqlite3_column_int64(stmt, 1);
		if (n == max || at > now) {
			*ret_next_at = at;
			break;
		}
		ret[n++] = sqlite3_column_int64(stmt, 0);
	}
	db_end(stmt);
	return more < 0 ? -1 : n;
}

int queue_callbacks_due(struct queue *queue, const char *host, int64_t now, int max,
			struct callback_list *ret, int64_t *ret_next_at, struct err *err)
{
	bool is_own;
	int64_t next_at;
	if (snapshot_join(queue, &is_own, err) != 0)
		return -1;
	int64_t *row = mem_array((size_t)max + 1, sizeof *row);
	const int count = due_ids(queue, host, now, max, row, &next_at, err);
	const int result =
		count < 0 ? -1 : rows_load(queue, row, (size_t)count, ret, err);
	free(row);
	snapshot_leave(queue, is_own);
	if (result == 0)
		*ret_next_at = next_at;
	return result;
}

struct outcome_row {
	const char *state, *event; /* event NULL: the matter goes on */
};
static const struct outcome_row OUTCOMES[] = {
	[CALLBACK_DELIVERED] = {"delivered", .event = "callback_delivered"},
	[CALLBACK_AGAIN] = {"pending", NULL},
	[CALLBACK_DEAD] = {"dead", .event = "callback_dead"},
};

int queue_callback_tried(struct queue *queue, const struct callback_try *tried,
			 struct err *err)
{
	const struct outcome_row *outcome = &OUTCOMES[tried->outcome];
	if (db_expect_writing(queue, err) != 0)
		return -1;
	const int changed = db_run(
		queue, STATEMENT_CALLBACK_TRIED,
		BINDS(as_int(tried->row), as_text(outcome->state), as_int(tried->at),
		      as_int_if(outcome->event == NULL, tried->next_at),
		      as_int_if(tried->status != 0, tried->status), as_text(tried->error),
		      as_int_if(outcome->event != NULL, tried->at), as_int(tried->tries),
		      as_int(tried->due_at)),
		err);
	if (changed <= 0 || outcome->event == NULL)
		return changed < 0 ? -1 : 0;
	return event_put(queue, tried->row, outcome->event, NULL, err) == 0
		       ? 0
		       : db_fail_late(err);
}

/* --- for retention --- */

int queue_callbacks_forget(struct queue *queue, int64_t before, int max, struct err *err)
{
	return db_run(queue, STATEMENT_CALLBACKS_FORGET,
		      BINDS(as_int(before), as_int(max)), err);
}
