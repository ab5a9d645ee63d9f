/* filter.c - see filter.h: one row per filter. */
#include "client/filter.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "client/api.h"

#define LIMIT_MAX 1000000

static const char STATES[] = "waiting|queued|running|succeeded|failed|cancelled|skipped|"
			     "lost";

enum filter_kind {
	KIND_WORDS, /* several, parted by commas: any of them */
	KIND_TEXT,  /* may hold commas itself */
	KIND_TIME,
	KIND_SORT,
	KIND_LIMIT,
};

struct filter_row {
	const char *name;  /* before the colon */
	const char *param; /* of the service */
	enum filter_kind kind;
};

static const struct filter_row FILTERS[] = {
	{"state", "state", KIND_WORDS},
	{"queue", "queue", KIND_WORDS},
	{"task", "task", KIND_WORDS},
	{"owner", "owner", KIND_WORDS},
	{"batch", "batch", KIND_WORDS},
	{"label", "label", KIND_TEXT},
	{"q", "q", KIND_TEXT},
	{"after", "created_after", KIND_TIME},
	{"before", "created_before", KIND_TIME},
	{"finished-after", "finished_after", KIND_TIME},
	{"finished-before", "finished_before", KIND_TIME},
	{"sort", NULL, KIND_SORT},
	{"limit", NULL, KIND_LIMIT},
};

static const struct {
	const char *word, *sort;
} SORTS[] = {
	{"submitted", "-submitted_at"},
	{"finished", "-finished_at"},
	{"+submitted", "submitted_at"},
	{"+finished", "finished_at"},
};

static const struct filter_row *find_row(const char *word, size_t length)
{
	for (size_t i = 0; i < ARRAY_SIZE(FILTERS); i++)
		if (strlen(FILTERS[i].name) == length &&
		    strncmp(FILTERS[i].name, word, length) == 0)
			return &FILTERS[i];
	return NULL;
}

/* --- values --- */

/* Asked here rather than by the service, so that what was meant is known at once. */
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

static void add_term(struct filters *filters, const char *param, char *value)
{
	filters->term =
		mem_grow(filters->term, (filters->count + 1) * sizeof(*filters->term));
	filters->term[filters->count++] =
		(struct filter_term){.param = param, .value = value};
}

static int add_words(struct filters *filters, const struct filter_row *row,
		     const char *value, struct err *err)
{
	for (;;) {
		const size_t length = strcspn(value, ",");
		AUTO_FREE char *word = mem_strndup(value, length);
		if (length == 0)
			return err_set(err, ERR_INVALID, "%s: wants a value", row->name);
		if (strcmp(row->name, "state") == 0 && check_state(word, err) < 0)
			return -1;
		add_term(filters, row->param, mem_strdup(word));
		if (value[length] == '\0')
			return 0;
		value += length + 1;
	}
}

static int add_text(struct filters *filters, const struct filter_row *row,
		    const char *value, struct err *err)
{
	if (value[0] == '\0')
		return err_set(err, ERR_INVALID, "%s: wants a value", row->name);
	if (strcmp(row->name, "label") == 0 && strchr(value, '=') == NULL)
		return err_set(err, ERR_INVALID, "label: wants NAME=VALUE, not \"%s\"",
			       value);
	add_term(filters, row->param, mem_strdup(value));
	return 0;
}

/* The beginning of a day here. */
static int parse_day(const char *text, int64_t *ret_at)
{
	struct tm day = {.tm_isdst = -1};
	const char *end = strptime(text, "%Y-%m-%d", &day);
	if (end == NULL || *end != '\0')
		return -1;
	day.tm_isdst = -1;
	*ret_at = (int64_t)mktime(&day) * US_PER_S;
	return 0;
}

/* So long ago, a day, or a moment. */
static int add_time(struct filters *filters, const struct filter_row *row,
		    const char *value, struct err *err)
{
	int64_t at;
	char text[CLOCK_TEXT_BYTES];
	for (size_t i = 0; i < filters->count; i++)
		if (strcmp(filters->term[i].param, row->param) == 0)
			return err_set(err, ERR_INVALID, "%s: stands there twice",
				       row->name);
	if (text_parse_duration_us(value, &at) == 0)
		at = clock_now_us() - at;
	else if (clock_parse(value, &at) < 0 && parse_day(value, &at) < 0)
		return err_set(
			err, ERR_INVALID,
			"%s: wants how long ago (90s, 5m, 2h, 1d), a day "
			"(2026-11-21) or a time (2026-11-21T06:00:00Z), not \"%s\"",
			row->name, value);
	clock_format(at, text);
	add_term(filters, row->param, mem_strdup(text));
	return 0;
}

