/* kill_tree.h - killing what a job left behind, by both who may have to.
 *
 * The shim is the subreaper of its job: every descendant ends up as its child, so it
 * kills until it has no children left. When the shim itself was killed there is no such
 * parent any more: the worker then looks for the tree by the cgroup of that shim, by the
 * job's session and process group, by the marks in its environment, and among its own
 * children, for it is the next subreaper up. */
#ifndef REEVE_WORKER_KILL_TREE_H
#define REEVE_WORKER_KILL_TREE_H

#include "queue/queue.h"
#include "worker/journal.h"

/* SIGKILLs every living descendant of this process that there is at the moment. */
void kill_descendants(void);

/* What is known about a job whose shim is dead. */
struct remains {
	const struct journal *journal;
	const char *job_id;
	int number;
	/* Is this child of ours one that must live (a shim)? */
	bool (*is_kept)(void *context, pid_t pid);
	void *context;
};

/* Kills all of it and waits until it is dead, at most `wait_us`. Whether it is. */
bool kill_remains(const struct remains *remains, int64_t wait_us);

#endif
