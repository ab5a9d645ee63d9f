/* dependency_scene.h - jobs and their parents, for the tests of dependencies.
 *
 * Parents have a higher priority, so that a claim takes them before their dependants. */
#ifndef REEVE_TESTS_DEPENDENCY_SCENE_H
#define REEVE_TESTS_DEPENDENCY_SCENE_H

#include "tests/unit/queue_fixture.h"

/* Where a parent may have come to. */
enum scene_end {
	END_HELD,
	END_QUEUED,
	END_CLAIMED, /* running, but no process yet */
	END_RUNNING,
	END_RETRYING,	    /* failed, and waits for its next attempt */
	END_SUCCEEDED,	    /* from here on it is over */
	END_FAILED,	    /* an exit code */
	END_START_FAILED,   /* without a process */
	END_EXPIRED,	    /* without an attempt */
	END_LOST,	    /* its process was there */
	END_LOST_UNSTARTED, /* nobody knows of a process */
	END_CANCELLED,	    /* before it started */
	END_STOPPED,	    /* cancelled while it ran */
	END_SKIPPED,
	END_COUNT_
};
const char *scene_end_word(enum scene_end end);

struct scene_parent {
	struct submitted job;
	struct submitted above; /* END_SKIPPED: what it depends on itself */
	enum scene_end end;
};

/* Submits one that can come to this end, and takes it there. */
void scene_parent(struct fixture *f, enum scene_end end, struct scene_parent *ret);
void scene_reach(struct fixture *f, const struct scene_parent *parent);
/* Ends it if it has not ended, so that no later claim meets it. */
void scene_clear(struct fixture *f, const struct scene_parent *parent);

/* One transaction each. */
void scene_submit(struct fixture *f, const struct submission *submission,
		  struct submitted *ret);
void scene_due(struct fixture *f);
/* Depends on one job. */
void scene_child(struct fixture *f, int64_t parent_row,
		 enum dependency_condition condition, struct submitted *ret);
void scene_cancel(struct fixture *f, const char *id);
/* Claims the first that may start and ends it so. */
void scene_run_next(struct fixture *f, int exit_code, char ret_id[JOB_ID_BYTES]);
/* What the worker does between: transactions until nothing is left. How many. */
int scene_resolve(struct fixture *f);

/* No job waits for something that can never come, no dependency on a job that has ended
 * is left open, and states, events and their chain fit. */
void scene_assert_sound(struct fixture *f);

/* Teardown: sound, then fixture_teardown. */
int scene_teardown(void **state);

#endif
