/* members.h - reading the members of a JSON object by a table.
 *
 * A row is a name and a reader; members_read walks the object, so that an unknown key, a
 * key of a later version and a wrong type are all reported, each with its pointer. */
#ifndef REEVE_HTTPAPI_MEMBERS_H
#define REEVE_HTTPAPI_MEMBERS_H

#include "httpapi/submission.h"

/* What the readers of one submission share. */
struct reading {
	struct intake *intake;
	const struct config *config;
	const struct tasks *tasks;
	const struct task *task; /* NULL: none, or no such */
	struct problems *problems;
	size_t faults_before;	    /* in `problems`, of the jobs in front of this one */
	struct found_program *last; /* of the job before it in a batch; NULL: alone */
	char *program;		    /* resolved, heap */
	const cJSON *args;
	const char *content, *from_job; /* of stdin */
	bool is_base64;
	struct retry retry;
	struct json_writer *callback; /* being written: its members go there */
	unsigned callback_on;
};

struct member {
	const char *name;
	/* NULL: a name of a later version */
	void (*read)(struct reading *reading, const char *pointer, const cJSON *value);
};

/* Calls the reader of each member of `object` that is not null. `pointer` names the
 * object. */
void members_read(struct reading *reading, const char *pointer, const cJSON *object,
		  const struct member *rows, size_t count);

/* The value, or a problem: NULL, false or -1. Texts are never empty and have at most
 * `max_bytes`; SIZE_MAX allows an empty one. */
const char *member_text(struct reading *reading, const char *pointer, const cJSON *value,
			size_t max_bytes);
bool member_int(struct reading *reading, const char *pointer, const cJSON *value,
		int64_t min, int64_t max, int64_t *ret);
bool member_seconds(struct reading *reading, const char *pointer, const cJSON *value,
		    double min, double max, int64_t *ret_us);
int member_choice(struct reading *reading, const char *pointer, const cJSON *value,
		  const char *const *words);
/* An array of at least one of the words, none of them twice: a bit for each one's place
 * among `words`, of which there are `count` (at most 32; NULL: no word). False: there was
 * a problem. */
bool member_words(struct reading *reading, const char *pointer, const cJSON *value,
		  const char *const *words, size_t count, unsigned *ret);

/* The first and the last moment that it may start, as RFC 3339; its deadline; its hold;
 * whether it is kept; its retries (member_waiting.c). */
void member_run_at(struct reading *reading, const char *pointer, const cJSON *value);
void member_expires_at(struct reading *reading, const char *pointer, const cJSON *value);
void member_deadline(struct reading *reading, const char *pointer, const cJSON *value);
void member_hold(struct reading *reading, const char *pointer, const cJSON *value);
void member_keep(struct reading *reading, const char *pointer, const cJSON *value);
void member_retry(struct reading *reading, const char *pointer, const cJSON *value);

/* Whom to tell, and when (member_callback.c). */
void member_callback(struct reading *reading, const char *pointer, const cJSON *value);

/* A name for people; the priority (submission.c). */
void member_name(struct reading *reading, const char *pointer, const cJSON *value);
void member_priority(struct reading *reading, const char *pointer, const cJSON *value);

/* What it waits for, and which work it is (member_depends.c). */
void member_depends_on(struct reading *reading, const char *pointer, const cJSON *value);
void member_depends_rule(struct reading *reading, const char *pointer,
			 const cJSON *value);
void member_from_job(struct reading *reading, const char *pointer, const cJSON *value);
void member_unique(struct reading *reading, const char *pointer, const cJSON *value);
void member_ref(struct reading *reading, const char *pointer, const cJSON *value);

/* After the members of `stdin` were read: does it come from another job? Then nothing
 * more is to be read of it. */
bool member_stdin_job(struct reading *reading, const cJSON *value);

/* After all members were read: does depends_rule fit to what there is? */
void member_check_rule(struct reading *reading);

/* Readers for objects of strings. */
void member_labels(struct reading *reading, const char *pointer, const cJSON *value);
/* Also puts in what the task sets; `value` NULL: the request sets nothing. */
void member_environment(struct reading *reading, const char *pointer, const cJSON *value);

/* Stores argv as the JSON text that is kept; a problem when it is too long. */
void command_put(struct reading *reading, char *const *argv, size_t count);

/* submission_task.c: finds the task that is named, and sees to it that there is either a
 * task or a command; then, after the members were read, makes the submission one of that
 * task. */
void task_choose(struct reading *reading, const cJSON *tree);
void task_apply(struct reading *reading, const cJSON *tree);

#endif
