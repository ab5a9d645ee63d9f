/* test_url.c - which addresses a callback may have, and the words about others. */
#include <string.h>

#include "common/common.h"
#include "tests/unit/unit.h"

#define SCHEME "must begin with https:// or http://"
#define USER "must not have a user name or password: no credential belongs into a URL"
#define CONTROL "must not contain control characters"
#define BLANK "must not contain blanks"
#define BACKSLASH "must not contain a backslash"
#define FRAGMENT "must not have a fragment (#...)"
#define ENCODED "must have \" < > ^ ` { | } percent-encoded"
#define ASCII "must be ASCII: names as xn--..., the rest percent-encoded"
#define HOST "must have a host"
#define NAME "must have a host of letters, digits, '-', '_' and '.', or an address"
#define DOT "must not have a host that ends with a dot"
#define EMPTY_LABEL "must not have a host with an empty part between dots"
#define LONG_LABEL "must have a host whose parts between dots are at most 63 bytes"
#define HYPHEN "must not have a host with a part that begins or ends with '-'"
#define LONG_NAME "must have a host of at most 253 bytes"
#define HOST_PERCENT "must not have a percent-encoded host"
#define IPV4 "must write an IPv4 address as four decimal numbers without leading zeros"
#define IPV6 "must have an IPv6 address between [ and ]"
#define IPV6_END "must have a ']' behind an IPv6 address"
#define ZONE "must not have an IPv6 address with a zone"
#define PORT "must have a port from 1 to 65535 behind a ':'"
#define STEP "must not have . or .. as a part of its path"
#define HEX "must have two hexadecimal digits behind each %"
#define BRACKETS "must have [ and ] percent-encoded behind the host"

#define L63 "abcdefghijklmnopqrstuvwxyz0123456789abcdefghijklmnopqrstuvwxyz0"

/* clang-format off */
static const struct {
	const char *text, *host_port, *written;
} GOOD[] = {
	{"https://app.example/done", "app.example:443", "https://app.example/done"},
	{"http://app.example/done", "app.example:80", "http://app.example/done"},
	{"HTTPS://App.Example/Done", "app.example:443", "https://app.example/Done"},
	{"https://app.example", "app.example:443", "https://app.example/"},
	{"https://app.example?a=b", "app.example:443", "https://app.example/?a=b"},
	{"https://app.example/?", "app.example:443", "https://app.example/?"},
	{"https://app.example:443/x", "app.example:443", "https://app.example/x"},
	{"http://app.example:443/x", "app.example:443", "http://app.example:443/x"},
	{"https://app.example:80/x", "app.example:80", "https://app.example:80/x"},
	{"http://app.example:65535/", "app.example:65535", "http://app.example:65535/"},
	{"http://localhost:1/", "localhost:1", "http://localhost:1/"},
	{"http://my_app-1:8080/a", "my_app-1:8080", "http://my_app-1:8080/a"},
	{"https://xn--bcher-kva.example/", "xn--bcher-kva.example:443", "https://xn--bcher-kva.example/"},
	{"http://127.0.0.1:8000/", "127.0.0.1:8000", "http://127.0.0.1:8000/"},
	{"http://255.255.255.255/", "255.255.255.255:80", "http://255.255.255.255/"},
	{"http://0.0.0.0/", "0.0.0.0:80", "http://0.0.0.0/"},
	{"http://1.example/", "1.example:80", "http://1.example/"},
	{"http://1.2.3.4.example/", "1.2.3.4.example:80", "http://1.2.3.4.example/"},
	{"http://0x7f.example/", "0x7f.example:80", "http://0x7f.example/"},
	{"http://0x7g/", "0x7g:80", "http://0x7g/"},
	{"http://[::1]:80/", "[::1]:80", "http://[::1]/"},
	{"http://[2001:DB8:0:0:0:0:0:1]:8080/", "[2001:db8::1]:8080", "http://[2001:db8::1]:8080/"},
	{"http://[::ffff:7f00:1]/", "[::ffff:127.0.0.1]:80", "http://[::ffff:127.0.0.1]/"},
	{"http://" L63 ".example/", L63 ".example:80", "http://" L63 ".example/"},
	{"http://h/a//b;c=d,e/(f)!$&'*+=:@-._~%2F%00?x=/?:@%0d%0a", "h:80",
	 "http://h/a//b;c=d,e/(f)!$&'*+=:@-._~%2F%00?x=/?:@%0d%0a"},
	{"http://h/...", "h:80", "http://h/..."},
	{"http://h/.well-known/a..b", "h:80", "http://h/.well-known/a..b"},
	{"http://h/a?b=..&c=/../x", "h:80", "http://h/a?b=..&c=/../x"},
	{"http://h?@evil", "h:80", "http://h/?@evil"},
	{"http://h/@evil", "h:80", "http://h/@evil"},
};

