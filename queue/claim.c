/* claim.c - queued jobs become running, with their attempts, before anything is started.
 *
 * Nothing of history is read: the ids come from an index that holds queued jobs only. */
#include "queue/db.h"

/* A worker that was superseded must not write any more. */
static int epoch_check(struct queue *queue, int64_t epoch, struct err *err)
{
	int64_t newest = 0;
	if (db_ask(queue, STATEMENT_WORKER_EPOCH, NO_BINDS, &newest, err) < 0)
		return -1;
	if (newest > epoch)
		return err_set(err, ERR_CONFLICT,
			       "worker %lld is superseded by worker %lld",
			       (long long)epoch, (long long)newest);
	return 0;
}

static int pick(struct queue *queue, int max, int64_t *rows, struct err *err)
{
	sqlite3_stmt *stmt;
	int n = 0, more;
	if (db_start(queue, STATEMENT_CLAIM_PICK, BINDS(as_int(max)), &stmt, err) != 0)
		return -1;
	while ((more = db_step(queue, stmt, err)) == 1 && n < max)
		rows[n++] = sqlite3_column_int64(stmt, 0);
	db_end(stmt);
	return more < 0 ? -1 : n;
}

static int stdin_load(struct queue *queue, struct claim *claim, struct err *err)
{
	sqlite3_stmt *stmt;
	if (db_start(queue, STATEMENT_JOB_STDIN_GET, BINDS(as_int(claim->job.row)), &stmt,
		     err) != 0)
		return -1;
	const int found = db_step(queue, stmt, err);
	if (found == 1) {
		const void *content = sqlite3_column_blob(stmt, 0);
		claim->stdin_bytes = (size_t)sqlite3_column_bytes(stmt, 0);
		/* one byte more: given but empty is not the same as /dev/null */
		claim->stdin_data = mem_alloc(claim->stdin_bytes + 1);
		if (claim->stdin_bytes > 0)
			memcpy(claim->stdin_data, content, claim->stdin_bytes);
	}
	db_end(stmt);
	return found < 0 ? -1 : 0;
}

static int definition_load(struct queue *queue, struct claim *claim, struct err *err)
{
	sqlite3_stmt *stmt;
	if (claim->job.task == NULL)
		return 0;
	if (db_start(queue, STATEMENT_TASK_DEFINITION_GET, BINDS(as_int(claim->job.row)),
		     &stmt, err) != 0)
		return -1;
	const int found = db_step(queue, stmt, err);
	if (found == 1)
		claim->task_definition = column_text(stmt, 0);
	db_end(stmt);
	return found < 0 ? -1 : 0;
}

static int claim_one(struct queue *queue, int64_t row, int64_t epoch, int64_t now,
		     struct claim *ret, struct err *err)
{
	if (db_run(queue, STATEMENT_CLAIM_MOVE, BINDS(as_int(row)), err) < 0)
		return -1;
	if (job_load(queue, row, &ret->job, err) != 1)
		return -1;
	ret->number = ret->job.attempt;
	tally_claimed(queue, ret->job.queue, now, ret->job.queued_at);
	if (db_run(queue, STATEMENT_ATTEMPT_INSERT,
		   BINDS(as_int(row), as_int(ret->number), as_int(epoch), as_int(now)),
		   err) < 0)
		return -1;
	return event_append(queue,
			    &(const struct event_row){
				    .at = now,
				    .has_job = true,
				    .job_row = row,
				    .kind = "started",
				    .state = "running",
			    },
			    err);
}

static int claim_all(struct queue *queue, int64_t epoch, const int64_t *rows, int count,
		     struct claim_list *list, struct err *err)
{
	const int64_t now = clock_now_us();
	for (int i = 0; i < count; i++) {
		struct claim *claim = &list->item[list->count++];
		if (claim_one(queue, rows[i], epoch, now, claim, err) != 0 ||
		    stdin_load(queue, claim, err) != 0 ||
		    definition_load(queue, claim, err) != 0)
			return -1;
	}
	return 0;
}

int queue_claim(struct queue *queue, int64_t epoch, int max, struct claim_list *ret,
		struct err *err)
{
	struct claim_list list = {.item = NULL};
	if (db_expect_writing(queue, err) != 0 || epoch_check(queue, epoch, err) != 0)
		return -1;
	if (max < 1) {
		*ret = list;
		return 0;
	}
	int64_t *rows = mem_array((size_t)max, sizeof *rows);
	const int count = pick(queue, max, rows, err);
	int result = count < 0 ? -1 : 0;
	if (count > 0) {
		list.item = mem_array((size_t)count, sizeof *list.item);
		result = claim_all(queue, epoch, rows, count, &list, err);
	}
	free(rows);
	if (result != 0) {
		claim_list_release(&list);
		return db_fail_late(err);
	}
	*ret = list;
	return 0;
}

void claim_take(struct claim *from, struct claim *ret)
{
	*ret = *from;
	*from = (struct claim){.number = 0};
}

void claim_release(struct claim *claim)
{
	job_release(&claim->job);
	free(claim->stdin_data);
	free(claim->task_definition);
	*claim = (struct claim){.number = 0};
}

void claim_list_release(struct claim_list *list)
{
	for (size_t i = 0; i < list->count; i++)
		claim_release(&list->item[i]);
	free(list->item);
	*list = (struct claim_list){.item = NULL};
}
