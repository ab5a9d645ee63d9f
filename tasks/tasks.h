/* tasks.h - tasks: named, configured commands with typed parameters.
 *
 * A definition is one JSON object, in the configuration's list `tasks` or alone in a file
 * of tasks_dir. Everything that can be wrong with it is found when it is read. A call of
 * a task gives its parameters values; tasks_call checks each by its rules and puts it
 * into the places of the argv that name it, @@name@@. There is no shell, an element stays
 * one element, and what was put in is not looked at again.
 *
 * The text of a definition and its hash go with the job, so that the job runs what it was
 * accepted with: task_parse makes a task of such a text again, and the same tasks_call
 * decides at the start as at the intake. */
#ifndef REEVE_TASKS_H
#define REEVE_TASKS_H

#include "common/common.h"

struct parameter;

/* One definition. Everything is owned by it; texts are NULL where nothing was said. */
struct task {
	char *name, *description;
	char *executable; /* absolute; below no exec_root, since it is configured */
	struct words arguments;
	struct parameter *parameters;
	size_t parameter_count;
	cJSON *environment; /* object of strings, or NULL */
	struct words allow_environment;
	char *working_directory;
	int64_t timeout_us;    /* 0: says nothing */
	int64_t deadline_us;   /* 0 */
	int64_t kill_grace_us; /* -1 */
	int64_t output_bytes;  /* -1 */
	bool has_output_policy;
	bool is_output_stop;
	cJSON *defaults; /* object of submission members: what a request leaves open; or
			    NULL */
	char *success_exit_codes;   /* JSON array of integers, or NULL: [0] */
	char *definition;	    /* as it was written, without blanks and comments */
	uint8_t hash[DIGEST_BYTES]; /* SHA-256 of `definition` */
	char *place;		    /* "FILE:LINE:COLUMN" or the like, for messages */
};

/* The definitions in force, by name. */
struct tasks {
	struct task *item;
	size_t count;
};

/* Reads the list of the configuration and the files of its tasks_dir. ERR_INVALID: every
 * fault, each with file, line and column as far as they fit. A tasks_dir that is not
 * there is an empty one. */
int tasks_load(struct tasks *ret, const struct config *config, struct err *err);
void tasks_release(struct tasks *tasks);

/* The task of this name, or NULL; for NULL too. */
const struct task *tasks_find(const struct tasks *tasks, const char *name);

/* The name nearest to one that is none, or NULL. */
const char *tasks_nearest(const struct tasks *tasks, const char *name);

/* A task from the text that was stored with a job. ERR_INVALID. */
int task_parse(const char *definition, struct task *ret, struct err *err);
void task_release(struct task *task);

/* What a task is to run with certain values. */
struct task_call {
	struct words argv; /* [0] is the executable */
	char *parameters;  /* JSON object: every parameter that has a value, checked */
};

/* Checks `parameters` (an object, or NULL for none) and puts them in. What is wrong goes
 * to `problems`, with pointers such as #/parameters/name; `ret` is filled only when
 * nothing is. Looks at the file system for parameters that are paths. */
void tasks_call(const struct task *task, const cJSON *parameters,
		struct problems *problems, struct task_call *ret);
void task_call_release(struct task_call *call);

/* Is the argv of a call still this stored one (a JSON array)? Says whether a path leads
 * elsewhere than when the job was accepted. */
bool task_call_is(const struct task_call *call, const char *command);

/* The root below which beneath_open_program finds the executable. The path is heap, for
 * the caller to free. */
struct exec_root task_root(const struct task *task);

/* The definition, as somebody needs it who is to fill in a form: what it runs and each
 * parameter with its rules. The environment's values are not told. */
void task_put(struct json_writer *json, const char *key, const struct task *task);

#endif
