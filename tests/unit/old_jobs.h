/* old_jobs.h - jobs that ended long ago, for the tests of retention.
 *
 * On a queue whose wall clock stands still (wall_clock.h). Outputs in files lie where the
 * shim would have left them. */
#ifndef REEVE_TESTS_OLD_JOBS_H
#define REEVE_TESTS_OLD_JOBS_H

#include "tests/unit/queue_fixture.h"

#define DAY_US (INT64_C(86400) * US_PER_S)

struct old_job {
	int64_t age_us; /* since its end */
	int exit_code;
	const char *queue, *task; /* NULL: default, a command */
	size_t output_bytes;	  /* 0: none */
	bool is_in_file, is_kept;
	const char *labels;
};

/* Submits, runs and ends it; oldest first, so that time goes forwards. Leaves the clock
 * at WALL_START_US. */
void old_job_make(struct fixture *f, const struct old_job *old, struct submitted *ret);

/* Some of all sorts, from the oldest to the newest. */
#define OLD_JOBS 7
extern const struct old_job OLD_JOB[OLD_JOBS];
void old_jobs_make(struct fixture *f, struct submitted ret[OLD_JOBS]);

/* The path of its output file. */
void old_job_path(const struct fixture *f, const char *id, const char *suffix,
		  char ret[256]);
bool is_there(const char *path);
/* A file with all directories on the way, last touched `age_us` before WALL_START_US. */
void make_old_file(const struct fixture *f, const char *name, int64_t age_us);

/* The policy that `"retention": text` makes; the caller releases the configuration. */
void policy_read(const struct fixture *f, const char *text, struct config *ret);

/* Runs to the end. */
void retention_finish(struct fixture *f, const struct retention_policy *policy,
		      bool is_preview, struct retention_report *ret);

/* What db verify and db check say, and whether anything belongs to nothing. */
void assert_sound(struct fixture *f);
/* The first thing that verify finds contains this. */
void assert_unsound(struct fixture *f, const char *words);

#endif
