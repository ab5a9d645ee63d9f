/* test_queue_retention.c - what goes and what stays, by which rule; and that a death at
 * any moment changes nothing of that. */
#include <errno.h>
#include <sqlite3.h>
#include <sys/wait.h>
#include <unistd.h>

#include "queue/db.h"
#include "tests/unit/old_jobs.h"
#include "tests/unit/wall_clock.h"

/* --- the words agree --- */

static void test_the_outcomes_are_the_final_states(void **state)
{
	int final = 0;
	(void)state;
	for (int i = 1; i < JOB_STATE_COUNT_; i++) {
		const char *word = job_state_word((enum job_state)i);
		if (!job_state_is_final((enum job_state)i)) {
			assert_int_equal(retention_outcome_parse(word), -1);
			continue;
		}
		final++;
		assert_true(retention_outcome_parse(word) >= 0);
	}
	assert_int_equal(final, OUTCOME_COUNT_);
}

/* --- rules --- */

/* '+' all of it is there, '-' its output went, 'x' it went, '.' it never had an output;
 * from the oldest to the newest. And files are there if and only if a row names them. */
static void assert_left(struct fixture *f, const struct submitted *jobs,
			const char *expected, const char *what)
{
	char now[OLD_JOBS + 1] = "", path[256];
	for (size_t i = 0; i < OLD_JOBS; i++) {
		struct job job;
		struct attempt last;
		const int found = queue_job_get(f->queue, &FIXTURE_ADMIN, jobs[i].id,
						&job, &f->err);
		assert_done(found, &f->err);
		now[i] = 'x';
		if (found == 1) {
			assert_int_equal(
				queue_attempt_get(f->queue, job.row, 1, &last, &f->err),
				1);
			now[i] = last.stored[0] == '\0'		       ? '.'
				 : strcmp(last.stored, "removed") == 0 ? '-'
								       : '+';
			if (now[i] == '-') {
				assert_int_equal(last.removed_at, wall_now_us());
				assert_int_equal(last.stdout_bytes,
						 OLD_JOB[i].output_bytes);
			}
			attempt_release(&last);
			job_release(&job);
		}
		old_job_path(f, jobs[i].id, "log", path);
		assert_int_equal(is_there(path), now[i] == '+' && OLD_JOB[i].is_in_file);
		old_job_path(f, jobs[i].id, "idx", path);
		assert_int_equal(is_there(path), now[i] == '+' && OLD_JOB[i].is_in_file);
	}
	if (strcmp(now, expected) != 0)
		fail_msg("%s: %s instead of %s", what, now, expected);
}

struct rule_case {
	const char *policy, *left;
};

