/* test_queue_events.c - the feed of events: whoever asks for whatever, however it is
 * paged, gets each event that fits once and in order, and nothing of others: compared
 * with a loop over all events of a random history. */
#include <sqlite3.h>

#include "queue/db.h"
#include "tests/unit/chance.h"
#include "tests/unit/queue_fixture.h"

#define JOBS 120
#define STEPS 700
#define QUESTIONS 400
#define EVENTS_MAX 4000

static const struct viewer VIEWERS[] = {
	{.principal = "uid:0", .sees_all = true},
	{.principal = "uid:1000"},
	{.principal = "uid:2000"},
	{.principal = "token:none"},
};
static const char *const OWNERS[] = {"uid:1000", "uid:1000", "uid:2000"};
static const char *const QUEUES[] = {"default", "default", "thumbs", "mail"};
static const char *const LABELS[] = {NULL, "{\"app\":\"library\"}",
				     "{\"app\":\"library\",\"who\":\"me, too\"}",
				     "{\"who\":\"you\"}"};
static const char *const LABEL_VALUES[] = {"app=library", "who=me, too", "who=you",
					   "no=such"};
static const char *const KINDS[] = {"submitted", "started", "ended", "changed",
				    "queue_paused"};

struct scene {
	struct fixture *f;
	uint64_t seed;
	struct submitted job[JOBS];
	size_t jobs;
};

static unsigned draw(struct scene *scene, unsigned below)
{
	return chance(&scene->seed, below);
}
#define PICK(scene, array) ((array)[draw(scene, ARRAY_SIZE(array))])

/* --- a random history --- */

static void submit_one(struct scene *scene)
{
	struct submission submission = fixture_submission();
	struct submitted made;
	struct fixture *f = scene->f;
	if (scene->jobs == JOBS)
		return;
	submission.owner = PICK(scene, OWNERS);
	submission.queue = PICK(scene, QUEUES);
	submission.labels = PICK(scene, LABELS);
	assert_done(queue_submit(f->queue, &submission, &made, &f->err), &f->err);
	scene->job[scene->jobs++] = made;
}

static void change_one(struct scene *scene, const struct submitted *job)
{
	struct err err = ERR_INIT;
	const struct job_change change = {.has_labels = true,
					  .labels = PICK(scene, LABELS)};
	int64_t version;
	(void)queue_job_change(scene->f->queue, &FIXTURE_ADMIN, job->id, &change,
			       &version, &err);
}

static void touch_one(struct scene *scene, unsigned how)
{
	struct err err = ERR_INIT;
	struct queue *queue = scene->f->queue;
	const struct submitted *job;
	const struct cancel_wish wish = {.text = NULL};
	enum cancel_result result;
	if (scene->jobs == 0)
		return;
	job = &scene->job[draw(scene, (unsigned)scene->jobs)];
	/* what a job's state forbids is refused, and writes nothing */
	if (how == 0)
		(void)queue_hold(queue, &FIXTURE_ADMIN, job->id, true, &err);
	else if (how == 1)
		(void)queue_hold(queue, &FIXTURE_ADMIN, job->id, false, &err);
	else if (how == 2)
		(void)queue_cancel(queue, &FIXTURE_ADMIN, job->id, &wish, &result, &err);
	else
		change_one(scene, job);
}

static void run_one(struct scene *scene)
{
	struct fixture *f = scene->f;
	struct claim_list list;
	const struct attempt_end end = fixture_end((int)draw(scene, 2));
	assert_done(queue_claim(f->queue, f->turns, f->epoch, 1, &list, &f->err),
		    &f->err);
	for (size_t i = 0; i < list.count; i++)
		assert_done(queue_attempt_import(f->queue, list.item[i].job.row,
						 list.item[i].number, &end, &f->err),
			    &f->err);
	claim_list_release(&list);
}

static void service_one(struct scene *scene)
{
	struct queue *queue = scene->f->queue;
	struct err *err = &scene->f->err;
	const char *name = PICK(scene, QUEUES);
	switch (draw(scene, 3)) {
	case 0:
		assert_done(queue_lane_pause(queue, "uid:0", name, "why not", 0, err),
			    err);
		break;
	case 1:
		assert_done(queue_lane_resume(queue, "uid:0", name, err), err);
		break;
	default:
		assert_done(queue_lane_limit(queue, "uid:1000", name,
					     1 + (int64_t)draw(scene, 50), err),
			    err);
	}
}

/* One transaction of a few things; some are rolled back and leave no gap. */
static void step(struct scene *scene)
{
	struct fixture *f = scene->f;
	const size_t jobs = scene->jobs;
	assert_done(queue_begin(f->queue, &f->err), &f->err);
	for (unsigned i = 0, count = 1 + draw(scene, 3); i < count; i++) {
		const unsigned what = draw(scene, 10);
		if (what < 4)
			submit_one(scene);
		else if (what < 6)
			run_one(scene);
		else if (what < 9)
			touch_one(scene, draw(scene, 4));
		else
			service_one(scene);
	}
	if (draw(scene, 8) == 0) {
		queue_rollback(f->queue);
		scene->jobs = jobs;
		return;
	}
	assert_done(queue_commit(f->queue, &f->err), &f->err);
}

