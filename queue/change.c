/* change.c - see change.h. */
#include "queue/change.h"

#include "queue/settle.h"

/* The job as it stands, or as it is to be. */
struct standing {
	enum job_state state;
	const char *reason;		   /* why it waits */
	char *reason_text, *name, *labels; /* heap */
	int priority;
	int64_t version, run_at, expires_at, queued_at; /* 0: none */
	bool is_kept, has_run;
};

static int standing_load(struct queue *queue, int64_t row, struct standing *ret,
			 struct err *err)
{
	sqlite3_stmt *stmt;
	if (db_start(queue, STATEMENT_JOB_CHANGE_STATE, BINDS(as_int(row)), &stmt, err) !=
	    0)
		return -1;
	const int found = db_step(queue, stmt, err);
	if (found == 1)
		*ret = (struct standing){
			.state = job_state_parse(
				(const char *)sqlite3_column_text(stmt, 0)),
			.reason_text = column_text(stmt, 1),
			.version = sqlite3_column_int64(stmt, 2),
			.name = column_text(stmt, 3),
			.priority = sqlite3_column_int(stmt, 4),
			.labels = column_text(stmt, 5),
			.run_at = sqlite3_column_int64(stmt, 6),
			.expires_at = sqlite3_column_int64(stmt, 7),
			.has_run = sqlite3_column_int(stmt, 8) != 0,
			.queued_at = sqlite3_column_int64(stmt, 9),
			.is_kept = sqlite3_column_int(stmt, 10) != 0,
		};
	db_end(stmt);
	if (found != 1)
		return found;
	ret->reason = ret->reason_text;
	if (text_equal(ret->labels, "{}")) { /* the same as none */
		free(ret->labels);
		ret->labels = NULL;
	}
	return found;
}

static void standing_release(struct standing *standing)
{
	free(standing->reason_text);
	free(standing->name);
	free(standing->labels);
}

/* --- may it be? --- */

static int check_version(const struct standing *now, const struct job_change *change,
			 struct err *err)
{
	bool is_one = !change->has_versions;
	for (size_t i = 0; i < change->versions && !is_one; i++)
		is_one = change->version[i] == now->version;
	return is_one ? 0
		      : err_set(err, ERR_PRECONDITION,
				"the job has changed meanwhile: it is version %lld",
				(long long)now->version);
}

static int check_state(const struct standing *now, const struct job_change *change,
		       struct err *err)
{
	const bool is_early = now->state == JOB_WAITING || now->state == JOB_QUEUED;
	const bool is_only_keep = !change->has_name && !change->has_priority &&
				  !change->has_labels && !change->has_run_at;
	if (is_early || is_only_keep)
		return 0;
	return now->state == JOB_RUNNING
		       ? err_set(err, ERR_CONFLICT, "the job runs already")
		       : err_set(err, ERR_CONFLICT, "the job has ended already: %s",
				 job_state_word(now->state));
}

static int check_run_at(const struct standing *now, const struct job_change *change,
			struct err *err)
{
	if (change->has_run_at && now->expires_at != 0 &&
	    change->run_at >= now->expires_at)
		return err_set(err, ERR_INVALID, "must be earlier than its expires_at");
	return 0;
}

/* --- what becomes of it --- */

/* With a new time: as if it had been submitted (or tried again) with it. A job that is
 * held, or waits for others, goes on doing so. */
static void settle_time(struct standing *next, int64_t now)
{
	const bool waits_for_time =
		text_equal(next->reason, "run_at") || text_equal(next->reason, "retry");
	if (next->state == JOB_WAITING && !waits_for_time)
		return;
	if (next->run_at > now) {
		next->state = JOB_WAITING;
		next->reason = next->has_run ? "retry" : "run_at";
	} else if (next->state == JOB_WAITING) {
		next->state = JOB_QUEUED;
		next->reason = NULL;
		next->queued_at = now;
	}
}

/* Texts are borrowed from `now` and `change`. */
static struct standing standing_after(const struct standing *now,
				      const struct job_change *change, int64_t at)
{
	struct standing next = *now;
	if (change->has_priority)
		next.priority = change->priority;
	if (change->has_keep)
		next.is_kept = change->is_kept;
	if (change->has_run_at && change->run_at != now->run_at) {
		next.run_at = change->run_at;
		settle_time(&next, at);
	}
	return next;
}

