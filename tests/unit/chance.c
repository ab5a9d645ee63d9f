/* chance.c - see chance.h. */
#include "tests/unit/chance.h"

unsigned chance(uint64_t *state, unsigned below)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return (unsigned)(*state % below);
}
