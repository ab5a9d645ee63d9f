/* test_queue_sweep.c - files that no row needs, rows whose file is missing; and that
 * nothing else is touched. */
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/unit/old_jobs.h"
#include "tests/unit/wall_clock.h"

#define UNKNOWN "0193f2c4-a1b2-7c3d-8e4f-a1b2c3d4e5f6"
#define UNKNOWN_DAY "output/2024-12-24/"

static const struct old_job IN_FILE = {
	.age_us = 3 * DAY_US, .output_bytes = 9, .is_in_file = true};
static const struct old_job IN_ROW = {.age_us = 2 * DAY_US, .output_bytes = 9};

static struct sweep_report sweep(struct fixture *f, bool is_preview)
{
	struct sweep *run = sweep_open(is_preview, NULL);
	int more;
	while ((more = queue_sweep_step(f->queue, run, &f->err)) == 1)
		;
	assert_done(more, &f->err);
	const struct sweep_report report = sweep_report(run);
	sweep_close(run);
	return report;
}

static bool has(const struct fixture *f, const char *name)
{
	AUTO_FREE char *path = file_join(f->dir, name);
	return is_there(path);
}

/* The name below the state directory of an attempt's file. */
static void name_of(const char *id, const char *suffix, char ret[ATTEMPT_PATH_BYTES])
{
	attempt_output_path(id, 1, suffix, ret);
}

static void make_old_output(const struct fixture *f, const char *id)
{
	char name[ATTEMPT_PATH_BYTES];
	name_of(id, "log", name);
	make_old_file(f, name, DAY_US);
	name_of(id, "idx", name);
	make_old_file(f, name, DAY_US);
}

static void test_files_of_nobody_go(void **state)
{
	struct fixture *f = *state;
	make_old_file(f, UNKNOWN_DAY UNKNOWN "-1.log", DAY_US);
	make_old_file(f, UNKNOWN_DAY UNKNOWN "-1.idx", DAY_US);
	make_old_file(f, "attempts/" UNKNOWN "-1", DAY_US);
	assert_int_equal(sweep(f, true).files, 3);
	assert_true(has(f, UNKNOWN_DAY UNKNOWN "-1.log"));
	const struct sweep_report report = sweep(f, false);
	assert_int_equal(report.files, 3);
	assert_false(has(f, UNKNOWN_DAY UNKNOWN "-1.log"));
	assert_false(has(f, UNKNOWN_DAY UNKNOWN "-1.idx"));
	assert_false(has(f, "attempts/" UNKNOWN "-1"));
	/* and its day; for the clock of the test that was changed years ago */
	assert_int_equal(report.days, 1);
	assert_false(has(f, UNKNOWN_DAY));
	assert_true(has(f, "output"));
}

/* Somebody may be about to put the first file into it. */
static void test_a_young_empty_day_stays(void **state)
{
	struct fixture *f = *state;
	AUTO_FREE char *day = file_join(f->dir, UNKNOWN_DAY);
	const struct timespec now[] = {{.tv_sec = WALL_START_US / US_PER_S},
				       {.tv_sec = WALL_START_US / US_PER_S}};
	assert_done(file_make_dirs(day, 0700, &f->err), &f->err);
	assert_int_equal(utimensat(AT_FDCWD, day, now, 0), 0);
	assert_int_equal(sweep(f, false).days, 0);
	wall_go_on(SWEEP_GRACE_US + US_PER_S);
	assert_int_equal(sweep(f, false).days, 1);
	assert_false(has(f, UNKNOWN_DAY));
}

static void test_what_is_not_ours_or_too_young_stays(void **state)
{
	static const char *const stays[] = {
		UNKNOWN_DAY "notes.txt",
		UNKNOWN_DAY UNKNOWN ".log",
		UNKNOWN_DAY UNKNOWN "-1.log.gz",
		UNKNOWN_DAY UNKNOWN "-0.log",
		UNKNOWN_DAY UNKNOWN "-99999999999999.log",
		"output/" UNKNOWN "-1.log",
		"output/archive/" UNKNOWN "-1.log",
		"output/2024-12-24x/" UNKNOWN "-1.log",
		"attempts/" UNKNOWN "-1.log",
		UNKNOWN "-1.log",
	};
	struct fixture *f = *state;
	for (size_t i = 0; i < ARRAY_SIZE(stays); i++)
		make_old_file(f, stays[i], DAY_US);
	make_old_file(f, UNKNOWN_DAY UNKNOWN "-2.log", SWEEP_GRACE_US / 2);
	assert_int_equal(sweep(f, false).files, 0);
	for (size_t i = 0; i < ARRAY_SIZE(stays); i++)
		assert_true(has(f, stays[i]));
	assert_true(has(f, UNKNOWN_DAY UNKNOWN "-2.log"));
}

static void link_to(const struct fixture *f, const char *target, const char *name)
{
	AUTO_FREE char *from = file_join(f->dir, target), *path = file_join(f->dir, name);
	assert_int_equal(symlink(from, path), 0);
}

