/* body.c - see body.h. */
#include "client/body.h"

#include <string.h>

/* Repeated --label or --env become one object; the service refuses a name that comes
 * twice. */
void body_put_pairs(struct json_writer *json, const char *key, const struct args *args,
		    const char *option)
{
	if (!args_has(args, option))
		return;
	json_open(json, key, '{');
	for (size_t i = 0; i < args->count; i++) {
		if (strcmp(args->given[i].name, option) != 0)
			continue;
		const char *text = args->given[i].text;
		const size_t length = strcspn(text, "=");
		AUTO_FREE char *name = mem_strndup(text, length);
		json_put_text(json, name, text + length + 1);
	}
	json_close(json, '}');
}

/* "+10m" is taken from our own clock; anything else is the service's to judge. */
int body_put_moment(struct json_writer *json, const char *key, const char *option,
		    const char *text, struct err *err)
{
	int64_t span_us = 0;
	if (text == NULL)
		return 0;
	if (text[0] != '+') {
		json_put_text(json, key, text);
		return 0;
	}
	if (text_parse_duration_us(text + 1, &span_us) < 0)
		return err_set(err, ERR_INVALID,
			       "--%s wants a time such as 2026-11-21T06:00:00Z or +10m, "
			       "not \"%s\"",
			       option, text);
	json_put_time(json, key, clock_now_us() + span_us);
	return 0;
}
