/* prune_jobs.c - letting go of outputs and jobs, in an order that any death may break.
 *
 * Files go between two commits: the first says that they are about to, the second that
 * they went. Whoever dies in between leaves marked rows, which the next run finds. Rows
 * go last, and only when no file is left that they would be missed for. */
#include "queue/retention_run.h"
#include "queue/seekable.h"

/* --- files that are marked --- */

/* An attempt's files, to be removed after a commit. */
struct remnant {
	int64_t job_row;
	char job_id[JOB_ID_BYTES];
	int attempt;
	bool is_gone;
};

struct remnants {
	struct remnant *item;
	size_t count, capacity;
};

static struct remnant *remnant_add(struct remnants *list)
{
	if (list->count == list->capacity) {
		list->capacity = list->capacity > 0 ? 2 * list->capacity : 64;
		list->item = mem_grow(list->item, list->capacity * sizeof *list->item);
	}
	struct remnant *item = &list->item[list->count++];
	memset(item, 0, sizeof *item);
	return item;
}

static void remnants_release(struct remnants *list)
{
	free(list->item);
}
#define AUTO_REMNANTS __attribute__((cleanup(remnants_release)))

/* A row names its file only so that it can be found by hand: if it names another one than
 * ours, that is not ours to remove. */
static bool is_our_path(const char *job_id, int attempt, const char *path)
{
	char ours[ATTEMPT_PATH_BYTES];
	attempt_output_path(job_id, attempt, ".log", ours);
	if (text_equal(path, ours))
		return true;
	attempt_output_path(job_id, attempt, SEEKABLE_SUFFIX, ours);
	return text_equal(path, ours);
}

static void remnants_remove(struct queue *queue, struct remnants *list,
			    struct retention *run)
{
	for (size_t i = 0; i < list->count; i++) {
		struct remnant *item = &list->item[i];
		if (!item->is_gone)
			output_files_remove(queue->state_dir, item->job_id, item->attempt,
					    &item->is_gone);
		run->report.unremovable += !item->is_gone;
	}
}

static int remnants_left(struct queue *queue, const struct remnants *list,
			 struct err *err)
{
	for (size_t i = 0; i < list->count; i++)
		if (list->item[i].is_gone && db_run(queue, STATEMENT_OUTPUT_LEFT,
						    BINDS(as_int(list->item[i].job_row),
							  as_int(list->item[i].attempt)),
						    err) < 0)
			return -1;
	return 0;
}

/* The marked outputs above the run's cursor. 0 or -1. */
static int marked_load(struct queue *queue, struct retention *run, struct remnants *list,
		       struct err *err)
{
	sqlite3_stmt *stmt;
	int more;
	if (db_start(queue, STATEMENT_OUTPUT_LEAVING,
		     BINDS(as_int(run->mark_row), as_int(run->mark_attempt),
			   as_int(run->policy->slice)),
		     &stmt, err) != 0)
		return -1;
	while ((more = db_step(queue, stmt, err)) == 1) {
		struct remnant *item = remnant_add(list);
		item->job_row = run->mark_row = sqlite3_column_int64(stmt, 0);
		run->mark_attempt = sqlite3_column_int64(stmt, 1);
		item->attempt = (int)run->mark_attempt;
		column_id(stmt, 2, item->job_id);
		item->is_gone = !is_our_path(item->job_id, item->attempt,
					     (const char *)sqlite3_column_text(stmt, 3));
	}
	db_end(stmt);
	return more;
}

int prune_marked(struct queue *queue, struct retention *run, struct err *err)
{
	AUTO_REMNANTS struct remnants list = {.item = NULL};
	struct timed timed;
	if (marked_load(queue, run, &list, err) != 0)
		return -1;
	if (list.count == 0)
		return 0;
	remnants_remove(queue, &list, run);
	if (timed_begin(queue, &timed, err) != 0)
		return -1;
	if (remnants_left(queue, &list, err) != 0 ||
	    timed_commit(queue, &timed, run, err) != 0) {
		queue_rollback(queue);
		return -1;
	}
	return list.count == (size_t)run->policy->slice;
}

/* --- marking --- */

int prune_is_exempt(struct queue *queue, int64_t row, struct err *err)
{
	int64_t is_exempt = 1; /* not there any more: somebody else pruned it */
	if (db_ask(queue, STATEMENT_RETENTION_EXEMPT, BINDS(as_int(row)), &is_exempt,
		   err) < 0)
		return -1;
	return is_exempt != 0;
}

