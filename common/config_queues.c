/* config_queues.c - reading the setting `queues`. */
#include "common/config_queues.h"

#include "common/clock.h"
#include "common/config_rows.h"
#include "common/json.h"
#include "common/mem.h"
#include "common/text.h"

#define MAX_RUNNING_MAX 1000000
#define TIMEOUT_S_MAX (INT64_C(366) * 86400)

bool queue_name_is_valid(const char *name)
{
	static const char letters[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.-";
	const size_t length = strspn(name, letters);

	return length >= 1 && length <= QUEUE_NAME_MAX && name[length] == '\0';
}

/* A key of a queue's object: a number from 0 to `max`. */
struct queue_key {
	const char *name, *absent; /* and what it means that it is not there */
	int64_t max, scale;
	bool is_whole;
	size_t offset; /* in struct queue_setting */
};

/* clang-format off */
#define FIELD(member) .offset = offsetof(struct queue_setting, member)
static const struct queue_key KEYS[] = {
	{.name = "max_running", .max = MAX_RUNNING_MAX, .scale = 1, .is_whole = true,
	 .absent = "there is no limit", FIELD(max_running)},
	{.name = "default_timeout_s", .max = TIMEOUT_S_MAX, .scale = US_PER_S,
	 .absent = "timeout_s holds", FIELD(default_timeout_us)},
};
#undef FIELD
/* clang-format on */

static const struct queue_key *key_find(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(KEYS); i++)
		if (text_equal(KEYS[i].name, name))
			return &KEYS[i];
	return NULL;
}

static void read_key(struct config_reader *reader, const char *path, const cJSON *member,
		     struct queue_setting *ret)
{
	const struct queue_key *key = key_find(member->string);
	const double number = cJSON_IsNumber(member) ? member->valuedouble : -1;

	if (!key) {
		const char *names[ARRAY_SIZE(KEYS)];
		AUTO_FREE char *here = mem_printf("%s.%s", path, member->string);

		for (size_t i = 0; i < ARRAY_SIZE(KEYS); i++)
			names[i] = KEYS[i].name;
		config_fault_unknown(reader, here, member->string, names,
				     ARRAY_SIZE(KEYS));
	} else if (number < 0 || number > (double)key->max ||
		   (key->is_whole && number > (double)(int64_t)number)) {
		config_fault(reader, path,
			     "%s: expected a %snumber from 0 to %lld; without it %s",
			     key->name, key->is_whole ? "whole " : "",
			     (long long)key->max, key->absent);
	} else {
		*(int64_t *)(void *)((char *)ret + key->offset) =
			(int64_t)(number * (double)key->scale + 0.5);
	}
}

static void read_queue(struct config_reader *reader, const cJSON *value, const char *path,
		       struct queue_setting *ret)
{
	const cJSON *member;

	*ret = (struct queue_setting){.name = mem_strdup(value->string),
				      .max_running = -1};
	if (!queue_name_is_valid(value->string))
		config_fault(reader, path,
			     "the name of a queue is 1 to %d letters (A to Z), digits, "
			     "_, . or -",
			     QUEUE_NAME_MAX);
	if (!cJSON_IsObject(value)) {
		config_fault(reader, path,
			     "expected an object of max_running, default_timeout_s");
		return;
	}
	cJSON_ArrayForEach(member, value)
	{
		read_key(reader, path, member, ret);
	}
}

static void release_queues(void *field)
{
	struct queue_settings *queues = field;

	for (size_t i = 0; i < queues->count; i++)
		free(queues->item[i].name);
	free(queues->item);
	*queues = (struct queue_settings){0};
}

static void read_queues(struct config_reader *reader, const struct setting *row,
			const char *path, const cJSON *value, void *field)
{
	struct queue_settings queues = {0};
	const cJSON *member;

	(void)row;
	if (!cJSON_IsObject(value)) {
		config_fault(reader, path, "expected an object, queues by their names");
		return;
	}
	queues.item = mem_array((size_t)cJSON_GetArraySize(value) + 1,
				sizeof(struct queue_setting));
	cJSON_ArrayForEach(member, value)
	{
		AUTO_FREE char *here = mem_printf("%s.%s", path, member->string);

		read_queue(reader, member, here, &queues.item[queues.count++]);
	}
	release_queues(field);
	*(struct queue_settings *)field = queues;
}

/* clang-format off */
const struct setting_kind KIND_QUEUES = {.word = "object of {\"max_running\", \"default_timeout_s\"} by name",
	.read = read_queues, .release = release_queues};
/* clang-format on */
