/* frame.c - one frame of an output's index, packed and unpacked.
 *
 * The shim writes frames, readers read them, and both must agree on every byte. Knows
 * nothing of SQLite: the shim links it. */
#include "queue/queue.h"

static void put_le64(uint8_t *ret, uint64_t value)
{
	for (int i = 0; i < 8; i++)
		ret[i] = (uint8_t)(value >> (8 * i));
}

static uint64_t get_le64(const uint8_t *data)
{
	uint64_t value = 0;
	for (int i = 7; i >= 0; i--)
		value = value << 8 | data[i];
	return value;
}

void frame_pack(const struct frame *frame, uint8_t ret[FRAME_BYTES])
{
	const uint64_t is_stderr = frame->stream == OUTPUT_STDERR;
	put_le64(ret, (uint64_t)frame->at_us << 1 | is_stderr);
	put_le64(ret + 8, (uint64_t)frame->offset);
	put_le64(ret + 16, (uint64_t)frame->stdout_bytes);
}

void frame_unpack(const uint8_t data[FRAME_BYTES], struct frame *ret)
{
	const uint64_t first = get_le64(data);
	ret->at_us = (int64_t)(first >> 1);
	ret->stream = first & 1 ? OUTPUT_STDERR : OUTPUT_STDOUT;
	ret->offset = (int64_t)get_le64(data + 8);
	ret->stdout_bytes = (int64_t)get_le64(data + 16);
}
