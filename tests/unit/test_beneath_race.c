/* test_beneath_race.c - programs beneath their roots while names change places, and with
 * the rights of an ordinary user. */
#include <fcntl.h>
#include <grp.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/beneath.h"
#include "common/mem.h"
#include "tests/unit/exec_scene.h"
#include "tests/unit/unit.h"

/* As an ordinary user: a program one may run but not read, and one one may not run. */
static void check_unreadable(const struct exec_scene *scene)
{
	struct err err = ERR_INIT;
	int fd = -1;

	if (geteuid() == 0 &&
	    (setgroups(0, NULL) != 0 || setgid(65534) != 0 || setuid(65534) != 0))
		_exit(2);
	if (beneath_open_program(&scene->roots, "secret", &fd, NULL, &err) != 0)
		_exit(3);
	if (fd < 0 || (fcntl(fd, F_GETFL) & O_PATH) == 0 ||
	    (fcntl(fd, F_GETFD) & FD_CLOEXEC) == 0)
		_exit(4);
	if (beneath_open_program(&scene->roots, "own", &fd, NULL, &err) == 0 ||
	    err.code != ERR_INVALID || strstr(err.text, "may not execute") == NULL)
		_exit(5);
	if (beneath_open_program(&scene->roots, "closed/tool", &fd, NULL, &err) == 0 ||
	    err.code != ERR_INVALID || strstr(err.text, "may not look") == NULL)
		_exit(6);
	_exit(0);
}

static void rights_are_those_of_this_process(void **state)
{
	const struct exec_scene *const scene = *state;
	int status = 0;

	/* Execute bits, but not for somebody else; for the owner none at all. */
	scratch_file(scene->dir, "root/own", EXEC_SCENE_SCRIPT,
		     geteuid() == 0 ? 0700 : 0611);
	scratch_file(scene->dir, "root/secret", EXEC_SCENE_SCRIPT, 0111);
	assert_int_equal(mkdirat(scene->dir_fd, "root/closed", 0700), 0);
	scratch_file(scene->dir, "root/closed/tool", EXEC_SCENE_SCRIPT, 0755);
	assert_int_equal(fchmodat(scene->dir_fd, "root/closed", 0600, 0), 0);
	assert_int_equal(chmod(scene->dir, 0755), 0);
	const pid_t child = fork();

	assert_true(child >= 0);
	if (child == 0)
		check_unreadable(scene);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(fchmodat(scene->dir_fd, "root/closed", 0700, 0), 0);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

/* --- the race -------------------------------------------------------------------------
 */

struct renamer {
	const struct exec_scene *scene;
	const char *a, *b;
	atomic_bool is_done;
};

static void *swap_for_ever(void *argument)
{
	struct renamer *const renamer = argument;

	while (!renamer->is_done)
		renameat2(renamer->scene->dir_fd, renamer->a, renamer->scene->dir_fd,
			  renamer->b, RENAME_EXCHANGE);
	return NULL;
}

#define RACE_TRIES 3000
#define RACE_TRIES_MAX 300000
#define RACE_OUTCOMES 100

/* Opens `command` again and again while the two names change places. What is opened is
 * never the file outside. */
static void race(const struct exec_scene *scene, const char *a, const char *b,
		 const char *command)
{
	struct renamer renamer = {.scene = scene, .a = a, .b = b};
	const ino_t evil = exec_scene_inode(scene, "outside/evil");
	pthread_t thread;
	int opened = 0;

	assert_int_equal(pthread_create(&thread, NULL, swap_for_ever, &renamer), 0);
	for (int i = 0; i < RACE_TRIES_MAX; i++) {
		struct err err = ERR_INIT;
		struct stat status;
		int fd = -1;

		/* Long enough that the race was really run: both came out often. */
		if (i >= RACE_TRIES && opened >= RACE_OUTCOMES &&
		    i - opened >= RACE_OUTCOMES)
			break;
		if (beneath_open_program(&scene->roots, command, &fd, NULL, &err) != 0)
			continue;
		opened++;
		assert_int_equal(fstat(fd, &status), 0);
		assert_int_not_equal(status.st_ino, evil);
		close(fd);
	}
	renamer.is_done = true;
	pthread_join(thread, NULL);
}

static void swapping_links_lets_nothing_out(void **state)
{
	const struct exec_scene *const scene = *state;

	race(scene, "root/tool", "root/link-out", "tool");
	race(scene, "root/tool", "root/link-abs", "tool");
	race(scene, "root/d", "root/dir-out", "d/evil");
	/* A directory moved out while the kernel is in it. */
	assert_int_equal(mkdirat(scene->dir_fd, "outside/sub", 0755), 0);
	assert_int_equal(mkdirat(scene->dir_fd, "outside/d", 0755), 0);
	assert_int_equal(
		linkat(scene->dir_fd, "outside/evil", scene->dir_fd, "outside/d/evil", 0),
		0);
	exec_scene_link(scene, "../../d/evil", "root/sub/deep/up");
	race(scene, "root/sub", "outside/sub", "sub/deep/up");
}

#define SCENE_TEST(name)                                                                 \
	cmocka_unit_test_setup_teardown(name, exec_scene_begin, exec_scene_end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		SCENE_TEST(rights_are_those_of_this_process),
		SCENE_TEST(swapping_links_lets_nothing_out),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
