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

int range_read(const char *header, int64_t size, struct range *ret)
{
	static const char unit[] = "bytes=";
	int64_t first = 0, last = INT64_MAX;
	if (!header || strncasecmp(header, unit, sizeof(unit) - 1) != 0)
		return 0;
	const char *at = header + sizeof(unit) - 1;
	int has_first = read_digits(&at, &first);
	if (has_first < 0 || *at != '-')
		return 0;
	at++;
	int has_last = read_digits(&at, &last);
	/* More behind it is a list of ranges, or nonsense. */
	if (has_last < 0 || *at || (!has_first && !has_last))
		return 0;
	return has_first ? from_to(first, last, size, ret) : last_bytes(last, size, ret);
}
