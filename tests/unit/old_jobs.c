/* old_jobs.c - see old_jobs.h. */
#include "tests/unit/old_jobs.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/unit/wall_clock.h"

static const char DEFINITION[] = "{\"name\":\"thumb\",\"executable\":\"/bin/true\"}";

void old_job_path(const struct fixture *f, const char *id, const char *suffix,
		  char ret[256])
{
	char path[ATTEMPT_PATH_BYTES];
	attempt_output_path(id, 1, suffix, path);
	(void)snprintf(ret, 256, "%s/%s", f->dir, path);
}

bool is_there(const char *path)
{
	struct stat st;
	return lstat(path, &st) == 0;
}

static void write_file(const char *path, const void *data, size_t bytes)
{
	AUTO_FREE char *dir = mem_strdup(path);
	struct err err = ERR_INIT;
	*strrchr(dir, '/') = '\0';
	assert_done(file_make_dirs(dir, 0700, &err), &err);
	AUTO_CLOSE const int fd =
		open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	assert_int_equal(file_write_all(fd, data, bytes), 0);
}

void make_old_file(const struct fixture *f, const char *name, int64_t age_us)
{
	AUTO_FREE char *path = file_join(f->dir, name);
	const int64_t at_s = (WALL_START_US - age_us) / US_PER_S;
	const struct timespec times[] = {{.tv_sec = at_s}, {.tv_sec = at_s}};
	write_file(path, "x", 1);
	assert_int_equal(utimensat(AT_FDCWD, path, times, 0), 0);
}

static struct submission submission_of(const struct old_job *old)
{
	struct submission submission = fixture_submission();
	submission.queue = old->queue;
	submission.labels = old->labels;
	submission.is_kept = old->is_kept;
	submission.stdin_data = "in";
	submission.stdin_bytes = 2;
	if (old->task != NULL) {
		submission.task = old->task;
		submission.task_definition = DEFINITION;
		digest_of(DEFINITION, strlen(DEFINITION), submission.task_hash);
	}
	return submission;
}

static void put_output(struct fixture *f, const struct old_job *old, const char *id,
		       char *bytes, char path[ATTEMPT_PATH_BYTES],
		       struct attempt_end *end)
{
	char whole[256];
	memset(bytes, 'o', old->output_bytes);
	end->stdout_bytes = (int64_t)old->output_bytes;
	digest_of(bytes, old->output_bytes, end->sha256);
	if (!old->is_in_file) {
		end->content = bytes;
		end->content_bytes = old->output_bytes;
		return;
	}
	attempt_output_path(id, 1, "log", path);
	end->path = path;
	old_job_path(f, id, "log", whole);
	write_file(whole, bytes, old->output_bytes);
	old_job_path(f, id, "idx", whole);
	write_file(whole, bytes, FRAME_BYTES);
}

void old_job_make(struct fixture *f, const struct old_job *old, struct submitted *ret)
{
	const struct submission submission = submission_of(old);
	struct claim_list list;
	struct attempt_end end = fixture_end(old->exit_code);
	char path[ATTEMPT_PATH_BYTES];
	AUTO_FREE char *bytes = mem_alloc(old->output_bytes + FRAME_BYTES);
	wall_set(WALL_START_US - old->age_us);
	assert_done(queue_begin(f->queue, &f->err), &f->err);
	assert_done(queue_submit(f->queue, &submission, ret, &f->err), &f->err);
	assert_done(queue_commit(f->queue, &f->err), &f->err);
	fixture_claim(f, &list);
	assert_string_equal(list.item[0].job.id, ret->id);
	end.started_at = end.ended_at = wall_now_us();
	if (old->output_bytes > 0)
		put_output(f, old, ret->id, bytes, path, &end);
	assert_int_equal(fixture_import(f, &list.item[0], &end), 1);
	claim_list_release(&list);
	wall_set(WALL_START_US);
}

