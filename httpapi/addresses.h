/* addresses.h - how many connections there are from each address.
 *
 * Not safe for use by several threads. */
#ifndef REEVE_HTTPAPI_ADDRESSES_H
#define REEVE_HTTPAPI_ADDRESSES_H

#include <sys/socket.h>

#include "common/common.h"

struct address_count {
	int family;
	uint8_t bytes[16]; /* IPv4: the first four */
	int64_t connections;
};

/* Begins with zeros. */
struct addresses {
	struct address_count *item;
	size_t count, room;
};

void addresses_release(struct addresses *addresses);

/* One more, unless there are `max` from it. Other families than those of IP count as
 * nobody's, without end. */
bool addresses_add(struct addresses *addresses, const struct sockaddr *address,
		   int64_t max);

/* One less. */
void addresses_remove(struct addresses *addresses, const struct sockaddr *address);

#endif
