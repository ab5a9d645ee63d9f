/* addresses.c - how many connections there are from each address (see addresses.h).
 *
 * A list that is searched from its front: listeners are on loopback, so that nearly
 * always there are one or two. */
#include "httpapi/addresses.h"

#include <netinet/in.h>

void addresses_release(struct addresses *addresses)
{
	free(addresses->item);
	*addresses = (struct addresses){0};
}

static bool read_address(const struct sockaddr *address, struct address_count *ret)
{
	*ret = (struct address_count){.family = address->sa_family};
	if (address->sa_family == AF_INET) {
		struct sockaddr_in in;
		memcpy(&in, address, sizeof(in));
		memcpy(ret->bytes, &in.sin_addr, sizeof(in.sin_addr));
	} else if (address->sa_family == AF_INET6) {
		struct sockaddr_in6 in;
		memcpy(&in, address, sizeof(in));
		memcpy(ret->bytes, &in.sin6_addr, sizeof(in.sin6_addr));
	} else {
		return false;
	}
	return true;
}

static struct address_count *find(const struct addresses *addresses,
				  const struct address_count *wanted)
{
	for (size_t i = 0; i < addresses->count; i++)
		if (addresses->item[i].family == wanted->family &&
		    memcmp(addresses->item[i].bytes, wanted->bytes,
			   sizeof(wanted->bytes)) == 0)
			return &addresses->item[i];
	return NULL;
}

bool addresses_add(struct addresses *addresses, const struct sockaddr *address,
		   int64_t max)
{
	struct address_count wanted;
	if (!read_address(address, &wanted))
		return true;
	struct address_count *found = find(addresses, &wanted);
	if (!found) {
		if (addresses->count == addresses->room) {
			addresses->room = addresses->room ? 2 * addresses->room : 8;
			addresses->item =
				mem_grow(addresses->item,
					 addresses->room * sizeof(*addresses->item));
		}
		found = &addresses->item[addresses->count++];
		*found = wanted;
	}
	if (found->connections >= max)
		return false;
	found->connections++;
	return true;
}

void addresses_remove(struct addresses *addresses, const struct sockaddr *address)
{
	struct address_count wanted;
	if (!read_address(address, &wanted))
		return;
	struct address_count *found = find(addresses, &wanted);
	if (found && --found->connections == 0)
		*found = addresses->item[--addresses->count];
}