static int leaving_load(struct queue *queue, int64_t row, struct remnants *list,
			struct err *err)
{
	sqlite3_stmt *stmt;
	int more;
	if (db_start(queue, STATEMENT_OUTPUT_LEAVING_OF, BINDS(as_int(row)), &stmt,
		     err) != 0)
		return -1;
	while ((more = db_step(queue, stmt, err)) == 1) {
		struct remnant *item = remnant_add(list);
		item->job_row = row;
		item->attempt = sqlite3_column_int(stmt, 0);
		column_id(stmt, 1, item->job_id);
		item->is_gone = !is_our_path(item->job_id, item->attempt,
					     (const char *)sqlite3_column_text(stmt, 2));
	}
	db_end(stmt);
	return more;
}

/* What was decided a moment ago may not hold any more, now that nobody else writes. 0 or
 * -1. */
static int judge_again(struct queue *queue, struct retention *run, struct err *err)
{
	struct leavers *leavers = &run->leavers;
	size_t kept = 0;
	for (size_t i = 0; i < leavers->count; i++) {
		const int exempt = prune_is_exempt(queue, leavers->item[i].row, err);
		if (exempt < 0)
			return -1;
		if (!exempt)
			leavers->item[kept++] = leavers->item[i];
	}
	leavers->count = kept;
	return 0;
}

static int mark_files(struct queue *queue, struct retention *run, struct remnants *list,
		      struct err *err)
{
	const int64_t now = clock_now_us();
	for (size_t i = 0; i < run->leavers.count; i++) {
		const struct leaver *leaver = &run->leavers.item[i];
		if (!leaver->has_output && !leaver->is_going)
			continue;
		if (db_run(queue, STATEMENT_OUTPUT_MARK,
			   BINDS(as_int(leaver->row), as_int(now)), err) < 0 ||
		    leaving_load(queue, leaver->row, list, err) != 0)
			return -1;
	}
	return 0;
}

/* What became of the files of a job: none were there, all went, one is still there. */
enum files_end { FILES_NONE, FILES_GONE, FILES_STUCK };

static enum files_end files_end_of(const struct remnants *list, int64_t row)
{
	enum files_end end = FILES_NONE;
	for (size_t i = 0; i < list->count; i++) {
		if (list->item[i].job_row != row)
			continue;
		if (!list->item[i].is_gone)
			return FILES_STUCK;
		end = FILES_GONE;
	}
	return end;
}

/* --- rows --- */

static const enum statement COMPANIONS[] = {
	STATEMENT_PRUNE_STDIN,	 STATEMENT_PRUNE_OUTPUT,       STATEMENT_PRUNE_ATTEMPTS,
	STATEMENT_LABELS_FORGET, STATEMENT_PRUNE_DEPENDENCIES, STATEMENT_PRUNE_SIGNALS,
	STATEMENT_PRUNE_JOB,
};

/* Files of attempts that no output row tells of: to be removed once the rows are gone. */
static int unknown_load(struct queue *queue, int64_t row, struct remnants *list,
			struct err *err)
{
	sqlite3_stmt *stmt;
	int more;
	if (db_start(queue, STATEMENT_OUTPUT_UNKNOWN_OF, BINDS(as_int(row)), &stmt,
		     err) != 0)
		return -1;
	while ((more = db_step(queue, stmt, err)) == 1) {
		struct remnant *item = remnant_add(list);
		item->attempt = sqlite3_column_int(stmt, 0);
		column_id(stmt, 1, item->job_id);
	}
	db_end(stmt);
	return more;
}

static int prune_rows(struct queue *queue, int64_t row, int64_t pruned_at,
		      struct remnants *unknown, struct err *err)
{
	if (unknown_load(queue, row, unknown, err) != 0 ||
	    db_run(queue, STATEMENT_TOMBSTONE_INSERT,
		   BINDS(as_int(row), as_int(pruned_at)), err) < 0)
		return -1;
	for (size_t i = 0; i < ARRAY_SIZE(COMPANIONS); i++)
		if (db_run(queue, COMPANIONS[i], BINDS(as_int(row)), err) < 0)
			return -1;
	return 0;
}

/* --- the event --- */

/* Later than every tombstone, so that the moment names this slice alone. */
static int slice_moment(struct queue *queue, int64_t *ret, struct err *err)
{
	int64_t last = 0;
	const int64_t now = clock_now_us();
	if (db_ask(queue, STATEMENT_TOMBSTONE_LAST, NO_BINDS, &last, err) < 0)
		return -1;
	*ret = now > last ? now : last + 1;
	return 0;
}