static const struct rule_case RULE_CASES[] = {
	/* the defaults: outputs 30 days, rows a year */
	{"{}", "xx--+.+"},
	{"{\"output_max_age_s\": 0, \"rows_max_age_s\": 0}", "+++++.+"},
	{"{\"output_max_age_s\": 3456000, \"rows_max_age_s\": 0}", "---++.+"},
	{"{\"slice\": 1}", "xx--+.+"},
	{"{\"slice\": 2}", "xx--+.+"},
	/* keep_last counts what is there: of outputs those that have one */
	{"{\"rules\": [{\"output\": {\"keep_last\": 2}, \"rows\": {}}]}", "----+.+"},
	{"{\"rules\": [{\"output\": {\"keep_last\": 0}, \"rows\": {}}]}", "-----.-"},
	{"{\"rules\": [{\"output\": {}, \"rows\": {\"keep_last\": 3}}]}", "xxxx+.+"},
	{"{\"rules\": [{\"output\": {\"keep_last\": 3}}]}", "xx-++.+"},
	{"{\"rules\": [{\"outcome\": \"failed\", \"rows\": {\"keep_last\": 1}}]}",
	 "xxx-+.+"},
	/* max_bytes: the newest that fit: 100, 200, 300, not 400, 50, not 600 */
	{"{\"rules\": [{\"output\": {\"max_bytes\": 650}, \"rows\": {}}]}", "-+-++.+"},
	{"{\"rules\": [{\"output\": {\"max_bytes\": 649}, \"rows\": {}}]}", "---++.+"},
	{"{\"rules\": [{\"output\": {\"max_bytes\": 0}, \"rows\": {}}]}", "-----.-"},
	{"{\"rules\": [{\"output\": {}, \"rows\": {\"max_bytes\": 999}}]}", "xxxxxxx"},
	{"{\"rules\": [{\"output\": {}, \"rows\": {\"max_bytes\": 3000}}]}", "xxxxx.+"},
	/* limits together: whichever is reached first */
	{"{\"rules\": [{\"output\": {\"max_age_s\": 864001, \"keep_last\": 1}, \"rows\": "
	 "{}}]}",
	 "-----.+"},
	{"{\"rules\": [{\"output\": {\"max_age_s\": 432000, \"keep_last\": 9}, \"rows\": "
	 "{}}]}",
	 "-----.+"},
	/* which jobs */
	{"{\"rules\": [{\"outcome\": \"failed\", \"output\": {}, \"rows\": {}}]}",
	 "+x+-+.+"},
	{"{\"rules\": [{\"outcome\": [\"failed\", \"lost\"], \"rows\": {\"max_age_s\": "
	 "432000}}]}",
	 "xxx-x.+"},
	{"{\"rules\": [{\"outcome\": \"lost\", \"rows\": {\"keep_last\": 0}}]}",
	 "xx--+.+"},
	{"{\"rules\": [{\"outcome\": \"any\", \"rows\": {\"keep_last\": 0}}]}",
	 "xxxxxxx"},
	{"{\"rules\": [{\"queue\": \"ci\", \"rows\": {\"keep_last\": 0}}]}", "xxx-+.+"},
	{"{\"rules\": [{\"queue\": \"default\", \"rows\": {\"keep_last\": 0}}]}",
	 "xx-xxxx"},
	{"{\"rules\": [{\"task\": \"thumb\", \"output\": {\"max_age_s\": 3600}}]}",
	 "xx---.+"},
	{"{\"rules\": [{\"task\": \"thumb\", \"queue\": \"ci\", \"rows\": "
	 "{\"keep_last\": "
	 "0}}]}",
	 "xx--+.+"},
	/* the first that fits */
	{"{\"rules\": [{\"task\": \"thumb\", \"output\": {}}, {\"outcome\": \"failed\", "
	 "\"output\": {\"keep_last\": 0}}]}",
	 "xx--+.+"},
	{"{\"rules\": [{\"outcome\": \"failed\", \"output\": {\"keep_last\": 0}}, "
	 "{\"task\": \"thumb\", \"output\": {}}]}",
	 "xx---.+"},
	/* null says nothing */
	{"{\"rules\": [{\"outcome\": \"failed\", \"output\": null, \"rows\": {}}]}",
	 "-x--+.+"},
};

static void test_each_rule_keeps_what_it_says(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(RULE_CASES); i++) {
		void *own = NULL;
		struct config config;
		struct retention_report preview, report, again;
		struct submitted jobs[OLD_JOBS];
		assert_int_equal(wall_setup(&own), 0);
		struct fixture *f = own;
		old_jobs_make(f, jobs);
		policy_read(f, RULE_CASES[i].policy, &config);
		config.retention.events_age_us = 0;
		retention_finish(f, &config.retention, true, &preview);
		assert_left(f, jobs, "+++++.+", "a preview changes nothing");
		retention_finish(f, &config.retention, false, &report);
		assert_left(f, jobs, RULE_CASES[i].left, RULE_CASES[i].policy);
		/* it said so before, and comes to the same end a second time */
		assert_int_equal(preview.jobs, report.jobs);
		assert_int_equal(preview.outputs, report.outputs);
		assert_int_equal(preview.output_bytes, report.output_bytes);
		const int64_t events =
			fixture_number(f->dir, "SELECT max(id) FROM events");
		retention_finish(f, &config.retention, false, &again);
		assert_int_equal(again.jobs + again.outputs, 0);
		assert_int_equal(fixture_number(f->dir, "SELECT max(id) FROM events"),
				 events);
		assert_sound(f);
		config_release(&config);
		(void)wall_teardown(&own);
	}
}

/* A definition goes with the last job that was accepted with it. */
static void test_definitions_go_with_their_last_job(void **state)
{
	struct fixture *f = *state;
	struct config config;
	struct retention_report report;
	struct submitted jobs[OLD_JOBS];
	old_jobs_make(f, jobs);
	policy_read(f, "{}", &config);
	retention_finish(f, &config.retention, false, &report);
	fixture_assert_sql(f->dir, "SELECT count(*) FROM task_definitions", "1");
	config.retention.rows_age_us = 9 * DAY_US;
	retention_finish(f, &config.retention, false, &report);
	assert_int_equal(report.definitions, 1);
	fixture_assert_sql(f->dir, "SELECT count(*) FROM task_definitions", "0");
	config_release(&config);
}

