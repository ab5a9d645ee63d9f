/* digest.c - Nettle's SHA-256 and base64, and the kernel's random bytes. */
#include "common/digest.h"

#include <errno.h>
#include <nettle/base64.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "common/mem.h"

_Static_assert(DIGEST_BYTES == SHA256_DIGEST_SIZE, "a digest is a SHA-256");

void digest_init(struct digest *digest)
{
	sha256_init(&digest->sha256);
}

void digest_add(struct digest *digest, const void *data, size_t length)
{
	if (length > 0)
		sha256_update(&digest->sha256, length, data);
}

void digest_end(struct digest *digest, uint8_t ret[DIGEST_BYTES])
{
	sha256_digest(&digest->sha256, DIGEST_BYTES, ret);
}

void digest_of(const void *data, size_t length, uint8_t ret[DIGEST_BYTES])
{
	struct digest digest;

	digest_init(&digest);
	digest_add(&digest, data, length);
	digest_end(&digest, ret);
}

static bool is_base64_digit(char c)
{
	return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
	       (c >= '0' && c <= '9') || c == '+' || c == '/';
}

/* Nettle skips white space and takes padding where it finds it: the shape is checked
 * here, so that one text has exactly one meaning. */
static bool has_base64_shape(const char *text, size_t length)
{
	size_t digits = length;

	if (length % 4 != 0)
		return false;
	for (int i = 0; i < 2 && digits > 0 && text[digits - 1] == '='; i++)
		digits--;
	for (size_t i = 0; i < digits; i++)
		if (!is_base64_digit(text[i]))
			return false;
	return true;
}

int base64_decode(const char *text, size_t length, uint8_t **ret, size_t *ret_bytes)
{
	struct base64_decode_ctx context;
	size_t bytes = 0;

	if (!has_base64_shape(text, length))
		return -1;
	AUTO_FREE uint8_t *block = mem_alloc(BASE64_DECODE_LENGTH(length));

	base64_decode_init(&context);
	if (!base64_decode_update(&context, &bytes, block, length, text) ||
	    !base64_decode_final(&context))
		return -1;
	*ret = block;
	*ret_bytes = bytes;
	block = NULL;
	return 0;
}

char *base64_encode(const void *data, size_t length)
{
	const size_t characters = BASE64_ENCODE_RAW_LENGTH(length);
	char *const text = mem_alloc(characters + 1);

	if (length > 0)
		base64_encode_raw(text, length, data);
	return text;
}

void random_bytes(void *ret, size_t bytes)
{
	uint8_t *const out = ret;
	size_t done = 0;

	while (done < bytes) {
		const ssize_t got = getrandom(out + done, bytes - done, 0);

		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			abort();
		done += (size_t)got;
	}
}
