/* address.c - see address.h. */
#include "sender/address.h"

#include <netinet/in.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "common/common.h"

struct prefix {
	uint8_t bytes[16];
	int bits;
};

/* clang-format off */
static const struct prefix SPECIAL_V4[] = {
	{{0},             8},  /* this network; 0.0.0.0 is this machine */
	{{10},            8},  /* private, RFC 1918 */
	{{100, 64},      10},  /* shared by a provider's customers, RFC 6598 */
	{{127},           8},  /* loopback */
	{{169, 254},     16},  /* link-local; the metadata service of many a cloud */
	{{172, 16},      12},  /* private */
	{{192, 0, 0},    24},  /* protocol assignments */
	{{192, 0, 2},    24},  /* documentation */
	{{192, 88, 99},  24},  /* 6to4 relays, RFC 7526 */
	{{192, 168},     16},  /* private */
	{{198, 18},      15},  /* benchmarks */
	{{198, 51, 100}, 24},  /* documentation */
	{{203, 0, 113},  24},  /* documentation */
	{{224},           4},  /* multicast */
	{{240},           4},  /* reserved, and the broadcast address */
};

static const struct prefix SPECIAL_V6[] = {
	{{0},                      127}, /* unspecified and loopback */
	{{0x00, 0x64, 0xff, 0x9b, 0x00, 0x01}, 48}, /* NAT64 of one's own, RFC 8215 */
	{{0x01, 0x00},              64}, /* discard, RFC 6666 */
	{{0x20, 0x01, 0x00, 0x02},  48}, /* benchmarks */
	{{0x20, 0x01, 0x00, 0x10},  28}, /* ORCHID */
	{{0x20, 0x01, 0x00, 0x20},  28}, /* ORCHIDv2 */
	{{0x20, 0x01, 0x0d, 0xb8},  32}, /* documentation */
	{{0x3f, 0xff},              20}, /* documentation, RFC 9637 */
	{{0x5f, 0x00},              16}, /* segment routing, RFC 9602 */
	{{0xfc},                     7}, /* private: unique local */
	{{0xfe, 0x80},              10}, /* link-local */
	{{0xfe, 0xc0},              10}, /* private once: site-local */
	{{0xff},                     8}, /* multicast */
};

/* IPv6 addresses with an IPv4 address in them, from this byte on; Teredo's is inverted. */
static const struct carrier {
	struct prefix prefix;
	size_t at;
	uint8_t mask;
} CARRIERS[] = {
	{{{[10] = 0xff, [11] = 0xff},             96}, 12, 0},    /* mapped */
	{{{0},                                    96}, 12, 0},    /* compatible */
	{{{[8] = 0xff, [9] = 0xff},               96}, 12, 0},    /* translated, RFC 2765 */
	{{{0x00, 0x64, 0xff, 0x9b},               96}, 12, 0},    /* NAT64, RFC 6052 */
	{{{0x20, 0x02},                           16},  2, 0},    /* 6to4 */
	{{{0x20, 0x01, 0x00, 0x00},               32},  4, 0},    /* Teredo's server */
	{{{0x20, 0x01, 0x00, 0x00},               32}, 12, 0xff}, /* and its client */
};
/* clang-format on */

static bool has_prefix(const uint8_t *address, const struct prefix *prefix)
{
	const size_t whole = (size_t)prefix->bits / 8;
	const int rest = prefix->bits % 8;
	if (memcmp(address, prefix->bytes, whole) != 0)
		return false;
	return rest == 0 || (address[whole] ^ prefix->bytes[whole]) >> (8 - rest) == 0;
}

static bool is_public_v4(const uint8_t *address)
{
	for (size_t i = 0; i < ARRAY_SIZE(SPECIAL_V4); i++)
		if (has_prefix(address, &SPECIAL_V4[i]))
			return false;
	return true;
}

static bool carries_public(const uint8_t *address, const struct carrier *carrier)
{
	uint8_t inner[4];
	for (size_t i = 0; i < sizeof inner; i++)
		inner[i] = address[carrier->at + i] ^ carrier->mask;
	return is_public_v4(inner);
}

static bool is_public_v6(const uint8_t *address)
{
	for (size_t i = 0; i < ARRAY_SIZE(SPECIAL_V6); i++)
		if (has_prefix(address, &SPECIAL_V6[i]))
			return false;
	for (size_t i = 0; i < ARRAY_SIZE(CARRIERS); i++)
		if (has_prefix(address, &CARRIERS[i].prefix) &&
		    !carries_public(address, &CARRIERS[i]))
			return false;
	return true;
}

bool address_is_public(const struct sockaddr *address)
{
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
	switch (address->sa_family) {
	case AF_INET:
		memcpy(&v4, address, sizeof v4);
		return is_public_v4((const uint8_t *)&v4.sin_addr);
	case AF_INET6:
		memcpy(&v6, address, sizeof v6);
		return is_public_v6(v6.sin6_addr.s6_addr);
	default:
		return false;
	}
}
