/* test_beneath.c - programs are found below their roots and nowhere else, whatever names
 * and links somebody tries. */
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/beneath.h"
#include "common/file.h"
#include "common/mem.h"
#include "common/text.h"
#include "tests/unit/exec_scene.h"
#include "tests/unit/unit.h"

/* A command, the file that it must open (NULL: it is refused), what words say why. */
struct attempt {
	bool follow_links;
	const char *command;
	const char *file;
	const char *words;
};

static void expect_opened(const struct exec_scene *scene, const struct attempt *attempt)
{
	AUTO_FREE char *const command = exec_scene_expand(scene, attempt->command);
	AUTO_FREE char *path = NULL;
	struct err err = ERR_INIT;
	struct stat status;
	int fd = -1;

	if (beneath_open_program(&scene->roots, command, &fd, &path, &err) != 0)
		fail_msg("%s: %s", command, err.text);
	assert_int_equal(fstat(fd, &status), 0);
	assert_int_equal(status.st_ino, exec_scene_inode(scene, attempt->file));
	assert_true((fcntl(fd, F_GETFD) & FD_CLOEXEC) != 0);
	assert_true(path[0] == '/');
	close(fd);
	/* Only checking says the same. */
	assert_int_equal(beneath_open_program(&scene->roots, command, NULL, NULL, &err),
			 0);
}

static void expect_refused(const struct exec_scene *scene, const struct attempt *attempt)
{
	AUTO_FREE char *const command = exec_scene_expand(scene, attempt->command);
	struct err err = ERR_INIT;
	char *path = NULL;
	int fd = -77;

	if (beneath_open_program(&scene->roots, command, &fd, &path, &err) != -1)
		fail_msg("%s was opened", command);
	assert_int_equal(fd, -77);
	assert_null(path);
	assert_int_equal(err.code, ERR_INVALID);
	if (strstr(err.text, attempt->words) == NULL)
		fail_msg("%s: %s", command, err.text);
	assert_int_equal(beneath_open_program(&scene->roots, command, NULL, NULL, &err),
			 -1);
}

static void run_attempts(struct exec_scene *scene, const struct attempt *attempts,
			 size_t count)
{
	for (size_t i = 0; i < count; i++) {
		scene->items[0].follow_links = attempts[i].follow_links;
		scene->items[1].follow_links = attempts[i].follow_links;
		if (attempts[i].file != NULL)
			expect_opened(scene, &attempts[i]);
		else
			expect_refused(scene, &attempts[i]);
	}
}

static void what_lies_below_is_opened(void **state)
{
	static const struct attempt attempts[] = {
		{false, "tool", "root/tool", NULL},
		{false, "@/root/tool", "root/tool", NULL},
		{false, "@//root///tool", "root/tool", NULL},
		{false, "@/./root/./tool", "root/tool", NULL},
		{false, "./tool", "root/tool", NULL},
		{false, "sub/inner", "root/sub/inner", NULL},
		{false, "@/root/sub//inner", "root/sub/inner", NULL},
		{false, "..tool", "root/..tool", NULL},
		{false, "secret", "root/secret", NULL},
		/* Links that stay inside, also by "..". */
		{false, "link-in", "root/tool", NULL},
		{false, "sub/link-up", "root/tool", NULL},
		{false, "dir-in/inner", "root/sub/inner", NULL},
		/* The second root is tried when the first has nothing to run. */
		{false, "other", "second/other", NULL},
		{false, "data", "second/data", NULL},
		{false, "@/second/other", "second/other", NULL},
		/* Links out of a root that allows them. */
		{true, "link-out", "outside/evil", NULL},
		{true, "link-abs", "outside/evil", NULL},
		{true, "link-abs-in", "root/tool", NULL},
		{true, "dir-out/evil", "outside/evil", NULL},
		{true, "@/root/link-out", "outside/evil", NULL},
	};

	run_attempts(*state, attempts, ARRAY_SIZE(attempts));
}

