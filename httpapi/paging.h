/* paging.h - from one page of a list to the next: cursors, and the Link header.
 *
 * A cursor is the position that a list goes on after and a mark of the list it belongs to
 * (filter, order and viewer), so that it cannot be continued with another; clients must
 * not look into it. */
#ifndef REEVE_HTTPAPI_PAGING_H
#define REEVE_HTTPAPI_PAGING_H

#include "httpapi/request.h"

#define CURSOR_MARK_BYTES 8
/* Of the text for a position of so many bytes, with its NUL. */
#define CURSOR_TEXT_BYTES(position_bytes) (2 * ((position_bytes) + CURSOR_MARK_BYTES) + 1)
#define CURSOR_POSITION_MAX 64

/* `list` is a digest of all that makes it this list. */
void cursor_write(const void *position, size_t bytes, const uint8_t list[DIGEST_BYTES],
		  char *ret);

/* ERR_INVALID, with words that go on after the parameter's name. */
int cursor_read(const char *text, const uint8_t list[DIGEST_BYTES], void *ret,
		size_t bytes, struct err *err);

/* The same question with the cursor; the query's values are written as they came. */
void paging_link(struct MHD_Response *response, const struct request *request,
		 const char *cursor);

#endif
