/* config_rows.h - what a setting is; private to common/config*.c.
 *
 * A setting is one row of SETTINGS (config_rows.c). Its kind says how a JSON value
 * becomes the field; defaults, the file and the environment all come in as JSON values
 * through the same reader, so that one rule holds whatever a value's origin. */
#ifndef REEVE_CONFIG_ROWS_H
#define REEVE_CONFIG_ROWS_H

#include <cjson/cJSON.h>
#include <stddef.h>
#include <stdint.h>

#include "common/config.h"
#include "common/err.h"
#include "common/faults.h"

/* A value on its way into the configuration, and everything found wrong so far. */
struct config_reader {
	struct config *config;
	const char *file; /* name and content while the file is read, else NULL */
	const char *text;
	size_t length;
	const char *variable; /* while an environment variable is read, else NULL */
	struct faults faults;
};

/* Adds a fault about `path` ("listeners.0.mode"), with its place in the file or the name
 * of its variable in front. */
void config_fault(struct config_reader *reader, const char *path, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* Adds a fault about a key that nobody knows; names the nearest of `names`. */
void config_fault_unknown(struct config_reader *reader, const char *path, const char *key,
			  const char *const *names, size_t count);

struct setting;

/* How values of one kind are read, let go of and described. */
struct setting_kind {
	const char *word;   /* for the example: "list of strings" */
	const char *unit;   /* numbers: " bytes", "" */
	int64_t scale;	    /* numbers: field units in one of the file's units */
	bool is_whole;	    /* numbers: no fractions */
	bool is_number;	    /* the row's min and max apply */
	bool is_colon_list; /* the environment may give "a:b" */
	bool is_text;	    /* the environment gives the text itself, not JSON */
	void (*read)(struct config_reader *reader, const struct setting *row,
		     const char *path, const cJSON *value, void *field);
	void (*release)(void *field);
	/* kinds of settings that may be fixed; `to` is empty */
	bool (*is_same)(const void *one, const void *other);
	void (*copy)(const void *from, void *to);
};
extern const struct setting_kind KIND_INTEGER, KIND_BYTES, KIND_DURATION, KIND_TEXT,
	KIND_WORDS, KIND_HOSTS, KIND_LISTENERS, KIND_ROOTS, KIND_SOURCE, KIND_QUEUES,
	KIND_RETENTION;

struct setting {
	const char *name; /* dotted */
	const struct setting_kind *kind;
	size_t offset;	      /* of the field in struct config */
	const char *fallback; /* the default, as JSON */
	int64_t min, max;     /* of numbers, in the file's units */
	/* texts, and each of words: NULL or what is wrong with it */
	const char *(*check)(const char *text);
	unsigned fixed_in; /* of enum config_program: cannot change while these run */
	const char *help;
};
extern const struct setting SETTINGS[];
extern const size_t SETTINGS_COUNT;
#define SETTINGS_MAX 128 /* more than there are; for arrays of their names */

/* Reads one value into its field; faults go to the reader. */
void setting_read(struct config_reader *reader, const struct setting *row,
		  const cJSON *value);

/* What config_keep_fixed needs of a kind (config_keep.c). */
bool number_is_same(const void *one, const void *other);
void number_copy(const void *from, void *to);
bool text_is_same(const void *one, const void *other);
void text_copy(const void *from, void *to);
bool listeners_is_same(const void *one, const void *other);
void listeners_copy(const void *from, void *to);

/* Reads every REEVE_ variable there is. */
void config_read_environment(struct config_reader *reader);

/* "limits.body_bytes" -> "REEVE_LIMITS_BODY_BYTES"; cut at `bytes`. */
void setting_variable(const struct setting *row, char *ret, size_t bytes);

/* "unix:PATH", "127.0.0.1:PORT" or "[::1]:PORT" into a listener with the default mode. -1
 * with ERR_INVALID; `ret` is heap strings, for the caller to free. */
int listener_parse(const char *address, struct listener *ret, struct err *err);

#endif
