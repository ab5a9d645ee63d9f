/* test_worker_attempt.c - the verdict table, and the files that it is fed from. */
#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/unit/unit.h"
#include "worker/attempt.h"

static const struct attempt_name NAME = {"01a1fe12-e90b-7249-8227-5f9edd479054", 2};

/* --- the table --- */

struct expectation {
	int same_boot, locked, started, ended;
	enum verdict verdict;
};

/* Every combination, written out. */
static const struct expectation EXPECTATIONS[] = {
	{1, 1, 0, 0, VERDICT_ALIVE},	   {1, 1, 1, 0, VERDICT_ALIVE},
	{1, 1, 0, 1, VERDICT_IMPORT},	   {1, 1, 1, 1, VERDICT_IMPORT},
	{1, 0, 0, 1, VERDICT_IMPORT},	   {1, 0, 1, 1, VERDICT_IMPORT},
	{1, 0, 0, 0, VERDICT_REVOKE},	   {1, 0, 1, 0, VERDICT_LOST_SHIM},
	{0, 0, 0, 1, VERDICT_IMPORT},	   {0, 0, 1, 1, VERDICT_IMPORT},
	{0, 1, 0, 1, VERDICT_IMPORT},	   {0, 1, 1, 1, VERDICT_IMPORT},
	{0, 0, 0, 0, VERDICT_LOST_REBOOT}, {0, 0, 1, 0, VERDICT_LOST_REBOOT},
	{0, 1, 0, 0, VERDICT_LOST_REBOOT}, {0, 1, 1, 0, VERDICT_LOST_REBOOT},
};

static void test_every_case_has_its_verdict(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(EXPECTATIONS); i++) {
		const struct expectation *row = &EXPECTATIONS[i];
		const struct evidence evidence = {row->same_boot != 0, row->locked != 0,
						  row->started != 0, row->ended != 0};

		assert_int_equal(judge(&evidence), row->verdict);
	}
	assert_string_equal(verdict_word(VERDICT_LOST_SHIM), "shim_died");
	assert_string_equal(verdict_word(VERDICT_LOST_REBOOT), "reboot");
}

/* --- the files --- */

struct place {
	char *dir;
	int state_fd;
	char *journal;
};

