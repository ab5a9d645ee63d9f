/* dependency_scene.c - see dependency_scene.h. */
#include "tests/unit/dependency_scene.h"

#define FIRST_PRIORITY 100

static const char *const END_WORDS[END_COUNT_] = {
	"held",		  "queued",    "claimed",      "running", "retrying",
	"succeeded",	  "failed",    "start_failed", "expired", "lost",
	"lost_unstarted", "cancelled", "stopped",      "skipped",
};

const char *scene_end_word(enum scene_end end)
{
	return END_WORDS[end];
}

static void begin(struct fixture *f)
{
	assert_done(queue_begin(f->queue, &f->err), &f->err);
}

static void commit(struct fixture *f)
{
	assert_done(queue_commit(f->queue, &f->err), &f->err);
}

void scene_submit(struct fixture *f, const struct submission *submission,
		  struct submitted *ret)
{
	begin(f);
	assert_done(queue_submit(f->queue, submission, ret, &f->err), &f->err);
	commit(f);
}

void scene_child(struct fixture *f, int64_t parent_row,
		 enum dependency_condition condition, struct submitted *ret)
{
	const struct dependency_wish wish = {.parent_row = parent_row,
					     .condition = condition};
	struct submission submission = fixture_submission();
	submission.depends_on = &wish;
	submission.depends_count = 1;
	scene_submit(f, &submission, ret);
}

void scene_cancel(struct fixture *f, const char *id)
{
	const struct cancel_wish wish = {.text = NULL};
	enum cancel_result result;
	begin(f);
	assert_done(queue_cancel(f->queue, &FIXTURE_ADMIN, id, &wish, &result, &f->err),
		    &f->err);
	commit(f);
}

void scene_due(struct fixture *f)
{
	begin(f);
	assert_done(queue_due(f->queue, &f->err), &f->err);
	commit(f);
}

void scene_run_next(struct fixture *f, int exit_code, char ret_id[JOB_ID_BYTES])
{
	struct claim_list list;
	const struct attempt_end end = fixture_end(exit_code);
	fixture_claim(f, &list);
	(void)snprintf(ret_id, JOB_ID_BYTES, "%s", list.item[0].job.id);
	assert_int_equal(fixture_import(f, &list.item[0], &end), 1);
	claim_list_release(&list);
}

int scene_resolve(struct fixture *f)
{
	bool is_more = true;
	int rounds = 0;
	for (; is_more; rounds++) {
		begin(f);
		assert_done(queue_resolve(f->queue, &is_more, &f->err), &f->err);
		commit(f);
		assert_true(rounds < 10000);
	}
	assert_int_equal(queue_unresolved(f->queue, &f->err), 0);
	return rounds;
}

/* --- parents --- */

void scene_parent(struct fixture *f, enum scene_end end, struct scene_parent *ret)
{
	struct submission submission = fixture_submission();
	struct dependency_wish wish = {.condition = DEPENDS_SUCCESS};
	*ret = (struct scene_parent){.end = end};
	submission.priority = FIRST_PRIORITY;
	submission.is_held = end == END_HELD;
	if (end == END_EXPIRED)
		submission.expires_at = clock_now_us() - US_PER_S;
	if (end == END_RETRYING) {
		submission.retry = "{\"on\":[\"exit\"],\"delay_s\":3600}";
		submission.max_attempts = 2;
	}
	if (end == END_SKIPPED) {
		struct submission above = fixture_submission();
		above.is_held = true;
		scene_submit(f, &above, &ret->above);
		wish.parent_row = ret->above.row;
		submission.depends_on = &wish;
		submission.depends_count = 1;
	}
	scene_submit(f, &submission, &ret->job);
}

static void take(struct fixture *f, const struct scene_parent *parent,
		 struct claim_list *list)
{
	fixture_claim(f, list);
	assert_string_equal(list->item[0].job.id, parent->job.id);
}

static void start(struct fixture *f, const struct claim *claim)
{
	begin(f);
	assert_done(queue_attempt_started(f->queue, claim->job.row, claim->number, 4711,
					  99, clock_now_us(), &f->err),
		    &f->err);
	commit(f);
}