/* Its time has come, but it may have been given dependencies while it waited for that.
 * What can never start is left to queue_due, which skips it. */
static int settle_dependencies(struct queue *queue, int64_t row,
			       const struct standing *now, struct standing *next,
			       struct err *err)
{
	enum outlook outlook;
	if (now->state != JOB_WAITING || next->state != JOB_QUEUED)
		return 0;
	if (job_outlook(queue, row, &outlook, err) != 0)
		return -1;
	if (outlook == OUTLOOK_GO)
		return 0;
	next->state = JOB_WAITING;
	next->reason = outlook == OUTLOOK_WAIT ? "dependency" : now->reason;
	next->queued_at = now->queued_at;
	return 0;
}

/* --- what was changed, for its event --- */

static void put_labels(struct json_writer *json, const char *key, const char *labels)
{
	json_put_raw(json, key, labels != NULL ? labels : "{}");
}

static void put_bool(struct json_writer *json, const char *key, bool value)
{
	json_put_bool(json, key, value);
}

#define PUT_CHANGE(json, key, put, old, new)                                             \
	do {                                                                             \
		json_open(json, key, '{');                                               \
		put(json, "old", old);                                                   \
		put(json, "new", new);                                                   \
		json_close(json, '}');                                                   \
	} while (0)

/* As JSON, or nothing when all is as it was. `name` and `labels` are the new ones. */
static void put_changes(const struct standing *now, const struct standing *next,
			const char *name, const char *labels, struct buf *out)
{
	struct json_writer json;
	json_writer_init(&json, out);
	json_open(&json, NULL, '{');
	const size_t empty = out->length;
	if (!text_equal(now->name, name))
		PUT_CHANGE(&json, "name", json_put_text, now->name, name);
	if (now->priority != next->priority)
		PUT_CHANGE(&json, "priority", json_put_int, now->priority,
			   next->priority);
	if (!text_equal(now->labels, labels))
		PUT_CHANGE(&json, "labels", put_labels, now->labels, labels);
	if (now->run_at != next->run_at)
		PUT_CHANGE(&json, "run_at", json_put_time, now->run_at, next->run_at);
	if (now->is_kept != next->is_kept)
		PUT_CHANGE(&json, "keep", put_bool, now->is_kept, next->is_kept);
	const bool is_any = out->length > empty;
	if (next->state == JOB_WAITING && !text_equal(next->reason, now->reason))
		json_put_text(&json, "reason", next->reason);
	json_close(&json, '}');
	if (!is_any)
		buf_reset(out);
}

/* --- writing it --- */

static int write_keep(struct queue *queue, int64_t row, const char *principal,
		      bool is_kept, struct err *err)
{
	return is_kept ? db_run(queue, STATEMENT_JOB_KEEP,
				BINDS(as_int(row), as_text(principal),
				      as_int(clock_now_us())),
				err)
		       : db_run(queue, STATEMENT_JOB_UNKEEP, BINDS(as_int(row)), err);
}

static int write_row(struct queue *queue, int64_t row, const struct standing *now,
		     const struct standing *next, const char *name, const char *labels,
		     struct err *err)
{
	const bool has_labels = !text_equal(now->labels, labels);
	if (has_labels &&
	    db_run(queue, STATEMENT_LABELS_FORGET, BINDS(as_int(row)), err) < 0)
		return -1;
	const struct bind binds[] = {
		as_int(row),
		as_text(job_state_word(next->state)),
		as_text(next->reason),
		as_text(name),
		as_int(next->priority),
		as_text(labels),
		as_int_if(next->run_at != 0, next->run_at),
		as_int_if(next->queued_at != 0, next->queued_at),
	};
	if (db_run(queue, STATEMENT_JOB_CHANGE, binds, ARRAY_SIZE(binds), err) < 0)
		return -1;
	return has_labels ? db_run(queue, STATEMENT_JOB_LABELS_INSERT, BINDS(as_int(row)),
				   err)
			  : 0;
}

