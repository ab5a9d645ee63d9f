/* definition.h - what the files of tasks/ share: a parameter, and reading definitions.
 *
 * Private to tasks/. A definition is read by two tables of keys, one for tasks and one
 * for parameters; a value is checked by the row of its type. */
#ifndef REEVE_TASKS_DEFINITION_H
#define REEVE_TASKS_DEFINITION_H

#include "tasks/tasks.h"

#define TASK_NAME_BYTES 63

/* --- parameters --- */

/*       type               word       what a form asks for */
#define PARAMETER_TYPES(X)                                                               \
	X(TYPE_STRING, "string", "text")                                                 \
	X(TYPE_INTEGER, "integer", "number")                                             \
	X(TYPE_NUMBER, "number", "number")                                               \
	X(TYPE_BOOLEAN, "boolean", "checkbox")                                           \
	X(TYPE_PATH, "path", "text")                                                     \
	X(TYPE_ENUM, "enum", "select")

enum parameter_type {
#define PARAMETER_ENUM_(type, word, input) type,
	PARAMETER_TYPES(PARAMETER_ENUM_)
#undef PARAMETER_ENUM_
		TYPE_COUNT
};

struct pattern;

/* A value that passed its rules. */
struct value {
	bool is_there;
	char *text;  /* as it goes into an argument */
	char *given; /* as JSON, to be kept */
};
void value_release(struct value *value);

struct parameter {
	char *name, *description;
	enum parameter_type type;
	bool is_required, must_exist, allow_dash;
	char *pattern_text;
	struct pattern *pattern;
	bool has_min, has_max;
	double min, max;		/* of integers and numbers */
	int64_t min_length, max_length; /* in characters; -1: no such rule */
	struct words values;		/* of an enum */
	char *beneath;			/* of a path: absolute, tidy */
	cJSON *fallback;		/* the default, or NULL */
	struct value fallback_value;
};

const char *parameter_type_word(enum parameter_type type);
const char *parameter_type_input(enum parameter_type type);
void parameter_release(struct parameter *parameter);

/* The parameter of this name (of `length` bytes) of a task, or NULL. */
const struct parameter *parameter_find(const struct task *task, const char *name,
				       size_t length);

/* Checks one value by all rules of its parameter (value.c). `is_live`: paths are looked
 * up in the file system; else only their text is judged. ERR_INVALID with words that fit
 * behind the parameter's name. */
int value_check(const struct parameter *parameter, const cJSON *json, bool is_live,
		struct value *ret, struct err *err);

/* --- paths (path.c) --- */

/* The path without empty and "." components and slashes at its end; heap. ERR_INVALID:
 * relative, too long, with ".." or control characters. */
int path_tidy(const char *path, char **ret, struct err *err);

/* Is the tidy path strictly below the tidy directory, component by component? */
bool path_is_below(const char *path, const char *directory);

/* Where the tidy path really leads, all links followed; heap. It must be below `beneath`
 * (NULL: anywhere, and links are kept). What is not there yet stays as it is named. */
int path_resolve(const char *path, const char *beneath, bool must_exist, char **ret,
		 struct err *err);

/* --- patterns (pattern.c) --- */

/* ERR_INVALID: what is wrong with it, and where. */
int pattern_compile(const char *text, struct pattern **ret, struct err *err);
void pattern_free(struct pattern *pattern);
/* Does the whole text match? 1, 0, -1: it cannot be told within the limits. */
int pattern_matches(const struct pattern *pattern, const char *text);

/* --- arguments (call.c) --- */

/* One piece of an argument: text as it is, or the name of a parameter. */
struct piece {
	const char *text;
	size_t length;
	bool is_name;
};
/* The next piece of `*at`, which is moved on. 1, 0 at the end, -1: "@@" that begins no
 * @@name@@ (the piece is where). */
int piece_next(const char **at, struct piece *ret);

/* Can this be the name of a task, a parameter? */
bool task_name_is_valid(const char *name);

/* --- reading --- */

/* A definition on its way in, and everything found wrong so far. */
struct task_reader {
	const char *name; /* of the file or variable, or NULL */
	const char *text; /* in which places are found; NULL: none */
	size_t length;
	const struct queue_settings *queues; /* there are; NULL: any will do */
	struct faults faults;
};

/* Adds a fault about `path` ("tasks.0.arguments.2"; "": the whole file), with its place.
 */
void task_fault(struct task_reader *reader, const char *path, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* "FILE:LINE:COLUMN" of a path; heap. */
char *task_place(const struct task_reader *reader, const char *path);

/* A key of a definition and what reads it; NULL: a key of a later version. */
struct key {
	const char *name;
	void (*read)(struct task_reader *reader, const char *path, const cJSON *value,
		     void *target);
};
/* Calls the reader of each member that is not null. */
void keys_read(struct task_reader *reader, const char *path, const cJSON *object,
	       const struct key *keys, size_t count, void *target);

/* "<path>.<name>", or the name alone; heap. */
char *task_path(const char *path, const char *name) __attribute__((returns_nonnull));

/* Values, or a fault: NULL and false. Texts have no control characters. */
const char *read_line(struct task_reader *reader, const char *path, const cJSON *value);
bool read_integer(struct task_reader *reader, const char *path, const cJSON *value,
		  int64_t min, int64_t max, int64_t *ret);
bool read_flag(struct task_reader *reader, const char *path, const cJSON *value,
	       bool *ret);
/* A list of strings without control characters; `check` (or NULL) says what is wrong. */
void read_list(struct task_reader *reader, const char *path, const cJSON *value,
	       const char *(*check)(const char *text), struct words *ret);
void words_release(struct words *words);

/* Readers of keys that are defaults of a submission (defaults.c). */
void default_queue(struct task_reader *reader, const char *path, const cJSON *value,
		   void *target);
void default_priority(struct task_reader *reader, const char *path, const cJSON *value,
		      void *target);
void default_retry(struct task_reader *reader, const char *path, const cJSON *value,
		   void *target);

/* One task at `path` (parameter.c and definition.c). Faults go to the reader; what was
 * read is to be released in any case. */
void task_read(struct task_reader *reader, const char *path, const cJSON *object,
	       struct task *ret);
void parameters_read(struct task_reader *reader, const char *path, const cJSON *array,
		     void *target);

#endif