int tombstones_digest(struct queue *queue, int64_t pruned_at, uint8_t ret[DIGEST_BYTES],
		      int64_t *ret_count, struct err *err)
{
	sqlite3_stmt *stmt;
	struct digest digest;
	int more;
	if (db_start(queue, STATEMENT_TOMBSTONES_OF, BINDS(as_int(pruned_at)), &stmt,
		     err) != 0)
		return -1;
	digest_init(&digest);
	*ret_count = 0;
	while ((more = db_step(queue, stmt, err)) == 1) {
		char id[JOB_ID_BYTES];
		column_id(stmt, 1, id);
		AUTO_FREE char *line = mem_printf(
			"%lld %s %s %s %lld\n", (long long)sqlite3_column_int64(stmt, 0),
			id, (const char *)sqlite3_column_text(stmt, 2),
			(const char *)sqlite3_column_text(stmt, 3),
			(long long)sqlite3_column_int64(stmt, 4));
		digest_add(&digest, line, strlen(line));
		++*ret_count;
	}
	db_end(stmt);
	digest_end(&digest, ret);
	return more;
}

struct slice {
	int64_t jobs, outputs, bytes, at;
};

static int slice_event(struct queue *queue, const struct retention *run,
		       const struct slice *slice, struct err *err)
{
	AUTO_BUF struct buf data = BUF_INIT(512);
	struct json_writer json;
	uint8_t digest[DIGEST_BYTES];
	int64_t count;
	json_writer_init(&json, &data);
	json_open(&json, NULL, '{');
	json_put_int(&json, "jobs", slice->jobs);
	json_put_int(&json, "outputs", slice->outputs);
	json_put_int(&json, "bytes", slice->bytes);
	if (slice->jobs > 0) {
		char hex[DIGEST_HEX_BYTES];
		if (tombstones_digest(queue, slice->at, digest, &count, err) != 0)
			return -1;
		text_hex(digest, sizeof digest, hex);
		json_put_text(&json, "tombstones", hex);
	}
	json_close(&json, '}');
	return event_append(queue,
			    &(const struct event_row){.at = slice->at,
						      .kind = "jobs_pruned",
						      .principal = run->principal,
						      .data = buf_text(&data)},
			    err);
}

/* --- one slice --- */

/* One job's output and rows, as far as they may go; what went is added to the slice. An
 * output that somebody else removed meanwhile is not counted again. */
static int let_one_go(struct queue *queue, struct leaver *leaver,
		      const struct remnants *files, struct slice *slice,
		      struct remnants *unknown, struct err *err)
{
	const enum files_end end = files_end_of(files, leaver->row);
	const int dropped = db_run(queue, STATEMENT_OUTPUT_DROP,
				   BINDS(as_int(leaver->row), as_int(slice->at)), err);
	if (dropped < 0)
		return -1;
	leaver->has_output = leaver->has_output && end != FILES_STUCK &&
			     (dropped > 0 || end == FILES_GONE);
	leaver->is_going = leaver->is_going && end != FILES_STUCK;
	slice->jobs += leaver->is_going;
	slice->outputs += leaver->has_output;
	slice->bytes += leaver->has_output ? leaver->output_bytes : 0;
	return leaver->is_going ? prune_rows(queue, leaver->row, slice->at, unknown, err)
				: 0;
}

static int let_go(struct queue *queue, struct retention *run,
		  const struct remnants *files, struct remnants *unknown, struct err *err)
{
	struct slice slice = {.at = 0};
	if (slice_moment(queue, &slice.at, err) != 0)
		return -1;
	for (size_t i = 0; i < run->leavers.count; i++)
		if (let_one_go(queue, &run->leavers.item[i], files, &slice, unknown,
			       err) != 0)
			return -1;
	return slice.jobs + slice.outputs == 0 ? 0 : slice_event(queue, run, &slice, err);
}

/* Marks what lies in files and removes them, in a transaction of its own; most slices
 * have none. 0 or -1. */
static int files_first(struct queue *queue, struct retention *run, struct remnants *files,
		       struct err *err)
{
	struct timed timed;
	if (timed_begin(queue, &timed, err) != 0)
		return -1;
	if (judge_again(queue, run, err) != 0 || mark_files(queue, run, files, err) != 0)
		goto failed;
	if (files->count == 0) {
		queue_rollback(queue); /* nothing was marked */
		return 0;
	}
	if (timed_commit(queue, &timed, run, err) != 0)
		return -1;
	remnants_remove(queue, files, run);
	return 0;
failed:
	queue_rollback(queue);
	return -1;
}

int prune_leavers(struct queue *queue, struct retention *run, struct err *err)
{
	AUTO_REMNANTS struct remnants files = {.item = NULL}, unknown = {.item = NULL};
	struct timed timed;
	if (files_first(queue, run, &files, err) != 0 ||
	    timed_begin(queue, &timed, err) != 0)
		return -1;
	if (judge_again(queue, run, err) != 0 || remnants_left(queue, &files, err) != 0 ||
	    let_go(queue, run, &files, &unknown, err) != 0 ||
	    timed_commit(queue, &timed, run, err) != 0) {
		queue_rollback(queue);
		return -1;
	}
	leavers_count(run);
	remnants_remove(queue, &unknown, run);
	return 0;
}
