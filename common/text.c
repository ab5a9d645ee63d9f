/* text.c - comparing, reading and checking strings. */
#include "common/text.h"

#include <string.h>

#include "common/clock.h"
#include "common/mem.h"

#define DURATION_MAX_S ((int64_t)100 * 36525 * 864)

bool text_equal(const char *a, const char *b)
{
	if (a == NULL || b == NULL)
		return a == b;
	return strcmp(a, b) == 0;
}

bool text_has_prefix(const char *text, const char *prefix)
{
	return strncmp(text, prefix, strlen(prefix)) == 0;
}

bool text_equal_secret(const void *a, size_t a_bytes, const void *b, size_t b_bytes)
{
	const unsigned char *const left = a;
	const unsigned char *const right = b;
	/* volatile: the compiler must not find a reason to stop at the first one. */
	volatile unsigned char difference = 0;

	if (a_bytes != b_bytes)
		return false;
	for (size_t i = 0; i < a_bytes; i++)
		difference = (unsigned char)(difference | (left[i] ^ right[i]));
	return difference == 0;
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

int text_parse_int(const char *text, int64_t min, int64_t max, int64_t *ret)
{
	const bool is_negative = text[0] == '-';
	const char *digit = text + is_negative;
	int64_t value = 0;

	if (!is_digit(digit[0]) || (digit[0] == '0' && (digit[1] != '\0' || is_negative)))
		return -1;
	/* Counted downwards, since only the negative side can hold INT64_MIN. */
	for (; is_digit(*digit); digit++)
		if (__builtin_mul_overflow(value, 10, &value) ||
		    __builtin_sub_overflow(value, *digit - '0', &value))
			return -1;
	if (*digit != '\0')
		return -1;
	if (!is_negative && __builtin_sub_overflow(0, value, &value))
		return -1;
	if (value < min || value > max)
		return -1;
	*ret = value;
	return 0;
}

static const struct duration_unit {
	char letter;
	int64_t seconds;
} duration_units[] = {
	{.letter = 's', .seconds = 1},
	{.letter = 'm', .seconds = 60},
	{.letter = 'h', .seconds = 3600},
	{.letter = 'd', .seconds = 86400},
};

/* Seconds of the unit that ends the text, 0 when it is none. No unit means seconds. */
static int64_t unit_seconds(const char *end)
{
	if (end[0] == '\0')
		return 1;
	for (size_t i = 0; i < ARRAY_SIZE(duration_units); i++)
		if (end[0] == duration_units[i].letter && end[1] == '\0')
			return duration_units[i].seconds;
	return 0;
}

int text_parse_duration_us(const char *text, int64_t *ret_us)
{
	const char *at = text;
	int64_t whole = 0;
	double fraction = 0;
	double place = 0.1;

	for (; is_digit(*at); at++)
		if (whole <= DURATION_MAX_S)
			whole = whole * 10 + (*at - '0');
	if (at == text)
		return -1;
	if (*at == '.') {
		if (!is_digit(at[1]))
			return -1;
		for (at++; is_digit(*at); at++) {
			fraction += place * (*at - '0');
			place /= 10;
		}
	}
	const int64_t seconds = unit_seconds(at);

	if (seconds == 0 || whole > DURATION_MAX_S / seconds)
		return -1;
	const int64_t us = whole * seconds * US_PER_S +
			   (int64_t)(fraction * (double)(seconds * US_PER_S) + 0.5);

	if (us > DURATION_MAX_S * US_PER_S)
		return -1;
	*ret_us = us;
	return 0;
}

bool text_has_control(const char *text, size_t length)
{
	for (size_t i = 0; i < length; i++) {
		const unsigned char c = (unsigned char)text[i];

		if (c < 0x20 || c == 0x7f)
			return true;
	}
	return false;
}

void text_hex(const void *data, size_t length, char *ret)
{
	static const char digits[] = "0123456789abcdef";
	const unsigned char *const bytes = data;

	for (size_t i = 0; i < length; i++) {
		ret[2 * i] = digits[bytes[i] >> 4];
		ret[2 * i + 1] = digits[bytes[i] & 15];
	}
	ret[2 * length] = '\0';
}

static int hex_value(char c)
{
	if (is_digit(c))
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

int text_unhex(const char *hex, void *ret, size_t bytes)
{
	unsigned char *const out = ret;

	/* Checked before written: `ret` stays as it was when the text is no good. */
	for (size_t i = 0; i < 2 * bytes; i++)
		if (hex_value(hex[i]) < 0)
			return -1;
	if (hex[2 * bytes] != '\0')
		return -1;
	for (size_t i = 0; i < bytes; i++)
		out[i] = (unsigned char)(16 * hex_value(hex[2 * i]) +
					 hex_value(hex[2 * i + 1]));
	return 0;
}
