/* config_env.c - settings from the environment: REEVE_LIMITS_BODY_BYTES=1048576. */
#include <unistd.h>

#include "common/config_rows.h"
#include "common/json.h"
#include "common/mem.h"
#include "common/text.h"

#define VARIABLE_BYTES 64

/* Variables that are no settings: the client's, and what a job finds in its environment
 * (so that a job may call `reeve`). */
static const char *const OTHER_VARIABLES[] = {
	"REEVE_CONFIG",	 "REEVE_SERVER", "REEVE_TOKEN_FILE", "REEVE_JOB_ID",
	"REEVE_ATTEMPT", "REEVE_QUEUE",	 "REEVE_DEADLINE",
};

/* "a:b" as a list; "" as an empty one. */
static cJSON *colon_list(const char *text)
{
	cJSON *list = cJSON_CreateArray();

	while (*text) {
		size_t length = strcspn(text, ":");
		AUTO_FREE char *word = mem_strndup(text, length);

		cJSON_AddItemToArray(list, cJSON_CreateString(word));
		text += length + (text[length] == ':');
	}
	return list;
}

/* What an environment variable says, as JSON; NULL with a fault. */
static cJSON *variable_value(struct config_reader *reader, const struct setting *row,
			     const char *text)
{
	struct err err = ERR_INIT;
	cJSON *value = NULL;

	if (!text_is_utf8(text, strlen(text), NULL))
		config_fault(reader, row->name, "expected UTF-8");
	else if (row->kind->is_text)
		value = cJSON_CreateString(text);
	else if (row->kind->is_colon_list && text[0] != '[')
		value = colon_list(text);
	else if (json_parse(text, strlen(text), NULL, &value, &err))
		config_fault(reader, row->name, "expected %s in JSON: %s",
			     row->kind->word, err.text);
	return value;
}

static void unknown_variable(struct config_reader *reader, const char *name)
{
	static const size_t others = ARRAY_SIZE(OTHER_VARIABLES);
	char text[SETTINGS_MAX][VARIABLE_BYTES];
	const char *names[SETTINGS_MAX];

	for (size_t i = 0; i < others; i++)
		if (text_equal(name, OTHER_VARIABLES[i]))
			return;
	for (size_t i = 0; i < SETTINGS_COUNT; i++) {
		setting_variable(&SETTINGS[i], text[i], VARIABLE_BYTES);
		names[i] = text[i];
	}
	config_fault_unknown(reader, name, name, names, SETTINGS_COUNT);
}

/* One "NAME=value" whose name starts with REEVE_. */
static void read_variable(struct config_reader *reader, const char *entry)
{
	size_t length = strcspn(entry, "=");
	AUTO_FREE char *name = mem_strndup(entry, length);
	const char *text = entry[length] ? entry + length + 1 : "";

	reader->variable = name;
	for (size_t i = 0; i < SETTINGS_COUNT; i++) {
		char variable[VARIABLE_BYTES];
		cJSON *value;

		setting_variable(&SETTINGS[i], variable, sizeof(variable));
		if (!text_equal(variable, name))
			continue;
		value = variable_value(reader, &SETTINGS[i], text);
		if (value)
			setting_read(reader, &SETTINGS[i], value);
		cJSON_Delete(value);
		reader->variable = NULL;
		return;
	}
	unknown_variable(reader, name);
	reader->variable = NULL;
}

void config_read_environment(struct config_reader *reader)
{
	for (char **entry = environ; entry && *entry; entry++)
		if (text_has_prefix(*entry, "REEVE_"))
			read_variable(reader, *entry);
}
