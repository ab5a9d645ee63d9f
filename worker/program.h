/* program.h - the programs that the worker starts, and where they are. */
#ifndef REEVE_WORKER_PROGRAM_H
#define REEVE_WORKER_PROGRAM_H

#include "common/common.h"

/* The path of a program of ours: beside the worker's own, else where `make install` puts
 * those that are not for people. The caller frees; NULL with ERR_NOT_FOUND. */
char *program_find(const char *name, struct err *err);

#endif