static const char BURY[] =
	"INSERT INTO tombstones SELECT id, uuid, owner, state, finished_at, 5 "
	"FROM jobs WHERE finished_at IS NOT NULL AND id % 4 = 0";

/* As retention leaves them. */
static void prune_some(struct scene *scene)
{
	static const char *const texts[] = {
		BURY,
		"DELETE FROM output WHERE job_id IN (SELECT job_id FROM tombstones)",
		"DELETE FROM attempts WHERE job_id IN (SELECT job_id FROM tombstones)",
		"DELETE FROM job_labels WHERE job_id IN (SELECT job_id FROM tombstones)",
		"DELETE FROM jobs WHERE id IN (SELECT job_id FROM tombstones)",
	};
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
		assert_int_equal(fixture_sql(scene->f->dir, texts[i], NULL), SQLITE_OK);
	assert_in_range(fixture_number(scene->f->dir, "SELECT count(*) FROM tombstones"),
			3, JOBS);
}

static struct scene *scene_make(struct fixture *f, uint64_t seed)
{
	struct scene *scene = mem_alloc(sizeof *scene);
	*scene = (struct scene){.f = f, .seed = seed};
	assert_int_equal(fixture_sql(f->dir,
				     "INSERT OR IGNORE INTO queues (name) VALUES "
				     "('default'), ('thumbs'), ('mail')",
				     NULL),
			 SQLITE_OK);
	assert_done(queue_begin(f->queue, &f->err), &f->err);
	assert_done(queue_worker_register(f->queue, 4, &f->epoch, &f->err), &f->err);
	assert_done(queue_commit(f->queue, &f->err), &f->err);
	for (int i = 0; i < STEPS; i++)
		step(scene);
	prune_some(scene);
	return scene;
}

/* --- what should come --- */

/* Everything about one event, by another connection and without the feed's statement. */
struct one {
	int64_t id, row;
	char kind[24], owner[24], queue[24], labels[128];
};

struct history {
	struct one one[EVENTS_MAX];
	size_t count;
};

static void copy(char *ret, size_t bytes, sqlite3_stmt *stmt, int column)
{
	const char *text = (const char *)sqlite3_column_text(stmt, column);
	(void)snprintf(ret, bytes, "%s", text != NULL ? text : "");
}

static void history_read(const struct fixture *f, struct history *ret)
{
	static const char text[] =
		"SELECT e.id, e.job_id, e.kind,"
		" (SELECT owner FROM jobs WHERE id = e.job_id"
		"   UNION SELECT owner FROM tombstones WHERE job_id = e.job_id),"
		" CASE WHEN e.job_id IS NULL THEN json_extract(e.data, '$.queue')"
		"   ELSE (SELECT queue FROM jobs WHERE id = e.job_id) END,"
		" (SELECT group_concat(label, '|') FROM job_labels WHERE job_id = "
		"e.job_id) FROM events e ORDER BY e.id";
	char path[128];
	sqlite3 *db;
	sqlite3_stmt *stmt;
	(void)snprintf(path, sizeof path, "%s/reeve.db", f->dir);
	assert_int_equal(sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE, NULL),
			 SQLITE_OK);
	(void)sqlite3_db_config(db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
	assert_int_equal(sqlite3_prepare_v2(db, text, -1, &stmt, NULL), SQLITE_OK);
	for (ret->count = 0; sqlite3_step(stmt) == SQLITE_ROW;) {
		struct one *one = &ret->one[ret->count++];
		assert_in_range(ret->count, 1, EVENTS_MAX - 1);
		one->id = sqlite3_column_int64(stmt, 0);
		one->row = sqlite3_column_int64(stmt, 1);
		copy(one->kind, sizeof one->kind, stmt, 2);
		copy(one->owner, sizeof one->owner, stmt, 3);
		copy(one->queue, sizeof one->queue, stmt, 4);
		copy(one->labels, sizeof one->labels, stmt, 5);
		assert_int_equal(one->id, ret->count); /* no gaps */
	}
	(void)sqlite3_finalize(stmt);
	(void)sqlite3_close(db);
}

static bool has_value(const struct filter_values *values, const char *text)
{
	for (size_t i = 0; i < values->count; i++)
		if (strcmp(values->value[i], text) == 0)
			return true;
	return false;
}

static bool has_label(const struct filter_values *values, const struct one *one)
{
	char labels[sizeof one->labels];
	(void)snprintf(labels, sizeof labels, "%s", one->labels);
	char *at = labels;
	for (char *label; (label = strsep(&at, "|")) != NULL;)
		if (has_value(values, label))
			return true;
	return false;
}

