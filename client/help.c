/* help.c - help, the reference of docs/cli.md and the completion, all printed from the
 * table of commands. */
#include <string.h>

#include "client/cli.h"

#define EXAMPLE_COLUMNS 52

/* "command<TAB>comment"; the comment is set off so that the line can be pasted. */
static void print_example(FILE *out, const char *example, const char *indent)
{
	const size_t length = strcspn(example, "\t");
	if (example[length] == '\0')
		fprintf(out, "%s%s\n", indent, example);
	else
		fprintf(out, "%s%-*.*s  # %s\n", indent, EXAMPLE_COLUMNS, (int)length,
			example, example + length + 1);
}

static void print_examples(FILE *out, const struct command *command, const char *indent)
{
	for (size_t i = 0; command->examples[i] != NULL; i++)
		print_example(out, command->examples[i], indent);
}

static void print_usage(FILE *out, const struct command *command)
{
	fprintf(out, "reeve %s%s%s\n", command->name,
		command->synopsis[0] != '\0' ? " " : "", command->synopsis);
}

static void option_head(const struct option_row *row, char *ret, size_t bytes)
{
	char letter[8] = "    ";
	if (row->letter != 0)
		snprintf(letter, sizeof(letter), "-%c, ", row->letter);
	snprintf(ret, bytes, "%s--%s%s%s", letter, row->name,
		 row->value != NULL ? " " : "", row->value != NULL ? row->value : "");
}

static void print_options(FILE *out, const struct option_rows *rows)
{
	char head[96];
	for (size_t i = 0; i < rows->count; i++) {
		option_head(&rows->row[i], head, sizeof(head));
		if (strlen(head) > 30)
			fprintf(out, "  %s\n  %-30s  %s\n", head, "", rows->row[i].help);
		else
			fprintf(out, "  %-30s  %s\n", head, rows->row[i].help);
	}
}

/* Examples first: most people came for one of them. */
void help_print_command(FILE *out, const struct command *command)
{
	fprintf(out, "%s.\n\nExamples:\n", command->summary);
	print_examples(out, command, "  ");
	fputs("\nUsage: ", out);
	print_usage(out, command);
	if (command->options.count > 0) {
		fputs("\nOptions:\n", out);
		print_options(out, &command->options);
	}
	fputs("\nFor every command:\n", out);
	print_options(out, &GLOBAL_OPTIONS);
	if (command->notes != NULL)
		fprintf(out, "\n%s", command->notes);
}

/* The commands whose names begin with `word`, or all of them (NULL). */
static void print_commands(FILE *out, const char *word)
{
	fputs("Commands:\n", out);
	for (size_t i = 0; i < COMMANDS.count; i++)
		if (word == NULL || command_is_in_group(&COMMANDS.row[i], word))
			fprintf(out, "  %-12s  %s\n", COMMANDS.row[i].name,
				COMMANDS.row[i].summary);
}

void help_print_group(FILE *out, const char *word)
{
	print_commands(out, word);
	fprintf(out, "\nreeve help %s VERB says more.\n", word);
}

void help_print_overview(FILE *out)
{
	fputs("reeve runs commands in the background and never forgets what it ran.\n"
	      "\n"
	      "Examples:\n",
	      out);
	print_example(out, "reeve run --follow -- make -C /srv/site\tsubmit and watch",
		      "  ");
	print_example(out, "reeve ls state:failed\twhat went wrong", "  ");
	print_example(out, "reeve logs -f last\tthe output of your newest job", "  ");
	print_example(out, "reeve stop last\tstop it", "  ");
	fputc('\n', out);
	print_commands(out, NULL);
	fputs("\nFor every command:\n", out);
	print_options(out, &GLOBAL_OPTIONS);
	fputs("\nreeve help VERB says more. Where the service is: --server, "
	      "REEVE_SERVER, a\n"
	      "profile, else the local Unix socket that the configuration names.\n",
	      out);
}

/* --- markdown --- */

static void markdown_options(FILE *out, const struct option_rows *rows)
{
	fputs("\n| option | |\n|---|---|\n", out);
	for (size_t i = 0; i < rows->count; i++) {
		const struct option_row *row = &rows->row[i];
		fputs("| `", out);
		if (row->letter != 0)
			fprintf(out, "-%c`, `", row->letter);
		fprintf(out, "--%s", row->name);
		if (row->value != NULL)
			fputc(' ', out);
		/* a bar inside a table's cell must be escaped, in code too */
		for (const char *at = row->value; at != NULL && *at != '\0'; at++)
			fprintf(out, *at == '|' ? "\\%c" : "%c", *at);
		fprintf(out, "` | %s |\n", row->help);
	}
}