static void what_leads_out_is_refused(void **state)
{
	static const struct attempt attempts[] = {
		{false, "../outside/evil", NULL, "'..'"},
		{false, "sub/../tool", NULL, "'..'"},
		{false, "sub/..", NULL, "'..'"},
		{false, "..", NULL, "'..'"},
		{false, "@/root/../outside/evil", NULL, "'..'"},
		{false, "@/root/sub/../../outside/evil", NULL, "'..'"},
		{false, "@/root/sub/../tool", NULL, "'..'"},
		{true, "../outside/evil", NULL, "'..'"},
		{true, "sub/../tool", NULL, "'..'"},
		{true, "@/root/../root/tool", NULL, "'..'"},
		{false, "link-out", NULL, "link"},
		{false, "link-abs", NULL, "link"},
		{false, "link-abs-in", NULL, "link"},
		{false, "dir-out/evil", NULL, "link"},
		{false, "device", NULL, "link"},
		{false, "magic", NULL, "link"},
		{false, "magic-dir/bin/sh", NULL, "link"},
		{true, "magic", NULL, "link"},
		{true, "magic-dir/bin/sh", NULL, "link"},
		{false, "loop", NULL, "link"},
		{true, "loop", NULL, "link"},
		/* Not below a root, by component. */
		{false, "@/rootx/evil", NULL, "only"},
		{true, "@/rootx/evil", NULL, "only"},
		{false, "@/outside/evil", NULL, "only"},
		{false, "@/roo/tool", NULL, "only"},
		{false, "@/root", NULL, "only"},
		{false, "@/alias/tool", NULL, "only"},
		{false, "/bin/sh", NULL, "only"},
		{true, "/bin/sh", NULL, "only"},
	};

	run_attempts(*state, attempts, ARRAY_SIZE(attempts));
}

static void what_is_no_program_is_refused(void **state)
{
	static const struct attempt attempts[] = {
		{false, "", NULL, "path of a program"},
		{false, "/", NULL, "path of a program"},
		{false, ".", NULL, "path of a program"},
		{false, "./.", NULL, "path of a program"},
		{false, "tool/", NULL, "path of a program"},
		{false, "@/root/", NULL, "path of a program"},
		{false, "nothing", NULL, "no such program"},
		{false, "tool/x", NULL, "no such program"},
		{false, "@/root/nothing", NULL, "no such program"},
		{false, "dangling", NULL, "no such program"},
		{true, "dangling", NULL, "no such program"},
		{false, "TOOL", NULL, "no such program"},
		{false, "sub", NULL, "not a regular file"},
		{false, "@/root/sub", NULL, "not a regular file"},
		{false, "@/root/dir-in", NULL, "not a regular file"},
		{false, "fifo", NULL, "not a regular file"},
		{true, "device", NULL, "not a regular file"},
		{false, "@/root/data", NULL, "may not execute"},
		/* The reason of the second root tells more than that of the first. */
		{false, "plain", NULL, "may not execute"},
	};

	run_attempts(*state, attempts, ARRAY_SIZE(attempts));
}

static void too_long_names_are_refused(void **state)
{
	const struct exec_scene *const scene = *state;
	static const size_t lengths[] = {256, 4095, 4096, 100000};

	for (size_t i = 0; i < ARRAY_SIZE(lengths); i++) {
		AUTO_FREE char *const name = mem_alloc(lengths[i] + 1);
		struct err err = ERR_INIT;

		/* Three bytes each, so that words cut anywhere could break one. */
		for (size_t j = 0; j + 3 <= lengths[i]; j += 3)
			memcpy(name + j, "\xe2\x82\xac", 3);
		assert_int_equal(
			beneath_open_program(&scene->roots, name, NULL, NULL, &err), -1);
		assert_int_equal(err.code, ERR_INVALID);
		assert_true(text_is_utf8(err.text, strlen(err.text), NULL));
	}
}

