/* rerun.c - a new job like an old one, and new ones like all that depend on it.
 *
 * The rows are copied inside the database. With a cascade the old jobs are gathered, put
 * in an order in which parents come first, and made again one by one, so that each new
 * job's dependencies point to new ones where there are such. */
#include "queue/birth.h"
#include "queue/rowmap.h"

/* The old jobs, and the new ones made like them. */
struct again {
	struct queue *queue;
	const struct viewer *viewer;
	int64_t *old, *made; /* heap; made: 0 not yet */
	size_t *order;	     /* heap: indexes, parents first */
	size_t count, capacity;
	struct rowmap place; /* of an old row in `old` */
	uint8_t batch[DB_UUID_BYTES];
	bool is_cascade;
	const struct queue_settings *lanes; /* there are; NULL: any will do */
};

static void again_release(struct again *again)
{
	free(again->old);
	free(again->made);
	free(again->order);
	rowmap_release(&again->place);
}

static void old_put(struct again *again, int64_t row)
{
	if (!rowmap_put(&again->place, row, again->count))
		return;
	if (again->count == again->capacity) {
		again->capacity = again->capacity == 0 ? 16 : again->capacity * 2;
		again->old = mem_grow(again->old, again->capacity * sizeof *again->old);
	}
	again->old[again->count++] = row;
}

/* --- which, and in which order --- */

static int gather_dependants(struct again *again, int64_t row, size_t max,
			     struct err *err)
{
	sqlite3_stmt *stmt;
	int more = 0;
	if (db_start(again->queue, STATEMENT_DEPENDANTS_SEEN,
		     BINDS(as_int(row), viewer_owner(again->viewer)), &stmt, err) != 0)
		return -1;
	while (again->count <= max && (more = db_step(again->queue, stmt, err)) == 1)
		old_put(again, sqlite3_column_int64(stmt, 0));
	db_end(stmt);
	return more < 0 ? -1 : 0;
}

static int gather(struct again *again, int64_t row, size_t max, struct err *err)
{
	old_put(again, row);
	for (size_t i = 0; again->is_cascade && i < again->count; i++) {
		if (gather_dependants(again, again->old[i], max, err) != 0)
			return -1;
		if (again->count > max)
			return err_set(err, ERR_TOO_LARGE,
				       "more than %zu jobs would be run again", max);
	}
	return 0;
}

/* One of them is in its place: those that only waited for it are next in the order. */
static int count_down(struct again *again, int64_t row, size_t *open, size_t *ordered,
		      struct err *err)
{
	sqlite3_stmt *stmt;
	size_t place;
	int more;
	if (db_start(again->queue, STATEMENT_DEPENDANTS_SEEN,
		     BINDS(as_int(row), viewer_owner(again->viewer)), &stmt, err) != 0)
		return -1;
	while ((more = db_step(again->queue, stmt, err)) == 1)
		if (rowmap_get(&again->place, sqlite3_column_int64(stmt, 0), &place) &&
		    --open[place] == 0)
			again->order[(*ordered)++] = place;
	db_end(stmt);
	return more;
}

static int count_open(struct again *again, size_t *open, struct err *err)
{
	for (size_t i = 0; i < again->count; i++) {
		struct dependency_list list = {.item = NULL};
		size_t place;
		const int result = dependency_list_load(again->queue, again->viewer,
							again->old[i], &list, err);
		for (size_t k = 0; k < list.count; k++)
			open[i] += rowmap_get(&again->place, list.item[k].parent_row,
					      &place);
		dependency_list_release(&list);
		if (result != 0)
			return -1;
	}
	return 0;
}

