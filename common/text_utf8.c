/* text_utf8.c - well-formed UTF-8, by the table of RFC 3629 section 4. */
#include "common/text.h"

#include <stdint.h>
#include <string.h>

#include "common/mem.h"

/* One row per range of first bytes: how many bytes follow, and what the second byte may
 * be. The narrowed second bytes are what keeps out overlong forms (e0, f0), surrogates
 * (ed) and code points above U+10FFFF (f4). */
static const struct utf8_row {
	uint8_t first_low, first_high;
	uint8_t following;
	uint8_t second_low, second_high;
} rows[] = {
	/* clang-format off */
	{.first_low = 0xc2, .first_high = 0xdf, .following = 1, .second_low = 0x80, .second_high = 0xbf},
	{.first_low = 0xe0, .first_high = 0xe0, .following = 2, .second_low = 0xa0, .second_high = 0xbf},
	{.first_low = 0xe1, .first_high = 0xec, .following = 2, .second_low = 0x80, .second_high = 0xbf},
	{.first_low = 0xed, .first_high = 0xed, .following = 2, .second_low = 0x80, .second_high = 0x9f},
	{.first_low = 0xee, .first_high = 0xef, .following = 2, .second_low = 0x80, .second_high = 0xbf},
	{.first_low = 0xf0, .first_high = 0xf0, .following = 3, .second_low = 0x90, .second_high = 0xbf},
	{.first_low = 0xf1, .first_high = 0xf3, .following = 3, .second_low = 0x80, .second_high = 0xbf},
	{.first_low = 0xf4, .first_high = 0xf4, .following = 3, .second_low = 0x80, .second_high = 0x8f},
	/* clang-format on */
};

static const struct utf8_row *row_of(uint8_t first)
{
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		if (first >= rows[i].first_low && first <= rows[i].first_high)
			return &rows[i];
	return NULL;
}

/* Bytes of the character at the start of `text`, 0 when it is broken or cut off. */
static size_t character_bytes(const uint8_t *text, size_t length)
{
	if (text[0] < 0x80)
		return 1;
	const struct utf8_row *const row = row_of(text[0]);

	if (row == NULL || length <= row->following || text[1] < row->second_low ||
	    text[1] > row->second_high)
		return 0;
	for (size_t i = 2; i <= row->following; i++)
		if (text[i] < 0x80 || text[i] > 0xbf)
			return 0;
	return row->following + (size_t)1;
}

static bool is_ascii8(const uint8_t *bytes)
{
	uint64_t eight;

	memcpy(&eight, bytes, sizeof(eight));
	return (eight & UINT64_C(0x8080808080808080)) == 0;
}

bool text_is_utf8(const char *text, size_t length, size_t *ret_bad)
{
	const uint8_t *const bytes = (const uint8_t *)text;
	size_t at = 0;

	while (at < length) {
		/* most texts are ASCII */
		if (length - at >= 8 && is_ascii8(bytes + at)) {
			at += 8;
			continue;
		}
		const size_t step = character_bytes(bytes + at, length - at);

		if (step == 0) {
			if (ret_bad != NULL)
				*ret_bad = at;
			return false;
		}
		at += step;
	}
	return true;
}

size_t text_whole_utf8(const char *text, size_t length)
{
	const uint8_t *const bytes = (const uint8_t *)text;
	size_t start = length;

	/* A character has at most three bytes after its first: look no further back. */
	while (start > 0 && length - start < 3 && (bytes[start - 1] & 0xc0) == 0x80)
		start--;
	if (start == 0 || bytes[start - 1] < 0xc0)
		return length;
	const struct utf8_row *const row = row_of(bytes[start - 1]);

	return row != NULL && length - start < row->following ? start - 1 : length;
}
