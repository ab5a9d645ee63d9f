/* filter.c - see filter.h: one row per filter. */
#include "client/filter.h"

#include <stddef.h>
#include <string.h>

#include "client/api.h"

#define LIMIT_MAX 1000000

static const char STATES[] = "waiting|queued|running|succeeded|failed|cancelled|skipped|"
			     "lost";

static const char *const FILTERS[] = {"state", "owner", "limit"};

/* Asked here rather than by the service, which cannot say what was meant. */
static int check_state(const char *value, struct err *err)
{
	const char *names[16];
	char text[sizeof(STATES)];
	size_t count = 0;
	memcpy(text, STATES, sizeof(STATES));
	char *at = text;
	for (char *word; (word = strsep(&at, "|")) != NULL;) {
		if (strcmp(word, value) == 0)
			return 0;
		names[count++] = word;
	}
	const char *nearest = text_nearest(value, names, count);
	return err_set(err, ERR_INVALID, "no state \"%s\"%s%s%s", value,
		       nearest != NULL ? "; did you mean " : "; the states are ",
		       nearest != NULL ? nearest : STATES, nearest != NULL ? "?" : "");
}

/* The value goes into the URL and, for `db ls`, into the filter of the queue. */
static int read_one(struct filters *ret, const char *name, const char *value,
		    struct err *err)
{
	if (strcmp(name, "limit") == 0) {
		if (text_parse_int(value, 1, LIMIT_MAX, &ret->limit) < 0)
			return err_set(err, ERR_INVALID,
				       "limit: wants a whole number from 1 to %d",
				       LIMIT_MAX);
		return 0;
	}
	const bool is_state = strcmp(name, "state") == 0;
	if (is_state && check_state(value, err) < 0)
		return -1;
	if (is_state)
		ret->state = value;
	else
		ret->owner = value;
	AUTO_FREE char *encoded = url_encode(value);
	buf_printf(&ret->query, "&%s=%s", name, encoded);
	return 0;
}

int filters_read(struct filters *ret, const struct cli *cli, struct err *err)
{
	*ret = (struct filters){.limit = args_number(&cli->args, "limit", LIMIT_DEFAULT)};
	buf_init(&ret->query, 4096);
	for (size_t i = 0; i < cli->args.words; i++) {
		const char *word = cli->args.word[i];
		const size_t length = strcspn(word, ":");
		AUTO_FREE char *name = mem_strndup(word, length);
		bool is_known = false;
		for (size_t k = 0; k < ARRAY_SIZE(FILTERS); k++)
			is_known = is_known || strcmp(FILTERS[k], name) == 0;
		if (is_known && word[length] == ':') {
			if (read_one(ret, name, word + length + 1, err) == 0)
				continue;
			filters_release(ret);
			return -1;
		}
		const char *nearest = text_nearest(name, FILTERS, ARRAY_SIZE(FILTERS));
		filters_release(ret);
		return err_set(
			err, ERR_INVALID,
			"no filter \"%s\"; the filters are state: owner: limit:%s%s%s",
			word, nearest != NULL ? " (did you mean " : "",
			nearest != NULL ? nearest : "", nearest != NULL ? ":...?)" : "");
	}
	return 0;
}

void filters_release(struct filters *filters)
{
	buf_release(&filters->query);
}
