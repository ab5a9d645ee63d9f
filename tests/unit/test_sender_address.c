/* test_sender_address.c - every kind of address that is nobody's business but ours, its
 * first and last, and those just outside. */
#include "tests/unit/unit.h"

#include <arpa/inet.h>

#include "sender/address.h"

static bool is_public(const char *text)
{
	struct sockaddr_in v4 = {.sin_family = AF_INET};
	struct sockaddr_in6 v6 = {.sin6_family = AF_INET6};
	if (inet_pton(AF_INET, text, &v4.sin_addr) == 1)
		return address_is_public((const struct sockaddr *)&v4);
	if (inet_pton(AF_INET6, text, &v6.sin6_addr) != 1)
		fail_msg("%s is no address", text);
	return address_is_public((const struct sockaddr *)&v6);
}

static void assert_all(const char *const *text, bool expected)
{
	for (size_t i = 0; text[i] != NULL; i++)
		if (is_public(text[i]) != expected)
			fail_msg("%s is %spublic", text[i], expected ? "not " : "");
}

/* clang-format off */
static const char *const SPECIAL[] = {
	"0.0.0.0", "0.255.255.255", "10.0.0.0", "10.255.255.255", "100.64.0.0",
	"100.127.255.255", "127.0.0.1", "127.255.255.255", "169.254.0.0", "169.254.169.254",
	"169.254.255.255", "172.16.0.0", "172.31.255.255", "192.0.0.0", "192.0.0.255",
	"192.0.2.1", "192.88.99.1", "192.168.0.0", "192.168.255.255", "198.18.0.0",
	"198.19.255.255", "198.51.100.7", "203.0.113.255", "224.0.0.0", "239.255.255.255",
	"240.0.0.0", "255.255.255.255",
	"::", "::1", "100::1", "2001:2::1", "2001:10::1", "2001:2f:ffff::1", "2001:db8::1",
	"3fff::1", "5f00::1", "fc00::", "fdff:ffff::1", "fe80::1", "febf::1", "fec0::1",
	"feff::1", "ff02::1", "ffff::1", "64:ff9b:1::1",
	/* with an IPv4 address in them */
	"::ffff:127.0.0.1", "::ffff:10.1.2.3", "::ffff:169.254.169.254", "::127.0.0.1",
	"::192.168.0.1", "::ffff:0:127.0.0.1", "64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe",
	"2002:7f00:1::1", "2002:a9fe:a9fe::", "2002:c0a8:1::1",
	"2001:0:7f00:1:0:0:f7f7:f7f7", /* Teredo: its server */
	"2001:0:808:808:0:0:80ff:fffe", /* and its client, 127.0.0.1 */
	NULL,
};

static const char *const PUBLIC[] = {
	"1.0.0.0", "9.255.255.255", "11.0.0.0", "100.63.255.255", "100.128.0.0",
	"126.255.255.255", "128.0.0.0", "169.253.255.255", "169.255.0.0", "172.15.255.255",
	"172.32.0.0", "191.255.255.255", "192.0.1.0", "192.0.3.0", "192.167.255.255",
	"192.169.0.0", "198.17.255.255", "198.20.0.0", "203.0.112.255", "203.0.114.0",
	"223.255.255.255", "8.8.8.8",
	"2606:4700::1111", "2001:4860:4860::8888", "2a00:1450::1", "2001:30::1",
	"2001:db7::1", "2001:db9::1", "3ffe::1",
	"::ffff:8.8.8.8", "64:ff9b::808:808", "2002:808:808::1",
	"2001:0:808:808:0:0:f7f7:f7f7",
	NULL,
};
/* clang-format on */

static void test_special_ones(void **state)
{
	(void)state;
	assert_all(SPECIAL, false);
}

static void test_public_ones(void **state)
{
	(void)state;
	assert_all(PUBLIC, true);
}

static void test_other_families(void **state)
{
	const struct sockaddr_storage none = {.ss_family = AF_UNIX};
	(void)state;
	assert_false(address_is_public((const struct sockaddr *)&none));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_special_ones),
		cmocka_unit_test(test_public_ones),
		cmocka_unit_test(test_other_families),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
