/* moment.c - points in time as people give them on a command line (see moment.h). */
#include "client/moment.h"

int moment_put(struct json_writer *json, const char *key, const char *option,
	       const char *text, struct err *err)
{
	int64_t span_us = 0, at_us;
	if (text == NULL)
		return 0;
	if (clock_parse(text, &at_us) == 0) {
		json_put_text(json, key, text);
		return 0;
	}
	if (text[0] != '+' || text_parse_duration_us(text + 1, &span_us) < 0)
		return err_set(err, ERR_INVALID,
			       "--%s wants a time such as 2026-11-21T06:00:00Z or +10m, "
			       "not \"%s\"",
			       option, text);
	json_put_time(json, key, clock_now_us() + span_us);
	return 0;
}
