/* address.h - may a message be sent to this address?
 *
 * A name resolves to whatever its owner wants, also to a machine that only we can reach.
 * So it is not the name that is judged but the address, just before connecting to it. */
#ifndef REEVE_SENDER_ADDRESS_H
#define REEVE_SENDER_ADDRESS_H

#include <stdbool.h>
#include <sys/socket.h>

/* One that anybody can reach, so that reaching it says nothing about us: no loopback,
 * link-local, private, shared, multicast, documentation or reserved address (IANA's
 * special-purpose registries, RFC 6890), nor an IPv6 address that carries such a one
 * (IPv4-mapped, -compatible, NAT64, 6to4, Teredo). Other families than IPv4 and IPv6 are
 * not public. */
bool address_is_public(const struct sockaddr *address);

#endif