/* The first one depends on none of the others: it is where all of them come from. */
static int sort(struct again *again, struct err *err)
{
	size_t *open = mem_array(again->count, sizeof *open);
	size_t ordered = 1;
	again->order = mem_array(again->count, sizeof *again->order);
	again->made = mem_array(again->count, sizeof *again->made);
	int result = again->count > 1 ? count_open(again, open, err) : 0;
	for (size_t i = 0; again->count > 1 && i < ordered && result == 0; i++)
		result = count_down(again, again->old[again->order[i]], open, &ordered,
				    err);
	free(open);
	if (result == 0 && ordered != again->count)
		return err_set(err, ERR_INTERNAL, "these dependencies form a circle");
	return result;
}

/* --- making one --- */

/* The new job where there is one, else the old. */
static int64_t row_now(const struct again *again, int64_t row)
{
	size_t place;
	return rowmap_get(&again->place, row, &place) && again->made[place] != 0
		       ? again->made[place]
		       : row;
}

/* What the new job is to wait for: all that the old one did, but for the first, of which
 * only the dependency counts that its input comes from. */
static int wishes_load(const struct again *again, const struct job *old, bool is_first,
		       struct dependency_wish **ret, size_t *ret_count, struct err *err)
{
	struct dependency_list list = {.item = NULL};
	int result =
		dependency_list_load(again->queue, again->viewer, old->row, &list, err);
	*ret = mem_array(list.count + 1, sizeof **ret);
	*ret_count = 0;
	for (size_t i = 0; i < list.count && result == 0; i++) {
		const struct dependency *item = &list.item[i];
		const bool is_input = item->parent_row == old->stdin_from &&
				      item->condition == DEPENDS_SUCCESS;
		if (is_first && !is_input)
			continue;
		if (item->is_pruned)
			result = err_set(err, ERR_CONFLICT,
					 "job %s depends on one that was removed",
					 old->id);
		(*ret)[(*ret_count)++] = (struct dependency_wish){
			.parent_row = row_now(again, item->parent_row),
			.condition = item->condition};
	}
	dependency_list_release(&list);
	return result;
}

static int rows_copy(const struct again *again, const struct job *old,
		     const struct submission *wishes, const struct birth *birth,
		     bool is_first, int64_t *ret_row, struct err *err)
{
	struct queue *queue = again->queue;
	const int64_t stdin_from =
		old->stdin_from != 0 ? row_now(again, old->stdin_from) : 0;
	const struct bind binds[] = {
		as_blob(birth->uuid, DB_UUID_BYTES),
		as_text(again->viewer->principal),
		as_int(birth->now),
		as_text(job_state_word(birth->state)),
		as_text(birth->reason),
		as_int_if(birth->state == JOB_QUEUED, birth->now),
		as_int_if(job_state_is_final(birth->state), birth->now),
		as_blob(birth->batch, DB_UUID_BYTES),
		as_int_if(stdin_from != 0, stdin_from),
		as_int(!is_first),
		as_int(old->row),
	};
	if (db_run(queue, STATEMENT_JOB_RERUN, binds, ARRAY_SIZE(binds), err) < 0)
		return -1;
	*ret_row = sqlite3_last_insert_rowid(queue->db);
	if (db_run(queue, STATEMENT_JOB_STDIN_COPY,
		   BINDS(as_int(old->row), as_int(*ret_row)), err) < 0 ||
	    db_run(queue, STATEMENT_JOB_LABELS_INSERT, BINDS(as_int(*ret_row)), err) <
		    0 ||
	    birth_dependencies(queue, wishes, NULL, birth, *ret_row, err) != 0)
		return -1;
	tally_submitted(queue, old->queue, birth->now);
	return birth_event(queue, birth, *ret_row, again->viewer->principal, 0, old->id,
			   err);
}

/* A queue that a submission could not name is none for a new job either. */
static int lane_check(const struct again *again, const struct job *old, struct err *err)
{
	AUTO_BUF struct buf words = BUF_INIT(QUEUE_WORDS_MAX);
	if (again->lanes == NULL || queue_name_is_known(again->lanes, old->queue))
		return 0;
	queue_name_complain(again->lanes, old->queue, &words);
	return err_set(err, ERR_INVALID,
		       "the queue of job %s is not configured any more: %s", old->id,
		       buf_text(&words));
}