static bool fits(const struct viewer *viewer, const struct event_filter *filter,
		 const struct one *one)
{
	if (!viewer->sees_all && strcmp(one->owner, viewer->principal) != 0)
		return false;
	if (filter->kind.count > 0 && !has_value(&filter->kind, one->kind))
		return false;
	if (filter->jobs + filter->queue.count + filter->label.count == 0)
		return true;
	for (size_t i = 0; i < filter->jobs; i++)
		if (filter->job[i] == one->row)
			return true;
	return has_value(&filter->queue, one->queue) || has_label(&filter->label, one);
}

/* --- asking --- */

static void draw_filter(struct scene *scene, const struct viewer *viewer,
			struct event_filter *ret)
{
	struct err *err = &scene->f->err;
	*ret = (struct event_filter){.jobs = 0};
	for (unsigned i = 0, n = draw(scene, 3) == 0 ? draw(scene, 12) : 0; i < n; i++) {
		const char *id = scene->job[draw(scene, (unsigned)scene->jobs)].id;
		assert_done(event_filter_add_job(scene->f->queue, viewer, ret, id, err),
			    err);
	}
	if (draw(scene, 4) == 0)
		assert_done(event_filter_add(ret, "queue", PICK(scene, QUEUES), err),
			    err);
	for (unsigned i = 0, n = draw(scene, 4) == 0 ? draw(scene, 3) : 0; i < n; i++)
		assert_done(
			event_filter_add(ret, "label", PICK(scene, LABEL_VALUES), err),
			err);
	for (unsigned i = 0, n = draw(scene, 2) == 0 ? draw(scene, 3) : 0; i < n; i++)
		assert_done(event_filter_add(ret, "kind", PICK(scene, KINDS), err), err);
}

/* Pages from `after` to the end of the history, however cut. */
static void page_through(struct scene *scene, const struct history *history,
			 const struct viewer *viewer, const struct event_filter *filter)
{
	struct err *err = &scene->f->err;
	int64_t after = (int64_t)draw(scene, (unsigned)history->count + 1);
	size_t expected = (size_t)after;
	bool has_more = true;
	while (has_more) {
		struct event_page page;
		const struct event_question question = {
			.after = after,
			.limit = 1 + (int)draw(scene, 40),
			.looked_max = draw(scene, 2) == 0 ? 0 : 1 + (int)draw(scene, 300),
			.data_bytes = draw(scene, 3) == 0 ? 200 : 0,
		};
		assert_done(queue_event_page(scene->f->queue, viewer, filter, &question,
					     &page, err),
			    err);
		assert_int_equal(page.reset, EVENT_RESET_NONE);
		assert_int_equal(page.after, after);
		assert_in_range(page.count, 0, question.limit);
		for (size_t i = 0; i < page.count; i++) {
			while (!fits(viewer, filter, &history->one[expected]))
				expected++;
			assert_int_equal(page.item[i].id, history->one[expected].id);
			assert_string_equal(page.item[i].kind,
					    history->one[expected].kind);
			expected++;
		}
		for (; expected < (size_t)page.next; expected++)
			assert_false(fits(viewer, filter, &history->one[expected]));
		assert_true(page.next > after || !page.has_more);
		assert_true(page.has_more || page.next == (int64_t)history->count);
		has_more = page.has_more;
		after = page.next;
		event_page_release(&page);
	}
}

static void ask_many(struct fixture *f, uint64_t seed)
{
	struct scene *scene = scene_make(f, seed);
	struct history *history = mem_alloc(sizeof *history);
	for (int i = 0; i < QUESTIONS; i++) {
		const struct viewer *viewer = &PICK(scene, VIEWERS);
		struct event_filter filter;
		if (i % 10 == 0) {
			step(scene);
			history_read(f, history);
		}
		draw_filter(scene, viewer, &filter);
		page_through(scene, history, viewer, &filter);
	}
	free(history);
	free(scene);
}

static void test_every_event_that_fits_comes_once_1(void **state)
{
	ask_many(*state, 0x9e3779b97f4a7c15);
}

static void test_every_event_that_fits_comes_once_2(void **state)
{
	ask_many(*state, 88172645463325252);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)

static void test_no_event_is_of_a_kind_that_nobody_can_ask_for(void **state)
{
	struct fixture *f = *state;
	struct event_row row = {.at = 1, .kind = "surprised"};
	assert_done(queue_begin(f->queue, &f->err), &f->err);
	assert_int_equal(event_append(f->queue, &row, &f->err), -1);
	assert_int_equal(f->err.code, ERR_INTERNAL);
	row.kind = "callback_dead";
	assert_done(event_append(f->queue, &row, &f->err), &f->err);
	queue_rollback(f->queue);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_no_event_is_of_a_kind_that_nobody_can_ask_for),
		TEST(test_every_event_that_fits_comes_once_1),
		TEST(test_every_event_that_fits_comes_once_2),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
