/* unit.h - what every unit test includes: cmocka with the headers that it wants in front
 * of it, and the scratch directory. */
#ifndef REEVE_TESTS_UNIT_H
#define REEVE_TESTS_UNIT_H

/* cmocka.h wants the four before it. */
/* clang-format off */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
/* clang-format on */

/* A new empty directory (0700) of this test alone; the caller hands it to
 * scratch_remove, which removes everything in it and frees the text. */
char *scratch_make(void);
void scratch_remove(char *path);

/* Writes a file below a scratch directory, with exactly `mode`. Fails the test when it
 * cannot. */
void scratch_file(const char *dir, const char *name, const char *content, unsigned mode);

#endif
