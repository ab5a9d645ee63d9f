/* parameter.c - from a JSON object to a parameter, by a table of rules.
 *
 * A rule is a row that says for which types it means anything: a rule that would be
 * ignored is a mistake that somebody relies on. */
#include "tasks/definition.h"

#define PATTERN_BYTES_MAX 4096
#define LENGTH_MAX (1024 * 1024)

/* clang-format off */
static const struct {
	const char *word, *input;
} TYPES[] = {
#define TYPE_ROW_(type, name, asked) [type] = {.word = (name), .input = (asked)},
	PARAMETER_TYPES(TYPE_ROW_)
#undef TYPE_ROW_
};
/* clang-format on */

const char *parameter_type_word(enum parameter_type type)
{
	return TYPES[type].word;
}

const char *parameter_type_input(enum parameter_type type)
{
	return TYPES[type].input;
}

const struct parameter *parameter_find(const struct task *task, const char *name,
				       size_t length)
{
	for (size_t i = 0; i < task->parameter_count; i++) {
		const char *own = task->parameters[i].name;

		if (own && strlen(own) == length && memcmp(own, name, length) == 0)
			return &task->parameters[i];
	}
	return NULL;
}

void parameter_release(struct parameter *parameter)
{
	pattern_free(parameter->pattern);
	words_release(&parameter->values);
	cJSON_Delete(parameter->fallback);
	value_release(&parameter->fallback_value);
	free(parameter->name);
	free(parameter->description);
	free(parameter->pattern_text);
	free(parameter->beneath);
	*parameter = (struct parameter){0};
}

/* --- the rules --- */

static void read_required(struct task_reader *reader, const char *path,
			  const cJSON *value, struct parameter *ret)
{
	(void)read_flag(reader, path, value, &ret->is_required);
}

static void read_must_exist(struct task_reader *reader, const char *path,
			    const cJSON *value, struct parameter *ret)
{
	(void)read_flag(reader, path, value, &ret->must_exist);
}

static void read_allow_dash(struct task_reader *reader, const char *path,
			    const cJSON *value, struct parameter *ret)
{
	(void)read_flag(reader, path, value, &ret->allow_dash);
}

static void read_description(struct task_reader *reader, const char *path,
			     const cJSON *value, struct parameter *ret)
{
	ret->description = mem_strdup(read_line(reader, path, value));
}

static void read_pattern(struct task_reader *reader, const char *path, const cJSON *value,
			 struct parameter *ret)
{
	const char *text = cJSON_GetStringValue(value);
	struct err err = ERR_INIT;

	if (!text || !*text || strlen(text) > PATTERN_BYTES_MAX)
		task_fault(reader, path, "expected a regular expression of 1 to %d bytes",
			   PATTERN_BYTES_MAX);
	else if (pattern_compile(text, &ret->pattern, &err))
		task_fault(reader, path, "%s", err.text);
	else
		ret->pattern_text = mem_strdup(text);
}

static bool read_bound(struct task_reader *reader, const char *path, const cJSON *value,
		       double *ret)
{
	if (!cJSON_IsNumber(value)) {
		task_fault(reader, path, "expected a number");
		return false;
	}
	*ret = value->valuedouble;
	return true;
}

static void read_min(struct task_reader *reader, const char *path, const cJSON *value,
		     struct parameter *ret)
{
	ret->has_min = read_bound(reader, path, value, &ret->min);
}

static void read_max(struct task_reader *reader, const char *path, const cJSON *value,
		     struct parameter *ret)
{
	ret->has_max = read_bound(reader, path, value, &ret->max);
}

static void read_min_length(struct task_reader *reader, const char *path,
			    const cJSON *value, struct parameter *ret)
{
	(void)read_integer(reader, path, value, 0, LENGTH_MAX, &ret->min_length);
}

static void read_max_length(struct task_reader *reader, const char *path,
			    const cJSON *value, struct parameter *ret)
{
	(void)read_integer(reader, path, value, 0, LENGTH_MAX, &ret->max_length);
}