static void the_words_name_the_roots(void **state)
{
	const struct exec_scene *const scene = *state;
	const struct exec_roots none = {0};
	struct err err = ERR_INIT;

	beneath_open_program(&scene->roots, "/etc/passwd", NULL, NULL, &err);
	assert_non_null(strstr(err.text, scene->root));
	assert_non_null(strstr(err.text, scene->second));
	assert_non_null(strstr(err.text, "/etc/passwd"));
	beneath_open_program(&scene->roots, "nothing", NULL, NULL, &err);
	assert_non_null(strstr(err.text, scene->root));
	assert_non_null(strstr(err.text, scene->second));
	assert_int_equal(beneath_open_program(&none, "tool", NULL, NULL, &err), -1);
	assert_int_equal(err.code, ERR_INVALID);
	assert_non_null(strstr(err.text, "nowhere"));
}

static void the_path_is_the_root_and_the_rest(void **state)
{
	struct exec_scene *const scene = *state;
	static const struct {
		const char *command, *path;
	} cases[] = {
		{"tool", "@/root/tool"},
		{"@//root/.//sub/./inner", "@/root/sub/inner"},
		{"link-in", "@/root/link-in"},
		{"other", "@/second/other"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		AUTO_FREE char *const command =
			exec_scene_expand(scene, cases[i].command);
		AUTO_FREE char *const expected = exec_scene_expand(scene, cases[i].path);
		AUTO_FREE char *path = NULL;
		AUTO_FREE char *again = NULL;
		struct err err = ERR_INIT;

		assert_int_equal(
			beneath_open_program(&scene->roots, command, NULL, &path, &err),
			0);
		assert_string_equal(path, expected);
		/* What the intake stored resolves to the same at the start. */
		assert_int_equal(
			beneath_open_program(&scene->roots, path, NULL, &again, &err), 0);
		assert_string_equal(again, expected);
	}
}

static void a_root_may_be_reached_by_a_link(void **state)
{
	struct exec_scene *const scene = *state;
	AUTO_FREE char *const alias = file_join(scene->dir, "alias");
	AUTO_FREE char *const command = file_join(alias, "tool");
	AUTO_FREE char *path = NULL;
	struct err err = ERR_INIT;

	scene->items[0].path = alias;
	assert_int_equal(beneath_open_program(&scene->roots, command, NULL, &path, &err),
			 0);
	assert_string_equal(path, command);
	scene->items[0].path = scene->root;
}

static void the_whole_system_may_be_a_root(void **state)
{
	(void)state;
	char slash[] = "/";
	struct exec_root item = {.path = slash, .follow_links = true};
	const struct exec_roots roots = {.item = &item, .count = 1};
	AUTO_FREE char *path = NULL;
	AUTO_FREE char *relative = NULL;
	struct err err = ERR_INIT;

	assert_int_equal(beneath_open_program(&roots, "/bin/sh", NULL, &path, &err), 0);
	assert_string_equal(path, "/bin/sh");
	assert_int_equal(beneath_open_program(&roots, "bin/sh", NULL, &relative, &err),
			 0);
	assert_string_equal(relative, "/bin/sh");
}

/* /proc's links jump without a path: not even a root in /proc gives them. */
static void a_root_in_proc_gives_no_magic(void **state)
{
	(void)state;
	char proc[] = "/proc/self";
	struct exec_root item = {.path = proc};
	const struct exec_roots roots = {.item = &item, .count = 1};
	static const char *const commands[] = {"exe", "root/bin/sh", "cwd/x",
					       "/proc/self/exe"};

	for (size_t i = 0; i < 2 * ARRAY_SIZE(commands); i++) {
		struct err err = ERR_INIT;

		item.follow_links = i >= ARRAY_SIZE(commands);
		assert_int_equal(beneath_open_program(&roots,
						      commands[i % ARRAY_SIZE(commands)],
						      NULL, NULL, &err),
				 -1);
		assert_int_equal(err.code, ERR_INVALID);
	}
}

static void each_root_has_its_own_rule_for_links(void **state)
{
	struct exec_scene *const scene = *state;
	struct err err = ERR_INIT;

	exec_scene_link(scene, "../outside/evil", "second/link-out");
	scene->items[0].follow_links = false;
	scene->items[1].follow_links = true;
	assert_int_equal(
		beneath_open_program(&scene->roots, "link-out", NULL, NULL, &err), 0);
	scene->items[1].follow_links = false;
	assert_int_equal(
		beneath_open_program(&scene->roots, "link-out", NULL, NULL, &err), -1);
}

static int run_descriptor(int fd)
{
	int status = 0;
	const pid_t child = fork();

	assert_true(child >= 0);
	if (child == 0) {
		char *const argv[] = {mem_strdup("tool"), NULL};
		char *const envp[] = {NULL};

		/* A script's interpreter opens the descriptor again. */
		fcntl(fd, F_SETFD, 0);
		fexecve(fd, argv, envp);
		_exit(126);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void the_descriptor_can_be_read_and_run(void **state)
{
	const struct exec_scene *const scene = *state;
	struct err err = ERR_INIT;
	char start[2] = "";
	int fd = -1;

	assert_int_equal(
		beneath_open_program(&scene->roots, "sub/inner", &fd, NULL, &err), 0);
	assert_int_equal(pread(fd, start, 2, 0), 2);
	assert_memory_equal(start, "#!", 2);
	assert_int_equal(run_descriptor(fd), 7);
	close(fd);
}

/* --- directories ----------------------------------------------------------------------
 */

static void directories_are_opened(void **state)
{
	const struct exec_scene *const scene = *state;
	static const struct {
		const char *path;
		bool is_good;
	} cases[] = {
		{"@", true},
		{"@/root/sub", true},
		{"@/root/dir-in", true},
		{"@/root/dir-out", true},
		{"@/root/../outside", true},
		{"@//root/", true},
		{"/", true},
		{"@/root/tool", false},
		{"@/nothing", false},
		{"@/root/loop", false},
		{"@/root/dangling", false},
		{"@/root/fifo", false},
		{"@/root/magic-dir", false},
		{"/proc/self/cwd", false},
		{"/dev/null", false},
		{"", false},
		{".", false},
		{"root", false},
		{"../tmp", false},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		AUTO_FREE char *const path = exec_scene_expand(scene, cases[i].path);
		struct err err = ERR_INIT;
		struct stat status;
		int fd = -77;
		const int result = beneath_open_dir(path, &fd, &err);

		if (result != (cases[i].is_good ? 0 : -1))
			fail_msg("%s: %s", path, err.text);
		if (!cases[i].is_good) {
			assert_int_equal(err.code, ERR_INVALID);
			assert_int_equal(fd, -77);
			continue;
		}
		assert_int_equal(fstat(fd, &status), 0);
		assert_true(S_ISDIR(status.st_mode));
		assert_true((fcntl(fd, F_GETFD) & FD_CLOEXEC) != 0);
		close(fd);
	}
}

#define SCENE_TEST(name)                                                                 \
	cmocka_unit_test_setup_teardown(name, exec_scene_begin, exec_scene_end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		SCENE_TEST(what_lies_below_is_opened),
		SCENE_TEST(what_leads_out_is_refused),
		SCENE_TEST(what_is_no_program_is_refused),
		SCENE_TEST(too_long_names_are_refused),
		SCENE_TEST(the_words_name_the_roots),
		SCENE_TEST(the_path_is_the_root_and_the_rest),
		SCENE_TEST(a_root_may_be_reached_by_a_link),
		SCENE_TEST(the_whole_system_may_be_a_root),
		SCENE_TEST(a_root_in_proc_gives_no_magic),
		SCENE_TEST(each_root_has_its_own_rule_for_links),
		SCENE_TEST(the_descriptor_can_be_read_and_run),
		SCENE_TEST(directories_are_opened),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
