/* cli.h - what the commands of `reeve` share: one invocation, its options and where its
 * words go.
 *
 * Data goes to standard output, everything that is said to a person to standard error. A
 * command is a function that returns its exit code, or -1 with an error, which main
 * prints and turns into the exit code of its kind (see ERRORS in common/err.h). */
#ifndef REEVE_CLIENT_CLI_H
#define REEVE_CLIENT_CLI_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "client/options.h"
#include "common/common.h"

/* Exit codes that are no kind of error. docs/cli.md lists all. */
#define EXIT_TIME_OVER 124
#define EXIT_INTERRUPTED 130
#define EXIT_SIGNAL_BASE 128

#define REQUEST_TIMEOUT_US (10 * US_PER_S)
#define ANSWER_BYTES_MAX (64u << 20)

enum output_format {
	FORMAT_AUTO, /* table on a terminal, else tab-separated */
	FORMAT_TABLE,
	FORMAT_WIDE,
	FORMAT_TSV,
	FORMAT_JSON,
	FORMAT_JSONL,
	FORMAT_ID,
};

struct command;
struct http;

/* One invocation. */
struct cli {
	const struct command *command;
	struct args args;
	enum output_format format; /* FORMAT_AUTO resolved to TABLE or TSV */
	bool is_format_given;	   /* by -o */
	bool out_is_terminal, err_is_terminal;
	bool out_has_colour;
	bool is_quiet;
	bool is_reached;     /* the service has answered before: it exists */
	bool is_interrupted; /* Ctrl-C came while we listened for it */
	bool is_out_closed;  /* whoever read our output went away */
	int64_t timeout_us;  /* of one request */
	struct http *http;   /* opened at the first request */
	struct buf notes;    /* lines that main prints below the error */
};

/* One row of the table of commands: dispatch, help, completion and the reference come
 * from here. */
struct command {
	const char *name;	     /* "run", "db ls" */
	const char *synopsis;	     /* what stands behind the name */
	const char *summary;	     /* one line */
	const char *const *examples; /* "command\tcomment" each; NULL at the end */
	const char *notes;	     /* paragraphs below the options, or NULL */
	struct option_rows options;
	int words_min, words_max; /* words that are no options; -1: any number */
	bool stops_at_word;	  /* the first word ends the options */
	bool takes_ids;		  /* the completion offers ids */
	int (*run)(struct cli *cli, struct err *err);
};

struct command_table {
	const struct command *row;
	size_t count;
};
extern const struct command_table COMMANDS;
extern const struct option_rows GLOBAL_OPTIONS;

/* The row for a verb; "db" and "ls" make "db ls". *ret_words is 1 or 2. NULL when there
 * is none, with ERR_INVALID naming the nearest. */
const struct command *command_find(char *const *word, size_t words, size_t *ret_words,
				   struct err *err);

/* Is `word` the first word of two-word names ("db")? Of this one's? */
bool command_is_group(const char *word);
bool command_is_in_group(const struct command *command, const char *word);

/* Writes to standard output now. A reader that went away is no error: it sets
 * is_out_closed and the command ends quietly. -1 then too. */
int out_write(struct cli *cli, const void *data, size_t bytes, struct err *err);

/* A line for the person, on standard error, made harmless; nothing with --quiet. */
void say(const struct cli *cli, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* help.c */
void help_print_overview(FILE *out);
void help_print_command(FILE *out, const struct command *command);
void help_print_group(FILE *out, const char *word);
void help_print_markdown(FILE *out);

/* The commands, each in its cmd_*.c. */
int cmd_run(struct cli *cli, struct err *err);
int cmd_submit(struct cli *cli, struct err *err);
int cmd_rerun(struct cli *cli, struct err *err);
int cmd_graph(struct cli *cli, struct err *err);
int cmd_ls(struct cli *cli, struct err *err);
int cmd_show(struct cli *cli, struct err *err);
int cmd_attempts(struct cli *cli, struct err *err);
int cmd_events(struct cli *cli, struct err *err);
int cmd_logs(struct cli *cli, struct err *err);
int cmd_stop(struct cli *cli, struct err *err);
int stop_many(struct cli *cli, struct err *err); /* its filters: cmd_stop_many.c */
int cmd_hold(struct cli *cli, struct err *err);
int cmd_release(struct cli *cli, struct err *err);
int cmd_change(struct cli *cli, struct err *err);
int cmd_signal(struct cli *cli, struct err *err);
int cmd_wait(struct cli *cli, struct err *err);
int cmd_explain(struct cli *cli, struct err *err);
int cmd_queues(struct cli *cli, struct err *err);
int cmd_queue_pause(struct cli *cli, struct err *err);
int cmd_queue_resume(struct cli *cli, struct err *err);
int cmd_queue_limit(struct cli *cli, struct err *err);
int cmd_callbacks(struct cli *cli, struct err *err);
int cmd_redeliver(struct cli *cli, struct err *err);
int cmd_drain(struct cli *cli, struct err *err);
int cmd_undrain(struct cli *cli, struct err *err);
int cmd_top(struct cli *cli, struct err *err);
int cmd_tasks(struct cli *cli, struct err *err);
int cmd_stats(struct cli *cli, struct err *err);
int cmd_whoami(struct cli *cli, struct err *err);
int cmd_api(struct cli *cli, struct err *err);
int cmd_check(struct cli *cli, struct err *err);
int cmd_version(struct cli *cli, struct err *err);
int cmd_help(struct cli *cli, struct err *err);
int cmd_completion(struct cli *cli, struct err *err);
int cmd_db_ls(struct cli *cli, struct err *err);
int cmd_db_show(struct cli *cli, struct err *err);
int cmd_db_logs(struct cli *cli, struct err *err);
int cmd_db_check(struct cli *cli, struct err *err);
int cmd_db_verify(struct cli *cli, struct err *err);
int cmd_db_backup(struct cli *cli, struct err *err);
int cmd_db_prune(struct cli *cli, struct err *err);
int cmd_db_schema(struct cli *cli, struct err *err);

#endif
