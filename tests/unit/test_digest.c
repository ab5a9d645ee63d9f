/* test_digest.c - SHA-256 by the published vectors, strict base64, random bytes. */
#include <stdlib.h>
#include <string.h>

#include "common/digest.h"
#include "common/mem.h"
#include "common/text.h"
#include "tests/unit/unit.h"

/* FIPS 180-4's examples, by NIST. */
static void digests_are_those_of_the_standard(void **state)
{
	(void)state;
	static const struct {
		const char *text, *hex;
	} cases[] = {
		{"", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
		{"abc",
		 "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
		{"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
		 "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		uint8_t digest[DIGEST_BYTES];
		char hex[DIGEST_HEX_BYTES];

		digest_of(cases[i].text, strlen(cases[i].text), digest);
		text_hex(digest, sizeof(digest), hex);
		assert_string_equal(hex, cases[i].hex);
	}
}

static void pieces_make_the_same_digest(void **state)
{
	(void)state;
	struct digest digest;
	uint8_t bytes[DIGEST_BYTES];
	char hex[DIGEST_HEX_BYTES];
	char piece[1000];

	memset(piece, 'a', sizeof(piece));
	digest_init(&digest);
	/* Twice: ending a digest makes it ready for the next. */
	for (int round = 0; round < 2; round++) {
		for (int i = 0; i < 1000; i++) {
			digest_add(&digest, piece, 999);
			digest_add(&digest, NULL, 0);
			digest_add(&digest, piece, 1);
		}
		digest_end(&digest, bytes);
		text_hex(bytes, sizeof(bytes), hex);
		assert_string_equal(hex, "cdc76e5c9914fb9281a1c7e284d73e67"
					 "f1809a48a497200e046d39ccc7112cd0");
	}
}

/* RFC 4648 section 10, and what a lenient decoder would mix up. */
static void base64_goes_both_ways(void **state)
{
	(void)state;
	static const struct {
		const char *text, *data;
		size_t bytes;
	} cases[] = {
		{"", "", 0},
		{"Zg==", "f", 1},
		{"Zm8=", "fo", 2},
		{"Zm9v", "foo", 3},
		{"Zm9vYg==", "foob", 4},
		{"Zm9vYmE=", "fooba", 5},
		{"Zm9vYmFy", "foobar", 6},
		{"AA==", "\0", 1},
		{"AAAA", "\0\0\0", 3},
		{"////", "\xff\xff\xff", 3},
		{"++++", "\xfb\xef\xbe", 3},
		{"/w==", "\xff", 1},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		AUTO_FREE char *const text = base64_encode(cases[i].data, cases[i].bytes);
		AUTO_FREE uint8_t *data = NULL;
		size_t bytes = 77;

		assert_string_equal(text, cases[i].text);
		assert_int_equal(base64_decode(text, strlen(text), &data, &bytes), 0);
		assert_int_equal(bytes, cases[i].bytes);
		assert_memory_equal(data, cases[i].data, bytes);
	}
}

static void base64_of_every_length_comes_back(void **state)
{
	(void)state;
	uint8_t data[600];

	for (size_t i = 0; i < sizeof(data); i++)
		data[i] = (uint8_t)(i * 7);
	for (size_t length = 0; length <= sizeof(data); length++) {
		AUTO_FREE char *const text = base64_encode(data, length);
		AUTO_FREE uint8_t *back = NULL;
		size_t bytes = 0;

		assert_int_equal(strlen(text), (length + 2) / 3 * 4);
		assert_int_equal(base64_decode(text, strlen(text), &back, &bytes), 0);
		assert_int_equal(bytes, length);
		assert_memory_equal(back, data, length);
	}
}

static void what_is_not_base64_is_refused(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		size_t length; /* 0: strlen */
	} cases[] = {
		{"Z", 0},
		{"Zg", 0},
		{"Zg=", 0},
		{"Zm9", 0},
		{"Zg===", 0},
		{"====", 0},
		{"Z===", 0},
		{"=", 0},
		{"==", 0},
		{"Zg==Zg==", 0},
		{"Zm8=Zm8=", 0},
		{"Z=9v", 0},
		{"Zg=a", 0},
		{"Zm9v\n", 0},
		{"Zm9v\nYg==", 0},
		{"Zm9 Yg==", 0},
		{" Zm9v", 0},
		{"\tZm9", 0},
		{"Zm9-", 0},
		{"Zm9_", 0},
		{"Zm9\xc3", 0},
		{"Zm9.", 0},
		{"Zh==", 0}, /* bits that no byte has room for */
		{"Zm9=", 0},
		{"Zm\0v", 4},
		{"Zm9v    ", 0}, /* blanks that fill up to four */
		{"    ", 0},
		{"\n\n\n\n", 0},
		{"Zm9vYg=\n=\n\n\n", 0},
		{"Zm9vZ", 0},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		const size_t length =
			cases[i].length > 0 ? cases[i].length : strlen(cases[i].text);
		uint8_t *data = NULL;
		size_t bytes = 77;

		if (base64_decode(cases[i].text, length, &data, &bytes) != -1)
			fail_msg("%s was read", cases[i].text);
		assert_null(data);
		assert_int_equal(bytes, 77);
	}
}

static void random_bytes_differ(void **state)
{
	(void)state;
	/* More than one getrandom(2) without interruption is sure to give (256). */
	static uint8_t a[100000], b[100000], zero[64];

	random_bytes(a, sizeof(a));
	random_bytes(b, sizeof(b));
	random_bytes(a, 0);
	assert_memory_not_equal(a, b, 64);
	assert_memory_not_equal(a + sizeof(a) - 64, zero, 64);
	assert_memory_not_equal(a + sizeof(a) - 64, b + sizeof(b) - 64, 64);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(digests_are_those_of_the_standard),
		cmocka_unit_test(pieces_make_the_same_digest),
		cmocka_unit_test(base64_goes_both_ways),
		cmocka_unit_test(base64_of_every_length_comes_back),
		cmocka_unit_test(what_is_not_base64_is_refused),
		cmocka_unit_test(random_bytes_differ),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
