/* program.h - what the daemons have in common at their beginning and their end. */
#ifndef REEVE_PROGRAM_H
#define REEVE_PROGRAM_H

#include "common/config.h"

/* Exit codes of daemons: a supervisor tries again after the second, not the first (the
 * convention of s6 and qmail). */
#define EXIT_PERMANENT 100
#define EXIT_TEMPORARY 111

/* The beginning of a daemon that takes no more than [--config FILE], --version and
 * --help: its log is open, SIGHUP waits (one that comes before the settings are read is
 * not lost), and the settings are in *ret, which the caller releases; *ret_path is FILE
 * or NULL. -1: go on; else the exit code, everything was said. */
int program_begin(int argc, char **argv, const char *name, const char *usage,
		  struct config *ret, const char **ret_path);

#endif