static const struct {
	const char *text, *words;
} BAD[] = {
	/* schemes */
	{"", SCHEME}, {"x", SCHEME}, {"//x", SCHEME}, {"http:/x", SCHEME}, {"http:x", SCHEME},
	{"http", SCHEME}, {"https:", SCHEME}, {"http//x", SCHEME}, {"file:///etc/passwd", SCHEME},
	{"file:", SCHEME}, {"ftp://x/", SCHEME}, {"gopher://x/", SCHEME}, {"javascript:x", SCHEME},
	{"httpss://x/", SCHEME}, {"xhttp://x/", SCHEME}, {"unix:/run/x", SCHEME},
	{"http+unix://x/", SCHEME}, {"app.example:443", SCHEME}, {"http\xef\xbc\x9a//x/", ASCII},
	/* no host */
	{"http://", HOST}, {"http:///x", HOST}, {"http://?x", HOST}, {"http://:80/", HOST},
	{"http://::1/", HOST},
	/* who connects where: user names, fragments, backslashes */
	{"http://a@b/", USER}, {"http://a:b@c/", USER}, {"http://@b/", USER},
	{"http://allowed:80@evil/", USER}, {"http://a@b@c/", USER}, {"http://a%40b@c/", USER},
	{"http://allowed\\@evil/", BACKSLASH}, {"http://evil\\.allowed/", BACKSLASH},
	{"http:\\\\x/", BACKSLASH}, {"http://h/a\\b", BACKSLASH},
	{"http://evil#@allowed/", FRAGMENT}, {"http://h/#x", FRAGMENT}, {"http://h/#", FRAGMENT},
	{"http://[::1]@evil/", USER},
	/* controls and blanks, wherever a reader might drop them */
	{"ht\ttp://x/", CONTROL}, {"http://h\t/", CONTROL}, {"http://h/\r\nX: y", CONTROL},
	{"http://h/\n", CONTROL}, {"\001http://h/", CONTROL}, {"http://h/\177", CONTROL},
	{" http://h/", BLANK}, {"http://h/ ", BLANK}, {"http://h /", BLANK}, {"http://h/a b", BLANK},
	{"http://h/<x>", ENCODED}, {"http://h/\"", ENCODED}, {"http://h/{a}", ENCODED},
	{"http://h|x/", ENCODED}, {"http://h^/", ENCODED}, {"http://h/`", ENCODED},
	/* not ASCII: full stops and digits that some readers take for ours */
	{"http://b\xc3\xbc" "cher.example/", ASCII}, {"http://127\xe3\x80\x82" "0.0.1/", ASCII},
	{"http://\xe2\x91\xa0.example/", ASCII}, {"http://h/\xc3\xbc", ASCII},
	{"http://h\xc2\xad/", ASCII}, {"http://h\xff/", ASCII},
	/* names */
	{"http://h%6f/", HOST_PERCENT}, {"http://%31%32%37.0.0.1/", HOST_PERCENT},
	{"http://h%00.evil/", HOST_PERCENT}, {"http://a,b/", NAME}, {"http://a;b/", NAME},
	{"http://a!/", NAME}, {"http://$h/", NAME}, {"http://a(b)/", NAME}, {"http://h*/", NAME},
	{"http://a=b/", NAME}, {"http://h]/", NAME}, {"http://a[b]/", NAME},
	{"http://h./", DOT}, {"http://./", DOT}, {"http://127.0.0.1./", DOT},
	{"http://app.example.:443/", DOT}, {"http://a..b/", EMPTY_LABEL}, {"http://.h/", EMPTY_LABEL},
	{"http://-h/", HYPHEN}, {"http://h-/", HYPHEN}, {"http://a.-b.c/", HYPHEN},
	{"http://a" L63 "/", LONG_LABEL},
	{"http://" L63 "." L63 "." L63 "." L63 "/", LONG_NAME},
	/* addresses that other readers know how to read */
	{"http://127.1/", IPV4}, {"http://127.0.1/", IPV4}, {"http://2130706433/", IPV4},
	{"http://0x7f000001/", IPV4}, {"http://0X7F.0.0.1/", IPV4}, {"http://0x7f.0.0.0x1/", IPV4},
	{"http://0177.0.0.1/", IPV4}, {"http://017700000001/", IPV4}, {"http://127.0.0.01/", IPV4},
	{"http://127.0.0.256/", IPV4}, {"http://1.2.3.4.5/", IPV4}, {"http://0/", IPV4},
	{"http://0x/", IPV4}, {"http://127.0.0.0x/", IPV4}, {"http://evil.1/", IPV4},
	{"http://a.0x7f/", IPV4}, {"http://00000000127.0.0.1/", IPV4},
	{"http://[::1/", IPV6_END}, {"http://[/", IPV6_END}, {"http://[::1]x/", IPV6_END},
	{"http://[::1]x:80/", IPV6_END}, {"http://[]/", IPV6}, {"http://[::1::]/", IPV6},
	{"http://[127.0.0.1]/", IPV6}, {"http://[h]/", IPV6}, {"http://[v1.x]/", IPV6},
	{"http://[::ffff:127.1]/", IPV6}, {"http://[::ffff:0177.0.0.1]/", IPV6},
	{"http://[0:0:0:0:0:0:0:0:1]/", IPV6}, {"http://[fe80::1%25eth0]/", ZONE},
	{"http://[fe80::1%eth0]/", ZONE},
	{"http://[0000:0000:0000:0000:0000:0000:0000:0000:0000:1]/", IPV6},
	/* ports */
	{"http://h:/", PORT}, {"http://h:0/", PORT}, {"http://h:65536/", PORT},
	{"http://h:080/", PORT}, {"http://h:+80/", PORT}, {"http://h:-1/", PORT},
	{"http://h:8a/", PORT}, {"http://h:http/", PORT}, {"http://h:80:90/", PORT},
	{"http://h:4294967376/", PORT}, {"http://h:18446744073709551696/", PORT},
	{"http://[::1]:/", PORT}, {"http://h:%38%30/", PORT}, {"http://h:80,90/", PORT},
	/* what stands behind */
	{"http://h/a/../b", STEP}, {"http://h/..", STEP}, {"http://h/.", STEP}, {"http://h/./x", STEP},
	{"http://h/%2e%2E/x", STEP}, {"http://h/.%2e", STEP}, {"http://h/..?x", STEP},
	{"http://h/%", HEX}, {"http://h/%2", HEX}, {"http://h/%zz", HEX}, {"http://h/?%", HEX},
	{"http://h/%%", HEX}, {"http://h/[x]", BRACKETS}, {"http://h/?a[]=b", BRACKETS},
};

