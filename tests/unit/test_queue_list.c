/* test_queue_list.c - lists: whatever is asked, however it is paged, each job that fits
 * comes once and in order. */
#include <sqlite3.h>
#include <strings.h>

#include "tests/unit/chance.h"
#include "tests/unit/queue_fixture.h"

#define JOBS 400
#define ALL_JOBS_MAX 1200
#define QUESTIONS 250
#define START_US (INT64_C(2000000000) * US_PER_S)

static const struct viewer ALICE = {.principal = "uid:1000"};

/* --- jobs as this test knows them --- */

static const char *const OWNERS[] = {"uid:1000", "uid:2000", "token:ci"};
static const char *const QUEUES[] = {"default", "default", "default", "thumbs", "mail"};
static const char *const TASKS[] = {NULL, NULL, "thumb", "Thumb"};
static const char *const STATES[] = {"waiting",	  "queued",    "running", "succeeded",
				     "succeeded", "succeeded", "failed",  "cancelled",
				     "skipped",	  "lost"};
static const char *const LABELS[] = {"app=library", "app=x=y", "who=me, too"};
static const char *const NAMES[] = {NULL, "Thumb of a.mp4", "100% sure_", "z\xc3\xa9ro"};
/* as they are stored, and as people read them */
static const char *const COMMANDS[] = {"[\"/usr/bin/ffmpeg\",\"-i\",\"A.MP4\"]",
				       "[\"/bin/sh\",\"-c\",\"echo \\\"hi\\\" \\\\ x\"]",
				       "[\"/bin/true\"]"};
static const char *const READ[] = {"/usr/bin/ffmpeg -i A.MP4",
				   "/bin/sh -c echo \"hi\" \\ x", "/bin/true"};
static const char *const TEXTS[] = {"THUMB", "a.mp4", "mpeg -I",  "\"hi\"", "\\ x",
				    "%",     "_",     "\xc3\xa9", "[",	    "sh\",\"-c"};
static const char *const BATCHES[] = {NULL, NULL, "0190b5a0-0000-7000-8000-0000000000aa",
				      "0190b5a0-0000-7000-8000-0000000000bb"};

struct one {
	int64_t row, submitted_at, finished_at; /* 0: lives */
	const char *owner, *queue, *task, *state, *name, *batch;
	size_t command;
	unsigned labels; /* bits of LABELS */
	bool is_late;
};

struct scene {
	struct fixture *f;
	sqlite3 *db;
	struct one job[ALL_JOBS_MAX];
	size_t jobs;
	uint64_t seed;
	int64_t now;
};

static unsigned draw(struct scene *scene, unsigned below)
{
	return chance(&scene->seed, below);
}
#define PICK(scene, array) ((array)[draw(scene, ARRAY_SIZE(array))])

static bool is_final(const char *state)
{
	return job_state_is_final(job_state_parse(state));
}

static void sql(struct scene *scene, const char *text)
{
	char *said = NULL;
	if (sqlite3_exec(scene->db, text, NULL, NULL, &said) != SQLITE_OK)
		fail_msg("%s: %s", text, said);
}

static void insert(struct scene *scene, const struct one *job)
{
	static const char text[] =
		"INSERT INTO jobs (uuid, owner, state, name, queue, command, batch, "
		"task, "
		"submitted_at, finished_at, attempt, id) VALUES (randomblob(16), ?1, ?2, "
		"?3, ?4, ?5, unhex_(?6), ?7, ?8, ?9, 1, ?10)";
	AUTO_FREE char *with_blob = NULL;
	sqlite3_stmt *stmt;
	/* a UUID's text to its bytes; SQLite has no unhex() yet */
	if (job->batch == NULL)
		with_blob = mem_strdup("NULL");
	else
		with_blob = mem_printf("x'0190b5a00000700080000000000000%s'",
				       job->batch + 34);
	const char *hole = strstr(text, "unhex_(?6)");
	AUTO_FREE char *whole = mem_printf("%.*s%s%s", (int)(hole - text), text,
					   with_blob, hole + strlen("unhex_(?6)"));
	assert_int_equal(sqlite3_prepare_v2(scene->db, whole, -1, &stmt, NULL),
			 SQLITE_OK);
	const char *const texts[] = {job->owner, job->state, job->name, job->queue,
				     COMMANDS[job->command]};
	for (int i = 0; i < 5; i++)
		sqlite3_bind_text(stmt, i + 1, texts[i], -1, SQLITE_STATIC);
	sqlite3_bind_text(stmt, 7, job->task, -1, SQLITE_STATIC);
	sqlite3_bind_int64(stmt, 8, job->submitted_at);
	if (job->finished_at != 0)
		sqlite3_bind_int64(stmt, 9, job->finished_at);
	sqlite3_bind_int64(stmt, 10, job->row);
	if (sqlite3_step(stmt) != SQLITE_DONE)
		fail_msg("%s", sqlite3_errmsg(scene->db));
	sqlite3_finalize(stmt);
	for (size_t i = 0; i < ARRAY_SIZE(LABELS); i++) {
		AUTO_FREE char *label =
			mem_printf("INSERT INTO job_labels VALUES ('%s', %lld)",
				   LABELS[i], (long long)job->row);
		if ((job->labels & 1u << i) != 0)
			sql(scene, label);
	}
}