/* --- what is exempt --- */

static void assert_kept(struct fixture *f, const char *id, bool is_kept)
{
	struct retention_report report;
	struct config config;
	struct job job;
	policy_read(f, "{\"rules\": [{\"rows\": {\"keep_last\": 0}}]}", &config);
	retention_finish(f, &config.retention, false, &report);
	const int found = queue_job_get(f->queue, &FIXTURE_ADMIN, id, &job, &f->err);
	assert_done(found, &f->err);
	assert_int_equal(found, is_kept);
	if (found == 1) {
		struct attempt last;
		assert_int_equal(queue_attempt_get(f->queue, job.row, 1, &last, &f->err),
				 1);
		assert_string_equal(last.stored, "file");
		attempt_release(&last);
		job_release(&job);
	}
	assert_sound(f);
	config_release(&config);
}

static const struct old_job PARENT = {
	.age_us = 500 * DAY_US, .output_bytes = 9, .is_in_file = true};

static void test_kept_jobs_stay(void **state)
{
	struct old_job kept = PARENT;
	struct fixture *f = *state;
	struct submitted job;
	kept.is_kept = true;
	old_job_make(f, &kept, &job);
	fixture_assert_sql(f->dir, "SELECT by FROM kept_jobs", "uid:1000");
	assert_kept(f, job.id, true);
	assert_int_equal(fixture_sql(f->dir, "DELETE FROM kept_jobs", NULL), 0);
	assert_kept(f, job.id, false);
}

static void test_living_jobs_and_what_they_wait_for_stay(void **state)
{
	struct fixture *f = *state;
	struct submitted parent, child;
	struct submission held = fixture_submission();
	enum cancel_result cancelled;
	char sql[256];
	old_job_make(f, &PARENT, &parent);
	held.is_held = true;
	wall_set(WALL_START_US - 450 * DAY_US);
	assert_done(queue_begin(f->queue, &f->err), &f->err);
	assert_done(queue_submit(f->queue, &held, &child, &f->err), &f->err);
	assert_done(queue_commit(f->queue, &f->err), &f->err);
	wall_set(WALL_START_US);
	(void)snprintf(sql, sizeof sql,
		       "INSERT INTO dependencies (job_id, parent_id) VALUES (%lld, %lld)",
		       (long long)child.row, (long long)parent.row);
	assert_int_equal(fixture_sql(f->dir, sql, NULL), 0);
	assert_kept(f, parent.id, true); /* settling is not done yet either */
	assert_int_equal(fixture_sql(f->dir, "DELETE FROM unresolved", NULL), 0);
	assert_kept(f, parent.id, true);
	fixture_assert_job(f, child.id, JOB_WAITING, "hold");
	assert_int_equal(fixture_cancel(f, "uid:1000", child.id, false, &cancelled), 0);
	assert_int_equal(fixture_sql(f->dir, "DELETE FROM unresolved", NULL), 0);
	assert_kept(f, parent.id, false);
	/* and what hung between them went with the child */
	fixture_assert_sql(f->dir, "SELECT count(*) FROM dependencies", "0");
}

/* --- what remains --- */

static void test_a_tombstone_answers_its_owner(void **state)
{
	struct fixture *f = *state;
	const struct viewer owner = {.principal = "uid:1000"},
			    stranger = {.principal = "uid:1001"};
	struct tombstone stone;
	struct submitted job;
	old_job_make(f, &PARENT, &job);
	assert_int_equal(queue_tombstone_get(f->queue, &owner, job.id, &stone, &f->err),
			 0);
	assert_kept(f, job.id, false);
	assert_int_equal(queue_tombstone_get(f->queue, &owner, job.id, &stone, &f->err),
			 1);
	assert_string_equal(stone.id, job.id);
	assert_string_equal(stone.state, "succeeded");
	assert_int_equal(stone.finished_at, WALL_START_US - 500 * DAY_US);
	assert_int_equal(stone.pruned_at, WALL_START_US);
	assert_int_equal(
		queue_tombstone_get(f->queue, &stranger, job.id, &stone, &f->err), 0);
	assert_int_equal(
		queue_tombstone_get(f->queue, &FIXTURE_ADMIN, job.id, &stone, &f->err),
		1);
}