/* Entries of callbacks.allowed_hosts -> NULL, or the words. */
static const struct {
	const char *text, *words;
} HOSTS[] = {
	{"app.example:443", NULL}, {"127.0.0.1:80", NULL}, {"[::1]:80", NULL}, {"my_app:8080", NULL},
	{"[2001:db8::1]:443", NULL}, {"[::ffff:127.0.0.1]:80", NULL},
	{"", HOST}, {"app.example", PORT}, {"app.example:", PORT}, {"app.example:0", PORT},
	{"app.example:https", PORT}, {":443", HOST}, {"[::1]", PORT}, {"::1:80", HOST},
	{"https://app.example", "must be HOST:PORT alone, like app.example:443 or [2001:db8::1]:443"},
	{"app.example:443/", "must be HOST:PORT alone, like app.example:443 or [2001:db8::1]:443"},
	{"App.example:443", "must be in small letters, and an IPv6 address in its shortest form"},
	{"[2001:db8:0::1]:443", "must be in small letters, and an IPv6 address in its shortest form"},
	{"[::FFFF:7f00:1]:80", "must be in small letters, and an IPv6 address in its shortest form"},
	{"127.1:80", IPV4}, {"0x7f000001:80", IPV4}, {"app.example.:443", DOT}, {"*.example:443", NAME},
	{"a@b:80", USER}, {"a b:80", BLANK}, {"app.example:443#", FRAGMENT}, {"[fe80::1%2]:80", ZONE},
};
/* clang-format on */