static int write_event(struct queue *queue, int64_t row, const char *principal,
		       const struct standing *now, const struct standing *next,
		       const struct buf *data, struct err *err)
{
	const bool is_moved = now->state != next->state;
	return event_of_move(queue, row, "changed",
			     is_moved ? next->state : JOB_STATE_NONE, principal,
			     buf_text(data), err);
}

static int write_change(struct queue *queue, int64_t row, const char *principal,
			const struct standing *now, const struct job_change *change,
			struct err *err)
{
	struct standing next = standing_after(now, change, clock_now_us());
	const char *name = change->has_name ? change->name : now->name;
	const char *labels = change->has_labels ? change->labels : now->labels;
	const bool is_early = now->state == JOB_WAITING || now->state == JOB_QUEUED;
	AUTO_BUF struct buf data = BUF_INIT(16 << 20);
	if (settle_dependencies(queue, row, now, &next, err) != 0)
		return -1;
	put_changes(now, &next, name, labels, &data);
	if (data.is_full)
		return err_set(err, ERR_TOO_LARGE, "the change is too long");
	if (data.length == 0)
		return 0;
	const int written =
		is_early ? write_row(queue, row, now, &next, name, labels, err)
			 : db_run(queue, STATEMENT_JOB_TOUCH, BINDS(as_int(row)), err);
	if (written < 0 ||
	    (now->is_kept != next.is_kept &&
	     write_keep(queue, row, principal, next.is_kept, err) < 0) ||
	    write_event(queue, row, principal, now, &next, &data, err) != 0)
		return db_fail_late(err);
	return 0;
}

int queue_job_change(struct queue *queue, const struct viewer *viewer, const char *id,
		     const struct job_change *change, int64_t *ret_version,
		     struct err *err)
{
	struct standing now = {.state = JOB_STATE_NONE};
	int64_t row;
	if (db_expect_writing(queue, err) != 0)
		return -1;
	int found = job_find(queue, viewer, id, &row, err);
	if (found == 1)
		found = standing_load(queue, row, &now, err);
	if (found < 0)
		return -1;
	if (found == 0)
		return err_set(err, ERR_NOT_FOUND, "no job %s", id);
	*ret_version = now.version;
	int result = check_version(&now, change, err);
	if (result == 0)
		result = check_state(&now, change, err);
	if (result == 0)
		result = check_run_at(&now, change, err);
	if (result == 0)
		result = write_change(queue, row, viewer->principal, &now, change, err);
	standing_release(&now);
	return result;
}

/* --- back again --- */

static char *text_of(const cJSON *value)
{
	const char *text = cJSON_GetStringValue(value);
	return text != NULL ? mem_strdup(text) : NULL;
}

/* "{}" is how labels are told that were none. */
static char *labels_of(const cJSON *value)
{
	char *printed = cJSON_IsObject(value) ? cJSON_PrintUnformatted(value) : NULL;
	char *labels = printed != NULL ? mem_strdup(printed) : NULL;
	cJSON_free(printed);
	return labels;
}

/* The old values of one event. */
static void put_back(struct job *job, const cJSON *data)
{
	const cJSON *name = json_get(data, "name"), *labels = json_get(data, "labels");
	const cJSON *priority = json_get(data, "priority"),
		    *keep = json_get(data, "keep");
	if (name != NULL) {
		free(job->name);
		job->name = text_of(json_get(name, "old"));
	}
	if (labels != NULL) {
		free(job->labels);
		job->labels = labels_of(json_get(labels, "old"));
	}
	if (priority != NULL)
		job->priority = (int)cJSON_GetNumberValue(json_get(priority, "old"));
	if (keep != NULL)
		job->is_kept = cJSON_IsTrue(json_get(keep, "old"));
}

int job_unchange(struct queue *queue, struct job *job, struct err *err)
{
	sqlite3_stmt *stmt;
	int more;
	if (db_start(queue, STATEMENT_JOB_CHANGES, BINDS(as_int(job->row)), &stmt, err) !=
	    0)
		return -1;
	while ((more = db_step(queue, stmt, err)) == 1) {
		const char *text = (const char *)sqlite3_column_text(stmt, 0);
		cJSON *data = NULL;
		if (text != NULL &&
		    json_parse(text, strlen(text), NULL, &data, NULL) == 0)
			put_back(job, data);
		cJSON_Delete(data);
	}
	db_end(stmt);
	return more;
}
