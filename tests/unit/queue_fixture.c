/* queue_fixture.c - see queue_fixture.h. */
#include "tests/unit/queue_fixture.h"

#include <ftw.h>
#include <sqlite3.h>
#include <unistd.h>

const struct viewer FIXTURE_ADMIN = {.principal = "uid:0", .sees_all = true};

void assert_done(int result, const struct err *err)
{
	if (result < 0)
		fail_msg("%s: %s", err_word(err->code), err->text);
}

void fixture_make_dir(char ret[64])
{
	const char *base = getenv("TMPDIR");
	(void)snprintf(ret, 64, "%.40s/reeve-XXXXXX", base != NULL ? base : "/tmp");
	assert_non_null(mkdtemp(ret));
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

void fixture_remove_dir(const char *dir)
{
	(void)nftw(dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

int fixture_setup(void **state)
{
	struct fixture *fixture = mem_alloc(sizeof *fixture);
	fixture_make_dir(fixture->dir);
	assert_done(queue_open(&fixture->queue, fixture->dir, QUEUE_WRITE, &fixture->err),
		    &fixture->err);
	fixture->turns = turns_new();
	*state = fixture;
	return 0;
}

int fixture_teardown(void **state)
{
	struct fixture *fixture = *state;
	turns_free(fixture->turns);
	queue_close(fixture->queue);
	fixture_remove_dir(fixture->dir);
	free(fixture);
	return 0;
}

int fixture_sql(const char *dir, const char *sql, char ret[FIXTURE_TEXT_BYTES])
{
	sqlite3 *db;
	sqlite3_stmt *stmt = NULL;
	char path[128];
	int code;
	(void)snprintf(path, sizeof path, "%s/reeve.db", dir);
	if (ret != NULL)
		ret[0] = '\0';
	assert_int_equal(sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE, NULL),
			 SQLITE_OK);
	(void)sqlite3_busy_timeout(db, 5000);
	(void)sqlite3_db_config(db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
	do {
		code = sqlite3_prepare_v2(db, sql, -1, &stmt, &sql);
		if (code == SQLITE_OK && stmt != NULL)
			while ((code = sqlite3_step(stmt)) == SQLITE_ROW) {
				const unsigned char *text = sqlite3_column_text(stmt, 0);
				if (ret != NULL)
					(void)snprintf(ret, FIXTURE_TEXT_BYTES, "%s",
						       text ? (const char *)text : "");
			}
		(void)sqlite3_finalize(stmt);
	} while (code == SQLITE_DONE && *sql != '\0');
	(void)sqlite3_close(db);
	return code == SQLITE_DONE ? SQLITE_OK : code;
}

int64_t fixture_number(const char *dir, const char *sql)
{
	char text[FIXTURE_TEXT_BYTES];
	assert_int_equal(fixture_sql(dir, sql, text), SQLITE_OK);
	return strtoll(text, NULL, 10);
}

void fixture_assert_sql(const char *dir, const char *sql, const char *expected)
{
	char text[FIXTURE_TEXT_BYTES];
	assert_int_equal(fixture_sql(dir, sql, text), SQLITE_OK);
	assert_string_equal(text, expected);
}

struct submission fixture_submission(void)
{
	return (struct submission){
		.owner = "uid:1000",
		.command = "[\"/bin/true\"]",
		.kill_grace_us = -1,
		.output_bytes_max = -1,
	};
}

void fixture_submit(struct fixture *fixture, const char *owner, struct submitted *ret)
{
	struct submission submission = fixture_submission();
	submission.owner = owner;
	assert_done(queue_begin(fixture->queue, &fixture->err), &fixture->err);
	assert_done(queue_submit(fixture->queue, &submission, ret, &fixture->err),
		    &fixture->err);
	assert_done(queue_commit(fixture->queue, &fixture->err), &fixture->err);
}

void fixture_claim(struct fixture *fixture, struct claim_list *ret)
{
	assert_done(queue_begin(fixture->queue, &fixture->err), &fixture->err);
	if (fixture->epoch == 0)
		assert_done(queue_worker_register(fixture->queue, 4, &fixture->epoch,
						  &fixture->err),
			    &fixture->err);
	if (fixture->turns == NULL)
		fixture->turns = turns_new();
	assert_done(queue_claim(fixture->queue, fixture->turns, fixture->epoch, 1, ret,
				&fixture->err),
		    &fixture->err);
	assert_done(queue_commit(fixture->queue, &fixture->err), &fixture->err);
	assert_int_equal(ret->count, 1);
}

struct attempt_end fixture_end(int exit_code)
{
	return (struct attempt_end){
		.started_at = 1700000000000000,
		.ended_at = 1700000001500000,
		.pid = 4711,
		.pid_started = 99,
		.has_exit_code = true,
		.exit_code = exit_code,
	};
}

int fixture_import(struct fixture *fixture, const struct claim *claim,
		   const struct attempt_end *end)
{
	assert_done(queue_begin(fixture->queue, &fixture->err), &fixture->err);
	const int result = queue_attempt_import(fixture->queue, claim->job.row,
						claim->number, end, &fixture->err);
	assert_done(result, &fixture->err);
	assert_done(queue_commit(fixture->queue, &fixture->err), &fixture->err);
	return result;
}

void fixture_run_job(struct fixture *fixture, const char *owner, int exit_code,
		     struct submitted *ret)
{
	struct claim_list list;
	const struct attempt_end end = fixture_end(exit_code);
	fixture_submit(fixture, owner, ret);
	fixture_claim(fixture, &list);
	assert_string_equal(list.item[0].job.id, ret->id);
	assert_int_equal(fixture_import(fixture, &list.item[0], &end), 1);
	claim_list_release(&list);
}

int fixture_cancel(struct fixture *fixture, const char *principal, const char *id,
		   bool force, enum cancel_result *ret)
{
	const struct viewer viewer = {.principal = principal};
	assert_done(queue_begin(fixture->queue, &fixture->err), &fixture->err);
	const struct cancel_wish wish = {.text = "enough", .is_forced = force};
	const int result =
		queue_cancel(fixture->queue, &viewer, id, &wish, ret, &fixture->err);
	struct err err = ERR_INIT;
	assert_done(queue_commit(fixture->queue, &err), &err);
	return result;
}

void fixture_get(struct fixture *fixture, const char *id, struct job *ret)
{
	const int found =
		queue_job_get(fixture->queue, &FIXTURE_ADMIN, id, ret, &fixture->err);
	assert_done(found, &fixture->err);
	assert_int_equal(found, 1);
}

void fixture_assert_job(struct fixture *fixture, const char *id, enum job_state state,
			const char *reason)
{
	struct job job;
	fixture_get(fixture, id, &job);
	assert_string_equal(job_state_word(job.state), job_state_word(state));
	if (reason == NULL) {
		assert_null(job.reason);
	} else {
		assert_non_null(job.reason);
		assert_string_equal(job.reason, reason);
	}
	job_release(&job);
}

void fixture_assert_events(struct fixture *fixture, const char *id, const char *expected)
{
	AUTO_BUF struct buf text = BUF_INIT(4096);
	struct event_list list;
	struct job job;
	fixture_get(fixture, id, &job);
	assert_done(
		queue_event_list(fixture->queue, job.row, 0, 100, &list, &fixture->err),
		&fixture->err);
	for (size_t i = 0; i < list.count; i++) {
		const struct event *event = &list.item[i];
		assert_string_equal(event->job_id, id);
		(void)buf_printf(&text, "%s%s %s", i > 0 ? "|" : "", event->kind,
				 event->state != NULL ? event->state : "-");
		if (event->principal != NULL)
			(void)buf_printf(&text, " by %s", event->principal);
		if (event->data != NULL)
			(void)buf_printf(&text, " %s", event->data);
	}
	assert_string_equal(buf_text(&text), expected);
	event_list_release(&list);
	job_release(&job);
}
