/* config_values.c - the kinds of settings: how a JSON value becomes a field.
 *
 * A value that is wrong leaves the field as it was and adds a fault, so that one run
 * reports every mistake. */
#include <math.h>

#include "common/clock.h"
#include "common/config_rows.h"
#include "common/json.h"
#include "common/mem.h"
#include "common/text.h"

/* --- numbers --- */

static void read_number(struct config_reader *reader, const struct setting *row,
			const char *path, const cJSON *value, void *field)
{
	const struct setting_kind *kind = row->kind;
	double number = cJSON_IsNumber(value) ? value->valuedouble : NAN;

	if (isnan(number))
		config_fault(reader, path, "expected a number");
	else if (number < (double)row->min || number > (double)row->max)
		config_fault(reader, path, "too %s: expected %lld to %lld%s",
			     number < (double)row->min ? "small" : "large",
			     (long long)row->min, (long long)row->max, kind->unit);
	else if (kind->is_whole && number > (double)(int64_t)number)
		config_fault(reader, path, "expected a whole number");
	else /* no limit is below 0, so this rounds to the nearest */
		*(int64_t *)field = (int64_t)(number * (double)kind->scale + 0.5);
}

static void release_number(void *field)
{
	(void)field;
}

/* --- texts --- */

/* A copy of the text that `value` is, or NULL with a fault. */
static char *text_of(struct config_reader *reader, const struct setting *row,
		     const char *path, const cJSON *value)
{
	const char *text = cJSON_GetStringValue(value), *wrong = NULL;

	if (!text)
		wrong = "expected a string";
	else if (!text[0])
		wrong = "expected something, found an empty string";
	else if (text_has_control(text, strlen(text)))
		wrong = "control characters are not allowed";
	else if (row->check)
		wrong = row->check(text);
	if (!wrong)
		return mem_strdup(text);
	config_fault(reader, path, "%s", wrong);
	return NULL;
}

static void read_text(struct config_reader *reader, const struct setting *row,
		      const char *path, const cJSON *value, void *field)
{
	char **target = field, *copy = text_of(reader, row, path, value);

	if (copy) {
		free(*target);
		*target = copy;
	}
}

static void release_text(void *field)
{
	char **target = field;

	free(*target);
	*target = NULL;
}

/* --- lists --- */

/* Starts a list: room for its elements, or NULL with a fault when it is none. */
static void *list_start(struct config_reader *reader, const char *path,
			const cJSON *value, size_t bytes)
{
	if (!cJSON_IsArray(value)) {
		config_fault(reader, path, "expected a list");
		return NULL;
	}
	return mem_array((size_t)cJSON_GetArraySize(value) + 1, bytes);
}

static void release_words(void *field)
{
	struct words *words = field;

	for (size_t i = 0; i < words->count; i++)
		free(words->item[i]);
	free(words->item);
	*words = (struct words){0};
}

static void read_words(struct config_reader *reader, const struct setting *row,
		       const char *path, const cJSON *value, void *field)
{
	struct words words = {.item = list_start(reader, path, value, sizeof(char *))};
	const cJSON *element;
	int index = 0;

	if (!words.item)
		return;
	cJSON_ArrayForEach(element, value)
	{
		AUTO_FREE char *here = mem_printf("%s.%d", path, index++);
		char *copy = text_of(reader, row, here, element);

		if (copy)
			words.item[words.count++] = copy;
	}
	release_words(field);
	*(struct words *)field = words;
}

/* Complains about the keys of `object` that are not in `names`. */
static void check_keys(struct config_reader *reader, const char *path,
		       const cJSON *object, const char *const *names, size_t count)
{
	const cJSON *member;

	cJSON_ArrayForEach(member, object)
	{
		AUTO_FREE char *here = mem_printf("%s.%s", path, member->string);
		size_t i = 0;

		while (i < count && !text_equal(member->string, names[i]))
			i++;
		if (i == count)
			config_fault_unknown(reader, here, member->string, names, count);
	}
}

/* An element is a string, or an object whose member `key` is that string. NULL with a
 * fault when it is neither. */
