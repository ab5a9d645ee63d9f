/* rowmap.c - see rowmap.h. */
#include "queue/rowmap.h"

#include <stdlib.h>

#include "common/common.h"

/* Where the row is, or the free place where it belongs. */
static size_t place_of(const struct rowmap *map, int64_t row)
{
	size_t at = (size_t)((uint64_t)row * UINT64_C(0x9e3779b97f4a7c15) >> 20) &
		    (map->capacity - 1);
	while (map->row[at] != 0 && map->row[at] != row)
		at = (at + 1) & (map->capacity - 1);
	return at;
}

static void grow(struct rowmap *map)
{
	struct rowmap old = *map;
	map->capacity = old.capacity == 0 ? 64 : old.capacity * 2;
	map->row = mem_array(map->capacity, sizeof *map->row);
	map->value = mem_array(map->capacity, sizeof *map->value);
	for (size_t i = 0; i < old.capacity; i++) {
		if (old.row[i] == 0)
			continue;
		const size_t at = place_of(map, old.row[i]);
		map->row[at] = old.row[i];
		map->value[at] = old.value[i];
	}
	free(old.row);
	free(old.value);
}

bool rowmap_put(struct rowmap *map, int64_t row, size_t value)
{
	if (map->count * 2 >= map->capacity)
		grow(map);
	const size_t at = place_of(map, row);
	if (map->row[at] == row)
		return false;
	map->row[at] = row;
	map->value[at] = value;
	map->count++;
	return true;
}

bool rowmap_get(const struct rowmap *map, int64_t row, size_t *ret_value)
{
	if (map->capacity == 0)
		return false;
	const size_t at = place_of(map, row);
	if (map->row[at] != row)
		return false;
	*ret_value = map->value[at];
	return true;
}

void rowmap_release(struct rowmap *map)
{
	free(map->row);
	free(map->value);
	*map = (struct rowmap){.row = NULL};
}
