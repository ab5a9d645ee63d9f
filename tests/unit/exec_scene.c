/* exec_scene.c - programs, links, pipes and look-alikes in and around two exec roots. */
#include "tests/unit/exec_scene.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/file.h"
#include "common/mem.h"
#include "tests/unit/unit.h"

void exec_scene_link(const struct exec_scene *scene, const char *target, const char *name)
{
	assert_int_equal(symlinkat(target, scene->dir_fd, name), 0);
}

static void absolute_link(const struct exec_scene *scene, const char *target,
			  const char *name)
{
	AUTO_FREE char *const path = file_join(scene->dir, target);

	exec_scene_link(scene, path, name);
}

static void fill_scene(const struct exec_scene *scene)
{
	static const char *const dirs[] = {"root",   "root/sub", "root/d",	 "rootx",
					   "second", "outside",	 "root/sub/deep"};

	for (size_t i = 0; i < ARRAY_SIZE(dirs); i++)
		assert_int_equal(mkdirat(scene->dir_fd, dirs[i], 0755), 0);
	scratch_file(scene->dir, "root/tool", EXEC_SCENE_SCRIPT, 0755);
	scratch_file(scene->dir, "root/..tool", EXEC_SCENE_SCRIPT, 0755);
	scratch_file(scene->dir, "root/data", "data", 0644);
	scratch_file(scene->dir, "root/secret", EXEC_SCENE_SCRIPT, 0711);
	scratch_file(scene->dir, "root/sub/inner", EXEC_SCENE_SCRIPT, 0755);
	scratch_file(scene->dir, "root/d/evil", EXEC_SCENE_SCRIPT, 0755);
	scratch_file(scene->dir, "rootx/evil", EXEC_SCENE_SCRIPT, 0755);
	scratch_file(scene->dir, "second/other", EXEC_SCENE_SCRIPT, 0755);
	scratch_file(scene->dir, "second/data", EXEC_SCENE_SCRIPT, 0755);
	scratch_file(scene->dir, "second/plain", "data", 0644);
	scratch_file(scene->dir, "outside/evil", EXEC_SCENE_SCRIPT, 0755);
	exec_scene_link(scene, "tool", "root/link-in");
	exec_scene_link(scene, "../tool", "root/sub/link-up");
	exec_scene_link(scene, "../outside/evil", "root/link-out");
	absolute_link(scene, "outside/evil", "root/link-abs");
	absolute_link(scene, "root/tool", "root/link-abs-in");
	exec_scene_link(scene, "../outside", "root/dir-out");
	exec_scene_link(scene, "sub", "root/dir-in");
	exec_scene_link(scene, "/proc/self/exe", "root/magic");
	exec_scene_link(scene, "/proc/self/root", "root/magic-dir");
	exec_scene_link(scene, "loop", "root/loop");
	exec_scene_link(scene, "nothing", "root/dangling");
	exec_scene_link(scene, "/dev/null", "root/device");
	exec_scene_link(scene, "root", "alias");
	assert_int_equal(mkfifoat(scene->dir_fd, "root/fifo", 0755), 0);
}

int exec_scene_begin(void **state)
{
	struct exec_scene *const scene = mem_alloc(sizeof(*scene));

	umask(022);
	scene->dir = scratch_make();
	scene->dir_fd = open(scene->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(scene->dir_fd >= 0);
	fill_scene(scene);
	scene->root = file_join(scene->dir, "root");
	scene->second = file_join(scene->dir, "second");
	scene->items[0].path = scene->root;
	scene->items[1].path = scene->second;
	scene->roots = (struct exec_roots){.item = scene->items, .count = 2};
	*state = scene;
	return 0;
}

int exec_scene_end(void **state)
{
	struct exec_scene *const scene = *state;

	close(scene->dir_fd);
	scratch_remove(scene->dir);
	free(scene->root);
	free(scene->second);
	free(scene);
	return 0;
}

char *exec_scene_expand(const struct exec_scene *scene, const char *text)
{
	if (text[0] != '@')
		return mem_strdup(text);
	return mem_printf("%s%s", scene->dir, text + 1);
}

ino_t exec_scene_inode(const struct exec_scene *scene, const char *name)
{
	struct stat status;

	assert_int_equal(fstatat(scene->dir_fd, name, &status, 0), 0);
	return status.st_ino;
}