static int place_open(void **state)
{
	struct place *place = mem_alloc(sizeof(*place));
	char path[ATTEMPT_PATH_BYTES];

	place->dir = scratch_make();
	place->state_fd = open(place->dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	attempt_journal_path(NAME.job_id, NAME.number, path);
	place->journal = file_join(place->dir, path);
	*state = place;
	return mkdirat(place->state_fd, "attempts", 0700) |
	       mkdirat(place->state_fd, "output", 0700);
}

static int place_close(void **state)
{
	struct place *place = *state;

	close(place->state_fd);
	scratch_remove(place->dir);
	free(place->journal);
	free(place);
	return 0;
}

static enum verdict verdict_of(const struct place *place, bool is_same_boot)
{
	struct finding finding;

	assert_int_equal(
		attempt_collect(place->state_fd, &NAME, is_same_boot, &finding, NULL), 0);
	return finding.verdict;
}

static void append(const struct place *place, void (*put)(struct buf *ret))
{
	AUTO_BUF struct buf line = BUF_INIT(4096);
	AUTO_CLOSE int fd = open(place->journal, O_RDWR | O_APPEND | O_CLOEXEC);

	put(&line);
	assert_int_equal(journal_append(fd, &line), 0);
}

static void put_started(struct buf *ret)
{
	const struct journal facts = {.shim_pid = 1};

	journal_put_started(ret, &facts);
}

static void put_ended(struct buf *ret)
{
	const struct attempt_end end = {.has_exit_code = true, .exit_code = 4};

	journal_put_ended(ret, "", &end);
}

static void test_life_of_a_journal(void **state)
{
	const struct place *place = *state;
	struct finding finding;
	int held = -1;

	assert_int_equal(attempt_prepare(place->state_fd, &NAME, NULL), 0);
	held = open(place->journal, O_RDWR | O_CLOEXEC);
	assert_int_equal(flock(held, LOCK_EX | LOCK_NB), 0);
	assert_int_equal(verdict_of(place, true), VERDICT_ALIVE);
	append(place, put_started);
	assert_int_equal(verdict_of(place, true), VERDICT_ALIVE);
	close(held);
	assert_int_equal(verdict_of(place, true), VERDICT_LOST_SHIM);
	assert_int_equal(verdict_of(place, false), VERDICT_LOST_REBOOT);
	append(place, put_ended);
	assert_int_equal(attempt_collect(place->state_fd, &NAME, true, &finding, NULL),
			 0);
	assert_int_equal(finding.verdict, VERDICT_IMPORT);
	assert_int_equal(finding.journal.end.exit_code, 4);
	attempt_discard(place->state_fd, &NAME, false);
	assert_int_equal(access(place->journal, F_OK), -1);
}

/* Whoever opened the journal before and locks it afterwards finds it unlinked. */
static void test_revoking_removes_it_under_its_lock(void **state)
{
	const struct place *place = *state;
	struct stat status;
	int late = -1;

	assert_int_equal(attempt_prepare(place->state_fd, &NAME, NULL), 0);
	late = open(place->journal, O_RDWR | O_CLOEXEC);
	assert_int_equal(verdict_of(place, true), VERDICT_REVOKE);
	assert_int_equal(flock(late, LOCK_EX | LOCK_NB), 0);
	assert_int_equal(fstat(late, &status), 0);
	assert_int_equal(status.st_nlink, 0);
	close(late);
	assert_int_equal(verdict_of(place, true), VERDICT_REVOKE);
}

static void test_an_attempt_is_prepared_once(void **state)
{
	const struct place *place = *state;
	struct err err = ERR_INIT;

	assert_int_equal(attempt_prepare(place->state_fd, &NAME, NULL), 0);
	assert_int_equal(attempt_prepare(place->state_fd, &NAME, &err), -1);
}

static int openat_refuses(int dir_fd, const char *path, int flags, mode_t mode)
{
	(void)dir_fd;
	(void)path;
	(void)flags;
	(void)mode;
	errno = EMFILE;
	return -1;
}

/* No descriptor is no evidence: nothing may be concluded from it. */
static void test_what_cannot_be_read_is_not_judged(void **state)
{
	const struct place *place = *state;
	int (*const was)(int, const char *, int, mode_t) = sys.openat;
	struct finding finding;
	struct err err = ERR_INIT;

	assert_int_equal(attempt_prepare(place->state_fd, &NAME, NULL), 0);
	sys.openat = openat_refuses;
	assert_int_equal(attempt_collect(place->state_fd, &NAME, true, &finding, &err),
			 -1);
	sys.openat = was;
	assert_int_equal(err.code, ERR_UNAVAILABLE);
	assert_int_equal(access(place->journal, F_OK), 0);
}

/* --- output --- */

static void write_output(const struct place *place, const char *log, size_t frames)
{
	char path[ATTEMPT_PATH_BYTES];
	char day[ATTEMPT_PATH_BYTES];
	AUTO_FREE char *zeros = mem_alloc(frames * FRAME_BYTES + 1);

	attempt_output_path(NAME.job_id, NAME.number, ".log", path);
	snprintf(day, sizeof(day), "%s", path);
	*strrchr(day, '/') = '\0';
	assert_int_equal(mkdirat(place->state_fd, day, 0700), 0);
	AUTO_CLOSE int log_fd =
		openat(place->state_fd, path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	attempt_output_path(NAME.job_id, NAME.number, ".idx", path);
	AUTO_CLOSE int index_fd =
		openat(place->state_fd, path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	assert_int_equal(file_write_all(log_fd, log, strlen(log)), 0);
	assert_int_equal(file_write_all(index_fd, zeros, frames * FRAME_BYTES), 0);
}

struct output_case {
	const char *log; /* NULL: no file */
	int64_t fold_bytes;
	const char *content; /* NULL: not folded */
	bool has_path;
	int64_t stdout_bytes, stderr_bytes, dropped_bytes;
};

/* The record says six bytes to stdout and four to stderr. */
static const struct output_case OUTPUT_CASES[] = {
	{"outputerrs", 10, "outputerrs", false, 6, 4, 0},
	{"outputerrs", 9, NULL, true, 6, 4, 0},
	{"outputerrs and more", 10, "outputerrs", false, 6, 4, 0},
	{"outpute", 10, "outpute", false, 6, 1, 3},
	{"out", 10, "out", false, 3, 0, 7},
	{NULL, 10, NULL, false, 0, 0, 10},
};

static void test_output_is_folded_named_or_missed(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(OUTPUT_CASES); i++) {
		const struct output_case *c = &OUTPUT_CASES[i];
		struct attempt_end end = {.stdout_bytes = 6, .stderr_bytes = 4};
		AUTO_BUF struct buf content = BUF_INIT(0);
		AUTO_BUF struct buf frames = BUF_INIT(0);
		char path[ATTEMPT_PATH_BYTES] = "";
		const struct place *place = *state;

		if (c->log != NULL)
			write_output(place, c->log, 2);
		assert_int_equal(attempt_read_output(place->state_fd, &NAME,
						     c->fold_bytes, &end, &content,
						     &frames, path, NULL),
				 0);
		assert_int_equal(end.path != NULL, c->has_path);
		assert_int_equal(end.stdout_bytes, c->stdout_bytes);
		assert_int_equal(end.stderr_bytes, c->stderr_bytes);
		assert_int_equal(end.dropped_bytes, c->dropped_bytes);
		assert_int_equal(end.content != NULL, c->content != NULL);
		if (c->content != NULL) {
			assert_int_equal(end.content_bytes, strlen(c->content));
			assert_memory_equal(end.content, c->content, end.content_bytes);
			assert_int_equal(end.frames_bytes, 2 * FRAME_BYTES);
		}
		assert_int_equal(place_close(state), 0);
		assert_int_equal(place_open(state), 0);
	}
}

static void count_one(void *context, const struct attempt_name *name)
{
	int *count = context;

	assert_string_equal(name->job_id, NAME.job_id);
	assert_int_equal(name->number, NAME.number);
	++*count;
}

static void test_each_sees_journals_only(void **state)
{
	const struct place *place = *state;
	int count = 0;

	scratch_file(place->dir, "attempts/README", "", 0600);
	scratch_file(place->dir, "attempts/01a1fe12-e90b-7249-8227-5f9edd479054-", "",
		     0600);
	scratch_file(place->dir, "attempts/01a1fe12-e90b-7249-8227-5f9edd479054-x", "",
		     0600);
	assert_int_equal(attempt_prepare(place->state_fd, &NAME, NULL), 0);
	attempt_each(place->state_fd, count_one, &count);
	assert_int_equal(count, 1);
}

int main(void)
{
#define ON_FILES(test) cmocka_unit_test_setup_teardown(test, place_open, place_close)
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_case_has_its_verdict),
		ON_FILES(test_life_of_a_journal),
		ON_FILES(test_revoking_removes_it_under_its_lock),
		ON_FILES(test_an_attempt_is_prepared_once),
		ON_FILES(test_what_cannot_be_read_is_not_judged),
		ON_FILES(test_output_is_folded_named_or_missed),
		ON_FILES(test_each_sees_journals_only),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
