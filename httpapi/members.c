/* members.c - reading the members of a JSON object by a table (see members.h). */
#include "httpapi/members.h"

#include <ctype.h>
#include <math.h>

#include "httpapi/body.h"

#define MEMBERS_MAX 32
#define LABEL_NAME_BYTES 63
#define LABEL_VALUE_BYTES 255

static const struct member *member_find(const struct member *rows, size_t count,
					const char *name)
{
	for (size_t i = 0; i < count; i++)
		if (strcmp(rows[i].name, name) == 0)
			return &rows[i];
	return NULL;
}

static void complain_unknown(struct reading *reading, const char *pointer,
			     const char *name, const struct member *rows, size_t count)
{
	const char *names[MEMBERS_MAX];
	for (size_t i = 0; i < count; i++)
		names[i] = rows[i].name;
	body_complain_unknown(reading->problems, pointer, name, names, count);
}

void members_read(struct reading *reading, const char *pointer, const cJSON *object,
		  const struct member *rows, size_t count)
{
	if (!cJSON_IsObject(object)) {
		problems_add(reading->problems, pointer, "must be an object");
		return;
	}
	const cJSON *value;
	cJSON_ArrayForEach(value, object)
	{
		const char *name = value->string;
		const struct member *row = member_find(rows, count, name);
		if (!row) {
			complain_unknown(reading, pointer, name, rows, count);
		} else if (cJSON_IsNull(value)) {
			continue;
		} else if (!row->read) {
			problems_add_member(reading->problems, pointer, name,
					    "is not supported by this version");
		} else {
			char path[80];
			snprintf(path, sizeof(path), "%s/%s", pointer, name);
			row->read(reading, path, value);
		}
	}
}

const char *member_text(struct reading *reading, const char *pointer, const cJSON *value,
			size_t max_bytes)
{
	if (!cJSON_IsString(value))
		problems_add(reading->problems, pointer, "must be a string");
	else if (!value->valuestring[0] && max_bytes != SIZE_MAX)
		problems_add(reading->problems, pointer, "must not be empty");
	else if (max_bytes != SIZE_MAX && strlen(value->valuestring) > max_bytes)
		problems_add(reading->problems, pointer, "is longer than %zu bytes",
			     max_bytes);
	else
		return value->valuestring;
	return NULL;
}

bool member_int(struct reading *reading, const char *pointer, const cJSON *value,
		int64_t min, int64_t max, int64_t *ret)
{
	double number = cJSON_IsNumber(value) ? value->valuedouble : NAN;
	if (!(number >= (double)min && number <= (double)max) ||
	    (double)(int64_t)number != number) {
		problems_add(reading->problems, pointer,
			     "must be an integer from %lld to %lld", (long long)min,
			     (long long)max);
		return false;
	}
	*ret = (int64_t)number;
	return true;
}

bool member_seconds(struct reading *reading, const char *pointer, const cJSON *value,
		    double min, double max, int64_t *ret_us)
{
	double number = cJSON_IsNumber(value) ? value->valuedouble : NAN;
	if (!(number >= min && number <= max)) {
		problems_add(reading->problems, pointer,
			     "must be a number of seconds from %g to %.0f", min, max);
		return false;
	}
	*ret_us = (int64_t)(number * 1e6 + 0.5);
	return true;
}

int member_choice(struct reading *reading, const char *pointer, const cJSON *value,
		  const char *const *words)
{
	char known[160] = "";
	for (int i = 0; words[i]; i++) {
		if (cJSON_IsString(value) && strcmp(value->valuestring, words[i]) == 0)
			return i;
		size_t used = strlen(known);
		snprintf(known + used, sizeof(known) - used, "%s\"%s\"", i ? " or " : "",
			 words[i]);
	}
	problems_add(reading->problems, pointer, "must be %s", known);
	return -1;
}

static void complain_word(struct reading *reading, const char *pointer, size_t index,
			  const char *const *words, size_t count)
{
	AUTO_BUF struct buf known = BUF_INIT(256);
	for (size_t i = 0; i < count; i++)
		if (words[i])
			buf_printf(&known, "%s\"%s\"", known.length > 0 ? ", " : "",
				   words[i]);
	problems_add_element(reading->problems, pointer, index, "must be one of %s",
			     buf_text(&known));
}

static size_t find_word(const cJSON *value, const char *const *words, size_t count)
{
	size_t i = 0;
	while (i < count &&
	       (!words[i] || !text_equal(words[i], cJSON_GetStringValue(value))))
		i++;
	return i;
}

bool member_words(struct reading *reading, const char *pointer, const cJSON *value,
		  const char *const *words, size_t count, unsigned *ret)
{
	const size_t problems_before = reading->problems->total;
	const cJSON *word;
	size_t index = 0;
	unsigned set = 0;
	if (!cJSON_IsArray(value) || cJSON_GetArraySize(value) == 0) {
		problems_add(reading->problems, pointer,
			     "must be an array of at least one word");
		return false;
	}
	cJSON_ArrayForEach(word, value)
	{
		const size_t found = find_word(word, words, count);
		if (found == count)
			complain_word(reading, pointer, index, words, count);
		else if (set & 1U << found)
			problems_add_element(reading->problems, pointer, index,
					     "is there twice");
		else
			set |= 1U << found;
		index++;
	}
	if (reading->problems->total > problems_before)
		return false;
	*ret = set;
	return true;
}

/* --- objects of strings --- */

