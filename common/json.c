/* json.c - what JSON is for Reeve, and the tree that cJSON makes of it.
 *
 * The scanner walks the text once and allocates nothing: recursion is bounded by
 * JSON_DEPTH_MAX, and the keys seen so far live in a small hash table on the stack. */
#include "common/json.h"

#include "common/json_lex.h"
#include "common/mem.h"

#define ELEMENTS_MAX 100000
#define KEYS_MAX 4000 /* members of all objects that are open at one moment */
#define BUCKETS 1024

/* The keys of the objects that are open. Objects close in the reverse order in which they
 * open, so an entry is always the head of its chain when it leaves: no search, no holes.
 * Entries count from 1; 0 ends a chain. */
struct keys {
	uint16_t head[BUCKETS];
	uint16_t count;
	struct key {
		uint32_t at; /* of the opening quote */
		uint16_t bucket;
		uint16_t next;
	} item[KEYS_MAX + 1];
};

struct scan {
	struct json_lex lex;
	struct keys *keys;
	uint64_t seed;
	size_t max_members;
	size_t max_elements;
	size_t max_values, values;
};

static int scan_value(struct scan *scan, int depth);

/* Adds the key at `at` unless an entry after `first` is the same one. */
static int key_add(struct scan *scan, uint16_t first, size_t at, uint64_t hash)
{
	struct keys *keys = scan->keys;
	uint16_t bucket = (uint16_t)(hash % BUCKETS);

	for (uint16_t i = keys->head[bucket]; i > first; i = keys->item[i].next)
		if (json_lex_same(&scan->lex, keys->item[i].at, at))
			return json_lex_fail(&scan->lex, at, "a key that is there twice");
	if (keys->count >= KEYS_MAX)
		return json_lex_fail(&scan->lex, at, "too many members");
	keys->item[++keys->count] = (struct key){
		.at = (uint32_t)at, .bucket = bucket, .next = keys->head[bucket]};
	keys->head[bucket] = keys->count;
	return 0;
}

/* Forgets the entries after `first`. */
static void keys_cut(struct keys *keys, uint16_t first)
{
	for (; keys->count > first; keys->count--)
		keys->head[keys->item[keys->count].bucket] = keys->item[keys->count].next;
}

/* A key, its colon and its value. */
static int scan_member(struct scan *scan, uint16_t first, int depth)
{
	struct json_lex *lex = &scan->lex;
	size_t at = lex->at;
	uint64_t hash = scan->seed;

	if (json_lex_peek(lex) != '"')
		return json_lex_expected(lex, "a key in double quotes");
	if (json_lex_string(lex, &hash) || key_add(scan, first, at, hash))
		return -1;
	json_lex_blanks(lex);
	if (!json_lex_take(lex, ':'))
		return json_lex_expected(lex, "':'");
	return scan_value(scan, depth);
}

static int scan_object(struct scan *scan, int depth)
{
	struct json_lex *lex = &scan->lex;
	uint16_t first = scan->keys->count;
	size_t members = 0;

	lex->at++;
	json_lex_blanks(lex);
	if (json_lex_take(lex, '}'))
		return 0;
	do {
		json_lex_blanks(lex);
		if (++members > scan->max_members)
			return json_lex_fail(lex, lex->at,
					     "an object of more than %zu members",
					     scan->max_members);
		if (scan_member(scan, first, depth))
			return -1;
		json_lex_blanks(lex);
	} while (json_lex_take(lex, ','));
	keys_cut(scan->keys, first);
	return json_lex_take(lex, '}') ? 0 : json_lex_expected(lex, "',' or '}'");
}

static int scan_array(struct scan *scan, int depth)
{
	struct json_lex *lex = &scan->lex;
	size_t elements = 0;

	lex->at++;
	json_lex_blanks(lex);
	if (json_lex_take(lex, ']'))
		return 0;
	do {
		if (++elements > scan->max_elements)
			return json_lex_fail(lex, lex->at,
					     "an array of more than %zu elements",
					     scan->max_elements);
		if (scan_value(scan, depth))
			return -1;
		json_lex_blanks(lex);
	} while (json_lex_take(lex, ','));
	return json_lex_take(lex, ']') ? 0 : json_lex_expected(lex, "',' or ']'");
}

