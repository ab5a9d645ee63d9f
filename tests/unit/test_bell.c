/* test_bell.c - who listens is told, and nobody else is ever in the way. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include "common/bell.h"
#include "common/clock.h"
#include "common/file.h"
#include "common/mem.h"
#include "common/sys.h"
#include "tests/unit/unit.h"

static int scene_begin(void **state)
{
	*state = scratch_make();
	return 0;
}

static int scene_end(void **state)
{
	scratch_remove(*state);
	return 0;
}

static int listen_as(const char *state_dir, const char *name)
{
	struct err err = ERR_INIT;
	int fd = -1;

	if (bell_listen(state_dir, name, &fd, &err) != 0)
		fail_msg("%s", err.text);
	return fd;
}

static bool exists(const char *state_dir, const char *name)
{
	AUTO_FREE char *const path = mem_printf("%s/run/bell/%s", state_dir, name);

	return access(path, F_OK) == 0;
}

static void a_ring_reaches_everybody(void **state)
{
	const char *const dir = *state;
	const int a = listen_as(dir, "a");
	const int b = listen_as(dir, "b");
	struct bell_ringer *const ringer = bell_ringer_open(dir);

	assert_int_equal(bell_drain(a), 0);
	bell_ring(ringer, NULL);
	assert_int_equal(bell_drain(a), 1);
	assert_int_equal(bell_drain(b), 1);
	assert_int_equal(bell_drain(a), 0);
	assert_int_equal(bell_drain(b), 0);
	bell_ringer_close(ringer);
	close(a);
	close(b);
}

static void one_may_be_left_out(void **state)
{
	const char *const dir = *state;
	const int a = listen_as(dir, "a");
	const int ab = listen_as(dir, "ab");
	struct bell_ringer *const ringer = bell_ringer_open(dir);

	bell_ring(ringer, "a");
	assert_int_equal(bell_drain(a), 0);
	assert_int_equal(bell_drain(ab), 1);
	bell_ring(ringer, "nobody");
	assert_int_equal(bell_drain(a), 1);
	assert_int_equal(bell_drain(ab), 1);
	bell_ringer_close(ringer);
	close(a);
	close(ab);
}

static void many_rings_are_drained_at_once(void **state)
{
	const char *const dir = *state;
	const int a = listen_as(dir, "a");
	struct bell_ringer *const ringer = bell_ringer_open(dir);

	for (int i = 0; i < 5; i++)
		bell_ring(ringer, NULL);
	assert_int_equal(bell_drain(a), 1);
	assert_int_equal(bell_drain(a), 0);
	bell_ringer_close(ringer);
	close(a);
}

/* Far more rings than a socket's queue holds, and nobody takes them. */
static void a_full_queue_holds_nobody_up(void **state)
{
	const char *const dir = *state;
	const int a = listen_as(dir, "a");
	const int b = listen_as(dir, "b");
	struct bell_ringer *const ringer = bell_ringer_open(dir);

	for (int i = 0; i < 3000; i++) {
		bell_ring(ringer, NULL);
		assert_int_equal(bell_drain(b), 1);
	}
	assert_int_equal(bell_drain(a), 1);
	assert_int_equal(bell_drain(a), 0);
	bell_ringer_close(ringer);
	close(a);
	close(b);
}

static void the_listener_is_private_and_non_blocking(void **state)
{
	const char *const dir = *state;
	AUTO_FREE char *const path = mem_printf("%s/run/bell", dir);
	const int fd = listen_as(dir, "a");
	struct stat status;

	assert_true((fcntl(fd, F_GETFD) & FD_CLOEXEC) != 0);
	assert_true((fcntl(fd, F_GETFL) & O_NONBLOCK) != 0);
	assert_int_equal(stat(path, &status), 0);
	assert_int_equal(status.st_mode & 0777, 0700);
	close(fd);
	bell_unlisten(dir, "a");
	assert_false(exists(dir, "a"));
	bell_unlisten(dir, "a");
}

/* The names are kept for a second; those who come within it are heard of all the same,
 * however quickly they come. */
static void newcomers_are_rung_at_once(void **state)
{
	const char *const dir = *state;
	struct bell_ringer *const ringer = bell_ringer_open(dir);
	int fds[60];

	bell_ring(ringer, NULL);
	for (size_t i = 0; i < ARRAY_SIZE(fds); i++) {
		char name[32];

		snprintf(name, sizeof(name), "worker-%zu", i);
		fds[i] = listen_as(dir, name);
		bell_ring(ringer, NULL);
		for (size_t j = 0; j <= i; j++)
			assert_int_equal(bell_drain(fds[j]), 1);
	}
	for (size_t i = 0; i < ARRAY_SIZE(fds); i++)
		close(fds[i]);
	bell_ringer_close(ringer);
}

/* The clock stands still and the directory's time is what a test says, as on a file
 * system with coarse times. */
