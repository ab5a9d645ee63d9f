/* table.h - rows of cells as an aligned table. Private to output.c. */
#ifndef REEVE_CLIENT_TABLE_H
#define REEVE_CLIENT_TABLE_H

#include "client/output.h"

#define COLOUR_END "\033[0m"

struct table {
	struct columns columns;
	unsigned where; /* IN_TABLE or IN_WIDE: which columns are shown */
	char **cell;	/* row * columns.count + column; harmless texts, heap */
	size_t cells;
	bool has_colour;
	/* 0: nothing is cut. Else the last column is cut to what is left of the window,
	 * and ids to what tells them apart. */
	size_t window_columns;
};

/* Appends the titles and all rows. A column with nothing to say in any row is left out.
 */
void table_put(struct table *table, struct buf *out);

/* The escape sequence that a state is shown in, or NULL. */
const char *state_colour(const char *state);

#endif