static int set_sort(struct filters *filters, const char *value, struct err *err)
{
	for (size_t i = 0; i < ARRAY_SIZE(SORTS); i++) {
		if (strcmp(SORTS[i].word, value) == 0) {
			filters->sort = SORTS[i].sort;
			return 0;
		}
	}
	return err_set(err, ERR_INVALID,
		       "sort: wants submitted or finished (newest first), +submitted or "
		       "+finished (oldest first), not \"%s\"",
		       value);
}

static int set_limit(struct filters *filters, const char *value, struct err *err)
{
	filters->has_limit = true;
	if (text_parse_int(value, 1, LIMIT_MAX, &filters->limit) < 0)
		return err_set(err, ERR_INVALID,
			       "limit: wants a whole number from 1 to %d", LIMIT_MAX);
	return 0;
}

static int read_value(struct filters *filters, const struct filter_row *row,
		      const char *value, struct err *err)
{
	switch (row->kind) {
	case KIND_WORDS:
		return add_words(filters, row, value, err);
	case KIND_TEXT:
		return add_text(filters, row, value, err);
	case KIND_TIME:
		return add_time(filters, row, value, err);
	case KIND_SORT:
		return set_sort(filters, value, err);
	case KIND_LIMIT:
	default:
		return set_limit(filters, value, err);
	}
}

/* --- words --- */

static int unknown_filter(const char *word, struct err *err)
{
	const char *names[ARRAY_SIZE(FILTERS)];
	AUTO_BUF struct buf all = BUF_INIT(1024);
	AUTO_FREE char *name = mem_strndup(word, strcspn(word, ":"));
	for (size_t i = 0; i < ARRAY_SIZE(FILTERS); i++) {
		names[i] = FILTERS[i].name;
		buf_printf(&all, " %s:", names[i]);
	}
	const char *nearest = text_nearest(name, names, ARRAY_SIZE(names));
	return err_set(err, ERR_INVALID, "no filter \"%s\"; the filters are%s%s%s%s",
		       word, buf_text(&all), nearest != NULL ? " (did you mean " : "",
		       nearest != NULL ? nearest : "", nearest != NULL ? ":...?)" : "");
}

bool filter_is_word(const char *word)
{
	return strchr(word, ':') != NULL;
}

int filters_read(struct filters *ret, const struct cli *cli, struct err *err)
{
	*ret = (struct filters){.limit = args_number(&cli->args, "limit", LIMIT_DEFAULT),
				.has_limit = args_has(&cli->args, "limit")};
	for (size_t i = 0; i < cli->args.words; i++) {
		const char *word = cli->args.word[i];
		const size_t length = strcspn(word, ":");
		const struct filter_row *row = find_row(word, length);
		const int status = row == NULL || word[length] != ':'
					   ? unknown_filter(word, err)
					   : read_value(ret, row, word + length + 1, err);
		if (status < 0) {
			filters_release(ret);
			return -1;
		}
	}
	if (args_has(&cli->args, "all"))
		ret->limit = INT64_MAX;
	return 0;
}

void filters_release(struct filters *filters)
{
	for (size_t i = 0; i < filters->count; i++)
		free(filters->term[i].value);
	free(filters->term);
	*filters = (struct filters){0};
}

void filters_put_query(const struct filters *filters, struct buf *out)
{
	for (size_t i = 0; i < filters->count; i++) {
		AUTO_FREE char *encoded = url_encode(filters->term[i].value);
		buf_printf(out, "&%s=%s", filters->term[i].param, encoded);
	}
	if (filters->sort != NULL)
		buf_printf(out, "&sort=%s", filters->sort);
}

/* Values of one filter may stand apart: state:queued after:2h state:running. */
static void put_member(const struct filters *filters, size_t first,
		       struct json_writer *json)
{
	const char *param = filters->term[first].param;
	if (strstr(param, "created_") == param || strstr(param, "finished_") == param) {
		json_put_text(json, param, filters->term[first].value);
		return;
	}
	json_open(json, param, '[');
	for (size_t i = first; i < filters->count; i++)
		if (strcmp(filters->term[i].param, param) == 0)
			json_put_text(json, NULL, filters->term[i].value);
	json_close(json, ']');
}

void filters_put_json(const struct filters *filters, struct json_writer *json)
{
	for (size_t i = 0; i < filters->count; i++) {
		size_t before = 0;
		while (strcmp(filters->term[before].param, filters->term[i].param) != 0)
			before++;
		if (before == i)
			put_member(filters, i, json);
	}
}
