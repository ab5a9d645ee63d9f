/* signals.c - see signals.h. */
#include "common/signals.h"

#include <stdint.h>
#include <string.h>

#include "common/mem.h"
#include "common/text.h"

#define STANDARD_LAST 31 /* signal(7): the rest are real-time signals */

/* Other names of the same signals (signal(7)). */
static const struct {
	const char *other, *name;
} OTHERS[] = {{"IO", "POLL"}, {"IOT", "ABRT"}, {"CLD", "CHLD"}};

const char *signal_name(int number)
{
	return sigabbrev_np(number);
}

int signal_parse(const char *word)
{
	int64_t number;
	if (text_parse_int(word, 1, STANDARD_LAST, &number) == 0)
		return (int)number;
	if (text_has_prefix(word, "SIG"))
		word += 3;
	for (size_t i = 0; i < ARRAY_SIZE(OTHERS); i++)
		if (text_equal(word, OTHERS[i].other))
			word = OTHERS[i].name;
	for (int i = 1; i <= STANDARD_LAST; i++)
		if (text_equal(word, signal_name(i)))
			return i;
	return -1;
}
