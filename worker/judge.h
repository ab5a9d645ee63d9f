/* judge.h - what became of an attempt, from what can be found of it.
 *
 * The same question is asked of every attempt that its shim says has ended, of every one
 * whose shim died, and of everything that a starting worker finds: there is no other
 * recovery. */
#ifndef REEVE_WORKER_JUDGE_H
#define REEVE_WORKER_JUDGE_H

#include <stdbool.h>

enum verdict {
	VERDICT_ALIVE,	     /* somebody is at it: adopt it, or leave it */
	VERDICT_IMPORT,	     /* it ended, and the record says how */
	VERDICT_REVOKE,	     /* it certainly never ran */
	VERDICT_LOST_SHIM,   /* it may have run; its shim is dead */
	VERDICT_LOST_REBOOT, /* it may have run; the machine was started anew */
	VERDICTS
};

struct evidence {
	bool is_same_boot; /* claimed since the machine was started */
	bool is_locked;	   /* a shim holds the journal */
	bool has_started;  /* the journal says that it may have run */
	bool has_ended;	   /* the journal has a whole exit record */
};

enum verdict judge(const struct evidence *evidence);

/* For the log. */
const char *verdict_word(enum verdict verdict);

#endif