/* Times go on, now and then not, and many jobs end at one moment. */
static void add_jobs(struct scene *scene, size_t count, bool is_late)
{
	sql(scene, "BEGIN IMMEDIATE");
	for (size_t i = 0; i < count; i++) {
		assert_true(scene->jobs < ALL_JOBS_MAX);
		struct one *job = &scene->job[scene->jobs];
		const int64_t last = scene->jobs > 0 ? job[-1].row : 0;
		scene->now += draw(scene, 3) * US_PER_S;
		*job = (struct one){
			.row = last + 1 + draw(scene, 3),
			.submitted_at = scene->now,
			.owner = PICK(scene, OWNERS),
			.queue = PICK(scene, QUEUES),
			.task = PICK(scene, TASKS),
			.state = PICK(scene, STATES),
			.name = PICK(scene, NAMES),
			.batch = PICK(scene, BATCHES),
			.command = draw(scene, ARRAY_SIZE(COMMANDS)),
			.labels = draw(scene, 8),
			.is_late = is_late,
		};
		if (is_final(job->state))
			job->finished_at = scene->now + draw(scene, 4) * 5 * US_PER_S;
		insert(scene, job);
		scene->jobs++;
	}
	sql(scene, "COMMIT");
}

static void scene_open(struct scene *scene, struct fixture *f, uint64_t seed)
{
	AUTO_FREE char *path = mem_printf("%s/reeve.db", f->dir);
	*scene = (struct scene){.f = f, .seed = seed, .now = START_US};
	assert_int_equal(sqlite3_open_v2(path, &scene->db, SQLITE_OPEN_READWRITE, NULL),
			 SQLITE_OK);
	(void)sqlite3_busy_timeout(scene->db, 5000);
	sql(scene, "PRAGMA synchronous = OFF");
}

/* --- what must be found --- */

static bool text_any(const struct filter_values *any, const char *text)
{
	for (size_t i = 0; i < any->count; i++)
		if (text != NULL && strcmp(any->value[i], text) == 0)
			return true;
	return any->count == 0;
}

static bool label_any(const struct filter_values *any, const struct one *job)
{
	for (size_t i = 0; i < ARRAY_SIZE(LABELS); i++)
		if ((job->labels & 1u << i) != 0 && text_any(any, LABELS[i]))
			return true;
	return any->count == 0;
}

static bool q_any(const struct filter_values *any, const struct one *job)
{
	for (size_t i = 0; i < any->count; i++)
		if (strcasestr(READ[job->command], any->value[i]) != NULL ||
		    (job->name != NULL && strcasestr(job->name, any->value[i]) != NULL))
			return true;
	return any->count == 0;
}

static bool time_fits(const struct job_filter *filter, enum list_time after,
		      enum list_time before, int64_t at)
{
	const bool is_asked = filter->has_time[after] || filter->has_time[before];
	return !is_asked ||
	       (at != 0 && (!filter->has_time[after] || at >= filter->time[after]) &&
		(!filter->has_time[before] || at < filter->time[before]));
}

static bool has_finished_time(const struct job_filter *filter)
{
	return filter->has_time[TIME_FINISHED_AFTER] ||
	       filter->has_time[TIME_FINISHED_BEFORE];
}

static bool is_by_finished(const struct job_filter *filter)
{
	if (filter->sort == SORT_DEFAULT)
		return has_finished_time(filter);
	return filter->sort == SORT_FINISHED_ASC || filter->sort == SORT_FINISHED_DESC;
}

