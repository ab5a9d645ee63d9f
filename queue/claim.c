/* claim.c - queued jobs become running, with their attempts, before anything is started.
 *
 * Which ones is decided by turns.c, one at a time: a job that is claimed leaves the index
 * of queued jobs, so that the next look finds the next one. */
#include "queue/turns.h"

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

/* Room for one more. */
static struct claim *list_add(struct claim_list *list, size_t *capacity)
{
	if (list->count == *capacity) {
		*capacity = *capacity > 0 ? 2 * *capacity : 8;
		list->item = mem_grow(list->item, *capacity * sizeof *list->item);
	}
	struct claim *claim = &list->item[list->count++];
	*claim = (struct claim){.number = 0};
	return claim;
}

static int claim_all(struct queue *queue, struct turns *turns, int64_t epoch, int max,
		     struct claim_list *list, struct err *err)
{
	const int64_t now = clock_now_us();
	size_t capacity = 0;
	int64_t row;
	int found = turns_begin(queue, turns, err) == 0 ? 1 : -1;
	while (found == 1 && list->count < (size_t)max) {
		found = turns_next(queue, turns, &row, err);
		if (found != 1)
			break;
		struct claim *claim = list_add(list, &capacity);
		if (claim_one(queue, row, epoch, now, claim, err) != 0 ||
		    stdin_load(queue, claim, err) != 0 ||
		    definition_load(queue, claim, err) != 0)
			return -1;
	}
	return found < 0 ? -1 : 0;
}

int queue_claim(struct queue *queue, struct turns *turns, int64_t epoch, int max,
		struct claim_list *ret, struct err *err)
{
	struct claim_list list = {.item = NULL};
	struct turns *own = NULL;
	int64_t draining = 0;
	int result = 0;
	if (db_expect_writing(queue, err) != 0 || epoch_check(queue, epoch, err) != 0 ||
	    db_ask(queue, STATEMENT_DRAIN_IS, NO_BINDS, &draining, err) < 0)
		return -1;
	if (turns == NULL)
		turns = own = turns_new();
	if (!draining)
		result = claim_all(queue, turns, epoch, max, &list, err);
	turns_free(own);
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