/* clang-format off */
const struct old_job OLD_JOB[OLD_JOBS] = {
	{.age_us = 400 * DAY_US, .exit_code = 1, .output_bytes = 600, .labels = "{\"a\":\"b\"}"},
	{.age_us = 390 * DAY_US, .output_bytes = 50, .is_in_file = true},
	{.age_us = 41 * DAY_US, .exit_code = 2, .output_bytes = 400, .queue = "ci", .is_in_file = true},
	{.age_us = 40 * DAY_US, .output_bytes = 300},
	{.age_us = 10 * DAY_US, .exit_code = 3, .output_bytes = 200, .task = "thumb", .is_in_file = true},
	{.age_us = 5 * DAY_US},
	{.age_us = DAY_US, .output_bytes = 100},
};
void old_jobs_make(struct fixture *f, struct submitted ret[OLD_JOBS])
{
	char sql[96];
	for (size_t i = 0; i < OLD_JOBS; i++)
		old_job_make(f, &OLD_JOB[i], &ret[i]);
	(void)snprintf(sql, sizeof sql, "INSERT OR IGNORE INTO job_labels VALUES ('a=b', %lld)",
		       (long long)ret[0].row);
	assert_int_equal(fixture_sql(f->dir, sql, NULL), 0);
}

void policy_read(const struct fixture *f, const char *text, struct config *ret)
{
	struct err err = ERR_INIT;
	AUTO_FREE char *path = file_join(f->dir, "reeve.json");
	AUTO_FREE char *json = mem_printf("{\"retention\": %s}", text);
	write_file(path, json, strlen(json));
	assert_done(config_load(ret, path, &err), &err);
}

void retention_finish(struct fixture *f, const struct retention_policy *policy,
		      bool is_preview, struct retention_report *ret)
{
	struct retention *run = retention_open(policy, RETENTION_ALL, is_preview, NULL);
	int more = 0;
	for (int steps = 0; steps < 10000; steps++) {
		more = queue_retention_step(f->queue, run, &f->err);
		assert_done(more, &f->err);
		if (more == 0)
			break;
	}
	assert_int_equal(more, 0);
	*ret = retention_report(run);
	ret->rule = NULL;
	retention_close(run);
}

void assert_sound(struct fixture *f)
{
	static const char *const left[] = {
		"SELECT count(*) FROM attempts WHERE job_id NOT IN (SELECT id FROM jobs)",
		"SELECT count(*) FROM output WHERE job_id NOT IN (SELECT id FROM jobs)",
		"SELECT count(*) FROM job_stdin WHERE job_id NOT IN (SELECT id FROM "
		"jobs)",
		"SELECT count(*) FROM job_labels WHERE job_id NOT IN (SELECT id FROM "
		"jobs)",
		"SELECT count(*) FROM dependencies WHERE job_id NOT IN (SELECT id FROM "
		"jobs)",
		"SELECT count(*) FROM jobs WHERE id IN (SELECT job_id FROM tombstones)",
	};
	AUTO_BUF struct buf found = BUF_INIT(1 << 16);
	struct verify_result result;
	const int verified = queue_verify(f->queue, f->dir, &result, &f->err);
	assert_done(verified, &f->err);
	if (verified != 0)
		fail_msg("verify: %s", result.detail);
	const int checked = queue_check(f->queue, &found, &f->err);
	assert_done(checked, &f->err);
	if (checked != 0)
		fail_msg("check: %s", buf_text(&found));
	for (size_t i = 0; i < ARRAY_SIZE(left); i++)
		if (fixture_number(f->dir, left[i]) != 0)
			fail_msg("not 0: %s", left[i]);
}

void assert_unsound(struct fixture *f, const char *words)
{
	struct verify_result result;
	const int verified = queue_verify(f->queue, f->dir, &result, &f->err);
	assert_done(verified, &f->err);
	assert_int_equal(verified, 1);
	if (strstr(result.detail, words) == NULL)
		fail_msg("verify says \"%s\" instead of \"%s\"", result.detail, words);
}