static void read_values(struct task_reader *reader, const char *path, const cJSON *value,
			struct parameter *ret)
{
	const struct words *values = &ret->values;

	read_list(reader, path, value, NULL, &ret->values);
	if (cJSON_IsArray(value) && !cJSON_GetArraySize(value))
		task_fault(reader, path, "expected at least one");
	for (size_t i = 0; i < values->count; i++)
		for (size_t j = 0; j < i; j++)
			if (text_equal(values->item[i], values->item[j]))
				task_fault(reader, path, "\"%s\" is there twice",
					   values->item[i]);
}

static void read_beneath(struct task_reader *reader, const char *path, const cJSON *value,
			 struct parameter *ret)
{
	const char *text = read_line(reader, path, value);
	struct err err = ERR_INIT;

	if (text && path_tidy(text, &ret->beneath, &err))
		task_fault(reader, path, "%s", err.text);
}

static void read_default(struct task_reader *reader, const char *path, const cJSON *value,
			 struct parameter *ret)
{
	(void)reader;
	(void)path;
	ret->fallback = cJSON_Duplicate(value, true);
}

/* --- the table --- */

#define ON(type) (1u << (type))
#define ON_ALL (ON(TYPE_COUNT) - 1)
#define ON_TEXT (ON(TYPE_STRING) | ON(TYPE_PATH))
#define ON_NUMBER (ON(TYPE_INTEGER) | ON(TYPE_NUMBER))

struct rule {
	const char *name;
	unsigned types; /* for which it means something */
	void (*read)(struct task_reader *reader, const char *path, const cJSON *value,
		     struct parameter *ret);
};

/* clang-format off */
static const struct rule RULES[] = {
	{.name = "description", .types = ON_ALL,          .read = read_description},
	{.name = "required",    .types = ON_ALL,          .read = read_required},
	{.name = "default",     .types = ON_ALL,          .read = read_default},
	{.name = "pattern",     .types = ON_TEXT,         .read = read_pattern},
	{.name = "min",         .types = ON_NUMBER,       .read = read_min},
	{.name = "max",         .types = ON_NUMBER,       .read = read_max},
	{.name = "min_length",  .types = ON_TEXT,         .read = read_min_length},
	{.name = "max_length",  .types = ON_TEXT,         .read = read_max_length},
	{.name = "values",      .types = ON(TYPE_ENUM),   .read = read_values},
	{.name = "beneath",     .types = ON(TYPE_PATH),   .read = read_beneath},
	{.name = "must_exist",  .types = ON(TYPE_PATH),   .read = read_must_exist},
	{.name = "allow_dash",  .types = ON(TYPE_STRING) | ON_NUMBER | ON(TYPE_ENUM), .read = read_allow_dash},
	{.name = "name"}, {.name = "type"}, /* read before all others */
};
/* clang-format on */

static void unknown_rule(struct task_reader *reader, const char *path, const char *name)
{
	const char *names[ARRAY_SIZE(RULES)], *nearest;

	for (size_t i = 0; i < ARRAY_SIZE(RULES); i++)
		names[i] = RULES[i].name;
	nearest = text_nearest(name, names, ARRAY_SIZE(RULES));
	if (nearest)
		task_fault(reader, path, "unknown; did you mean %s?", nearest);
	else
		task_fault(reader, path, "unknown");
}

static void read_rule(struct task_reader *reader, const char *path, const cJSON *member,
		      struct parameter *ret)
{
	for (size_t i = 0; i < ARRAY_SIZE(RULES); i++) {
		if (!text_equal(RULES[i].name, member->string))
			continue;
		if (!RULES[i].read || cJSON_IsNull(member))
			return;
		if (!(RULES[i].types & ON(ret->type)))
			task_fault(reader, path,
				   "means nothing for a parameter of type %s",
				   parameter_type_word(ret->type));
		else
			RULES[i].read(reader, path, member, ret);
		return;
	}
	unknown_rule(reader, path, member->string);
}

/* --- the whole --- */

