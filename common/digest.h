/* digest.h - SHA-256 (FIPS 180-4) and base64 (RFC 4648), by Nettle, the library
 * underneath GnuTLS. Nettle rather than GnuTLS itself because the shim hashes too, and
 * links only the few kilobytes that do it. */
#ifndef REEVE_DIGEST_H
#define REEVE_DIGEST_H

#include <nettle/sha2.h>
#include <stddef.h>
#include <stdint.h>

#define DIGEST_BYTES 32
#define DIGEST_HEX_BYTES 65

/* A running digest, by value: init, add any number of times, end (which resets it). */
struct digest {
	struct sha256_ctx sha256;
};
void digest_init(struct digest *digest);
void digest_add(struct digest *digest, const void *data, size_t length);
void digest_end(struct digest *digest, uint8_t ret[DIGEST_BYTES]);

/* All at once. */
void digest_of(const void *data, size_t length, uint8_t ret[DIGEST_BYTES]);

/* Strict base64 with padding, no line breaks, no blanks: decodes `length` characters into
 * a heap block that the caller frees. 0 or -1 (the text is not base64). */
int base64_decode(const char *text, size_t length, uint8_t **ret, size_t *ret_bytes);

/* Encodes to the heap; the caller frees. */
char *base64_encode(const void *data, size_t length);

/* `bytes` bytes from the kernel's random source (getrandom(2)); ends the process if there
 * are none, which no running Linux does. */
void random_bytes(void *ret, size_t bytes);

#endif
