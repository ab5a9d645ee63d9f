/* chance.h - numbers by chance that are the same in each run. */
#ifndef REEVE_TESTS_CHANCE_H
#define REEVE_TESTS_CHANCE_H

#include <stdint.h>

/* The next number below `below` (Marsaglia, Xorshift RNGs, 2003: 13, 7, 17). The state is
 * anything but 0 at first. */
unsigned chance(uint64_t *state, unsigned below);

#endif