static int scan_literal(struct json_lex *lex)
{
	static const char *const words[] = {"true", "false", "null"};

	for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
		size_t length = strlen(words[i]);

		if (lex->length - lex->at >= length &&
		    memcmp(lex->text + lex->at, words[i], length) == 0) {
			lex->at += length;
			return 0;
		}
	}
	return json_lex_expected(lex, "a value");
}

/* A value at nesting `depth`, blanks before it included. */
static int scan_value(struct scan *scan, int depth)
{
	struct json_lex *lex = &scan->lex;
	int c;

	json_lex_blanks(lex);
	if (++scan->values > scan->max_values)
		return json_lex_fail(lex, lex->at, "more than %zu values",
				     scan->max_values);
	c = json_lex_peek(lex);
	if ((c == '{' || c == '[') && depth >= JSON_DEPTH_MAX)
		return json_lex_fail(lex, lex->at, "nested deeper than %d",
				     JSON_DEPTH_MAX);
	if (c == '{')
		return scan_object(scan, depth + 1);
	if (c == '[')
		return scan_array(scan, depth + 1);
	if (c == '"')
		return json_lex_string(lex, NULL);
	if (c == '-' || (c >= '0' && c <= '9'))
		return json_lex_number(lex);
	return scan_literal(lex);
}

static int scan_document(struct scan *scan)
{
	if (scan->lex.length > UINT32_MAX)
		return json_lex_fail(&scan->lex, 0, "longer than 4 GiB");
	if (scan_value(scan, 0))
		return -1;
	json_lex_blanks(&scan->lex);
	if (scan->lex.at < scan->lex.length)
		return json_lex_expected(&scan->lex, "the end");
	return 0;
}

/* Puts the fault into words: where, by line and byte, and what. */
static int scan_error(const struct json_lex *lex, struct err *err)
{
	size_t line = 1, column = 1;

	for (size_t i = 0; i < lex->fault_at; i++) {
		column++;
		if (lex->text[i] == '\n') {
			line++;
			column = 1;
		}
	}
	return err_set(err, ERR_BAD_REQUEST, "line %zu, column %zu: %s", line, column,
		       lex->fault);
}

int json_scan(const char *text, size_t length, const struct json_rules *rules,
	      struct err *err)
{
	static const struct json_rules strict;
	/* 34 KiB that need no value before they are used: only `head` and `count` do. */
	__attribute__((uninitialized)) struct keys keys;
	struct scan scan = {.keys = &keys};

	if (!rules)
		rules = &strict;
	memset(keys.head, 0, sizeof(keys.head));
	keys.count = 0;
	json_lex_init(&scan.lex, text, length, rules->allow_comments);
	/* Nobody outside knows where the stack lies, so nobody can choose keys that all
	 * fall into one bucket. */
	scan.seed = (uint64_t)(uintptr_t)&keys * UINT64_C(0xff51afd7ed558ccd);
	scan.max_members = rules->max_members ? rules->max_members : JSON_MEMBERS_MAX;
	scan.max_elements = rules->max_elements ? rules->max_elements : ELEMENTS_MAX;
	scan.max_values = rules->max_values ? rules->max_values : SIZE_MAX;
	return scan_document(&scan) ? scan_error(&scan.lex, err) : 0;
}

/* A copy of accepted text in which comments are blanks, for cJSON. */
static char *comments_blanked(const char *text, size_t length)
{
	char *copy = mem_strndup(text, length);
	bool in_string = false;

	for (size_t i = 0; i < length; i++) {
		if (in_string && copy[i] == '\\')
			i++;
		else if (copy[i] == '"')
			in_string = !in_string;
		else if (!in_string && copy[i] == '/')
			for (; i < length && copy[i] != '\n'; i++)
				copy[i] = ' ';
	}
	return copy;
}

int json_parse(const char *text, size_t length, const struct json_rules *rules,
	       cJSON **ret, struct err *err)
{
	AUTO_FREE char *copy = NULL;
	cJSON *tree;

	if (json_scan(text, length, rules, err))
		return -1;
	if (rules && rules->allow_comments)
		copy = comments_blanked(text, length);
	tree = cJSON_ParseWithLength(copy ? copy : text, length);
	if (!tree)
		return err_set(err, ERR_INTERNAL, "cJSON refuses what the scanner takes");
	*ret = tree;
	return 0;
}

const cJSON *json_get(const cJSON *object, const char *key)
{
	const cJSON *member = cJSON_GetObjectItemCaseSensitive(object, key);

	return cJSON_IsNull(member) ? NULL : member;
}