static void test_a_key_outlives_its_job(void **state)
{
	struct fixture *f = *state;
	struct submission submission = fixture_submission();
	struct submitted first, again;
	struct claim_list list;
	struct attempt_end end = fixture_end(0);
	submission.idempotency_key = "thumb-1";
	end.ended_at = WALL_START_US - 400 * DAY_US;
	assert_done(queue_begin(f->queue, &f->err), &f->err);
	assert_done(queue_submit(f->queue, &submission, &first, &f->err), &f->err);
	assert_done(queue_commit(f->queue, &f->err), &f->err);
	fixture_claim(f, &list);
	assert_int_equal(fixture_import(f, &list.item[0], &end), 1);
	claim_list_release(&list);
	assert_kept(f, first.id, false);
	assert_done(queue_begin(f->queue, &f->err), &f->err);
	assert_done(queue_submit(f->queue, &submission, &again, &f->err), &f->err);
	assert_done(queue_commit(f->queue, &f->err), &f->err);
	assert_true(again.is_replay);
	assert_string_equal(again.id, first.id);
	fixture_assert_sql(f->dir, "SELECT count(*) FROM jobs", "0");
}

/* --- deaths --- */

static int commits_left, unlinks_left;
static int (*real_unlinkat)(int dir_fd, const char *path, int flags);

/* Called when all is written but the end of the transaction. */
static int die_at_commit(void *unused)
{
	(void)unused;
	if (--commits_left == 0)
		_exit(9);
	return 0;
}

static int die_at_unlink(int dir_fd, const char *path, int flags)
{
	if (--unlinks_left == 0)
		_exit(9);
	return real_unlinkat(dir_fd, path, flags);
}

/* A process of its own runs retention and dies at the n-th commit or unlink. True when it
 * did; false when it came to its end before. */
static bool run_and_die(struct fixture *f, const struct retention_policy *policy,
			int commits, int unlinks)
{
	queue_close(f->queue);
	f->queue = NULL;
	const pid_t pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		struct queue *queue;
		if (queue_open(&queue, f->dir, QUEUE_WRITE, NULL) != 0)
			_exit(1);
		commits_left = commits;
		unlinks_left = unlinks;
		real_unlinkat = sys.unlinkat;
		sys.unlinkat = die_at_unlink;
		(void)sqlite3_commit_hook(queue->db, die_at_commit, NULL);
		struct retention *run =
			retention_open(policy, RETENTION_ALL, false, NULL);
		int more;
		while ((more = queue_retention_step(queue, run, NULL)) == 1)
			;
		_exit(more == 0 ? 0 : 1);
	}
	int status;
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_true(WEXITSTATUS(status) == 0 || WEXITSTATUS(status) == 9);
	assert_done(queue_open(&f->queue, f->dir, QUEUE_WRITE, &f->err), &f->err);
	return WEXITSTATUS(status) == 9;
}

/* Whenever it dies, nothing is half done that the next run would not finish. */
static int die_everywhere(bool at_commits)
{
	int deaths = 0;
	for (bool has_died = true; has_died; deaths += has_died) {
		void *own = NULL;
		struct config config;
		struct retention_report report;
		struct submitted jobs[OLD_JOBS];
		assert_int_equal(wall_setup(&own), 0);
		struct fixture *f = own;
		old_jobs_make(f, jobs);
		policy_read(f, "{\"slice\": 2, \"events_max_age_s\": 3499200}", &config);
		has_died = run_and_die(f, &config.retention,
				       at_commits ? deaths + 1 : INT32_MAX,
				       at_commits ? INT32_MAX : deaths + 1);
		if (has_died) {
			/* between a file's end and the row that says so, its row is only
			 * marked, and verify may miss it */
			AUTO_BUF struct buf found = BUF_INIT(1 << 16);
			assert_int_equal(queue_check(f->queue, &found, &f->err), 0);
		}
		retention_finish(f, &config.retention, false, &report);
		assert_left(f, jobs, "xx--+.+", "after a death");
		fixture_assert_sql(f->dir, "SELECT min(id) FROM events", "10");
		assert_sound(f);
		config_release(&config);
		(void)wall_teardown(&own);
	}
	return deaths;
}

static void test_a_death_at_any_commit_loses_nothing(void **state)
{
	(void)state;
	assert_true(die_everywhere(true) >= 8);
}

static void test_a_death_between_files_loses_nothing(void **state)
{
	(void)state;
	assert_int_equal(die_everywhere(false), 6);
}