static int make_one(struct again *again, size_t place, char ret_id[JOB_ID_BYTES],
		    struct err *err)
{
	struct birth birth = {.now = clock_now_us(),
			      .batch = again->is_cascade ? again->batch : NULL};
	struct dependency_wish *wish = NULL;
	struct submission wishes = {.owner = again->viewer->principal};
	struct job old;
	if (job_load(again->queue, again->old[place], &old, err) != 1)
		return -1;
	int result = lane_check(again, &old, err);
	if (result == 0)
		result = wishes_load(again, &old, place == 0, &wish,
				     &wishes.depends_count, err);
	wishes.depends_on = wish;
	wishes.is_any_enough = place != 0 && old.depends_rule != NULL;
	id_make(again->queue, birth.uuid);
	if (result == 0)
		result = birth_decide(again->queue, &wishes, NULL, &birth, err);
	if (result == 0)
		result = rows_copy(again, &old, &wishes, &birth, place == 0,
				   &again->made[place], err);
	id_format(birth.uuid, ret_id);
	birth_release(&birth);
	free(wish);
	job_release(&old);
	return result;
}

/* --- all of them --- */

static int make_all(struct again *again, struct rerun *ret, struct err *err)
{
	char other[JOB_ID_BYTES] = "";
	struct part part;
	int result = part_begin(again->queue, &part, err);
	if (result != 0)
		return -1;
	for (size_t i = 0; i < again->count && result == 0; i++)
		result = make_one(again, again->order[i], i == 0 ? ret->id : other, err);
	if (result == 0)
		return part_end(again->queue, &part, err);
	struct err undoing = ERR_INIT;
	if (part_undo(again->queue, &part, &undoing) != 0)
		*err = undoing;
	return -1;
}

/* The row of a job that has ended. */
static int ended_find(struct queue *queue, const struct viewer *viewer, const char *id,
		      int64_t *ret_row, struct err *err)
{
	struct job job;
	const int found = queue_job_get(queue, viewer, id, &job, err);
	if (found < 0)
		return -1;
	if (found == 0)
		return err_set(err, ERR_NOT_FOUND, "no job %s", id);
	const enum job_state state = job.state;
	*ret_row = job.row;
	job_release(&job);
	return job_state_is_final(state)
		       ? 0
		       : err_set(err, ERR_CONFLICT, "the job has not ended yet: %s",
				 job_state_word(state));
}

int queue_rerun(struct queue *queue, const struct viewer *viewer, const char *id,
		const struct rerun_wish *wish, struct rerun *ret, struct err *err)
{
	const struct request_key key = {viewer->principal, wish->idempotency_key,
					wish->body_hash};
	struct again again = {.queue = queue,
			      .viewer = viewer,
			      .is_cascade = wish->is_cascade,
			      .lanes = wish->lanes};
	struct submitted before;
	int64_t row;
	*ret = (struct rerun){.jobs = 0};
	if (db_expect_writing(queue, err) != 0)
		return -1;
	const int found = key_find(queue, &key, &before, err);
	if (found == 1) {
		ret->is_replay = true;
		memcpy(ret->id, before.id, sizeof ret->id);
	}
	if (found != 0)
		return found < 0 ? -1 : 0;
	if (ended_find(queue, viewer, id, &row, err) != 0)
		return -1;
	id_make(queue, again.batch);
	int result = gather(&again, row, wish->max, err);
	if (result == 0)
		result = sort(&again, err);
	if (result == 0)
		result = make_all(&again, ret, err);
	if (result == 0)
		result = key_keep(queue, &key, again.made[0], NULL, err);
	ret->jobs = (int64_t)again.count;
	if (wish->is_cascade)
		id_format(again.batch, ret->batch);
	again_release(&again);
	return result;
}
