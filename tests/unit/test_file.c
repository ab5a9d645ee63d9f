/* test_file.c - whole files or the old ones, whatever call fails; directories; locks. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/file.h"
#include "common/mem.h"
#include "common/sys.h"
#include "tests/unit/unit.h"

/* --- the seam: the n-th call fails, every call leaves its letter ----------------------
 */

static struct sys real;
static struct {
	char trace[64];
	size_t calls;
	size_t fail_at; /* counted from 1; 0: never */
	int number;	/* the errno of that failure */
	size_t write_max;
	bool interrupt; /* every other read and write says EINTR first */
	bool was_interrupted;
} fault;

static bool is_due(char letter)
{
	if (fault.calls < sizeof(fault.trace) - 1)
		fault.trace[fault.calls] = letter;
	fault.calls++;
	if (fault.calls != fault.fail_at)
		return false;
	errno = fault.number;
	return true;
}

static bool is_interrupted(void)
{
	fault.was_interrupted = fault.interrupt && !fault.was_interrupted;
	if (fault.was_interrupted)
		errno = EINTR;
	return fault.was_interrupted;
}

static int faulty_openat(int dir_fd, const char *path, int flags, mode_t mode)
{
	return is_due('o') ? -1 : real.openat(dir_fd, path, flags, mode);
}

static ssize_t faulty_read(int fd, void *data, size_t bytes)
{
	if (is_interrupted() || is_due('r'))
		return -1;
	return real.read(fd, data, bytes < fault.write_max ? bytes : fault.write_max);
}

static ssize_t faulty_write(int fd, const void *data, size_t bytes)
{
	if (is_interrupted() || is_due('w'))
		return -1;
	return real.write(fd, data, bytes < fault.write_max ? bytes : fault.write_max);
}

static int faulty_fsync(int fd)
{
	return is_due('s') ? -1 : real.fsync(fd);
}

static int faulty_renameat(int from_dir, const char *from, int to_dir, const char *to)
{
	return is_due('m') ? -1 : real.renameat(from_dir, from, to_dir, to);
}

static int faulty_unlinkat(int dir_fd, const char *path, int flags)
{
	return is_due('u') ? -1 : real.unlinkat(dir_fd, path, flags);
}

static void fault_begin(size_t fail_at, int number)
{
	memset(&fault, 0, sizeof(fault));
	fault.fail_at = fail_at;
	fault.number = number;
	fault.write_max = SIZE_MAX;
	sys.openat = faulty_openat;
	sys.read = faulty_read;
	sys.write = faulty_write;
	sys.fsync = faulty_fsync;
	sys.renameat = faulty_renameat;
	sys.unlinkat = faulty_unlinkat;
}

static void fault_end(void)
{
	sys = real;
}

/* --- a directory per test -------------------------------------------------------------
 */

struct scene {
	char *dir;
	int dir_fd;
};

