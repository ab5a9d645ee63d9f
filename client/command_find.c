/* command_find.c - from the words of a command line to a row of the table of commands. */
#include "client/cli.h"

#include <string.h>

static const struct command *find_exact(const char *name)
{
	for (size_t i = 0; i < COMMANDS.count; i++)
		if (strcmp(COMMANDS.row[i].name, name) == 0)
			return &COMMANDS.row[i];
	return NULL;
}

bool command_is_in_group(const struct command *command, const char *word)
{
	const size_t length = strlen(word);
	return strncmp(command->name, word, length) == 0 && command->name[length] == ' ';
}

bool command_is_group(const char *word)
{
	for (size_t i = 0; i < COMMANDS.count; i++)
		if (command_is_in_group(&COMMANDS.row[i], word))
			return true;
	return false;
}

/* Searched over whole names, so that "db verfy" finds "db verify". */
static int unknown_command(const char *name, struct err *err)
{
	const char *names[64];
	size_t count = 0;
	for (size_t i = 0; i < COMMANDS.count && count < ARRAY_SIZE(names); i++)
		names[count++] = COMMANDS.row[i].name;
	const char *nearest = text_nearest(name, names, count);
	if (nearest != NULL)
		return err_set(err, ERR_INVALID, "no command \"%s\"; did you mean %s?",
			       name, nearest);
	return err_set(err, ERR_INVALID, "no command \"%s\"", name);
}

static int lone_group(const char *word, struct err *err)
{
	AUTO_BUF struct buf list = BUF_INIT(1024);
	for (size_t i = 0; i < COMMANDS.count; i++)
		if (command_is_in_group(&COMMANDS.row[i], word))
			buf_printf(&list, "%s %s", list.length > 0 ? "," : "",
				   COMMANDS.row[i].name + strlen(word) + 1);
	return err_set(err, ERR_INVALID, "%s wants one of:%s", word, buf_text(&list));
}

const struct command *command_find(char *const *word, size_t words, size_t *ret_words,
				   struct err *err)
{
	const bool is_pair = command_is_group(word[0]);
	if (is_pair && words < 2) {
		(void)lone_group(word[0], err);
		return NULL;
	}
	AUTO_FREE char *name =
		is_pair ? mem_printf("%s %s", word[0], word[1]) : mem_strdup(word[0]);
	const struct command *command = find_exact(name);
	if (command == NULL)
		(void)unknown_command(name, err);
	*ret_words = is_pair ? 2 : 1;
	return command;
}
