/* id.c - UUIDv7 (RFC 9562 section 5.7): ids that sort by the time they were made.
 *
 * The time goes into the top 48 bits (milliseconds) and its fraction into the next 12
 * (section 6.2, method 3), so that the ids of one batch increase and every insert lands
 * at the right edge of the index. The rest is random, taken from the kernel for many ids
 * at once: libuuid asks it for each, which was an eighth of a submission. libuuid reads
 * and writes the text. */
#include <uuid/uuid.h>

#include "queue/db.h"

_Static_assert(sizeof(uuid_t) == DB_UUID_BYTES, "libuuid has 16 bytes too");

static void random_take(struct queue *queue, uint8_t *ret, size_t bytes)
{
	if (queue->random_left < bytes) {
		random_bytes(queue->random, sizeof queue->random);
		queue->random_left = sizeof queue->random;
	}
	queue->random_left -= bytes;
	memcpy(ret, queue->random + queue->random_left, bytes);
}

void id_make(struct queue *queue, uint8_t ret[DB_UUID_BYTES])
{
	const uint64_t now_us = (uint64_t)clock_now_us();
	const uint64_t fraction = now_us % 1000 * 4096 / 1000;
	uint64_t tick = (now_us / 1000) << 12 | fraction;
	/* two in one tick, or a clock that was set back: the next tick */
	if (tick <= queue->last_id_tick)
		tick = queue->last_id_tick + 1;
	queue->last_id_tick = tick;

	random_take(queue, ret + 8, DB_UUID_BYTES - 8);
	for (int i = 0; i < 6; i++)
		ret[i] = (uint8_t)(tick >> (52 - 8 * i));
	ret[6] = (uint8_t)(0x70 | (tick >> 8 & 0x0f));
	ret[7] = (uint8_t)tick;
	ret[8] = (uint8_t)(0x80 | (ret[8] & 0x3f));
}

void id_format(const uint8_t uuid[DB_UUID_BYTES], char ret[JOB_ID_BYTES])
{
	uuid_unparse_lower(uuid, ret);
}

int id_range(const char *prefix, uint8_t ret_low[DB_UUID_BYTES],
	     uint8_t ret_high[DB_UUID_BYTES])
{
	/* the prefix, completed to a whole UUID by the least and the greatest digits */
	char low[JOB_ID_BYTES] = "00000000-0000-0000-0000-000000000000";
	char high[JOB_ID_BYTES] = "ffffffff-ffff-ffff-ffff-ffffffffffff";
	const size_t length = strnlen(prefix, JOB_ID_BYTES);
	if (length < 4 || length > JOB_ID_BYTES - 1)
		return 0;
	memcpy(low, prefix, length);
	memcpy(high, prefix, length);
	return job_id_is_valid(low) && uuid_parse(low, ret_low) == 0 &&
	       uuid_parse(high, ret_high) == 0;
}
