/* columns.h - one value of one item as text. Private to output.c and columns.c. */
#ifndef REEVE_CLIENT_COLUMNS_H
#define REEVE_CLIENT_COLUMNS_H

#include "client/output.h"

/* Appends the value of `column`, raw as it came; nothing when the item has none.
 * `is_plain`: whole and exact (absolute times, bytes), not for people. */
void column_put(const cJSON *item, const struct column *column, bool is_plain,
		struct buf *out);

#endif
