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

/* Moves to member `name` of the object, or element `name` of the array, that is next:
 * lex->at is then its start, in an object that of the key. */
static bool find_child(struct json_lex *lex, const char *name, size_t length)
{
	bool is_object = json_lex_take(lex, '{');
	size_t index = 0;

	if (!is_object && !json_lex_take(lex, '['))
		return false;
	for (;; index++) {
		char number[24];

		json_lex_blanks(lex);
		if (is_one_of(json_lex_peek(lex), "]}"))
			return false;
		(void)snprintf(number, sizeof(number), "%zu", index);
		if (is_object ? key_is(lex, name, length)
			      : strlen(number) == length &&
					memcmp(number, name, length) == 0)
			return true;
		if (is_object) {
			pass_string(lex);
			json_lex_blanks(lex);
			(void)json_lex_take(lex, ':');
		}
		pass_value(lex);
		json_lex_blanks(lex);
		(void)json_lex_take(lex, ',');
	}
}

/* From the start of a member to its value. */
static void enter_child(struct json_lex *lex, bool is_member)
{
	if (!is_member)
		return;
	pass_string(lex);
	json_lex_blanks(lex);
	(void)json_lex_take(lex, ':');
	json_lex_blanks(lex);
}

int json_locate(const char *text, size_t length, const char *path, int *ret_line,
		int *ret_column)
{
	struct json_lex lex;
	int line = 1, column = 1;

	json_lex_init(&lex, text, length, true);
	json_lex_blanks(&lex);
	for (;;) {
		size_t part = strcspn(path, ".");
		bool is_member = json_lex_peek(&lex) == '{';

		if (!find_child(&lex, path, part))
			return -1;
		if (!path[part])
			break;
		path += part + 1;
		enter_child(&lex, is_member);
	}
	for (size_t i = 0; i < lex.at; i++) {
		column = text[i] == '\n' ? 1 : column + 1;
		line += text[i] == '\n';
	}
	*ret_line = line;
	*ret_column = column;
	return 0;
}