static void good_ones_are_written_anew(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(GOOD); i++) {
		struct url url;
		struct err err = ERR_INIT;

		if (url_read(GOOD[i].text, &url, &err) < 0)
			fail_msg("%s: %s", GOOD[i].text, err.text);
		assert_string_equal(url.host_port, GOOD[i].host_port);
		assert_string_equal(url.text, GOOD[i].written);
	}
}

/* What is stored is read again by whoever sends: it must mean the same to him. */
static void what_was_written_is_read_the_same(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(GOOD); i++) {
		struct url first, again;
		struct err err = ERR_INIT;

		assert_int_equal(url_read(GOOD[i].text, &first, &err), 0);
		assert_int_equal(url_read(first.text, &again, &err), 0);
		assert_string_equal(again.text, first.text);
		assert_string_equal(again.host_port, first.host_port);
		assert_null(host_port_check(first.host_port));
	}
}

static void bad_ones_are_refused_with_words(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(BAD); i++) {
		struct url url = {.text = "untouched"};
		struct err err = ERR_INIT;

		if (url_read(BAD[i].text, &url, &err) == 0)
			fail_msg("taken: %s", BAD[i].text);
		assert_int_equal(err.code, ERR_INVALID);
		if (!text_equal(err.text, BAD[i].words))
			fail_msg("%s: %s", BAD[i].text, err.text);
		assert_string_equal(url.text, "untouched");
	}
}

static void the_length_has_a_limit(void **state)
{
	(void)state;
	struct url url;
	struct err err = ERR_INIT;
	char text[URL_BYTES_MAX + 2] = "http://h/";

	memset(text + 9, 'a', sizeof(text) - 9);
	text[URL_BYTES_MAX] = '\0';
	assert_int_equal(url_read(text, &url, &err), 0);
	assert_string_equal(url.text, text);
	text[URL_BYTES_MAX] = 'a';
	text[URL_BYTES_MAX + 1] = '\0';
	assert_int_equal(url_read(text, &url, &err), -1);
	assert_string_equal(err.text, "must not be longer than 2048 bytes");
}

static void the_longest_keeps_its_end_when_it_grows(void **state)
{
	(void)state;
	struct url url;
	struct err err = ERR_INIT;
	char text[URL_BYTES_MAX + 1] = "http://[::ffff:ffff:ffff]:65535/";
	size_t length = strlen(text);

	memset(text + length, 'a', sizeof(text) - length);
	text[URL_BYTES_MAX] = '\0';
	text[URL_BYTES_MAX - 1] = 'z';
	assert_int_equal(url_read(text, &url, &err), 0);
	assert_string_equal(url.host_port, "[::ffff:255.255.255.255]:65535");
	assert_int_equal(url.text[strlen(url.text) - 1], 'z');
}

static void settings_are_written_in_the_same_form(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(HOSTS); i++) {
		const char *words = host_port_check(HOSTS[i].text);

		if (!text_equal(words, HOSTS[i].words))
			fail_msg("%s: %s", HOSTS[i].text, words ? words : "taken");
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(good_ones_are_written_anew),
		cmocka_unit_test(what_was_written_is_read_the_same),
		cmocka_unit_test(bad_ones_are_refused_with_words),
		cmocka_unit_test(the_length_has_a_limit),
		cmocka_unit_test(the_longest_keeps_its_end_when_it_grows),
		cmocka_unit_test(settings_are_written_in_the_same_form),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
