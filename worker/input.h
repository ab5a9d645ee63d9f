/* input.h - what a job reads: the bytes it was given, or another job's output. */
#ifndef REEVE_WORKER_INPUT_H
#define REEVE_WORKER_INPUT_H

#include "worker/supervise.h"

/* The descriptor of its standard input, at its beginning; -1 for /dev/null. It holds all
 * there is to be read, however long we live. ERR_CONFLICT and ERR_GONE: there is no such
 * input and never will be. */
int input_open(struct supervisor *supervisor, const struct claim *claim, int *ret_fd,
	       struct err *err);

#endif
