/* test_tasks_paths.c - paths that try to leave their directory. */
#include <sys/stat.h>
#include <unistd.h>

#include "tasks/tasks.h"
#include "tests/unit/unit.h"

/* Below a scratch directory: media/ (the one to stay in), media2/, and links. */
struct place {
	char *dir;
	struct task task, must_exist;
};

static struct task path_task(const char *dir, const char *more)
{
	AUTO_FREE char *text = mem_printf(
		"{\"name\": \"t\", \"executable\": \"/bin/echo\", \"arguments\": "
		"[\"@@x@@\"], \"parameters\": [{\"name\": \"x\", \"type\": \"path\", "
		"\"beneath\": \"%s/media\"%s}]}",
		dir, more);
	struct err err = ERR_INIT;
	struct task task;

	if (task_parse(text, &task, &err))
		fail_msg("%s", err.text);
	return task;
}

static void make_link(const char *dir, const char *name, const char *target)
{
	AUTO_FREE char *path = mem_printf("%s/%s", dir, name);
	AUTO_FREE char *to = target[0] == '=' ? mem_printf("%s/%s", dir, target + 1)
					      : mem_strdup(target);

	assert_int_equal(symlink(to, path), 0);
}

static int setup(void **state)
{
	static const char *const DIRS[] = {"media", "media/sub", "media2"};
	struct place *place = mem_alloc(sizeof(*place));

	place->dir = scratch_make();
	for (size_t i = 0; i < ARRAY_SIZE(DIRS); i++) {
		AUTO_FREE char *path = mem_printf("%s/%s", place->dir, DIRS[i]);

		assert_int_equal(mkdir(path, 0700), 0);
	}
	scratch_file(place->dir, "media/a.png", "", 0600);
	scratch_file(place->dir, "media/sub/b.png", "", 0600);
	scratch_file(place->dir, "media2/secret", "", 0600);
	scratch_file(place->dir, "secret", "", 0600);
	make_link(place->dir, "media/inside", "sub");
	make_link(place->dir, "media/inside_whole", "=media/sub");
	make_link(place->dir, "media/out_file", "=secret");
	make_link(place->dir, "media/out_dir", "=media2");
	make_link(place->dir, "media/out_up", "../media2");
	make_link(place->dir, "media/out_root", "/");
	make_link(place->dir, "media/nowhere", "=nothing");
	make_link(place->dir, "media/loop", "loop");
	make_link(place->dir, "media/self", ".");
	make_link(place->dir, "media/parent", "..");
	place->task = path_task(place->dir, "");
	place->must_exist = path_task(place->dir, ", \"must_exist\": true");
	*state = place;
	return 0;
}

static int teardown(void **state)
{
	struct place *place = *state;

	task_release(&place->task);
	task_release(&place->must_exist);
	scratch_remove(place->dir);
	free(place);
	return 0;
}

/* The argument that `path` (below the scratch directory unless it begins with '/')
 * becomes, behind the scratch directory; NULL: refused. The caller frees. */
static char *call(const struct place *place, const struct task *task, const char *path)
{
	AUTO_FREE char *whole =
		path[0] == '/' ? mem_strdup(path) : mem_printf("%s/%s", place->dir, path);
	struct task_call made = {0};
	struct problems problems;
	cJSON *parameters = cJSON_CreateObject();
	char *result = NULL;

	cJSON_AddStringToObject(parameters, "x", whole);
	problems_init(&problems);
	tasks_call(task, parameters, &problems, &made);
	assert_int_equal(problems.total == 0, made.argv.count == 2);
	if (made.argv.count == 2) {
		const char *text = made.argv.item[1];

		assert_true(text_has_prefix(text, place->dir));
		result = mem_strdup(text + strlen(place->dir));
	}
	cJSON_Delete(parameters);
	problems_release(&problems);
	task_call_release(&made);
	return result;
}

struct path_row {
	const char *path;
	const char *where; /* where it leads; NULL: refused */
	bool is_there;	   /* with must_exist too */
};

