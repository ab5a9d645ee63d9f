/* reader.c - collecting what is wrong with definitions, and reading keys by a table. */
#include "tasks/definition.h"

#define KEYS_MAX 32

char *task_path(const char *path, const char *name)
{
	return *path ? mem_printf("%s.%s", path, name) : mem_strdup(name);
}

char *task_place(const struct task_reader *reader, const char *path)
{
	return reader->name
		       ? faults_place(reader->name, reader->text, reader->length, path)
		       : mem_strdup("the stored definition");
}

void task_fault(struct task_reader *reader, const char *path, const char *format, ...)
{
	AUTO_FREE char *place = task_place(reader, path);
	AUTO_FREE char *front = mem_printf("%s: %s%s", place, path, *path ? ": " : "");
	va_list args;

	va_start(args, format);
	faults_vprintf(&reader->faults, front, format, args);
	va_end(args);
}

/* --- keys --- */

static void unknown_key(struct task_reader *reader, const char *path, const char *name,
			const struct key *keys, size_t count)
{
	const char *names[KEYS_MAX], *nearest;

	for (size_t i = 0; i < count && i < KEYS_MAX; i++)
		names[i] = keys[i].name;
	nearest = text_nearest(name, names, count < KEYS_MAX ? count : KEYS_MAX);
	if (nearest)
		task_fault(reader, path, "unknown; did you mean %s?", nearest);
	else
		task_fault(reader, path, "unknown");
}

static void key_read(struct task_reader *reader, const char *path, const cJSON *value,
		     const struct key *keys, size_t count, void *target)
{
	for (size_t i = 0; i < count; i++) {
		if (!text_equal(keys[i].name, value->string))
			continue;
		if (!keys[i].read)
			task_fault(reader, path, "not supported by this version");
		else if (!cJSON_IsNull(value))
			keys[i].read(reader, path, value, target);
		return;
	}
	unknown_key(reader, path, value->string, keys, count);
}

void keys_read(struct task_reader *reader, const char *path, const cJSON *object,
	       const struct key *keys, size_t count, void *target)
{
	const cJSON *member;

	if (!cJSON_IsObject(object)) {
		task_fault(reader, path, "expected an object");
		return;
	}
	cJSON_ArrayForEach(member, object)
	{
		AUTO_FREE char *here = task_path(path, member->string);

		key_read(reader, here, member, keys, count, target);
	}
}

/* --- values --- */

const char *read_line(struct task_reader *reader, const char *path, const cJSON *value)
{
	const char *text = cJSON_GetStringValue(value);

	if (!text || !*text)
		task_fault(reader, path, "expected a string that is not empty");
	else if (text_has_control(text, strlen(text)))
		task_fault(reader, path, "control characters are not allowed");
	else
		return text;
	return NULL;
}

bool read_integer(struct task_reader *reader, const char *path, const cJSON *value,
		  int64_t min, int64_t max, int64_t *ret)
{
	const double number = cJSON_IsNumber(value) ? value->valuedouble : 0;

	if (!cJSON_IsNumber(value) || number < (double)min || number > (double)max ||
	    number > (double)(int64_t)number || number < (double)(int64_t)number) {
		task_fault(reader, path, "expected an integer from %lld to %lld",
			   (long long)min, (long long)max);
		return false;
	}
	*ret = (int64_t)number;
	return true;
}

bool read_flag(struct task_reader *reader, const char *path, const cJSON *value,
	       bool *ret)
{
	if (!cJSON_IsBool(value)) {
		task_fault(reader, path, "expected true or false");
		return false;
	}
	*ret = cJSON_IsTrue(value);
	return true;
}

void read_list(struct task_reader *reader, const char *path, const cJSON *value,
	       const char *(*check)(const char *text), struct words *ret)
{
	const cJSON *element;
	int index = 0;

	if (!cJSON_IsArray(value)) {
		task_fault(reader, path, "expected a list of strings");
		return;
	}
	words_release(ret);
	ret->item = mem_array((size_t)cJSON_GetArraySize(value) + 1, sizeof(char *));
	cJSON_ArrayForEach(element, value)
	{
		AUTO_FREE char *here = mem_printf("%s.%d", path, index++);
		const char *text = cJSON_GetStringValue(element);
		const char *wrong = text ? NULL : "expected a string";

		if (!wrong && check)
			wrong = check(text);
		if (wrong)
			task_fault(reader, here, "%s", wrong);
		else
			ret->item[ret->count++] = mem_strdup(text);
	}
}

void words_release(struct words *words)
{
	for (size_t i = 0; i < words->count; i++)
		free(words->item[i]);
	free(words->item);
	*words = (struct words){0};
}
