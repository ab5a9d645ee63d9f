/* json_locate.c - where a member stands in its file, so that a complaint about a setting
 * can say the line.
 *
 * It walks the text again instead of keeping positions in the tree: only a person who
 * made a mistake ever waits for it. The text has passed json_scan, so nothing is checked
 * twice. */
#include "common/json.h"
#include "common/json_lex.h"
#include "common/mem.h"
#include "common/text.h"

static void pass_string(struct json_lex *lex)
{
	(void)json_lex_string(lex, NULL);
}

/* Is `c` one of `set`? The end (-1) is none. */
static bool is_one_of(int c, const char *set)
{
	return c > 0 && strchr(set, c);
}

/* Passes one bracket, comma, colon, string, number or word. How far it opens: 1, 0, -1.
 */
static int pass_token(struct json_lex *lex)
{
	int c = json_lex_peek(lex);

	if (c == '"') {
		pass_string(lex);
		return 0;
	}
	do
		lex->at++;
	while (!is_one_of(c, "{}[],:") && json_lex_peek(lex) >= 0 &&
	       !is_one_of(json_lex_peek(lex), "{}[],: \t\r\n/"));
	return is_one_of(c, "{[") - is_one_of(c, "]}");
}

/* Passes a value of any kind: brackets are counted, strings hide theirs. */
static void pass_value(struct json_lex *lex)
{
	int open = 0;

	do {
		json_lex_blanks(lex);
		open += pass_token(lex);
	} while (open > 0);
}

/* Does the string at lex->at read `name` of `length` bytes? */
static bool key_is(const struct json_lex *lex, const char *name, size_t length)
{
	const char *key = lex->text + lex->at + 1;

	return lex->length - lex->at > length + 1 && memcmp(key, name, length) == 0 &&
	       key[length] == '"';
}

/* From the start of a key to the value. */
static void enter_member(struct json_lex *lex)
{
	pass_string(lex);
	json_lex_blanks(lex);
	(void)json_lex_take(lex, ':');
	json_lex_blanks(lex);
}

/* How much of `path` the child that is next answers to: all of it, or `part` bytes up to
 * the first dot, or 0. `index` is its place in an array, or -1 in an object. */
static size_t child_matches(const struct json_lex *lex, const char *path, size_t part,
			    int index)
{
	char number[16];

	if (index < 0 && key_is(lex, path, strlen(path)))
		return strlen(path); /* a key with a dot in it */
	if (index < 0)
		return key_is(lex, path, part) ? part : 0;
	(void)snprintf(number, sizeof(number), "%d", index);
	return strlen(number) == part && memcmp(number, path, part) == 0 ? part : 0;
}

/* Moves to the first child of the object or array that is next which `path` starts with:
 * lex->at is then its start, in an object that of the key. The bytes of the path that it
 * answers to, or 0. */
static size_t find_child(struct json_lex *lex, const char *path)
{
	size_t part = strcspn(path, "."), matches;
	int index = json_lex_take(lex, '{') ? -1 : 0;

	if (index == 0 && !json_lex_take(lex, '['))
		return 0;
	for (;;) {
		json_lex_blanks(lex);
		if (is_one_of(json_lex_peek(lex), "]}"))
			return 0;
		matches = child_matches(lex, path, part, index);
		if (matches)
			return matches;
		if (index < 0)
			enter_member(lex);
		else
			index++;
		pass_value(lex);
		json_lex_blanks(lex);
		(void)json_lex_take(lex, ',');
	}
}

int json_locate(const char *text, size_t length, const char *path, int *ret_line,
		int *ret_column)
{
	struct json_lex lex;
	int line = 1, column = 1;

	json_lex_init(&lex, text, length, true);
	json_lex_blanks(&lex);
	for (;;) {
		bool is_member = json_lex_peek(&lex) == '{';
		size_t matches = find_child(&lex, path);

		if (!matches)
			return -1;
		path += matches;
		if (!*path)
			break;
		path++;
		if (is_member)
			enter_member(&lex);
	}
	for (size_t i = 0; i < lex.at; i++) {
		column = text[i] == '\n' ? 1 : column + 1;
		line += text[i] == '\n';
	}
	*ret_line = line;
	*ret_column = column;
	return 0;
}
