/* banned.h - functions that have no safe use here fail the compile.
 *
 * Why: each of these has a sibling that bounds its output, names its errors or is
 * reentrant. Forced into every translation unit by the Makefile (-include), so nobody can
 * forget it. The idea is git's banned.h. */
#ifndef REEVE_BANNED_H
#define REEVE_BANNED_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* Fortified headers make macros of these two for clang. */
#undef sprintf
#undef vsprintf
#pragma GCC poison strcpy strcat sprintf vsprintf gets strtok atoi
#pragma GCC poison localtime gmtime ctime system popen rand

#endif
