/* main.c - reeve, the command line: finds the command's row, reads its options, runs it,
 * and says once what went wrong. */
#include <errno.h>
#include <locale.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "client/cli.h"
#include "client/http.h"
#include "client/neutral.h"

#define NOTES_BYTES_MAX (1u << 20)
#define USAGE_EXIT 2

/* --- what everybody prints with --- */

/* Written at once and by descriptor: output that is followed must not wait in a buffer.
 */
int out_write(struct cli *cli, const void *data, size_t bytes, struct err *err)
{
	if (cli->is_out_closed)
		return err_set(err, ERR_INTERNAL, "standard output is closed");
	if (file_write_all(STDOUT_FILENO, data, bytes) == 0)
		return 0;
	if (errno == EPIPE)
		cli->is_out_closed = true;
	return err_sys(err, ERR_INTERNAL, errno, "standard output");
}

/* One write(2) a line, so that lines of several programs do not mix. */
static void put_message(const char *text)
{
	AUTO_BUF struct buf line = BUF_INIT(1u << 16);
	buf_append_text(&line, "reeve: ");
	neutral_text(text, true, &line);
	buf_append_char(&line, '\n');
	(void)file_write_all(STDERR_FILENO, buf_text(&line), line.length);
}

void say(const struct cli *cli, const char *format, ...)
{
	if (cli->is_quiet)
		return;
	AUTO_BUF struct buf text = BUF_INIT(1u << 16);
	va_list args;
	va_start(args, format);
	buf_vprintf(&text, format, args);
	va_end(args);
	put_message(buf_text(&text));
}

static int fail_usage(const struct command *command, const struct err *err)
{
	put_message(err->text);
	AUTO_FREE char *hint =
		mem_printf("see: reeve help%s%s", command != NULL ? " " : "",
			   command != NULL ? command->name : "");
	put_message(hint);
	return USAGE_EXIT;
}

/* --- what the options say for every command --- */

static const struct {
	const char *word;
	enum output_format format;
} FORMATS[] = {
	{"table", FORMAT_TABLE}, {"wide", FORMAT_WIDE},	  {"tsv", FORMAT_TSV},
	{"json", FORMAT_JSON},	 {"jsonl", FORMAT_JSONL}, {"id", FORMAT_ID},
};

static bool wants_colour(const struct cli *cli)
{
	const char *when = args_text(&cli->args, "color");
	if (when != NULL && strcmp(when, "auto") != 0)
		return strcmp(when, "always") == 0;
	const char *no_colour = getenv("NO_COLOR"); /* https://no-color.org */
	const char *terminal = getenv("TERM");
	return cli->out_is_terminal && (no_colour == NULL || no_colour[0] == '\0') &&
	       (terminal == NULL || strcmp(terminal, "dumb") != 0);
}

/* Decided once here, so that no command asks what a terminal is. */
static void settle(struct cli *cli)
{
	cli->out_is_terminal = isatty(STDOUT_FILENO) == 1;
	cli->err_is_terminal = isatty(STDERR_FILENO) == 1;
	cli->out_has_colour = wants_colour(cli);
	cli->is_quiet = args_has(&cli->args, "quiet");
	cli->timeout_us = args_number(&cli->args, "request-timeout", REQUEST_TIMEOUT_US);
	if (cli->timeout_us < US_PER_MS)
		cli->timeout_us = US_PER_MS;
	cli->format = cli->out_is_terminal ? FORMAT_TABLE : FORMAT_TSV;
	const char *word = args_text(&cli->args, "output");
	for (size_t i = 0; word != NULL && i < ARRAY_SIZE(FORMATS); i++)
		if (strcmp(FORMATS[i].word, word) == 0)
			cli->format = FORMATS[i].format;
	cli->is_format_given = word != NULL;
}

static int check_words(const struct command *command, size_t words, struct err *err)
{
	const bool is_short = words < (size_t)command->words_min;
	const bool is_long =
		command->words_max >= 0 && words > (size_t)command->words_max;
	if (!is_short && !is_long)
		return 0;
	return err_set(err, ERR_INVALID, "%s: usage: reeve %s %s",
		       is_short ? "too few arguments" : "too many arguments",
		       command->name, command->synopsis);
}

/* --- running --- */

/* The exit code for what the command returned. */
static int finish(struct cli *cli, int status, const struct err *err)
{
	if (status >= 0)
		return status;
	if (cli->is_out_closed)
		return 0; /* `reeve ls | head`: nobody wants to hear of it */
	if (cli->is_interrupted)
		return EXIT_INTERRUPTED;
	put_message(err->text);
	(void)file_write_all(STDERR_FILENO, buf_text(&cli->notes), cli->notes.length);
	return err_exit_code(err->code);
}

/* The command's own rows come first: `run --timeout` is the job's, not ours. */
static int run_command(struct cli *cli, size_t verb_words, struct args *rest)
{
	const struct command *command = cli->command;
	const struct option_rows sets[] = {command->options, GLOBAL_OPTIONS};
	struct err err = ERR_INIT;
	const int argc = (int)(rest->words - verb_words);
	if (options_parse(sets, ARRAY_SIZE(sets), command->stops_at_word, argc,
			  rest->word + verb_words, &cli->args, &err) < 0)
		return fail_usage(command, &err);
	if (args_has(&cli->args, "help")) {
		help_print_command(stdout, command);
		return 0;
	}
	if (check_words(command, cli->args.words, &err) < 0)
		return fail_usage(command, &err);
	settle(cli);
	return finish(cli, command->run(cli, &err), &err);
}

/* Options before the verb belong to every command: they move over into its args. */
static int dispatch(struct cli *cli, struct args *first)
{
	struct err err = ERR_INIT;
	size_t verb_words = 0;
	if (args_has(first, "version")) {
		puts("reeve " REEVE_VERSION);
		return 0;
	}
	if (first->words == 0) {
		help_print_overview(args_has(first, "help") ? stdout : stderr);
		return args_has(first, "help") ? 0 : USAGE_EXIT;
	}
	cli->command = command_find(first->word, first->words, &verb_words, &err);
	if (cli->command == NULL)
		return fail_usage(NULL, &err);
	cli->args.given = first->given;
	cli->args.count = first->count;
	first->given = NULL;
	first->count = 0;
	return run_command(cli, verb_words, first);
}

/* What help and completion printed through stdio must have arrived. */
static int flush_stdout(int code)
{
	if (fflush(stdout) == 0 || errno == EPIPE)
		return code;
	put_message("standard output cannot be written");
	return 1;
}

int main(int argc, char **argv)
{
	struct cli cli = {0};
	struct args first = {0};
	struct err err = ERR_INIT;
	(void)signal(SIGPIPE, SIG_IGN);
	(void)setlocale(LC_CTYPE, "C.UTF-8"); /* for wcwidth(3); texts are UTF-8 */
	buf_init(&cli.notes, NOTES_BYTES_MAX);
	int code = USAGE_EXIT;
	if (options_parse(&GLOBAL_OPTIONS, 1, true, argc - 1, argv + 1, &first, &err) < 0)
		code = fail_usage(NULL, &err);
	else
		code = dispatch(&cli, &first);
	code = flush_stdout(code);
	http_close(cli.http);
	args_release(&cli.args);
	args_release(&first);
	buf_release(&cli.notes);
	return code;
}