static const char *element_text(struct config_reader *reader, const char *path,
				const cJSON *element, const char *key)
{
	const cJSON *text = cJSON_IsObject(element) ? json_get(element, key) : element;

	if (cJSON_IsString(text) && text->valuestring[0] &&
	    !text_has_control(text->valuestring, strlen(text->valuestring)))
		return text->valuestring;
	config_fault(reader, path, "expected a string, or an object with a string \"%s\"",
		     key);
	return NULL;
}

/* --- directories with programs --- */

static void release_roots(void *field)
{
	struct exec_roots *roots = field;

	for (size_t i = 0; i < roots->count; i++)
		free(roots->item[i].path);
	free(roots->item);
	*roots = (struct exec_roots){0};
}

/* NULL, or what is wrong with a root's path. */
static const char *check_root(const char *path)
{
	size_t length = strlen(path);

	if (path[0] != '/')
		return "expected an absolute path";
	if (strspn(path, "/") == length)
		return "/ would allow every program there is: name the directories";
	if (strstr(path, "/../") || (length > 2 && !strcmp(path + length - 3, "/..")))
		return "\"..\" is not allowed";
	return NULL;
}

static void read_root(struct config_reader *reader, const char *path,
		      const cJSON *element, struct exec_roots *roots)
{
	static const char *const keys[] = {"path", "follow_links"};
	const char *text = element_text(reader, path, element, "path");
	const char *wrong = text ? check_root(text) : NULL;
	const cJSON *follow = cJSON_IsObject(element) ? json_get(element, keys[1]) : NULL;
	size_t length = text ? strlen(text) : 0;

	if (cJSON_IsObject(element))
		check_keys(reader, path, element, keys, ARRAY_SIZE(keys));
	if (follow && !cJSON_IsBool(follow))
		config_fault(reader, path, "follow_links: expected true or false");
	if (wrong)
		config_fault(reader, path, "%s", wrong);
	if (!text || wrong)
		return;
	while (length > 1 && text[length - 1] == '/')
		length--;
	roots->item[roots->count++] =
		(struct exec_root){.path = mem_strndup(text, length),
				   .follow_links = !follow || cJSON_IsTrue(follow)};
}

static void read_roots(struct config_reader *reader, const struct setting *row,
		       const char *path, const cJSON *value, void *field)
{
	struct exec_roots roots = {
		.item = list_start(reader, path, value, sizeof(struct exec_root))};
	const cJSON *element;
	int index = 0;

	(void)row;
	if (!roots.item)
		return;
	cJSON_ArrayForEach(element, value)
	{
		AUTO_FREE char *here = mem_printf("%s.%d", path, index++);

		read_root(reader, here, element, &roots);
	}
	release_roots(field);
	*(struct exec_roots *)field = roots;
}

/* --- listeners --- */

static void release_listeners(void *field)
{
	struct listeners *listeners = field;

	for (size_t i = 0; i < listeners->count; i++) {
		free(listeners->item[i].address);
		free(listeners->item[i].host);
	}
	free(listeners->item);
	*listeners = (struct listeners){0};
}

/* "0660" -> 0660. 0 or -1. */
static int parse_mode(const cJSON *value, unsigned *ret)
{
	const char *text = cJSON_GetStringValue(value);
	size_t length = text ? strspn(text, "01234567") : 0;

	if (!length || text[length] || length > 4 || strtoul(text, NULL, 8) > 0777)
		return -1;
	*ret = (unsigned)strtoul(text, NULL, 8);
	return 0;
}

