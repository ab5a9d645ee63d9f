/* seekable.h - the layout of compressed outputs: the Zstandard seekable format.
 *
 * Frames of Zstandard that know nothing of each other, each of FRAME bytes of the output
 * but for the last, and a skippable frame with their lengths at the end; any program that
 * reads Zstandard decompresses the file as a whole. See
 * https://github.com/facebook/zstd/blob/dev/contrib/seekable_format/zstd_seekable_compression_format.md
 *
 * The table, all little endian: 4 bytes magic, 4 bytes length of what follows; for each
 * frame 4 bytes compressed and 4 bytes decompressed length; the footer: 4 bytes number of
 * frames, 1 byte descriptor (bit 7: each entry has 4 bytes of checksum more; bits 2 to 6
 * are 0), 4 bytes magic.
 *
 * Private to queue/. */
#ifndef REEVE_QUEUE_SEEKABLE_H
#define REEVE_QUEUE_SEEKABLE_H

#include <stdint.h>

/* Small enough that a reader, of which there may be hundreds, keeps one decoded. */
#define SEEKABLE_PLAIN_BYTES ((size_t)256 * 1024)
#define SEEKABLE_SUFFIX ".log.zst"

#define SEEKABLE_HEADER_MAGIC UINT32_C(0x184D2A5E)
#define SEEKABLE_FOOTER_MAGIC UINT32_C(0x8F92EAB1)
#define SEEKABLE_HEADER_BYTES 8
#define SEEKABLE_ENTRY_BYTES 8
#define SEEKABLE_CHECKSUM_BYTES 4
#define SEEKABLE_FOOTER_BYTES 9
#define SEEKABLE_HAS_CHECKSUMS 0x80
#define SEEKABLE_RESERVED 0x7c
#define SEEKABLE_FRAMES_MAX INT64_C(0x8000000)

static inline void seekable_put(uint8_t ret[4], uint32_t value)
{
	for (int i = 0; i < 4; i++)
		ret[i] = (uint8_t)(value >> (8 * i));
}

static inline uint32_t seekable_get(const uint8_t data[4])
{
	uint32_t value = 0;
	for (int i = 3; i >= 0; i--)
		value = value << 8 | data[i];
	return value;
}

#endif
