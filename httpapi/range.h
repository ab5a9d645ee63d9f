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

/* The same of something that grows, where only the beginning can be chosen: "bytes=N-",
 * or with the very large last byte that RFC 8673 says stands for "and what comes". 1:
 * from *ret_first on; 0: none that we honour; -1: one with an end. */
#define RANGE_LIVE_LAST INT64_C(9007199254740991)
int range_read_live(const char *header, int64_t *ret_first);

#endif