static void read_listener(struct config_reader *reader, const char *path,
			  const cJSON *element, struct listeners *listeners)
{
	static const char *const keys[] = {"address", "mode"};
	struct listener *listener = &listeners->item[listeners->count];
	const char *text = element_text(reader, path, element, "address");
	const cJSON *mode = cJSON_IsObject(element) ? json_get(element, "mode") : NULL;
	struct err err = ERR_INIT;

	if (cJSON_IsObject(element))
		check_keys(reader, path, element, keys, ARRAY_SIZE(keys));
	if (!text)
		return;
	if (listener_parse(text, listener, &err)) {
		config_fault(reader, path, "%s", err.text);
		return;
	}
	listeners->count++;
	if (mode && !listener->is_unix)
		config_fault(reader, path, "mode: only a Unix socket has one");
	else if (mode && parse_mode(mode, &listener->mode))
		config_fault(reader, path,
			     "mode: expected a string of octal digits such as \"0660\"");
	for (size_t i = 0; i + 1 < listeners->count; i++)
		if (text_equal(listeners->item[i].address, text) &&
		    (listener->is_unix || listener->port))
			config_fault(reader, path, "%s is there twice", text);
}

static void read_listeners(struct config_reader *reader, const struct setting *row,
			   const char *path, const cJSON *value, void *field)
{
	struct listeners listeners = {
		.item = list_start(reader, path, value, sizeof(struct listener))};
	const cJSON *element;
	int index = 0;

	(void)row;
	if (!listeners.item)
		return;
	cJSON_ArrayForEach(element, value)
	{
		AUTO_FREE char *here = mem_printf("%s.%d", path, index++);

		read_listener(reader, here, element, &listeners);
	}
	if (index == 0)
		config_fault(reader, path, "expected at least one listener");
	release_listeners(field);
	*(struct listeners *)field = listeners;
}

/* --- lists that somebody else reads --- */

static void release_source(void *field)
{
	struct json_source *source = field;

	free(source->name);
	free(source->text);
	*source = (struct json_source){0};
}

/* Keeps the text in which it stands, for whoever knows what it means; he can then say
 * line and column too. */
static void read_source(struct config_reader *reader, const struct setting *row,
			const char *path, const cJSON *value, void *field)
{
	struct json_source source = {.is_file = reader->file != NULL};

	if (!cJSON_IsArray(value)) {
		config_fault(reader, path, "expected a list");
		return;
	}
	if (reader->file) {
		source.name = mem_strdup(reader->file);
		source.text = mem_strndup(reader->text, reader->length);
	} else if (reader->variable) {
		AUTO_FREE char *text = cJSON_PrintUnformatted(value);

		source.name = mem_strdup(reader->variable);
		source.text = mem_printf("{\"%s\":%s}", row->name, text);
	}
	source.length = source.text ? strlen(source.text) : 0;
	release_source(field);
	*(struct json_source *)field = source;
}

/* clang-format off */
const struct setting_kind KIND_INTEGER = {.word = "integer", .unit = "", .is_number = true, .is_whole = true,
	.scale = 1, .read = read_number, .release = release_number,
	.is_same = number_is_same, .copy = number_copy};
const struct setting_kind KIND_BYTES = {.word = "bytes", .unit = " bytes", .is_number = true, .is_whole = true,
	.scale = 1, .read = read_number, .release = release_number,
	.is_same = number_is_same, .copy = number_copy};
const struct setting_kind KIND_DURATION = {.word = "seconds", .unit = " seconds", .is_number = true,
	.scale = US_PER_S, .read = read_number, .release = release_number,
	.is_same = number_is_same, .copy = number_copy};
const struct setting_kind KIND_TEXT = {.word = "string", .is_text = true,
	.read = read_text, .release = release_text, .is_same = text_is_same, .copy = text_copy};
const struct setting_kind KIND_WORDS = {.word = "list of strings", .is_colon_list = true,
	.read = read_words, .release = release_words};
const struct setting_kind KIND_HOSTS = {.word = "list of HOST:PORT",
	.read = read_words, .release = release_words};
const struct setting_kind KIND_LISTENERS = {.word = "list of {\"address\", \"mode\"}",
	.read = read_listeners, .release = release_listeners,
	.is_same = listeners_is_same, .copy = listeners_copy};
const struct setting_kind KIND_ROOTS = {.word = "list of strings or {\"path\", \"follow_links\"}",
	.is_colon_list = true, .read = read_roots, .release = release_roots};
const struct setting_kind KIND_SOURCE = {.word = "list of tasks", .read = read_source, .release = release_source};
/* clang-format on */