static int scene_begin(void **state)
{
	struct scene *const scene = mem_alloc(sizeof(*scene));

	real = sys;
	scene->dir = scratch_make();
	scene->dir_fd = open(scene->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	*state = scene;
	return scene->dir_fd < 0;
}

static int scene_end(void **state)
{
	struct scene *const scene = *state;

	sys = real;
	close(scene->dir_fd);
	scratch_remove(scene->dir);
	free(scene);
	return 0;
}

static size_t count_entries(const char *path)
{
	DIR *const stream = opendir(path);
	size_t count = 0;

	assert_non_null(stream);
	while (readdir(stream) != NULL)
		count++;
	closedir(stream);
	return count - 2;
}

static void expect_content(const struct scene *scene, const char *name,
			   const char *expected)
{
	AUTO_BUF struct buf buf = BUF_INIT(100000);
	struct err err = ERR_INIT;

	assert_int_equal(file_read(scene->dir_fd, name, &buf, &err), 0);
	assert_string_equal(buf_text(&buf), expected);
}

/* --- atomic writing -------------------------------------------------------------------
 */

static void atomic_writing_creates_and_replaces(void **state)
{
	const struct scene *const scene = *state;
	struct err err = ERR_INIT;
	struct stat status;

	umask(077);
	assert_int_equal(file_write_atomic(scene->dir_fd, "f", "first", 5, 0644, &err),
			 0);
	umask(022);
	expect_content(scene, "f", "first");
	assert_int_equal(fstatat(scene->dir_fd, "f", &status, 0), 0);
	assert_int_equal(status.st_mode & 07777, 0644);
	assert_int_equal(file_write_atomic(scene->dir_fd, "f", "2nd", 3, 0600, &err), 0);
	expect_content(scene, "f", "2nd");
	assert_int_equal(fstatat(scene->dir_fd, "f", &status, 0), 0);
	assert_int_equal(status.st_mode & 07777, 0600);
	assert_int_equal(file_write_atomic(scene->dir_fd, "f", "", 0, 0600, &err), 0);
	expect_content(scene, "f", "");
	assert_int_equal(count_entries(scene->dir), 1);
}

static void atomic_writing_takes_paths_of_all_kinds(void **state)
{
	const struct scene *const scene = *state;
	AUTO_FREE char *const absolute = file_join(scene->dir, "absolute");
	struct err err = ERR_INIT;

	assert_int_equal(mkdirat(scene->dir_fd, "sub", 0700), 0);
	assert_int_equal(
		file_write_atomic(scene->dir_fd, "sub/f", "in sub", 6, 0600, &err), 0);
	expect_content(scene, "sub/f", "in sub");
	assert_int_equal(file_write_atomic(AT_FDCWD, absolute, "abs", 3, 0600, &err), 0);
	expect_content(scene, "absolute", "abs");
	assert_int_equal(file_write_atomic(scene->dir_fd, "none/f", "x", 1, 0600, &err),
			 -1);
	assert_non_null(strstr(err.text, "none/"));
	assert_int_equal(file_write_atomic(scene->dir_fd, "sub", "x", 1, 0600, &err), -1);
	assert_int_equal(count_entries(scene->dir), 2);
}

static void a_link_is_replaced_not_followed(void **state)
{
	const struct scene *const scene = *state;
	struct err err = ERR_INIT;
	struct stat status;

	scratch_file(scene->dir, "victim", "untouched", 0600);
	assert_int_equal(symlinkat("victim", scene->dir_fd, "f"), 0);
	assert_int_equal(file_write_atomic(scene->dir_fd, "f", "new", 3, 0600, &err), 0);
	expect_content(scene, "victim", "untouched");
	assert_int_equal(fstatat(scene->dir_fd, "f", &status, AT_SYMLINK_NOFOLLOW), 0);
	assert_true(S_ISREG(status.st_mode));
}

/* Content on the disk before its name, its name before we say so: without each of these
 * calls, in this order, power loss could leave a part. */
static void atomic_writing_syncs_file_and_directory(void **state)
{
	const struct scene *const scene = *state;
	struct err err = ERR_INIT;

	fault_begin(0, 0);
	assert_int_equal(file_write_atomic(scene->dir_fd, "f", "new", 3, 0600, &err), 0);
	fault_end();
	assert_string_equal(fault.trace, "owsmos");
}

static void each_failing_call_leaves_the_old_or_the_new(void **state)
{
	const struct scene *const scene = *state;
	static const struct {
		int number;
		enum err_code code;
	} faults[] = {{ENOSPC, ERR_OUT_OF_SPACE},
		      {EDQUOT, ERR_OUT_OF_SPACE},
		      {EIO, ERR_INTERNAL},
		      {EMFILE, ERR_UNAVAILABLE}};

	for (size_t i = 0; i < ARRAY_SIZE(faults); i++) {
		size_t n = 0;

		for (n = 1;; n++) {
			struct err err = ERR_INIT;

			scratch_file(scene->dir, "f", "old", 0600);
			fault_begin(n, faults[i].number);
			const int result = file_write_atomic(scene->dir_fd, "f", "new", 3,
							     0600, &err);

			fault_end();
			if (fault.calls < n) {
				assert_int_equal(result, 0);
				break;
			}
			const bool was_renamed = n > 4;

			assert_int_equal(result, -1);
			assert_int_equal(err.code, faults[i].code);
			assert_non_null(strstr(err.text, strerror(faults[i].number)));
			expect_content(scene, "f", was_renamed ? "new" : "old");
			assert_int_equal(count_entries(scene->dir), 1);
		}
		assert_int_equal(n, 7);
	}
}

static void short_and_interrupted_calls_are_gone_on_with(void **state)
{
	const struct scene *const scene = *state;
	AUTO_BUF struct buf buf = BUF_INIT(100);
	struct err err = ERR_INIT;

	fault_begin(0, 0);
	fault.write_max = 3;
	fault.interrupt = true;
	assert_int_equal(
		file_write_atomic(scene->dir_fd, "f", "0123456789", 10, 0600, &err), 0);
	assert_string_equal(fault.trace, "owwwwsmos");
	assert_int_equal(file_read(scene->dir_fd, "f", &buf, &err), 0);
	fault_end();
	assert_string_equal(buf_text(&buf), "0123456789");
}

static ssize_t write_nothing(int fd, const void *data, size_t bytes)
{
	(void)fd;
	(void)data;
	(void)bytes;
	return 0;
}

static void a_write_without_progress_is_an_error(void **state)
{
	(void)state;
	sys.write = write_nothing;
	errno = 0;
	assert_int_equal(file_write_all(1, "x", 1), -1);
	assert_int_equal(errno, EIO);
	assert_int_equal(file_write_all(1, NULL, 0), 0);
}

/* --- reading --------------------------------------------------------------------------
 */

static void reading_stops_at_the_maximum(void **state)
{
	const struct scene *const scene = *state;
	static const struct {
		const char *before;
		size_t max;
		int result;
	} cases[] = {
		{"", 11, 0},	{"", 10, 0},	 {"", 9, -1},	{"", 1, -1},
		{"", 0, -1},	{"x", 11, 0},	 {"x", 10, -1}, {"x", 1, -1},
		{"xyz", 13, 0}, {"xyz", 12, -1},
	};

	scratch_file(scene->dir, "f", "0123456789", 0600);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		AUTO_BUF struct buf buf = BUF_INIT(cases[i].max);
		struct err err = ERR_INIT;
		char expected[32];

		buf_append_text(&buf, cases[i].before);
		snprintf(expected, sizeof(expected), "%s%s", cases[i].before,
			 cases[i].result == 0 ? "0123456789" : "");
		assert_int_equal(file_read(scene->dir_fd, "f", &buf, &err),
				 cases[i].result);
		assert_string_equal(buf_text(&buf), expected);
		if (cases[i].result != 0)
			assert_int_equal(err.code, ERR_TOO_LARGE);
	}
}