/* clang-format off */
static const struct path_row PATHS[] = {
	{"media/a.png", "/media/a.png", true},
	{"media//./a.png", "/media/a.png", true},
	{"media/sub/b.png", "/media/sub/b.png", true},
	{"media/sub/", "/media/sub", true},
	{"media/inside/b.png", "/media/sub/b.png", true},
	{"media/inside_whole/b.png", "/media/sub/b.png", true},
	{"media/self/self/a.png", "/media/a.png", true},
	{"media/new.png", "/media/new.png", false},
	{"media/inside/new.png", "/media/sub/new.png", false},
	{"media/new/newer/x", "/media/new/newer/x", false},
	{"media/...", "/media/...", false},
	/* not below it */
	{"media", NULL, false},
	{"media/", NULL, false},
	{"media/.", NULL, false},
	{"media/self", NULL, false},
	{"media2/secret", NULL, false},
	{"media2", NULL, false},
	{"Media/a.png", NULL, false},
	{"mediaa.png", NULL, false},
	{"secret", NULL, false},
	{"/etc/passwd", NULL, false},
	{"/", NULL, false},
	/* up */
	{"media/../secret", NULL, false},
	{"media/sub/../a.png", NULL, false},
	{"media/sub/../../secret", NULL, false},
	{"media/..", NULL, false},
	{"media/new/../../secret", NULL, false},
	/* links out */
	{"media/out_file", NULL, false},
	{"media/out_dir", NULL, false},
	{"media/out_dir/secret", NULL, false},
	{"media/out_dir/new", NULL, false},
	{"media/out_up/secret", NULL, false},
	{"media/out_root", NULL, false},
	{"media/out_root/etc/passwd", NULL, false},
	{"media/parent", NULL, false},
	{"media/parent/secret", NULL, false},
	{"media/parent/new", NULL, false},
	{"media/self/parent/media2/secret", NULL, false},
	{"media/nowhere", NULL, false},
	{"media/nowhere/x", NULL, false},
	{"media/loop", NULL, false},
	{"media/loop/x", NULL, false},
	{"media/a.png/x", NULL, false},
};
/* clang-format on */

static void test_paths(void **state)
{
	const struct place *place = *state;

	for (size_t i = 0; i < ARRAY_SIZE(PATHS); i++) {
		const struct path_row *row = &PATHS[i];
		AUTO_FREE char *any = call(place, &place->task, row->path);
		AUTO_FREE char *there = call(place, &place->must_exist, row->path);

		if (!text_equal(any, row->where))
			fail_msg("%s leads to %s", row->path, any ? any : "nothing");
		if (!text_equal(there, row->is_there ? row->where : NULL))
			fail_msg("%s, which must exist, leads to %s", row->path,
				 there ? there : "nothing");
	}
}

/* The directory itself may be a link: what counts is where things are. */
static void test_the_directory_may_be_a_link(void **state)
{
	struct place *place = *state;
	AUTO_FREE char *from = mem_printf("%s/media", place->dir);
	AUTO_FREE char *to = mem_printf("%s/store", place->dir);
	AUTO_FREE char *inside = NULL;
	AUTO_FREE char *outside = NULL;

	assert_int_equal(rename(from, to), 0);
	assert_int_equal(symlink("store", from), 0);
	inside = call(place, &place->must_exist, "media/a.png");
	assert_string_equal(inside, "/store/a.png");
	outside = call(place, &place->must_exist, "media/out_file");
	assert_null(outside);
}

static void test_the_directory_is_gone(void **state)
{
	struct place *place = *state;
	AUTO_FREE char *from = mem_printf("%s/media", place->dir);
	AUTO_FREE char *to = mem_printf("%s/store", place->dir);
	AUTO_FREE char *found = NULL;

	assert_int_equal(rename(from, to), 0);
	found = call(place, &place->task, "media/new");
	assert_null(found);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_paths, setup, teardown),
		cmocka_unit_test_setup_teardown(test_the_directory_may_be_a_link, setup,
						teardown),
		cmocka_unit_test_setup_teardown(test_the_directory_is_gone, setup,
						teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