#define NOW_S 1700000000

static int64_t boot_s;

static int still_clock(clockid_t clock, struct timespec *ret)
{
	*ret = (struct timespec){.tv_sec = clock == CLOCK_REALTIME ? NOW_S : boot_s};
	return 0;
}

static void set_changed_ms_ago(const char *state_dir, int64_t ago_ms)
{
	AUTO_FREE char *const path = mem_printf("%s/run/bell", state_dir);
	const int64_t at_ms = (int64_t)NOW_S * 1000 - ago_ms;
	const struct timespec at = {.tv_sec = at_ms / 1000,
				    .tv_nsec = at_ms % 1000 * 1000000};

	assert_int_equal(utimensat(AT_FDCWD, path, (const struct timespec[]){at, at}, 0),
			 0);
}

/* Rings, lets a second listener come, rings again after `later_s`. True when it heard. */
static bool hears_newcomer(const char *dir, int64_t first_ms_ago, int64_t then_ms_ago,
			   int64_t later_s)
{
	const struct sys real = sys;
	struct bell_ringer *const ringer = bell_ringer_open(dir);
	const int a = listen_as(dir, "a");

	sys.clock_gettime = still_clock;
	boot_s = 1000;
	set_changed_ms_ago(dir, first_ms_ago);
	bell_ring(ringer, NULL);
	const int b = listen_as(dir, "b");

	set_changed_ms_ago(dir, then_ms_ago);
	boot_s += later_s;
	bell_ring(ringer, NULL);
	const int heard = bell_drain(b);

	sys = real;
	assert_int_equal(bell_drain(a), 1);
	close(a);
	close(b);
	bell_unlisten(dir, "a");
	bell_unlisten(dir, "b");
	bell_ringer_close(ringer);
	return heard == 1;
}

static void a_listing_is_trusted_no_longer_than_it_deserves(void **state)
{
	const char *const dir = *state;

	/* The directory has changed since. */
	assert_true(hears_newcomer(dir, 3600000, 1000, 0));
	/* It looks unchanged, but was listed within the same tick of its clock. */
	assert_true(hears_newcomer(dir, 5, 5, 0));
	/* It looks unchanged, but a second has passed. */
	assert_true(hears_newcomer(dir, 3600000, 3600000, 1));
	/* Otherwise it is kept: ringing costs no directory look. */
	assert_false(hears_newcomer(dir, 3600000, 3600000, 0));
}

static void stale_sockets_are_removed_by_the_ringer(void **state)
{
	const char *const dir = *state;
	const int alive = listen_as(dir, "alive");
	struct bell_ringer *const ringer = bell_ringer_open(dir);

	close(listen_as(dir, "dead"));
	assert_true(exists(dir, "dead"));
	bell_ring(ringer, NULL);
	assert_false(exists(dir, "dead"));
	assert_true(exists(dir, "alive"));
	bell_ring(ringer, NULL);
	assert_int_equal(bell_drain(alive), 1);
	bell_ringer_close(ringer);
	close(alive);
}

/* While a listener is being made nobody cleans up: it could be the new socket. */
static void nothing_is_removed_under_the_lock(void **state)
{
	const char *const dir = *state;
	AUTO_FREE char *const path = mem_printf("%s/run/bell", dir);
	struct bell_ringer *const ringer = bell_ringer_open(dir);

	close(listen_as(dir, "dead"));
	const int dir_fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	assert_int_equal(flock(dir_fd, LOCK_EX), 0);
	bell_ring(ringer, NULL);
	assert_true(exists(dir, "dead"));
	close(dir_fd);
	bell_ring(ringer, NULL);
	assert_false(exists(dir, "dead"));
	bell_ringer_close(ringer);
}

static void other_files_are_left_alone(void **state)
{
	const char *const dir = *state;
	AUTO_FREE char *const path = mem_printf("%s/run/bell", dir);
	AUTO_FREE char *const link = file_join(path, "link");
	const int a = listen_as(dir, "a");
	struct bell_ringer *const ringer = bell_ringer_open(dir);

	struct err err = ERR_INIT;
	int second = -1;

	close(listen_as(dir, "dead"));
	scratch_file(path, "note", "not a socket", 0600);
	assert_int_equal(symlink("dead", link), 0);
	bell_ring(ringer, NULL);
	bell_ring(ringer, NULL);
	assert_int_equal(bell_listen(dir, "note", &second, &err), -1);
	assert_int_equal(err.code, ERR_CONFLICT);
	assert_true(exists(dir, "note"));
	assert_int_equal(unlink(link), 0);
	assert_int_equal(bell_drain(a), 1);
	bell_ringer_close(ringer);
	close(a);
}