/* What was marked goes, even if no rule lets it go any more: its file may be gone. */
static void test_what_was_begun_is_finished(void **state)
{
	struct fixture *f = *state;
	struct config config;
	struct retention_report report;
	struct submitted jobs[OLD_JOBS];
	old_jobs_make(f, jobs);
	policy_read(f, "{}", &config);
	assert_true(run_and_die(f, &config.retention, INT32_MAX, 1));
	config_release(&config);
	assert_true(fixture_number(f->dir, "SELECT count(*) FROM output WHERE stored = "
					   "'file' AND removed_at IS NOT NULL") > 0);
	policy_read(f, "{\"output_max_age_s\": 0, \"rows_max_age_s\": 0}", &config);
	retention_finish(f, &config.retention, false, &report);
	assert_left(f, jobs, "+--++.+", "only the marked ones");
	assert_sound(f);
	config_release(&config);
}

/* --- files --- */

static int refuse_unlink(int dir_fd, const char *path, int flags)
{
	(void)dir_fd;
	(void)path;
	(void)flags;
	errno = EROFS;
	return -1;
}

static void test_a_file_that_stays_keeps_its_rows(void **state)
{
	struct fixture *f = *state;
	struct config config;
	struct retention_report report;
	struct submitted job;
	old_job_make(f, &PARENT, &job);
	policy_read(f, "{}", &config);
	real_unlinkat = sys.unlinkat;
	sys.unlinkat = refuse_unlink;
	retention_finish(f, &config.retention, false, &report);
	sys.unlinkat = real_unlinkat;
	assert_int_equal(report.unremovable, 1);
	assert_int_equal(report.jobs, 0);
	fixture_assert_sql(f->dir, "SELECT stored FROM output", "file");
	retention_finish(f, &config.retention, false, &report);
	assert_int_equal(report.unremovable, 0);
	fixture_assert_sql(f->dir, "SELECT count(*) FROM jobs", "0");
	assert_sound(f);
	config_release(&config);
}

/* Whoever writes another path into a row does not get that file removed. */
static void test_a_forged_path_removes_nothing(void **state)
{
	struct fixture *f = *state;
	struct config config;
	struct retention_report report;
	struct submitted job;
	char path[256];
	old_job_make(f, &PARENT, &job);
	make_old_file(f, "precious", 0);
	assert_int_equal(fixture_sql(f->dir, "UPDATE output SET path = 'precious'", NULL),
			 0);
	policy_read(f, "{}", &config);
	retention_finish(f, &config.retention, false, &report);
	(void)snprintf(path, sizeof path, "%s/precious", f->dir);
	assert_true(is_there(path));
	fixture_assert_sql(f->dir, "SELECT count(*) FROM jobs", "0");
	config_release(&config);
}

/* Only what a rule lets go that was named. */
static void test_one_rule_alone(void **state)
{
	struct fixture *f = *state;
	struct config config;
	struct submitted jobs[OLD_JOBS];
	old_jobs_make(f, jobs);
	policy_read(f, "{\"rules\": [{\"queue\": \"ci\", \"rows\": {\"keep_last\": 0}}]}",
		    &config);
	struct retention *run = retention_open(&config.retention, 0, false, "uid:7");
	while (queue_retention_step(f->queue, run, &f->err) == 1)
		;
	retention_close(run);
	assert_left(f, jobs, "++x++.+", "rule 0");
	fixture_assert_sql(f->dir,
			   "SELECT kind || ' ' || principal || ' ' || json_extract(data, "
			   "'$.jobs') FROM events ORDER BY id DESC LIMIT 1",
			   "jobs_pruned uid:7 1");
	assert_sound(f);
	config_release(&config);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, wall_setup, wall_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_the_outcomes_are_the_final_states),
		cmocka_unit_test(test_each_rule_keeps_what_it_says),
		TEST(test_definitions_go_with_their_last_job),
		TEST(test_kept_jobs_stay),
		TEST(test_living_jobs_and_what_they_wait_for_stay),
		TEST(test_a_tombstone_answers_its_owner),
		TEST(test_a_key_outlives_its_job),
		cmocka_unit_test(test_a_death_at_any_commit_loses_nothing),
		cmocka_unit_test(test_a_death_between_files_loses_nothing),
		TEST(test_what_was_begun_is_finished),
		TEST(test_a_file_that_stays_keeps_its_rows),
		TEST(test_a_forged_path_removes_nothing),
		TEST(test_one_rule_alone),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
