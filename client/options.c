/* options.c - the one parser of command lines. Not getopt_long(3): that one permutes
 * behind our back, accepts abbreviations that break when a row is added, and cannot say
 * which option was meant. */
#include "client/options.h"

#include <stdlib.h>
#include <string.h>

#define NAMES_MAX 64

/* By name (with its length, since "--name=value" is one word), or by letter when that is
 * not 0. */
static const struct option_row *find_row(const struct option_rows *sets, size_t set_count,
					 const char *name, size_t length, char letter)
{
	for (size_t s = 0; s < set_count; s++) {
		for (size_t i = 0; i < sets[s].count; i++) {
			const struct option_row *row = &sets[s].row[i];
			if (letter != 0 && row->letter == letter)
				return row;
			if (letter == 0 && strlen(row->name) == length &&
			    memcmp(row->name, name, length) == 0)
				return row;
		}
	}
	return NULL;
}

static int unknown_option(const struct option_rows *sets, size_t set_count,
			  const char *name, struct err *err)
{
	const char *names[NAMES_MAX];
	size_t count = 0;
	for (size_t s = 0; s < set_count; s++)
		for (size_t i = 0; i < sets[s].count && count < NAMES_MAX; i++)
			names[count++] = sets[s].row[i].name;
	const char *nearest = text_nearest(name, names, count);
	if (nearest != NULL)
		return err_set(err, ERR_INVALID,
			       "unknown option --%s; did you mean --%s?", name, nearest);
	return err_set(err, ERR_INVALID, "unknown option --%s", name);
}

/* Is `text` one of the words in "a|b|c"? */
static bool is_one_of(const char *words, const char *text)
{
	const size_t length = strlen(text);
	for (const char *at = words; at != NULL; at = strchr(at, '|')) {
		at += *at == '|';
		const size_t span = strcspn(at, "|");
		if (span == length && memcmp(at, text, length) == 0)
			return true;
	}
	return false;
}

/* A wrong value is found before anything is sent. */
static int check_value(const struct option_row *row, const char *text,
		       int64_t *ret_number, struct err *err)
{
	switch (row->kind) {
	case OPTION_PAIR:
		if (strchr(text, '=') == NULL || text[0] == '=')
			return err_set(err, ERR_INVALID, "--%s wants %s, not \"%s\"",
				       row->name, row->value, text);
		return 0;
	case OPTION_INT:
		if (text_parse_int(text, row->min, row->max, ret_number) < 0)
			return err_set(err, ERR_INVALID,
				       "--%s wants a whole number from %lld to %lld, not "
				       "\"%s\"",
				       row->name, (long long)row->min,
				       (long long)row->max, text);
		return 0;
	case OPTION_DURATION:
		if (text_parse_duration_us(text, ret_number) < 0)
			return err_set(err, ERR_INVALID,
				       "--%s wants a duration such as 30s, 5m or 2h, not "
				       "\"%s\"",
				       row->name, text);
		return 0;
	case OPTION_WORD:
		if (!is_one_of(row->value, text))
			return err_set(err, ERR_INVALID, "--%s is one of %s, not \"%s\"",
				       row->name, row->value, text);
		return 0;
	case OPTION_FLAG:
	case OPTION_TEXT:
		break;
	}
	return 0;
}

/* Everything that is given is kept in its order; looking up takes the last. */
static int store(struct args *args, const struct option_row *row, const char *text,
		 struct err *err)
{
	struct given given = {.name = row->same_as != NULL ? row->same_as : row->name,
			      .text = text};
	if (text != NULL && check_value(row, text, &given.number, err) < 0)
		return -1;
	args->given = mem_grow(args->given, (args->count + 1) * sizeof(*args->given));
	args->given[args->count++] = given;
	return 0;
}

static void add_word(struct args *args, char *word)
{
	args->word = mem_grow(args->word, (args->words + 2) * sizeof(*args->word));
	args->word[args->words++] = word;
	args->word[args->words] = NULL;
}

