/* test_worker_spare.c - one journal for several attempts, one after the other. */
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/unit/unit.h"
#include "worker/spare.h"

static const struct attempt_name OLD = {"01a1fe12-e90b-7249-8227-5f9edd479054", 2};
static const struct attempt_name NEW = {"01a1fe12-e90b-7249-8227-5f9edd479055", 1};

struct place {
	char *dir;
	int state_fd;
	struct spares spares;
};

static int place_open(void **state)
{
	struct place *place = mem_alloc(sizeof(*place));

	place->dir = scratch_make();
	place->state_fd = open(place->dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	assert_int_equal(mkdirat(place->state_fd, "attempts", 0700), 0);
	*state = place;
	return 0;
}

static int place_close(void **state)
{
	struct place *place = *state;

	close(place->state_fd);
	scratch_remove(place->dir);
	free(place);
	return 0;
}

static int open_journal(const struct place *place, const struct attempt_name *name)
{
	char path[ATTEMPT_PATH_BYTES];

	attempt_journal_path(name->job_id, name->number, path);
	return openat(place->state_fd, path, O_RDWR | O_APPEND | O_CLOEXEC);
}

static bool is_there(const struct place *place, const struct attempt_name *name)
{
	AUTO_CLOSE const int fd = open_journal(place, name);

	return fd >= 0;
}

static struct finding find(const struct place *place, const struct attempt_name *name,
			   bool is_same_boot)
{
	struct finding finding;

	assert_int_equal(
		attempt_collect(place->state_fd, name, is_same_boot, &finding, NULL), 0);
	return finding;
}

/* What a shim writes that ran `name`, into the journal that stands under `at`. */
static void write_lines(const struct place *place, const struct attempt_name *at,
			const struct attempt_name *name, int exit_code)
{
	AUTO_BUF struct buf lines = BUF_INIT(4096);
	AUTO_CLOSE const int fd = open_journal(place, at);
	const struct attempt_end end = {.has_exit_code = true, .exit_code = exit_code};
	struct journal facts = {.shim_pid = 1};

	attempt_key(name->job_id, name->number, facts.key);
	journal_put_started(&lines, &facts);
	journal_put_ended(&lines, facts.key, &end);
	assert_int_equal(journal_append(fd, &lines), 0);
}

static void run(const struct place *place, const struct attempt_name *name, int exit_code)
{
	assert_int_equal(attempt_prepare(place->state_fd, name, NULL), 0);
	write_lines(place, name, name, exit_code);
}

static bool keep(struct place *place, const struct attempt_name *name, size_t most)
{
	const struct finding finding = find(place, name, true);

	return spare_keep(&place->spares, name, &finding.journal, most);
}

static void test_the_next_attempt_finds_nothing_of_the_last(void **state)
{
	struct place *place = *state;
	struct stat before;
	struct stat after;
	int fd = -1;

	run(place, &OLD, 3);
	fd = open_journal(place, &OLD);
	assert_int_equal(fstat(fd, &before), 0);
	close(fd);
	assert_true(keep(place, &OLD, 1));
	assert_int_equal(spare_prepare(&place->spares, place->state_fd, &NEW, NULL), 0);
	assert_false(is_there(place, &OLD));
	fd = open_journal(place, &NEW);
	assert_int_equal(fstat(fd, &after), 0);
	assert_int_equal(after.st_ino, before.st_ino);
	assert_int_equal(after.st_size, 0);
	/* nobody holds it */
	assert_int_equal(flock(fd, LOCK_EX | LOCK_NB), 0);
	close(fd);
	write_lines(place, &NEW, &NEW, 0);
	assert_int_equal(find(place, &NEW, true).verdict, VERDICT_IMPORT);
	assert_int_equal(find(place, &NEW, true).journal.end.exit_code, 0);
}

/* After a power loss a file may have its new name and its old bytes. */
static void test_the_end_of_another_attempt_is_never_taken(void **state)
{
	struct place *place = *state;

	assert_int_equal(attempt_prepare(place->state_fd, &NEW, NULL), 0);
	write_lines(place, &NEW, &OLD, 3);
	assert_int_equal(find(place, &NEW, false).verdict, VERDICT_LOST_REBOOT);
	/* nor what comes behind it, nor it behind what is its own */
	write_lines(place, &NEW, &NEW, 0);
	assert_int_equal(find(place, &NEW, false).verdict, VERDICT_LOST_REBOOT);
	run(place, &OLD, 4);
	write_lines(place, &OLD, &NEW, 0);
	assert_int_equal(find(place, &OLD, false).journal.end.exit_code, 4);
}

static void test_what_is_not_over_is_not_kept(void **state)
{
	struct place *place = *state;
	struct journal journal = {.has_started = true, .key = "one"};

	assert_false(spare_keep(&place->spares, &OLD, &journal, 1));
	journal.has_ended = true;
	assert_false(spare_keep(&place->spares, &OLD, &journal, 0));
	assert_true(spare_keep(&place->spares, &OLD, &journal, 1));
	assert_false(spare_keep(&place->spares, &OLD, &journal, 1));
	/* of a shim that did not say whose it is */
	journal.key[0] = '\0';
	assert_false(spare_keep(&place->spares, &OLD, &journal, 2));
}

/* A shim that has written its record and not yet left. */
static void test_one_that_is_held_is_not_used(void **state)
{
	struct place *place = *state;
	struct stat status;
	int held = -1;

	run(place, &OLD, 3);
	held = open_journal(place, &OLD);
	assert_int_equal(flock(held, LOCK_EX | LOCK_NB), 0);
	assert_true(keep(place, &OLD, 1));
	assert_int_equal(spare_prepare(&place->spares, place->state_fd, &NEW, NULL), 0);
	assert_int_equal(fstat(held, &status), 0);
	assert_int_equal(status.st_nlink, 0);
	assert_true(status.st_size > 0);
	close(held);
	assert_true(is_there(place, &NEW));
	assert_int_equal(find(place, &NEW, true).verdict, VERDICT_REVOKE);
}

static void test_no_journal_is_written_over(void **state)
{
	struct place *place = *state;

	run(place, &OLD, 3);
	run(place, &NEW, 5);
	assert_true(keep(place, &OLD, 1));
	assert_int_equal(spare_prepare(&place->spares, place->state_fd, &NEW, NULL), -1);
	assert_int_equal(find(place, &NEW, true).journal.end.exit_code, 5);
	assert_false(is_there(place, &OLD));
}

static void test_what_is_left_is_removed(void **state)
{
	struct place *place = *state;

	run(place, &OLD, 3);
	assert_true(keep(place, &OLD, 1));
	spares_drop(&place->spares, place->state_fd);
	assert_false(is_there(place, &OLD));
	assert_int_equal(spare_prepare(&place->spares, place->state_fd, &NEW, NULL), 0);
	assert_true(is_there(place, &NEW));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, place_open, place_close)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_the_next_attempt_finds_nothing_of_the_last),
		TEST(test_the_end_of_another_attempt_is_never_taken),
		TEST(test_what_is_not_over_is_not_kept),
		TEST(test_one_that_is_held_is_not_used),
		TEST(test_no_journal_is_written_over),
		TEST(test_what_is_left_is_removed),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