static void large_files_are_read_whole(void **state)
{
	const struct scene *const scene = *state;
	const size_t bytes = 300001;
	AUTO_FREE char *const data = mem_alloc(bytes);
	AUTO_BUF struct buf exact = BUF_INIT(bytes);
	AUTO_BUF struct buf small = BUF_INIT(bytes - 1);
	struct err err = ERR_INIT;

	for (size_t i = 0; i < bytes; i++)
		data[i] = (char)(i * 31);
	assert_int_equal(file_write_atomic(scene->dir_fd, "f", data, bytes, 0600, &err),
			 0);
	assert_int_equal(file_read(scene->dir_fd, "f", &exact, &err), 0);
	assert_int_equal(exact.length, bytes);
	assert_memory_equal(exact.data, data, bytes);
	assert_int_equal(file_read(scene->dir_fd, "f", &small, &err), -1);
	assert_int_equal(err.code, ERR_TOO_LARGE);
	assert_int_equal(small.length, 0);
}

static void reading_failures_name_the_path(void **state)
{
	const struct scene *const scene = *state;
	AUTO_BUF struct buf buf = BUF_INIT(100);
	struct err err = ERR_INIT;

	assert_int_equal(file_read(scene->dir_fd, "missing", &buf, &err), -1);
	assert_int_equal(err.code, ERR_NOT_FOUND);
	assert_non_null(strstr(err.text, "missing"));
	assert_int_equal(file_read(AT_FDCWD, scene->dir, &buf, &err), -1);
	assert_int_equal(err.code, ERR_INTERNAL);
	scratch_file(scene->dir, "f", "content", 0600);
	fault_begin(2, EIO);
	assert_int_equal(file_read(scene->dir_fd, "f", &buf, &err), -1);
	fault_end();
	assert_non_null(strstr(err.text, "cannot read f"));
	assert_string_equal(buf_text(&buf), "");
}

/* --- directories and names ------------------------------------------------------------
 */

static void directories_are_made_with_their_parents(void **state)
{
	const struct scene *const scene = *state;
	AUTO_FREE char *const deep = file_join(scene->dir, "a/b//c/");
	AUTO_FREE char *const below = file_join(scene->dir, "file/sub");
	AUTO_FREE char *const file = file_join(scene->dir, "file");
	AUTO_FREE char *const link = file_join(scene->dir, "link/d");
	struct err err = ERR_INIT;
	struct stat status;

	assert_int_equal(file_make_dirs(deep, 0700, &err), 0);
	assert_int_equal(file_make_dirs(deep, 0700, &err), 0);
	assert_int_equal(stat(deep, &status), 0);
	assert_true(S_ISDIR(status.st_mode));
	assert_int_equal(status.st_mode & 0777, 0700);
	assert_int_equal(symlinkat("a", scene->dir_fd, "link"), 0);
	assert_int_equal(file_make_dirs(link, 0700, &err), 0);
	assert_int_equal(fstatat(scene->dir_fd, "a/d", &status, 0), 0);
	scratch_file(scene->dir, "file", "", 0600);
	assert_int_equal(file_make_dirs(file, 0700, &err), -1);
	assert_int_equal(file_make_dirs(below, 0700, &err), -1);
	assert_non_null(strstr(err.text, "file"));
	assert_int_equal(file_make_dirs("/", 0700, &err), 0);
	assert_int_equal(file_make_dirs("/proc/nothing/here", 0700, &err), -1);
}