static bool fits(const struct viewer *viewer, const struct job_filter *filter,
		 const struct one *job)
{
	const struct filter_values *any = filter->any;
	return (viewer->sees_all || strcmp(job->owner, viewer->principal) == 0) &&
	       (!is_by_finished(filter) || job->finished_at != 0) &&
	       text_any(&any[FILTER_STATE], job->state) &&
	       text_any(&any[FILTER_QUEUE], job->queue) &&
	       text_any(&any[FILTER_TASK], job->task) &&
	       text_any(&any[FILTER_OWNER], job->owner) &&
	       text_any(&any[FILTER_BATCH], job->batch) &&
	       label_any(&any[FILTER_LABEL], job) && q_any(&any[FILTER_TEXT], job) &&
	       time_fits(filter, TIME_CREATED_AFTER, TIME_CREATED_BEFORE,
			 job->submitted_at) &&
	       time_fits(filter, TIME_FINISHED_AFTER, TIME_FINISHED_BEFORE,
			 job->finished_at);
}

/* Does `a` come before `b`? */
static bool is_before(const struct job_filter *filter, const struct one *a,
		      const struct one *b)
{
	const bool is_ascending =
		filter->sort == SORT_SUBMITTED_ASC || filter->sort == SORT_FINISHED_ASC;
	const int64_t key_a = is_by_finished(filter) ? a->finished_at : a->row;
	const int64_t key_b = is_by_finished(filter) ? b->finished_at : b->row;
	const bool is_less = key_a != key_b ? key_a < key_b : a->row < b->row;
	return is_ascending == is_less;
}

static size_t expect(const struct scene *scene, const struct viewer *viewer,
		     const struct job_filter *filter, const struct one **ret)
{
	size_t count = 0;
	for (size_t i = 0; i < scene->jobs; i++) {
		if (scene->job[i].is_late || !fits(viewer, filter, &scene->job[i]))
			continue;
		size_t at = count++;
		for (; at > 0 && is_before(filter, &scene->job[i], ret[at - 1]); at--)
			ret[at] = ret[at - 1];
		ret[at] = &scene->job[i];
	}
	return count;
}

static bool must_be_refused(const struct viewer *viewer, const struct job_filter *filter)
{
	const struct filter_values *any = filter->any;
	bool has_indexed = !viewer->sees_all || filter->has_time[TIME_CREATED_AFTER] ||
			   filter->has_time[TIME_CREATED_BEFORE];
	bool has_any = filter->has_time[TIME_CREATED_AFTER] ||
		       filter->has_time[TIME_CREATED_BEFORE];
	for (int i = 0; i < FILTER_COUNT_; i++) {
		bool counts = any[i].count > 0 && i != FILTER_TEXT;
		has_any = has_any || any[i].count > 0;
		for (size_t k = 0; k < any[i].count; k++)
			counts = counts && strcmp(any[i].value[k], "default") != 0;
		has_indexed = has_indexed || counts;
	}
	if (is_by_finished(filter))
		return has_any && !has_finished_time(filter);
	return !has_indexed && (has_finished_time(filter) || any[FILTER_TEXT].count > 0);
}

/* --- asking --- */

static void draw_values(struct scene *scene, struct job_filter *filter,
			enum list_filter which, const char *const *from, size_t count,
			unsigned one_in)
{
	static const char *const names[] = {"state", "queue", "task", "owner",
					    "label", "batch", "q"};
	if (draw(scene, one_in) != 0)
		return;
	for (unsigned left = 1 + draw(scene, 3); left > 0; left--) {
		const char *value = from[draw(scene, (unsigned)count)];
		if (value != NULL)
			assert_done(job_filter_add(filter, names[which], value,
						   &scene->f->err),
				    &scene->f->err);
	}
}

