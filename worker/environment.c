/* environment.c - environment and argv of a job, from its row. */
#include "worker/environment.h"

#include <inttypes.h>
#include <pwd.h>
#include <stdlib.h>
#include <unistd.h>

void account_init(struct account *ret)
{
	const struct passwd *entry = getpwuid(geteuid());

	if (entry == NULL) {
		ret->name = mem_printf("%u", (unsigned)geteuid());
		ret->home = mem_strdup("/");
		return;
	}
	ret->name = mem_strdup(entry->pw_name);
	ret->home = mem_strdup(entry->pw_dir[0] == '/' ? entry->pw_dir : "/");
}

void account_release(struct account *account)
{
	free(account->name);
	free(account->home);
	memset(account, 0, sizeof(*account));
}

void words_free(char **words)
{
	for (size_t i = 0; words != NULL && words[i] != NULL; i++)
		free(words[i]);
	free(words);
}

/* A list of "NAME=value" in which a later name replaces an earlier one. */
struct variables {
	char **item;
	size_t count;
};

static void variables_set(struct variables *variables, const char *name,
			  const char *value)
{
	const size_t length = strlen(name);
	char *entry = mem_printf("%s=%s", name, value);

	for (size_t i = 0; i < variables->count; i++) {
		if (strncmp(variables->item[i], entry, length + 1) == 0) {
			free(variables->item[i]);
			variables->item[i] = entry;
			return;
		}
	}
	variables->item[variables->count++] = entry;
}

/* PATH, HOME, USER, LANG, REEVE_JOB_ID, REEVE_ATTEMPT, REEVE_QUEUE, TRACEPARENT */
#define VARIABLES_OWN 8

static int set_requested(struct variables *variables, const cJSON *object,
			 struct err *err)
{
	const cJSON *member = NULL;

	cJSON_ArrayForEach(member, object)
	{
		if (!cJSON_IsString(member))
			return err_set(err, ERR_INVALID, "environment: %s is no string",
				       member->string);
		variables_set(variables, member->string, member->valuestring);
	}
	return 0;
}

static void set_own(struct variables *variables, const struct claim *claim)
{
	char number[16];

	snprintf(number, sizeof(number), "%d", claim->number);
	variables_set(variables, "REEVE_JOB_ID", claim->job.id);
	variables_set(variables, "REEVE_ATTEMPT", number);
	variables_set(variables, "REEVE_QUEUE",
		      claim->job.queue != NULL ? claim->job.queue : "default");
	if (claim->job.traceparent != NULL)
		variables_set(variables, "TRACEPARENT", claim->job.traceparent);
}

static int parse_json(const char *text, const char *what, cJSON **ret, struct err *err)
{
	if (json_parse(text, strlen(text), NULL, ret, err) != 0)
		return err_wrap(err, "the stored %s", what);
	return 0;
}

int environment_of(const struct config *config, const struct account *account,
		   const struct claim *claim, char ***ret, struct err *err)
{
	struct variables variables = {0};
	cJSON *object = NULL;
	int result = 0;

	if (claim->job.environment != NULL &&
	    parse_json(claim->job.environment, "environment", &object, err) != 0)
		return -1;
	variables.item = mem_array((size_t)cJSON_GetArraySize(object) + VARIABLES_OWN + 1,
				   sizeof(*variables.item));
	variables_set(&variables, "PATH", config->search_path);
	variables_set(&variables, "HOME", account->home);
	variables_set(&variables, "USER", account->name);
	variables_set(&variables, "LANG", "C.UTF-8");
	result = set_requested(&variables, object, err);
	set_own(&variables, claim);
	cJSON_Delete(object);
	if (result != 0) {
		words_free(variables.item);
		return -1;
	}
	*ret = variables.item;
	return 0;
}

int argv_of(const char *command, char ***ret, struct err *err)
{
	cJSON *array = NULL;
	const cJSON *element = NULL;
	char **words = NULL;
	size_t count = 0;

	if (parse_json(command, "command", &array, err) != 0)
		return -1;
	words = mem_array((size_t)cJSON_GetArraySize(array) + 1, sizeof(*words));
	cJSON_ArrayForEach(element, array)
	{
		if (cJSON_IsString(element))
			words[count++] = mem_strdup(element->valuestring);
	}
	if (count == 0 || count != (size_t)cJSON_GetArraySize(array)) {
		cJSON_Delete(array);
		words_free(words);
		return err_set(err, ERR_INVALID,
			       "the stored command is no list of words");
	}
	cJSON_Delete(array);
	*ret = words;
	return 0;
}
