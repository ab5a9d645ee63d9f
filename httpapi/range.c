/* range.c - the Range header as a small parser (see range.h).
 *
 *     "bytes=" first "-" [last]      from the first to the last, both included
 *     "bytes=" "-" count             the last so many
 */
#include "httpapi/range.h"

#include <strings.h>

/* 1: the digits at *at, which moves behind them; 0: none there; -1: too large. */
static int read_digits(const char **at, int64_t *ret)
{
	char digits[24];
	size_t length = strspn(*at, "0123456789");
	if (length == 0)
		return 0;
	if (length >= sizeof(digits))
		return -1;
	memcpy(digits, *at, length);
	digits[length] = '\0';
	*at += length;
	return text_parse_int(digits, 0, INT64_MAX, ret) < 0 ? -1 : 1;
}

static int from_to(int64_t first, int64_t last, int64_t size, struct range *ret)
{
	if (last < first)
		return 0;
	if (first >= size)
		return -1;
	if (last >= size)
		last = size - 1;
	*ret = (struct range){.first = first, .bytes = last - first + 1};
	return 1;
}

static int last_bytes(int64_t count, int64_t size, struct range *ret)
{
	if (count == 0 || size == 0)
		return -1;
	if (count > size)
		count = size;
	*ret = (struct range){.first = size - count, .bytes = count};
	return 1;
}

/* 1 a range, with *ret_first and *ret_last or -1 for what is not there; 0 none that we
 * understand. */
static int parse(const char *header, int64_t *ret_first, int64_t *ret_last)
{
	static const char unit[] = "bytes=";
	*ret_first = *ret_last = -1;
	if (!header || strncasecmp(header, unit, sizeof(unit) - 1) != 0)
		return 0;
	const char *at = header + sizeof(unit) - 1;
	if (read_digits(&at, ret_first) < 0 || *at != '-')
		return 0;
	at++;
	/* More behind it is a list of ranges, or nonsense. */
	return read_digits(&at, ret_last) >= 0 && !*at &&
	       (*ret_first >= 0 || *ret_last >= 0);
}

int range_read(const char *header, int64_t size, struct range *ret)
{
	int64_t first, last;
	if (!parse(header, &first, &last))
		return 0;
	if (first < 0)
		return last_bytes(last, size, ret);
	return from_to(first, last < 0 ? INT64_MAX : last, size, ret);
}

int range_read_live(const char *header, int64_t *ret_first)
{
	int64_t first, last;
	if (!parse(header, &first, &last))
		return 0;
	if (first < 0 || (last >= 0 && last < RANGE_LIVE_LAST))
		return -1;
	*ret_first = first;
	return 1;
}