static void directories_are_synced(void **state)
{
	const struct scene *const scene = *state;
	struct err err = ERR_INIT;

	fault_begin(0, 0);
	assert_int_equal(file_sync_dir(scene->dir, &err), 0);
	fault_end();
	assert_string_equal(fault.trace, "os");
	for (size_t n = 1; n <= 2; n++) {
		fault_begin(n, EIO);
		assert_int_equal(file_sync_dir(scene->dir, &err), -1);
		fault_end();
		assert_non_null(strstr(err.text, scene->dir));
	}
}

static void names_are_joined(void **state)
{
	(void)state;
	static const struct {
		const char *dir, *name, *expected;
	} cases[] = {
		{"/var", "x", "/var/x"},
		{"/var/", "x", "/var/x"},
		{"/", "x", "/x"},
		{"var", "x", "var/x"},
		{".", "x/y", "./x/y"},
		{"/var", "/abs", "/abs"},
		{"/var", "/", "/"},
		{"/a", "b/", "/a/b/"},
		{"../a", "../b", "../a/../b"},
		{"/var", "", "/var/"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		AUTO_FREE char *const joined = file_join(cases[i].dir, cases[i].name);

		assert_string_equal(joined, cases[i].expected);
	}
}

/* --- locks ----------------------------------------------------------------------------
 */

/* What another process gets: 0 when it can lock, the kind of error otherwise. */
static int lock_elsewhere(const char *path)
{
	int status = 0;
	const pid_t child = fork();

	assert_true(child >= 0);
	if (child == 0) {
		struct err err = ERR_INIT;
		int fd = -1;

		_exit(file_lock(path, &fd, &err) == 0 ? 0 : (int)err.code);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static void a_lock_excludes_until_it_is_closed(void **state)
{
	const struct scene *const scene = *state;
	AUTO_FREE char *const path = file_join(scene->dir, "lock");
	AUTO_FREE char *const nowhere = file_join(scene->dir, "none/lock");
	struct err err = ERR_INIT;
	struct stat status;
	int fd = -1;
	int second = -77;

	assert_int_equal(file_lock(path, &fd, &err), 0);
	assert_int_equal(fstat(fd, &status), 0);
	assert_int_equal(status.st_mode & 0777, 0600);
	assert_true((fcntl(fd, F_GETFD) & FD_CLOEXEC) != 0);
	assert_int_equal(lock_elsewhere(path), ERR_CONFLICT);
	assert_int_equal(file_lock(path, &second, &err), -1);
	assert_int_equal(err.code, ERR_CONFLICT);
	assert_int_equal(second, -77);
	assert_non_null(strstr(err.text, path));
	close(fd);
	assert_int_equal(lock_elsewhere(path), 0);
	assert_int_equal(file_lock(nowhere, &second, &err), -1);
	assert_int_equal(err.code, ERR_INTERNAL);
}

#define SCENE_TEST(name) cmocka_unit_test_setup_teardown(name, scene_begin, scene_end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		SCENE_TEST(atomic_writing_creates_and_replaces),
		SCENE_TEST(atomic_writing_takes_paths_of_all_kinds),
		SCENE_TEST(a_link_is_replaced_not_followed),
		SCENE_TEST(atomic_writing_syncs_file_and_directory),
		SCENE_TEST(each_failing_call_leaves_the_old_or_the_new),
		SCENE_TEST(short_and_interrupted_calls_are_gone_on_with),
		SCENE_TEST(a_write_without_progress_is_an_error),
		SCENE_TEST(reading_stops_at_the_maximum),
		SCENE_TEST(large_files_are_read_whole),
		SCENE_TEST(reading_failures_name_the_path),
		SCENE_TEST(directories_are_made_with_their_parents),
		SCENE_TEST(directories_are_synced),
		SCENE_TEST(names_are_joined),
		SCENE_TEST(a_lock_excludes_until_it_is_closed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
