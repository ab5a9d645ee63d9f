/* range.h - the Range header (RFC 9110, 14.1.2), as far as it is honoured: one range. */
#ifndef REEVE_HTTPAPI_RANGE_H
#define REEVE_HTTPAPI_RANGE_H

#include "common/common.h"

struct range {
	int64_t first, bytes;
};

/* Which part of `size` bytes is asked for? 1: *ret, cut to what exists; 0: none that we
 * honour (no header, another unit, several ranges, nonsense), so the whole is sent; -1:
 * nothing of it exists. `header` may be NULL. */
int range_read(const char *header, int64_t size, struct range *ret);

#endif
