/* cgroup.h - one cgroup v2 a shim, where a writable one is ours.
 *
 * A process cannot leave the cgroup it was born in without being allowed to, so this is
 * the surest list of what a shim's jobs have left behind when the shim itself was killed.
 * No controllers are used; a job costs nothing extra. Source: the kernel's
 * Documentation/admin-guide/cgroup-v2.rst. */
#ifndef REEVE_WORKER_CGROUP_H
#define REEVE_WORKER_CGROUP_H

#include <stdbool.h>
#include <sys/types.h>

#include "common/common.h"

/* Finds and makes the directory below which the shims' cgroups go. `setting` is the
 * configured "auto", "off" or a directory. "auto" takes the worker's own cgroup if it is
 * delegated (or the root of a namespace) and writable, else none. ret_dir: heap, NULL
 * when there is none; the caller frees. Fails only for a directory that was named and
 * cannot be used. */
int cgroup_find(const char *setting, const char *state_dir, char **ret_dir,
		struct err *err);

/* Makes "<dir>/shim-<pid>-<time>" and moves the process there. ret: heap. -1: it stays
 * where it is. */
int cgroup_enter(const char *dir, pid_t pid, char **ret, struct err *err);

/* Kills every process in it (cgroup.kill) and waits until it is empty, at most
 * `wait_us`. Returns whether it is empty now; a missing one is. */
bool cgroup_kill(const char *path, int64_t wait_us);

/* Kills every process in it but the calling one, which steps out for that moment. At
 * once, however fast they multiply. -1: it could not be done. */
int cgroup_kill_others(const char *path);

/* Removes it if it is empty, and the directory above it if that is empty then. */
void cgroup_remove(const char *path);

/* Moves the calling process out of it, to where the worker is, and removes it. */
void cgroup_leave(const char *path);

/* Removes the empty ones below `dir`: of earlier workers' shims. */
void cgroup_sweep(const char *dir);

#endif