/* The members of `others` that `object` does not replace. */
static void put_others(struct json_writer *json, const cJSON *others, const cJSON *object)
{
	const cJSON *value;
	cJSON_ArrayForEach(value, others)
	{
		if (!object || !json_get(object, value->string))
			json_put_text(json, value->string, value->valuestring);
	}
}

/* Writes {"name": "text", ...} into `out`; every value must be a string, and `check` may
 * refuse a member with words. `others` (or NULL) go in front unless they are replaced. */
static void read_texts(struct reading *reading, const char *pointer, const cJSON *object,
		       const cJSON *others,
		       const char *(*check)(const struct reading *, const char *name,
					    const char *value),
		       struct buf *out)
{
	struct json_writer json;
	json_writer_init(&json, out);
	json_open(&json, NULL, '{');
	put_others(&json, others, object);
	const cJSON *value;
	cJSON_ArrayForEach(value, object)
	{
		const char *refusal = cJSON_IsString(value) ? NULL : "must be a string";
		if (!refusal)
			refusal = check(reading, value->string, value->valuestring);
		if (refusal)
			problems_add_member(reading->problems, pointer, value->string,
					    "%s", refusal);
		else
			json_put_text(&json, value->string, value->valuestring);
	}
	json_close(&json, '}');
}

static const char *check_label(const struct reading *reading, const char *name,
			       const char *value)
{
	(void)reading;
	size_t length = strlen(name);
	if (length == 0 || length > LABEL_NAME_BYTES)
		return "a label's name has 1 to 63 characters";
	for (size_t i = 0; i < length; i++)
		if (!isalnum((unsigned char)name[i]) && !strchr("._/-", name[i]))
			return "a label's name has only letters, digits, '.', '_', '/', "
			       "'-'";
	if (strlen(value) > LABEL_VALUE_BYTES)
		return "is longer than 255 bytes";
	if (text_has_control(value, strlen(value)))
		return "must not have control characters";
	return NULL;
}

void member_labels(struct reading *reading, const char *pointer, const cJSON *value)
{
	struct intake *intake = reading->intake;
	if (!cJSON_IsObject(value)) {
		problems_add(reading->problems, pointer, "must be an object of strings");
		return;
	}
	if (cJSON_GetArraySize(value) > reading->config->limits.labels)
		problems_add(reading->problems, pointer,
			     "has more than %lld (limits.labels)",
			     (long long)reading->config->limits.labels);
	buf_init(&intake->labels, 4 << 20);
	read_texts(reading, pointer, value, NULL, check_label, &intake->labels);
	intake->submission.labels = buf_text(&intake->labels);
}

/* Names that turn a data channel into code in some interpreter or loader. A star stands
 * for any end. */
static const char *const DENIED[] = {
	"LD_*",	 "GLIBC_TUNABLES", "BASH_ENV",	 "BASH_FUNC_*", "ENV",
	"IFS",	 "PATH",	   "PYTHON*",	 "PERL5*",	"NODE_OPTIONS",
	"GIT_*", "REEVE_*",	   "GCONV_PATH", "LOCPATH",	"MALLOC_*",
};

static bool name_fits(const char *pattern, const char *name)
{
	size_t length = strlen(pattern);
	if (length > 0 && pattern[length - 1] == '*')
		return strncmp(pattern, name, length - 1) == 0;
	return strcmp(pattern, name) == 0;
}

static bool is_variable(const char *name)
{
	if (!isalpha((unsigned char)name[0]) && name[0] != '_')
		return false;
	while (isalnum((unsigned char)*name) || *name == '_')
		name++;
	return *name == '\0';
}

const char *intake_environment_refusal(const struct config *config,
				       const struct task *task, const char *name)
{
	if (!is_variable(name))
		return "is not the name of a variable";
	/* A task says exactly what its callers may set, whatever others may. */
	if (task)
		return words_have(&task->allow_environment, name)
			       ? NULL
			       : "may not be set for this task (its allow_environment)";
	if (words_have(&config->allow_environment, name))
		return NULL;
	if (!words_have(&config->allow_environment, "*"))
		return "may not be set by a request (allow_environment)";
	for (size_t i = 0; i < ARRAY_SIZE(DENIED); i++)
		if (name_fits(DENIED[i], name))
			return "may not be set by a request";
	return NULL;
}

static const char *check_variable(const struct reading *reading, const char *name,
				  const char *value)
{
	(void)value;
	return intake_environment_refusal(reading->config, reading->task, name);
}

void member_environment(struct reading *reading, const char *pointer, const cJSON *value)
{
	struct intake *intake = reading->intake;
	if (value && !cJSON_IsObject(value)) {
		problems_add(reading->problems, pointer, "must be an object of strings");
		return;
	}
	int64_t max = reading->config->limits.environment_bytes;
	size_t bytes = 0;
	const cJSON *variable;
	cJSON_ArrayForEach(variable, value)
	{
		bytes += strlen(variable->string) + 2;
		if (cJSON_IsString(variable))
			bytes += strlen(variable->valuestring);
	}
	if (bytes > (size_t)max)
		problems_add(
			reading->problems, pointer,
			"is %zu bytes long, more than %lld (limits.environment_bytes)",
			bytes, (long long)max);
	/* Escapes make six characters of one at the most; a task is one file at most. */
	buf_init(&intake->environment, (size_t)max * 6 + (8u << 20));
	read_texts(reading, pointer, value,
		   reading->task ? reading->task->environment : NULL, check_variable,
		   &intake->environment);
	intake->submission.environment = buf_text(&intake->environment);
}