static void test_links_are_not_followed(void **state)
{
	struct fixture *f = *state;
	make_old_file(f, "elsewhere/" UNKNOWN "-1.log", DAY_US);
	make_old_file(f, UNKNOWN_DAY "keep", DAY_US);
	link_to(f, "elsewhere", "output/2024-12-25");
	link_to(f, "elsewhere/" UNKNOWN "-1.log", UNKNOWN_DAY UNKNOWN "-1.log");
	link_to(f, "elsewhere", "attempts");
	assert_int_equal(sweep(f, false).files, 0);
	assert_true(has(f, "elsewhere/" UNKNOWN "-1.log"));
	assert_true(has(f, UNKNOWN_DAY UNKNOWN "-1.log"));
	/* nor is the whole of output */
	AUTO_FREE char *output = file_join(f->dir, "output"),
		       *moved = file_join(f->dir, "moved");
	make_old_file(f, UNKNOWN_DAY UNKNOWN "-3.log", DAY_US);
	assert_int_equal(rename(output, moved), 0);
	link_to(f, "moved", "output");
	assert_int_equal(sweep(f, false).files, 0);
	assert_true(has(f, "moved/2024-12-24/" UNKNOWN "-3.log"));
}

static void test_retention_follows_no_link_either(void **state)
{
	struct fixture *f = *state;
	struct config config;
	struct retention_report report;
	struct submitted job;
	char name[ATTEMPT_PATH_BYTES];
	old_job_make(f, &IN_FILE, &job);
	AUTO_FREE char *output = file_join(f->dir, "output"),
		       *moved = file_join(f->dir, "moved");
	assert_int_equal(rename(output, moved), 0);
	link_to(f, "moved", "output");
	policy_read(f, "{\"output_max_age_s\": 3600}", &config);
	retention_finish(f, &config.retention, false, &report);
	assert_int_equal(report.unremovable, 1);
	name_of(job.id, "log", name);
	assert_true(has(f, name));
	config_release(&config);
}

/* One that runs, one whose end was recorded, one whose end is not known. */
static void test_attempts_keep_what_is_theirs(void **state)
{
	struct fixture *f = *state;
	struct submitted folded, filed, living, lost;
	struct claim_list list;
	char name[ATTEMPT_PATH_BYTES];
	old_job_make(f, &IN_FILE, &filed);
	old_job_make(f, &IN_ROW, &folded);
	fixture_submit(f, "uid:1000", &lost);
	fixture_claim(f, &list);
	assert_done(queue_begin(f->queue, &f->err), &f->err);
	assert_done(queue_attempt_lost(f->queue, lost.row, 1, "reboot", &f->err),
		    &f->err);
	assert_done(queue_commit(f->queue, &f->err), &f->err);
	claim_list_release(&list);
	fixture_submit(f, "uid:1000", &living);
	fixture_claim(f, &list);
	claim_list_release(&list);
	make_old_output(f, filed.id);
	make_old_output(f, folded.id);
	make_old_output(f, lost.id);
	make_old_output(f, living.id);
	attempt_journal_path(living.id, 1, name);
	make_old_file(f, name, DAY_US);
	attempt_journal_path(folded.id, 1, name);
	make_old_file(f, name, DAY_US);
	/* two of the folded one's output, one of its journal */
	assert_int_equal(sweep(f, false).files, 3);
	assert_false(has(f, name));
	name_of(folded.id, "log", name);
	assert_false(has(f, name));
	name_of(filed.id, "idx", name);
	assert_true(has(f, name));
	name_of(lost.id, "log", name);
	assert_true(has(f, name));
	name_of(living.id, "log", name);
	assert_true(has(f, name));
	attempt_journal_path(living.id, 1, name);
	assert_true(has(f, name));
	/* and what is not known of one that was pruned goes with it */
	struct config config;
	struct retention_report report;
	policy_read(f, "{\"rules\": [{\"rows\": {\"keep_last\": 0}}]}", &config);
	retention_finish(f, &config.retention, false, &report);
	assert_int_equal(report.jobs, 3);
	name_of(lost.id, "log", name);
	assert_false(has(f, name));
	name_of(living.id, "log", name);
	assert_true(has(f, name));
	config_release(&config);
	assert_sound(f);
}

/* A shim holds its journal locked for life, whatever the database says. */
static void test_what_is_locked_stays(void **state)
{
	struct fixture *f = *state;
	make_old_file(f, "attempts/" UNKNOWN "-1", DAY_US);
	AUTO_FREE char *path = file_join(f->dir, "attempts/" UNKNOWN "-1");
	const int fd = sys.openat(AT_FDCWD, path, O_RDONLY | O_CLOEXEC, 0);
	assert_true(fd >= 0);
	assert_int_equal(flock(fd, LOCK_EX), 0);
	assert_int_equal(sweep(f, false).files, 0);
	assert_int_equal(close(fd), 0);
	assert_int_equal(sweep(f, false).files, 1);
}

