/* body.c - see body.h. */
#include "client/body.h"

#include <string.h>

/* Was the name given with this option before? A name ends at its '='. */
static bool is_given_before(const struct args *args, size_t at)
{
	const struct given *given = args->given;
	const size_t bytes = strcspn(given[at].text, "=") + 1;
	for (size_t i = 0; i < at; i++)
		if (strcmp(given[i].name, given[at].name) == 0 &&
		    strncmp(given[i].text, given[at].text, bytes) == 0)
			return true;
	return false;
}

/* Repeated --label or --env become one object, in which a name has one value. */
int body_put_pairs(struct json_writer *json, const char *key, const struct args *args,
		   const char *option, struct err *err)
{
	if (!args_has(args, option))
		return 0;
	json_open(json, key, '{');
	for (size_t i = 0; i < args->count; i++) {
		if (strcmp(args->given[i].name, option) != 0)
			continue;
		const char *text = args->given[i].text;
		const size_t length = strcspn(text, "=");
		AUTO_FREE char *name = mem_strndup(text, length);
		if (is_given_before(args, i))
			return err_set(err, ERR_INVALID, "--%s %s is given twice", option,
				       name);
		json_put_text(json, name, text + length + 1);
	}
	json_close(json, '}');
	return 0;
}
