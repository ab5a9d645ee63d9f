/* signals.c - see signals.h. */
#include "queue/signals.h"

#include "queue/db.h"

struct fate_row {
	const char *delivered, *why;
};
static const struct fate_row FATES[SIGNAL_FATE_COUNT_] = {
#define SIGNAL_FATE_ROW_(fate, is_delivered, words)                                      \
	[fate] = {.delivered = (is_delivered), .why = (words)},
	SIGNAL_FATES(SIGNAL_FATE_ROW_)
#undef SIGNAL_FATE_ROW_
};

int queue_signal(struct queue *queue, const struct viewer *viewer, const char *id,
		 int signal, struct err *err)
{
	int64_t row;
	if (db_expect_writing(queue, err) != 0)
		return -1;
	const int found = job_find(queue, viewer, id, &row, err);
	if (found < 0)
		return -1;
	if (found == 0)
		return err_set(err, ERR_NOT_FOUND, "no job %s", id);
	const int wanted =
		db_run(queue, STATEMENT_SIGNAL_WANT,
		       BINDS(as_int(row), as_int(signal), as_text(viewer->principal),
			     as_int(clock_now_us())),
		       err);
	if (wanted == 0)
		return err_set(err, ERR_CONFLICT, "the job does not run");
	return wanted < 0 ? -1 : 0;
}

int queue_signal_requests(struct queue *queue, int64_t after, struct signal_request *ret,
			  int max, struct err *err)
{
	sqlite3_stmt *stmt;
	int n = 0, more = 0;
	if (db_start(queue, STATEMENT_SIGNAL_REQUESTS, BINDS(as_int(after), as_int(max)),
		     &stmt, err) != 0)
		return -1;
	while (n < max && (more = db_step(queue, stmt, err)) == 1)
		ret[n++] = (struct signal_request){
			.id = sqlite3_column_int64(stmt, 0),
			.job_row = sqlite3_column_int64(stmt, 1),
			.number = sqlite3_column_int(stmt, 2),
			.signal = sqlite3_column_int(stmt, 3),
			.sent_by = sqlite3_column_int64(stmt, 4),
		};
	db_end(stmt);
	return more < 0 ? -1 : n;
}

int queue_signal_take(struct queue *queue, int64_t id, int64_t epoch, struct err *err)
{
	return db_run(queue, STATEMENT_SIGNAL_TAKE, BINDS(as_int(id), as_int(epoch)),
		      err) < 0
		       ? -1
		       : 0;
}

/* {"signal":"USR1","number":10,"attempt":1,"delivered":true} */
static void put_data(struct buf *out, int number, int attempt, enum signal_fate fate)
{
	struct json_writer json;
	json_writer_init(&json, out);
	json_open(&json, NULL, '{');
	json_put_text(&json, "signal", signal_name(number));
	json_put_int(&json, "number", number);
	json_put_int(&json, "attempt", attempt);
	json_put_raw(&json, "delivered", FATES[fate].delivered);
	if (FATES[fate].why != NULL)
		json_put_text(&json, "why", FATES[fate].why);
	json_close(&json, '}');
}

/* The row that the statement stands on, as the event that says what became of it. */
static int settle_row(struct queue *queue, sqlite3_stmt *stmt, enum signal_fate fate,
		      struct err *err)
{
	AUTO_BUF struct buf data = BUF_INIT(512);
	put_data(&data, sqlite3_column_int(stmt, 2), sqlite3_column_int(stmt, 1), fate);
	return event_of_move(queue, sqlite3_column_int64(stmt, 0), "signalled",
			     JOB_STATE_NONE, (const char *)sqlite3_column_text(stmt, 3),
			     buf_text(&data), err);
}

int queue_signal_settle(struct queue *queue, int64_t id, enum signal_fate fate,
			struct err *err)
{
	sqlite3_stmt *stmt;
	if (db_expect_writing(queue, err) != 0 ||
	    db_start(queue, STATEMENT_SIGNAL_GET, BINDS(as_int(id)), &stmt, err) != 0)
		return -1;
	int result = db_step(queue, stmt, err);
	if (result == 1)
		result = settle_row(queue, stmt, fate, err);
	db_end(stmt);
	if (result == 0)
		result = db_run(queue, STATEMENT_SIGNAL_FORGET, BINDS(as_int(id)), err);
	return result < 0 ? db_fail_late(err) : 0;
}
