/* rowmap.h - which rows were met already, and as which: for walking along dependencies.
 *
 * Private to queue/. Open addressing; rows are positive. */
#ifndef REEVE_QUEUE_ROWMAP_H
#define REEVE_QUEUE_ROWMAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* All zeros is an empty one. */
struct rowmap {
	int64_t *row; /* heap; 0: free */
	size_t *value;
	size_t count, capacity;
};

/* Remembers `value` for the row, unless it has one: true when it is new. */
bool rowmap_put(struct rowmap *map, int64_t row, size_t value);
bool rowmap_get(const struct rowmap *map, int64_t row, size_t *ret_value);
void rowmap_release(struct rowmap *map);

#endif