/* The prose of the notes is written so that it reads well in a terminal and as Markdown.
 */
static void markdown_command(FILE *out, const struct command *command)
{
	fprintf(out, "\n### reeve %s\n\n%s.\n\n```\n", command->name, command->summary);
	print_usage(out, command);
	fputs("```\n\n```sh\n", out);
	print_examples(out, command, "");
	fputs("```\n", out);
	if (command->options.count > 0)
		markdown_options(out, &command->options);
	if (command->notes != NULL)
		fprintf(out, "\n%s", command->notes);
}

void help_print_markdown(FILE *out)
{
	fputs("## Options of every command\n", out);
	markdown_options(out, &GLOBAL_OPTIONS);
	fputs("\n## Commands\n", out);
	for (size_t i = 0; i < COMMANDS.count; i++)
		markdown_command(out, &COMMANDS.row[i]);
}

/* --- the commands --- */

int cmd_help(struct cli *cli, struct err *err)
{
	if (args_has(&cli->args, "markdown")) {
		help_print_markdown(stdout);
		return 0;
	}
	if (cli->args.words == 0) {
		help_print_overview(stdout);
		return 0;
	}
	if (cli->args.words == 1 && command_is_group(cli->args.word[0])) {
		help_print_group(stdout, cli->args.word[0]);
		return 0;
	}
	size_t used = 0;
	const struct command *command =
		command_find(cli->args.word, cli->args.words, &used, err);
	if (command == NULL)
		return -1;
	help_print_command(stdout, command);
	return 0;
}

/* "wait)" or "db\ ls)": the options of one command, for the script's case. */
static void completion_case(FILE *out, const struct command *command)
{
	fprintf(out, "\t'%s')\n\t\toptions='", command->name);
	for (size_t i = 0; i < command->options.count; i++)
		fprintf(out, "--%s ", command->options.row[i].name);
	fprintf(out, "'\n\t\tids=%s ;;\n", command->takes_ids ? "yes" : "");
}

/* The script knows verbs and options by heart and asks the service for ids only when it
 * must. */
static void print_bash(FILE *out)
{
	fputs("# bash completion for reeve; printed by `reeve completion bash`\n"
	      "_reeve() {\n"
	      "\tlocal word=${COMP_WORDS[COMP_CWORD]} verb=${COMP_WORDS[1]} options= "
	      "ids=\n"
	      "\tif [ \"$verb\" = db ] && [ \"$COMP_CWORD\" -gt 1 ]; then\n"
	      "\t\tverb=\"db ${COMP_WORDS[2]}\"\n"
	      "\t\tif [ \"$COMP_CWORD\" = 2 ]; then\n"
	      "\t\t\tCOMPREPLY=($(compgen -W '",
	      out);
	for (size_t i = 0; i < COMMANDS.count; i++)
		if (command_is_in_group(&COMMANDS.row[i], "db"))
			fprintf(out, "%s ", COMMANDS.row[i].name + 3);
	fputs("' -- \"$word\"))\n\t\t\treturn\n\t\tfi\n\tfi\n"
	      "\tif [ \"$COMP_CWORD\" = 1 ]; then\n"
	      "\t\tCOMPREPLY=($(compgen -W 'db ",
	      out);
	for (size_t i = 0; i < COMMANDS.count; i++)
		if (strchr(COMMANDS.row[i].name, ' ') == NULL)
			fprintf(out, "%s ", COMMANDS.row[i].name);
	fputs("' -- \"$word\"))\n\t\treturn\n\tfi\n\tcase $verb in\n", out);
	for (size_t i = 0; i < COMMANDS.count; i++)
		completion_case(out, &COMMANDS.row[i]);
	fputs("\tesac\n\tcase $word in\n\t-*) options+='", out);
	for (size_t i = 0; i < GLOBAL_OPTIONS.count; i++)
		fprintf(out, "--%s ", GLOBAL_OPTIONS.row[i].name);
	fputs("'\n\t\tCOMPREPLY=($(compgen -W \"$options\" -- \"$word\")) ;;\n"
	      "\t*) if [ -n \"$ids\" ]; then\n"
	      "\t\t\tCOMPREPLY=($(compgen -W \"last $(reeve ls -q -o id 2>/dev/null)\" "
	      "-- "
	      "\"$word\"))\n"
	      "\t\tfi ;;\n"
	      "\tesac\n"
	      "}\n"
	      "complete -o default -F _reeve reeve\n",
	      out);
}

int cmd_completion(struct cli *cli, struct err *err)
{
	if (strcmp(cli->args.word[0], "bash") != 0)
		return err_set(err, ERR_INVALID, "there is a completion for bash only");
	print_bash(stdout);
	return 0;
}
