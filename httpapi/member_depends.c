/* member_depends.c - the members of a submission that say what it waits for, whose output
 * it reads, and which work it is (see members.h).
 *
 * Here is only what can be judged from the request alone; whether the jobs that are named
 * exist is asked in depends.c. */
#include "httpapi/members.h"

#include <ctype.h>

#define UNIQUE_BYTES_MAX 255
#define REF_BYTES_MAX 64

/* --- depends_on --- */

/* The members of one dependency; the reading is shared, so what they say is put down in
 * its last `wanted`. */
static struct wanted *last_wanted(struct reading *reading)
{
	return &reading->intake->wanted[reading->intake->wanted_count - 1];
}

static void read_parent(struct reading *reading, const char *pointer, const cJSON *value)
{
	last_wanted(reading)->job = member_text(reading, pointer, value, SIZE_MAX - 1);
}

static void read_condition(struct reading *reading, const char *pointer,
			   const cJSON *value)
{
	static const char *const words[] = {
#define CONDITION_WORD_(condition, word) word,
		DEPENDENCY_CONDITIONS(CONDITION_WORD_)
#undef CONDITION_WORD_
			NULL};
	int choice = member_choice(reading, pointer, value, words);
	if (choice >= 0)
		last_wanted(reading)->condition =
			dependency_condition_parse(words[choice]);
}

/* clang-format off */
static const struct member DEPENDENCY[] = {
	{.name = "job", .read = read_parent},
	{.name = "on",  .read = read_condition},
};
/* clang-format on */

void member_depends_on(struct reading *reading, const char *pointer, const cJSON *value)
{
	struct intake *intake = reading->intake;
	const int64_t max = reading->config->limits.dependencies;
	if (!cJSON_IsArray(value)) {
		problems_add(reading->problems, pointer,
			     "must be an array of objects such as {\"job\": \"...\", "
			     "\"on\": \"success\"}");
		return;
	}
	const int count = cJSON_GetArraySize(value);
	if (count > max) {
		problems_add(reading->problems, pointer,
			     "has more than %lld (limits.dependencies)", (long long)max);
		return;
	}
	intake->wanted = mem_array((size_t)count + 1, sizeof(*intake->wanted));
	const cJSON *item;
	cJSON_ArrayForEach(item, value)
	{
		char path[64];
		snprintf(path, sizeof(path), "%s/%zu", pointer, intake->wanted_count);
		intake->wanted[intake->wanted_count++].condition = DEPENDS_SUCCESS;
		members_read(reading, path, item, DEPENDENCY, ARRAY_SIZE(DEPENDENCY));
		if (cJSON_IsObject(item) && !json_get(item, "job"))
			problems_add_member(reading->problems, path, "job",
					    "is required");
	}
}

void member_depends_rule(struct reading *reading, const char *pointer, const cJSON *value)
{
	static const char *const words[] = {"all", "any", NULL};
	reading->intake->submission.is_any_enough =
		member_choice(reading, pointer, value, words) == 1;
}

/* "any" of nothing never comes true, and a job whose input is the output of another one
 * needs that one whatever else would be enough. */
void member_check_rule(struct reading *reading)
{
	const struct intake *intake = reading->intake;
	if (!intake->submission.is_any_enough)
		return;
	if (intake->stdin_job)
		problems_add(reading->problems, "#/depends_rule",
			     "must be \"all\" when standard input comes from a job");
	else if (intake->wanted_count == 0)
		problems_add(reading->problems, "#/depends_rule",
			     "\"any\" needs something in depends_on");
}

/* --- standard input of another job --- */

void member_from_job(struct reading *reading, const char *pointer, const cJSON *value)
{
	reading->from_job = member_text(reading, pointer, value, SIZE_MAX - 1);
}

bool member_stdin_job(struct reading *reading, const cJSON *value)
{
	if (!json_get(value, "from_job"))
		return false;
	if (json_get(value, "content"))
		problems_add(reading->problems, "#/stdin/from_job",
			     "give content or from_job, not both");
	else if (json_get(value, "encoding"))
		problems_add(reading->problems, "#/stdin/encoding", "belongs to content");
	else
		reading->intake->stdin_job = reading->from_job;
	return true;
}

/* --- unique --- */

static void read_unique_key(struct reading *reading, const char *pointer,
			    const cJSON *value)
{
	const char *text = member_text(reading, pointer, value, UNIQUE_BYTES_MAX);
	if (text && text_has_control(text, strlen(text)))
		problems_add(reading->problems, pointer,
			     "must not have control characters");
	else
		reading->intake->submission.unique_key = text;
}

static void read_on_conflict(struct reading *reading, const char *pointer,
			     const cJSON *value)
{
	static const char *const words[] = {[UNIQUE_RETURN] = "return",
					    [UNIQUE_REJECT] = "reject",
					    [UNIQUE_REPLACE] = "replace",
					    NULL};
	int choice = member_choice(reading, pointer, value, words);
	if (choice >= 0)
		reading->intake->submission.unique_conflict =
			(enum unique_conflict)choice;
}

/* clang-format off */
static const struct member UNIQUE[] = {
	{.name = "key",         .read = read_unique_key},
	{.name = "on_conflict", .read = read_on_conflict},
};
/* clang-format on */

void member_unique(struct reading *reading, const char *pointer, const cJSON *value)
{
	members_read(reading, pointer, value, UNIQUE, ARRAY_SIZE(UNIQUE));
	if (cJSON_IsObject(value) && !json_get(value, "key"))
		problems_add_member(reading->problems, pointer, "key", "is required");
}

/* --- ref --- */

static bool is_ref(const char *text)
{
	size_t length = strlen(text);
	if (length == 0 || length > REF_BYTES_MAX)
		return false;
	for (size_t i = 0; i < length; i++)
		if (!isalnum((unsigned char)text[i]) && !strchr("_.-", text[i]))
			return false;
	return true;
}

void member_ref(struct reading *reading, const char *pointer, const cJSON *value)
{
	if (!reading->last)
		problems_add(reading->problems, pointer,
			     "is for the jobs of a batch (POST /v1/batches)");
	else if (!cJSON_IsString(value) || !is_ref(value->valuestring))
		problems_add(reading->problems, pointer,
			     "must have 1 to %d letters, digits, '_', '.', '-'",
			     REF_BYTES_MAX);
	else
		reading->intake->ref = value->valuestring;
}
