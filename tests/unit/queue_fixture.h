/* queue_fixture.h - a queue in a directory of its own, for the tests of queue/.
 *
 * Everything is real: the file, the log, the locks. `fixture_sql` plays the person with
 * the sqlite3 shell: another connection, with that person's rights. */
#ifndef REEVE_TESTS_QUEUE_FIXTURE_H
#define REEVE_TESTS_QUEUE_FIXTURE_H

/* cmocka.h needs these before it */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "queue/queue.h"

struct fixture {
	char dir[64];
	struct queue *queue; /* QUEUE_WRITE */
	struct err err;
	int64_t epoch;	     /* of the worker that fixture_claim registers */
	struct turns *turns; /* for every claim of the test */
};

/* Setup and teardown of a cmocka test; *state becomes a struct fixture. */
int fixture_setup(void **state);
int fixture_teardown(void **state);

/* A new directory, and its removal with all that is in it. */
void fixture_make_dir(char ret[64]);
void fixture_remove_dir(const char *dir);

/* Runs SQL as somebody else would; the result code of SQLite, and in ret (may be NULL)
 * the first column of the last row, as text ("" for none). */
#define FIXTURE_TEXT_BYTES 512
int fixture_sql(const char *dir, const char *sql, char ret[FIXTURE_TEXT_BYTES]);
int64_t fixture_number(const char *dir, const char *sql);
void fixture_assert_sql(const char *dir, const char *sql, const char *expected);

/* Fails the test with the error's text. */
void assert_done(int result, const struct err *err);

/* A request that asks for nothing special, to be changed by the test. */
struct submission fixture_submission(void);

/* One transaction each. */
void fixture_submit(struct fixture *fixture, const char *owner, struct submitted *ret);
/* Claims exactly one job; the caller releases. */
void fixture_claim(struct fixture *fixture, struct claim_list *ret);
/* How an attempt ended by itself. */
struct attempt_end fixture_end(int exit_code);
/* The result of the import. */
int fixture_import(struct fixture *fixture, const struct claim *claim,
		   const struct attempt_end *end);
/* submit + claim + import with this exit code. */
void fixture_run_job(struct fixture *fixture, const char *owner, int exit_code,
		     struct submitted *ret);
int fixture_cancel(struct fixture *fixture, const char *principal, const char *id,
		   bool force, enum cancel_result *ret);

/* The job as the database has it; the caller releases. */
void fixture_get(struct fixture *fixture, const char *id, struct job *ret);
void fixture_assert_job(struct fixture *fixture, const char *id, enum job_state state,
			const char *reason);

/* "submitted queued|started running|..." of a job's events, in their order. */
void fixture_assert_events(struct fixture *fixture, const char *id, const char *expected);

extern const struct viewer FIXTURE_ADMIN;

#endif
