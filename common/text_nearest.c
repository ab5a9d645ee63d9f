/* text_nearest.c - "did you mean ...?". */
#include "common/text.h"

#include <string.h>

/* Names are settings and members: longer ones are no typing mistakes of anything. */
#define NAME_MAX_BYTES 64
#define NEAREST_MAX 2

static size_t smaller(size_t a, size_t b)
{
	return a < b ? a : b;
}

/* The optimal string alignment distance: the least number of insertions, deletions,
 * replacements and swaps of neighbours, no part edited twice (Damerau 1964, Wagner and
 * Fischer 1974). Three rows of the table are enough. */
static size_t distance(const char *a, size_t a_length, const char *b, size_t b_length)
{
	size_t table[3][NAME_MAX_BYTES + 1] = {{0}};

	for (size_t j = 0; j <= b_length; j++)
		table[0][j] = j;
	for (size_t i = 1; i <= a_length; i++) {
		size_t *const row = table[i % 3];
		const size_t *const above = table[(i + 2) % 3];
		const size_t *const above2 = table[(i + 1) % 3];

		row[0] = i;
		for (size_t j = 1; j <= b_length; j++) {
			const size_t cost = a[i - 1] != b[j - 1];

			row[j] = smaller(smaller(above[j] + 1, row[j - 1] + 1),
					 above[j - 1] + cost);
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] &&
			    a[i - 2] == b[j - 1])
				row[j] = smaller(row[j], above2[j - 2] + 1);
		}
	}
	return table[a_length % 3][b_length];
}

const char *text_nearest(const char *wrong, const char *const *names, size_t count)
{
	const size_t wrong_length = strlen(wrong);
	size_t best = NEAREST_MAX + 1;
	const char *nearest = NULL;

	if (wrong_length > NAME_MAX_BYTES)
		return NULL;
	for (size_t i = 0; i < count; i++) {
		const size_t length = strlen(names[i]);

		if (length > NAME_MAX_BYTES)
			continue;
		const size_t d = distance(wrong, wrong_length, names[i], length);

		/* As many edits as letters would make anything near to anything. */
		if (d < best && d < smaller(wrong_length, length)) {
			best = d;
			nearest = names[i];
		}
	}
	return nearest;
}