static void a_stale_name_may_be_taken_a_living_one_not(void **state)
{
	const char *const dir = *state;
	struct err err = ERR_INIT;
	int second = -77;

	close(listen_as(dir, "a"));
	const int fd = listen_as(dir, "a");

	assert_int_equal(bell_listen(dir, "a", &second, &err), -1);
	assert_int_equal(err.code, ERR_CONFLICT);
	assert_int_equal(second, -77);
	assert_non_null(strstr(err.text, "run/bell/a"));
	struct bell_ringer *const ringer = bell_ringer_open(dir);

	bell_drain(fd);
	bell_ring(ringer, NULL);
	assert_int_equal(bell_drain(fd), 1);
	bell_ringer_close(ringer);
	close(fd);
}

static void a_name_that_cannot_be_is_refused(void **state)
{
	const char *const dir = *state;
	static const char *const names[] = {"", ".", "..", "a/b", "../a", "/a"};
	char long_name[200];
	struct err err = ERR_INIT;
	int fd = -77;

	memset(long_name, 'a', sizeof(long_name) - 1);
	long_name[sizeof(long_name) - 1] = '\0';
	assert_int_equal(bell_listen(dir, long_name, &fd, &err), -1);
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		assert_int_equal(bell_listen(dir, names[i], &fd, &err), -1);
	assert_int_equal(fd, -77);
}

/* A socket's path holds 107 bytes; a state directory may be deeper. */
static void deep_directories_work(void **state)
{
	const char *const dir = *state;
	char deep[400];

	snprintf(deep, sizeof(deep), "%s/%0100d/%0100d", dir, 1, 2);
	const int a = listen_as(deep, "a");
	struct bell_ringer *const ringer = bell_ringer_open(deep);

	close(listen_as(deep, "dead"));
	bell_ring(ringer, NULL);
	assert_int_equal(bell_drain(a), 1);
	assert_false(exists(deep, "dead"));
	close(a);
	bell_unlisten(deep, "a");
	assert_false(exists(deep, "a"));
	bell_ringer_close(ringer);
}

static void *ring_often(void *ringer)
{
	for (int i = 0; i < 500; i++)
		bell_ring(ringer, NULL);
	return NULL;
}

/* Listeners come and go meanwhile, so that the listing is always being made anew. */
static void threads_may_share_a_ringer(void **state)
{
	const char *const dir = *state;
	struct bell_ringer *const ringer = bell_ringer_open(dir);
	const int a = listen_as(dir, "a");
	pthread_t threads[2];

	for (size_t i = 0; i < ARRAY_SIZE(threads); i++)
		assert_int_equal(pthread_create(&threads[i], NULL, ring_often, ringer),
				 0);
	for (int i = 0; i < 50; i++)
		close(listen_as(dir, "b"));
	for (size_t i = 0; i < ARRAY_SIZE(threads); i++)
		pthread_join(threads[i], NULL);
	assert_int_equal(bell_drain(a), 1);
	bell_ring(ringer, NULL);
	assert_int_equal(bell_drain(a), 1);
	assert_false(exists(dir, "b"));
	bell_ringer_close(ringer);
	close(a);
}

static void the_directory_may_come_and_go(void **state)
{
	const char *const dir = *state;
	AUTO_FREE char *const bell = mem_printf("%s/run/bell", dir);
	struct bell_ringer *const ringer = bell_ringer_open(dir);

	bell_ring(ringer, NULL);
	const int first = listen_as(dir, "a");

	bell_ring(ringer, NULL);
	assert_int_equal(bell_drain(first), 1);
	close(first);
	bell_unlisten(dir, "a");
	assert_int_equal(rmdir(bell), 0);
	bell_ring(ringer, NULL);
	const int second = listen_as(dir, "a");

	bell_ring(ringer, NULL);
	assert_int_equal(bell_drain(second), 1);
	bell_ringer_close(ringer);
	close(second);
	bell_ringer_close(NULL);
}

#define SCENE_TEST(name) cmocka_unit_test_setup_teardown(name, scene_begin, scene_end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		SCENE_TEST(a_ring_reaches_everybody),
		SCENE_TEST(one_may_be_left_out),
		SCENE_TEST(many_rings_are_drained_at_once),
		SCENE_TEST(a_full_queue_holds_nobody_up),
		SCENE_TEST(the_listener_is_private_and_non_blocking),
		SCENE_TEST(newcomers_are_rung_at_once),
		SCENE_TEST(a_listing_is_trusted_no_longer_than_it_deserves),
		SCENE_TEST(stale_sockets_are_removed_by_the_ringer),
		SCENE_TEST(nothing_is_removed_under_the_lock),
		SCENE_TEST(other_files_are_left_alone),
		SCENE_TEST(a_stale_name_may_be_taken_a_living_one_not),
		SCENE_TEST(a_name_that_cannot_be_is_refused),
		SCENE_TEST(deep_directories_work),
		SCENE_TEST(threads_may_share_a_ringer),
		SCENE_TEST(the_directory_may_come_and_go),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
