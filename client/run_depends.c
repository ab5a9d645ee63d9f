/* run_depends.c - see run_depends.h. */
#include "client/run_depends.h"

#include <stdlib.h>
#include <string.h>

#include "client/output.h"
#include "queue/queue.h"

#define ID_LENGTH 36

/* The whole id of what the person wrote: `last`, a prefix or all of it. */
static int whole_id(struct cli *cli, const char *word, char **ret, struct err *err)
{
	char *id = NULL;
	cJSON *job = NULL;
	if (api_job_id(cli, word, &id, err) < 0)
		return -1;
	if (strlen(id) == ID_LENGTH) {
		*ret = id;
		return 0;
	}
	const int status = api_get(cli, &job, err, "/v1/jobs/%s", id);
	const char *whole = item_text(job, "id");
	if (status == 0 && whole != NULL)
		*ret = mem_strdup(whole);
	cJSON_Delete(job);
	free(id);
	if (status == 0 && *ret == NULL)
		return err_set(err, ERR_INTERNAL, "the service did not name the job");
	return status;
}

/* ID or ID:CONDITION. */
static int put_after(struct json_writer *json, struct cli *cli, const char *text,
		     struct err *err)
{
	const size_t length = strcspn(text, ":");
	AUTO_FREE char *word = mem_strndup(text, length);
	AUTO_FREE char *id = NULL;
	const char *on = text[length] == ':' ? text + length + 1 : "success";
	if (dependency_condition_parse(on) == DEPENDS_NONE)
		return err_set(err, ERR_INVALID,
			       "--after wants ID, or ID:success, ID:failure, ID:any, "
			       "ID:started, not \"%s\"",
			       text);
	if (whole_id(cli, word, &id, err) < 0)
		return -1;
	json_open(json, NULL, '{');
	json_put_text(json, "job", id);
	json_put_text(json, "on", on);
	json_close(json, '}');
	return 0;
}

static int put_all_after(struct json_writer *json, struct cli *cli, struct err *err)
{
	const struct args *args = &cli->args;
	if (!args_has(args, "after"))
		return 0;
	json_open(json, "depends_on", '[');
	for (size_t i = 0; i < args->count; i++)
		if (strcmp(args->given[i].name, "after") == 0 &&
		    put_after(json, cli, args->given[i].text, err) < 0)
			return -1;
	json_close(json, ']');
	return 0;
}

static int put_stdin_from(struct json_writer *json, struct cli *cli, struct err *err)
{
	const char *word = args_text(&cli->args, "stdin-from");
	AUTO_FREE char *id = NULL;
	if (word == NULL)
		return 0;
	if (args_has(&cli->args, "stdin"))
		return err_set(err, ERR_INVALID,
			       "give --stdin or --stdin-from, not both");
	if (whole_id(cli, word, &id, err) < 0)
		return -1;
	json_open(json, "stdin", '{');
	json_put_text(json, "from_job", id);
	json_close(json, '}');
	return 0;
}

/* KEY or KEY:WORD. A key may have colons itself: only a known word is cut off, and what
 * is nearly one was meant as one; as a part of the key it would be another piece of work.
 */
static int put_unique(struct json_writer *json, const char *text, struct err *err)
{
	static const char *const WORDS[] = {"return", "reject", "replace"};
	const char *colon = text != NULL ? strrchr(text, ':') : NULL;
	const char *on =
		colon != NULL ? text_nearest(colon + 1, WORDS, ARRAY_SIZE(WORDS)) : NULL;
	if (text == NULL)
		return 0;
	if (on != NULL && strcmp(colon + 1, on) != 0)
		return err_set(err, ERR_INVALID,
			       "--unique wants KEY, or KEY:return, KEY:reject, "
			       "KEY:replace; did you mean \"%.*s%s\"?",
			       (int)(colon + 1 - text), text, on);
	json_open(json, "unique", '{');
	json_put_text_n(json, "key", text,
			on != NULL ? (size_t)(colon - text) : strlen(text));
	if (on != NULL)
		json_put_text(json, "on_conflict", on);
	json_close(json, '}');
	return 0;
}

int put_depends(struct json_writer *json, struct cli *cli, struct err *err)
{
	const struct args *args = &cli->args;
	if (put_all_after(json, cli, err) < 0 || put_stdin_from(json, cli, err) < 0)
		return -1;
	if (args_has(args, "any"))
		json_put_text(json, "depends_rule", "any");
	if (put_unique(json, args_text(args, "unique"), err) < 0)
		return -1;
	if (args_has(args, "keep"))
		json_put_bool(json, "keep", true);
	return 0;
}
