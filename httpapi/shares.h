/* shares.h - open outputs that followers have in common.
 *
 * All who follow one attempt that runs read the same bytes at about the same time, so
 * they share one open output: descriptors, window and marks are there once. Of an attempt
 * that has ended everybody has an own one, since everybody reads at another place. The
 * events made of it they share as well (strips.h). */
#ifndef REEVE_HTTPAPI_SHARES_H
#define REEVE_HTTPAPI_SHARES_H

#include "httpapi/strips.h"

struct shares;
struct share;

struct shares *shares_open(void);
void shares_close(struct shares *shares);

/* The output of an attempt, to be given back with share_give. `is_live`: share it. As
 * queue_output_open: 1, 0 there is none (yet), -1 (ERR_GONE). */
int shares_take(struct shares *shares, struct queue *queue, const char *state_dir,
		const struct job *job, int attempt, bool is_live, struct share **ret,
		struct err *err);
void share_give(struct share *share); /* NULL is fine */

/* The output itself, for the time until share_unlock; reading moves its cursor. */
struct output *share_lock(struct share *share);
void share_unlock(struct share *share);

/* The events that were made of it; NULL: it is somebody's own. */
struct strips *share_strips(struct share *share);

/* The descriptor behind it, for watching; -1: none, it does not grow. */
int share_fd(struct share *share);

#endif
