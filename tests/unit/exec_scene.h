/* exec_scene.h - a directory with two exec roots in it and everything beside them that a
 * name could lead to. For the tests of common/beneath.h. */
#ifndef REEVE_TESTS_UNIT_EXEC_SCENE_H
#define REEVE_TESTS_UNIT_EXEC_SCENE_H

#include <sys/types.h>

#include "common/beneath.h"

/* What each program of the scene is: it exits with 7. */
#define EXEC_SCENE_SCRIPT "#!/bin/sh\nexit 7\n"

struct exec_scene {
	char *dir;
	char *root;
	char *second;
	int dir_fd;
	struct exec_root items[2];
	struct exec_roots roots;
};

/* Setup and teardown of a test with a scene as its state. */
int exec_scene_begin(void **state);
int exec_scene_end(void **state);

/* A symbolic link `name`, below the scene, to `target`. */
void exec_scene_link(const struct exec_scene *scene, const char *target,
		     const char *name);

/* The text with the scene's directory in the place of an "@" at its start; the caller
 * frees. */
char *exec_scene_expand(const struct exec_scene *scene, const char *text);

/* The inode of what a name below the scene leads to. */
ino_t exec_scene_inode(const struct exec_scene *scene, const char *name);

#endif