static void lose(struct fixture *f, const struct claim *claim)
{
	begin(f);
	assert_done(queue_attempt_lost(f->queue, claim->job.row, claim->number, "reboot",
				       &f->err),
		    &f->err);
	commit(f);
}

/* Claims it and takes it on from there. */
static void run(struct fixture *f, const struct scene_parent *parent)
{
	struct claim_list list;
	struct attempt_end end = fixture_end(parent->end == END_SUCCEEDED ? 0 : 3);
	take(f, parent, &list);
	const struct claim *claim = &list.item[0];
	if (parent->end == END_RUNNING || parent->end == END_LOST ||
	    parent->end == END_STOPPED)
		start(f, claim);
	if (parent->end == END_STOPPED)
		scene_cancel(f, parent->job.id);
	if (parent->end == END_LOST || parent->end == END_LOST_UNSTARTED)
		lose(f, claim);
	if (parent->end == END_START_FAILED) {
		end = (struct attempt_end){.ended_at = 1700000001500000};
		(void)snprintf(end.error, sizeof end.error, "exec: no such file");
	}
	if (parent->end == END_SUCCEEDED || parent->end == END_FAILED ||
	    parent->end == END_RETRYING || parent->end == END_START_FAILED ||
	    parent->end == END_STOPPED)
		assert_int_equal(fixture_import(f, claim, &end), 1);
	claim_list_release(&list);
}

static void stay(struct fixture *f, const struct scene_parent *parent)
{
	fixture_assert_job(f, parent->job.id, parent->job.state, parent->job.reason);
}

static void expire(struct fixture *f, const struct scene_parent *parent)
{
	(void)parent;
	scene_due(f);
}

static void cancel_it(struct fixture *f, const struct scene_parent *parent)
{
	scene_cancel(f, parent->job.id);
}

static void cancel_above(struct fixture *f, const struct scene_parent *parent)
{
	scene_cancel(f, parent->above.id);
}

void scene_reach(struct fixture *f, const struct scene_parent *parent)
{
	/* the others begin to run */
	static void (*const ways[END_COUNT_])(struct fixture *,
					      const struct scene_parent *) = {
		[END_HELD] = stay,
		[END_QUEUED] = stay,
		[END_EXPIRED] = expire,
		[END_CANCELLED] = cancel_it,
		[END_SKIPPED] = cancel_above,
	};
	(ways[parent->end] != NULL ? ways[parent->end] : run)(f, parent);
}

void scene_clear(struct fixture *f, const struct scene_parent *parent)
{
	if (parent->end == END_HELD || parent->end == END_QUEUED ||
	    parent->end == END_RETRYING)
		scene_cancel(f, parent->job.id);
}

/* --- what must always be so --- */

void scene_assert_sound(struct fixture *f)
{
	AUTO_BUF struct buf findings = BUF_INIT(1 << 20);
	struct verify_result verified;
	fixture_assert_sql(
		f->dir,
		"SELECT count(*) FROM jobs j WHERE state = 'waiting' AND reason = "
		"'dependency' AND NOT EXISTS (SELECT 1 FROM dependencies d JOIN jobs p "
		"ON p.id = d.parent_id WHERE d.job_id = j.id AND d.state = 'pending' AND "
		"(p.finished_at IS NULL OR p.id IN (SELECT job_id FROM unresolved)))",
		"0");
	fixture_assert_sql(
		f->dir,
		"SELECT count(*) FROM dependencies d JOIN jobs p ON p.id = d.parent_id "
		"WHERE d.state = 'pending' AND p.finished_at IS NOT NULL AND p.id NOT IN "
		"(SELECT job_id FROM unresolved)",
		"0");
	assert_done(queue_check(f->queue, &findings, &f->err), &f->err);
	assert_string_equal(buf_text(&findings), "");
	assert_int_equal(queue_verify(f->queue, f->dir, &verified, &f->err), 0);
}

int scene_teardown(void **state)
{
	scene_assert_sound(*state);
	return fixture_teardown(state);
}