static struct job_filter draw_filter(struct scene *scene)
{
	struct job_filter filter = {.sort = (enum job_sort)draw(scene, SORT_COUNT_)};
#define DRAW(which, from, one_in)                                                        \
	draw_values(scene, &filter, which, from, ARRAY_SIZE(from), one_in)
	DRAW(FILTER_STATE, STATES, 3);
	DRAW(FILTER_QUEUE, QUEUES, 5);
	DRAW(FILTER_TASK, TASKS, 5);
	DRAW(FILTER_OWNER, OWNERS, 4);
	DRAW(FILTER_LABEL, LABELS, 4);
	DRAW(FILTER_BATCH, BATCHES, 6);
	DRAW(FILTER_TEXT, TEXTS, 4);
#undef DRAW
	for (int i = 0; i < TIME_COUNT_; i++) {
		if (draw(scene, 6) != 0)
			continue;
		filter.has_time[i] = true;
		filter.time[i] = START_US + draw(scene, 2 * JOBS) * US_PER_S / 2;
	}
	return filter;
}

/* All pages, while jobs come in between; those that were there must come as expected. */
static void page_through(struct scene *scene, const struct viewer *viewer,
			 const struct job_filter *filter)
{
	static const struct one *expected[ALL_JOBS_MAX];
	const size_t count = expect(scene, viewer, filter, expected);
	struct list_page page = {.limit = 1 + (int)draw(scene, 60)};
	struct list_position after;
	struct job_list list;
	size_t seen = 0;
	int pages = 0;
	page.looked_max = draw(scene, 2) == 0 ? 0 : 1 + (int)draw(scene, 40);
	do {
		assert_true(pages++ < 2 * ALL_JOBS_MAX);
		assert_done(queue_job_list(scene->f->queue, viewer, filter, &page, &list,
					   &scene->f->err),
			    &scene->f->err);
		assert_true(list.count <= (size_t)page.limit);
		for (size_t i = 0; i < list.count; i++) {
			const int64_t row = list.item[i].row;
			size_t k = 0;
			while (scene->job[k].row != row)
				assert_true(++k < scene->jobs);
			assert_true(fits(viewer, filter, &scene->job[k]));
			if (scene->job[k].is_late)
				continue;
			assert_true(seen < count);
			assert_int_equal(expected[seen++]->row, row);
		}
		const bool has_next = list.has_next;
		after = list.next;
		page.after = &after;
		job_list_release(&list);
		if (!has_next)
			break;
		if (scene->jobs < ALL_JOBS_MAX - 3 && draw(scene, 12) == 0)
			add_jobs(scene, 2, true);
	} while (true);
	assert_int_equal(seen, count);
}

static void check_count(struct scene *scene, const struct viewer *viewer,
			const struct job_filter *filter)
{
	static const struct one *expected[ALL_JOBS_MAX];
	size_t count = expect(scene, viewer, filter, expected);
	int64_t counted;
	bool is_capped;
	for (size_t i = 0; i < scene->jobs; i++)
		if (scene->job[i].is_late && fits(viewer, filter, &scene->job[i]))
			count++;
	assert_done(queue_job_count(scene->f->queue, viewer, filter, &counted, &is_capped,
				    &scene->f->err),
		    &scene->f->err);
	assert_false(is_capped);
	assert_int_equal(counted, count);
}

static void ask_many(struct fixture *f, uint64_t seed)
{
	struct scene *scene = mem_alloc(sizeof *scene);
	int refused = 0;
	scene_open(scene, f, seed);
	add_jobs(scene, JOBS, false);
	for (int i = 0; i < QUESTIONS; i++) {
		const struct viewer *viewer =
			draw(scene, 3) == 0 ? &ALICE : &FIXTURE_ADMIN;
		const struct job_filter filter = draw_filter(scene);
		const struct list_page page = {.limit = 5};
		struct job_list list;
		if (must_be_refused(viewer, &filter)) {
			assert_int_equal(queue_job_list(f->queue, viewer, &filter, &page,
							&list, &f->err),
					 -1);
			assert_int_equal(f->err.code, ERR_INVALID);
			assert_non_null(strstr(f->err.text, "no index serves"));
			refused++;
			continue;
		}
		page_through(scene, viewer, &filter);
		check_count(scene, viewer, &filter);
		for (size_t k = 0; k < scene->jobs; k++)
			scene->job[k].is_late = false;
	}
	assert_in_range(refused, 1, QUESTIONS / 2);
	(void)sqlite3_close(scene->db);
	free(scene);
}

static void test_pages_are_what_was_asked_1(void **state)
{
	ask_many(*state, 0x9e3779b97f4a7c15);
}

static void test_pages_are_what_was_asked_2(void **state)
{
	ask_many(*state, 88172645463325252);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_pages_are_what_was_asked_1),
		TEST(test_pages_are_what_was_asked_2),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
