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