static void test_a_missing_file_is_recorded(void **state)
{
	struct fixture *f = *state;
	struct submitted missing, there;
	char name[ATTEMPT_PATH_BYTES], path[256];
	struct verify_result result;
	old_job_make(f, &IN_FILE, &missing);
	old_job_make(f, &IN_FILE, &there);
	old_job_path(f, missing.id, "log", path);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(queue_verify(f->queue, f->dir, &result, &f->err), 1);
	assert_int_equal(sweep(f, true).missing, 1);
	fixture_assert_sql(f->dir, "SELECT count(*) FROM output WHERE stored = 'file'",
			   "2");
	const struct sweep_report report = sweep(f, false);
	assert_int_equal(report.missing, 1);
	assert_int_equal(report.files, 1); /* its index, which nobody needs now */
	fixture_assert_sql(f->dir, "SELECT count(*) FROM output WHERE stored = 'file'",
			   "1");
	fixture_assert_events(
		f, missing.id,
		"submitted queued by uid:1000|started running|ended "
		"succeeded {\"attempt\":1,\"exit_code\":0}|output_missing - "
		"{\"attempt\":1,\"bytes\":9}");
	assert_sound(f);
	assert_int_equal(sweep(f, false).missing, 0);
	name_of(missing.id, "idx", name);
	assert_false(has(f, name));
	name_of(there.id, "log", name);
	assert_true(has(f, name));
}

/* As a crash leaves it between the removal of the file and the commit that says so. */
static void test_a_file_that_retention_took_is_not_missing(void **state)
{
	struct fixture *f = *state;
	struct submitted taken, there;
	char path[256];
	struct verify_result result;
	old_job_make(f, &IN_FILE, &taken);
	assert_int_equal(fixture_sql(f->dir, "UPDATE output SET removed_at = 1", NULL),
			 0);
	old_job_make(f, &IN_FILE, &there);
	old_job_path(f, taken.id, "log", path);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(sweep(f, true).missing, 0);
	assert_int_equal(sweep(f, false).missing, 0);
	fixture_assert_sql(
		f->dir, "SELECT count(*) FROM events WHERE kind = 'output_missing'", "0");
	fixture_assert_sql(f->dir, "SELECT count(*) FROM output WHERE stored = 'file'",
			   "2");
	old_job_path(f, there.id, "log", path);
	assert_int_equal(unlink(path), 0);
	make_old_file(f, UNKNOWN_DAY "keep", DAY_US);
	assert_int_equal(sweep(f, false).missing, 1);
	assert_int_equal(queue_verify(f->queue, f->dir, &result, &f->err), 0);
}

/* A disk that is not mounted is no reason to forget what lies on it. */
static void test_an_empty_directory_marks_nothing(void **state)
{
	struct fixture *f = *state;
	struct submitted job;
	AUTO_FREE char *output = file_join(f->dir, "output"),
		       *moved = file_join(f->dir, "moved");
	old_job_make(f, &IN_FILE, &job);
	assert_int_equal(rename(output, moved), 0);
	assert_int_equal(mkdir(output, 0700), 0);
	assert_true(sweep(f, false).is_refused);
	assert_int_equal(rmdir(output), 0);
	assert_true(sweep(f, false).is_refused);
	assert_int_equal(rename(moved, output), 0);
	assert_false(sweep(f, false).is_refused);
	fixture_assert_sql(f->dir, "SELECT stored FROM output", "file");
	assert_sound(f);
}

/* More than one step's worth, of both kinds. */
static void test_many_files(void **state)
{
	enum { MANY = 700 };
	struct fixture *f = *state;
	struct submitted job;
	for (int i = 0; i < MANY; i++) {
		char name[256];
		(void)snprintf(name, sizeof name, UNKNOWN_DAY UNKNOWN "-%d.log", i + 1);
		make_old_file(f, name, DAY_US);
		old_job_make(f, &IN_FILE, &job);
		if (i % 2 == 0)
			continue;
		old_job_path(f, job.id, "log", name);
		assert_int_equal(unlink(name), 0);
	}
	const struct sweep_report report = sweep(f, false);
	assert_int_equal(report.files, MANY + MANY / 2); /* and lone indexes */
	assert_int_equal(report.missing, MANY / 2);
	assert_sound(f);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, wall_setup, wall_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_files_of_nobody_go),
		TEST(test_a_young_empty_day_stays),
		TEST(test_what_is_not_ours_or_too_young_stays),
		TEST(test_links_are_not_followed),
		TEST(test_retention_follows_no_link_either),
		TEST(test_attempts_keep_what_is_theirs),
		TEST(test_what_is_locked_stays),
		TEST(test_a_missing_file_is_recorded),
		TEST(test_a_file_that_retention_took_is_not_missing),
		TEST(test_an_empty_directory_marks_nothing),
		TEST(test_many_files),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
