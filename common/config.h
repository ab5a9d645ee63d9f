/* config.h - the settings: one row each, one file, one struct.
 *
 * The file is JSON with // comments, read by json.h like every request. Each setting is
 * one row of SETTINGS in config.c: dotted name, type, default, limits, help. Each can be
 * overridden by an environment variable: limits.body_bytes by REEVE_LIMITS_BODY_BYTES.
 * Nothing is silently ignored: an unknown key is an error that gives file, line, column
 * and the nearest known key; so is an unknown REEVE_ variable (except REEVE_CONFIG,
 * REEVE_SERVER and those in the client's list). */
#ifndef REEVE_CONFIG_H
#define REEVE_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "common/beneath.h"
#include "common/config_queues.h"
#include "common/config_retention.h"
#include "common/err.h"
#include "common/log.h"

/* Where the intake listens: "unix:PATH" (relative to state_dir) or "ADDRESS:PORT". */
struct listener {
	char *address;
	unsigned mode; /* of the socket file */
	bool is_unix;
	char *host; /* without brackets; NULL for a Unix socket */
	int port;   /* 0: any free one */
};

struct listeners {
	struct listener *item;
	size_t count;
};

/* A list of words. */
struct words {
	char **item;
	size_t count;
};
bool words_have(const struct words *words, const char *word);

/* Where a setting that other folders read by themselves was written. */
struct json_source {
	char *name; /* of the file or the variable; NULL: nowhere, it is empty */
	char *text; /* a JSON object that has the setting as a member */
	size_t length;
	bool is_file; /* places in `text` are places in the file `name` */
};

/* Everything that can be set, in force. Field and row share their name. */
struct config {
	char *path;	 /* of the file, or NULL when there was none */
	char *state_dir; /* absolute after config_load */
	char *log_level_word;
	enum log_level log_level;
	struct listeners listeners;
	struct exec_roots exec_roots;
	struct words allow_environment; /* names a request may set; "*" any that is not
					   denied */
	char *search_path;		/* PATH of jobs */
	char *working_directory;	/* default one of jobs */
	struct json_source tasks;	/* read by tasks/ */
	char *tasks_dir;	      /* beside the file after config_load; NULL: none */
	struct queue_settings queues; /* `default` only if it is named */
	int64_t slots;	    /* jobs at once; config_load turns 0 into processors */
	int64_t timeout_us; /* default timeout_s of a job; 0 = none */
	int64_t kill_grace_us;
	int64_t output_bytes;	       /* default limits.output_bytes of a job */
	int64_t output_fold_bytes;     /* outputs up to this go into the database */
	int64_t output_compress_bytes; /* larger ones are compressed afterwards; 0: none
					*/
	char *cgroup; /* "auto", "off", or a cgroup v2 directory that is ours */
	struct {
		int64_t body_bytes, stdin_bytes, args, argv_bytes, environment_bytes,
			labels;
		int64_t header_bytes, target_bytes, connections, connections_per_address;
		int64_t output_bytes_max;
		int64_t dependencies, batch_body_bytes, batch_jobs, batch_dependencies;
	} limits;
	struct {
		int64_t threads; /* of the HTTP server; 0 becomes a number fit for the
				    machine */
		int64_t header_deadline_us, body_deadline_us, request_deadline_us;
		int64_t wait_max_us, idempotency_keep_us, stall_us;
	} http;
	struct {
		struct words allowed_hosts;  /* "host:port" each; none: no callbacks */
		struct words internal_hosts; /* those that may have a private address */
		char *ca_file;	   /* that receivers' certificates are checked by;
				      "system" */
		char *secret_file; /* Standard Webhooks secret; relative to state_dir */
		int64_t timeout_us;
		int64_t parallel, parallel_per_host;
	} callbacks;
	struct retention_policy retention;
	int64_t wal_bytes; /* checkpoint when the write-ahead log has grown to this */
};

/* Reads `path`, or without one $REEVE_CONFIG, or nothing; then the environment; then
 * checks. On failure everything wrong is in err->text, the first with file, line and
 * column. */
int config_load(struct config *ret, const char *path, struct err *err);
void config_release(struct config *config);

/* The programs that run by the settings. */
enum config_program { CONFIG_INTAKE = 1, CONFIG_WORKER = 2 };

/* For a program that runs and has loaded the configuration anew: puts the settings that
 * it cannot change while it runs back to what they are in `old`, which is not touched,
 * and calls `differs` with the name of each that was another one in `fresh`. */
void config_keep_fixed(struct config *fresh, const struct config *old,
		       enum config_program program,
		       void (*differs)(void *context, const char *name), void *context);

/* The example configuration: every row with its help, default and limits, as JSON with
 * comments, that config_load reads back to the defaults. docs/reeve.example.json is this.
 */
void config_print_example(FILE *out);

/* "<state_dir>/<name>"; the caller frees. */
char *config_path(const struct config *config, const char *name);

#endif