static void read_name(struct task_reader *reader, const char *path, const cJSON *object,
		      const struct task *task, struct parameter *ret)
{
	const cJSON *value = json_get(object, "name");
	AUTO_FREE char *here = task_path(path, "name");
	const char *text;

	if (!value) {
		task_fault(reader, path, "a parameter needs a name");
		return;
	}
	text = read_line(reader, here, value);
	if (text && !task_name_is_valid(text))
		task_fault(reader, here,
			   "expected a letter or _, then letters, digits, - and _, at "
			   "most %d",
			   TASK_NAME_BYTES);
	else if (text && parameter_find(task, text, strlen(text)))
		task_fault(reader, here, "\"%s\" is there twice", text);
	else if (text)
		ret->name = mem_strdup(text);
}

/* 0, or -1 with a fault: without its type nothing else can be judged. */
static int read_type(struct task_reader *reader, const char *path, const cJSON *object,
		     struct parameter *ret)
{
	const cJSON *value = json_get(object, "type");
	AUTO_FREE char *here = task_path(path, "type");
	AUTO_BUF struct buf known = BUF_INIT(256);

	for (int i = 0; i < TYPE_COUNT; i++) {
		if (value && text_equal(cJSON_GetStringValue(value), TYPES[i].word)) {
			ret->type = (enum parameter_type)i;
			return 0;
		}
		(void)buf_printf(&known, "%s%s", i ? ", " : "", TYPES[i].word);
	}
	task_fault(reader, value ? here : path, "%sexpected one of %s",
		   value ? "" : "a parameter needs a type: ", buf_text(&known));
	return -1;
}

/* Rules that contradict each other, and the default, which is a value like any other. */
static void check_parameter(struct task_reader *reader, const char *path,
			    const cJSON *object, struct parameter *ret)
{
	AUTO_FREE char *here = task_path(path, "default");
	struct err err = ERR_INIT;

	if (ret->has_min && ret->has_max && ret->min > ret->max)
		task_fault(reader, path, "min is larger than max");
	if (ret->min_length > ret->max_length && ret->max_length >= 0)
		task_fault(reader, path, "min_length is larger than max_length");
	if (ret->type == TYPE_ENUM && !json_get(object, "values"))
		task_fault(reader, path, "an enum needs values");
	if (!ret->fallback)
		return;
	if (json_get(object, "required") && ret->is_required)
		task_fault(reader, path, "required, although it has a default");
	ret->is_required = false;
	if (!reader->faults.count &&
	    value_check(ret, ret->fallback, false, &ret->fallback_value, &err))
		task_fault(reader, here, "%s", err.text);
}

static void parameter_read(struct task_reader *reader, const char *path,
			   const cJSON *object, const struct task *task,
			   struct parameter *ret)
{
	const cJSON *member;

	*ret = (struct parameter){
		.is_required = true, .min_length = -1, .max_length = -1};
	if (!cJSON_IsObject(object)) {
		task_fault(reader, path, "expected an object");
		return;
	}
	read_name(reader, path, object, task, ret);
	if (read_type(reader, path, object, ret))
		return;
	cJSON_ArrayForEach(member, object)
	{
		AUTO_FREE char *here = task_path(path, member->string);

		read_rule(reader, here, member, ret);
	}
	check_parameter(reader, path, object, ret);
}

void parameters_read(struct task_reader *reader, const char *path, const cJSON *array,
		     void *target)
{
	struct task *task = target;
	const cJSON *element;

	if (!cJSON_IsArray(array)) {
		task_fault(reader, path, "expected a list of parameters");
		return;
	}
	task->parameters = mem_array((size_t)cJSON_GetArraySize(array) + 1,
				     sizeof(struct parameter));
	cJSON_ArrayForEach(element, array)
	{
		AUTO_FREE char *here = mem_printf("%s.%zu", path, task->parameter_count);
		struct parameter parameter;

		parameter_read(reader, here, element, task, &parameter);
		task->parameters[task->parameter_count++] = parameter;
	}
}