/* The state of one walk over argv. */
struct walk {
	const struct option_rows *sets;
	size_t set_count;
	int argc, at;
	char **argv;
	struct args *args;
};

/* The value behind an option: the rest of its own word, or the next word. */
static const char *value_of(struct walk *walk, const char *rest)
{
	if (rest != NULL)
		return rest;
	if (walk->at + 1 < walk->argc)
		return walk->argv[++walk->at];
	return NULL;
}

static int read_long(struct walk *walk, const char *word, struct err *err)
{
	const char *name = word + 2;
	const size_t length = strcspn(name, "=");
	const char *rest = name[length] == '=' ? name + length + 1 : NULL;
	const struct option_row *row =
		find_row(walk->sets, walk->set_count, name, length, 0);
	if (row == NULL) {
		AUTO_FREE char *bare = mem_strndup(name, length);
		return unknown_option(walk->sets, walk->set_count, bare, err);
	}
	if (row->kind == OPTION_FLAG) {
		if (rest != NULL)
			return err_set(err, ERR_INVALID, "--%s takes no value",
				       row->name);
		return store(walk->args, row, NULL, err);
	}
	const char *value = value_of(walk, rest);
	if (value == NULL)
		return err_set(err, ERR_INVALID, "--%s wants %s behind it", row->name,
			       row->value);
	return store(walk->args, row, value, err);
}

/* "-f", "-fn5", "-n 5": letters until one takes a value. */
static int read_letters(struct walk *walk, const char *word, struct err *err)
{
	for (const char *at = word + 1; *at != '\0'; at++) {
		const struct option_row *row =
			find_row(walk->sets, walk->set_count, "", 0, *at);
		if (row == NULL)
			return err_set(err, ERR_INVALID, "unknown option -%c", *at);
		if (row->kind == OPTION_FLAG) {
			if (store(walk->args, row, NULL, err) < 0)
				return -1;
			continue;
		}
		const char *value = value_of(walk, at[1] != '\0' ? at + 1 : NULL);
		if (value == NULL)
			return err_set(err, ERR_INVALID, "-%c wants %s behind it", *at,
				       row->value);
		return store(walk->args, row, value, err);
	}
	return 0;
}

int options_parse(const struct option_rows *sets, size_t set_count, bool stops_at_word,
		  int argc, char **argv, struct args *ret, struct err *err)
{
	struct walk walk = {.sets = sets,
			    .set_count = set_count,
			    .argc = argc,
			    .argv = argv,
			    .args = ret};
	bool takes_options = true;
	for (; walk.at < argc; walk.at++) {
		char *word = argv[walk.at];
		if (takes_options && strcmp(word, "--") == 0) {
			takes_options = false;
			continue;
		}
		if (!takes_options || word[0] != '-' || word[1] == '\0') {
			add_word(ret, word);
			takes_options = takes_options && !stops_at_word;
			continue;
		}
		const int status = word[1] == '-' ? read_long(&walk, word, err)
						  : read_letters(&walk, word, err);
		if (status < 0)
			return -1;
	}
	return 0;
}

void args_release(struct args *args)
{
	free(args->given);
	free(args->word);
	*args = (struct args){0};
}

static const struct given *last_given(const struct args *args, const char *name)
{
	for (size_t i = args->count; i > 0; i--)
		if (strcmp(args->given[i - 1].name, name) == 0)
			return &args->given[i - 1];
	return NULL;
}

bool args_has(const struct args *args, const char *name)
{
	return last_given(args, name) != NULL;
}

const char *args_text(const struct args *args, const char *name)
{
	const struct given *given = last_given(args, name);
	return given != NULL ? given->text : NULL;
}

int64_t args_number(const struct args *args, const char *name, int64_t fallback)
{
	const struct given *given = last_given(args, name);
	return given != NULL ? given->number : fallback;
}
