/* config_retention.c - reading the rules of retention.
 *
 * A rule is an object of the keys in RULE_KEYS, a limit one of those in LIMIT_KEYS. A
 * rule with a mistake is dropped with its fault, and so the configuration is refused. */
#include "common/config_retention.h"

#include "common/clock.h"
#include "common/config_rows.h"
#include "common/json.h"
#include "common/mem.h"
#include "common/text.h"

#define AGE_MAX_S (INT64_C(100) * 366 * 86400)
#define COUNT_MAX INT64_C(1000000000)
#define BYTES_MAX (INT64_C(1) << 50)
#define ANY_OUTCOME ((1u << OUTCOME_COUNT_) - 1)

static const char *const OUTCOME_WORDS[] = {
#define OUTCOME_WORD_(value, word) [value] = (word),
	RETENTION_OUTCOMES(OUTCOME_WORD_)
#undef OUTCOME_WORD_
};

const char *retention_outcome_word(enum retention_outcome outcome)
{
	return OUTCOME_WORDS[outcome];
}

int retention_outcome_parse(const char *word)
{
	for (int i = 0; i < OUTCOME_COUNT_; i++)
		if (text_equal(OUTCOME_WORDS[i], word))
			return i;
	return -1;
}

/* --- objects by a table of keys --- */

struct key {
	const char *name;
	void (*read)(struct config_reader *reader, const char *path, const cJSON *value,
		     const struct key *key, void *into);
	size_t offset; /* of the field in `into` */
	int64_t min, max, scale;
};

#define KEYS_MAX 8

static void read_keys(struct config_reader *reader, const char *path, const cJSON *object,
		      const struct key *keys, size_t count, void *into)
{
	const char *names[KEYS_MAX];
	const cJSON *member;

	for (size_t i = 0; i < count; i++)
		names[i] = keys[i].name;
	cJSON_ArrayForEach(member, object)
	{
		AUTO_FREE char *here = mem_printf("%s.%s", path, member->string);
		size_t i = 0;

		while (i < count && !text_equal(member->string, names[i]))
			i++;
		if (i == count)
			config_fault_unknown(reader, here, member->string, names, count);
		else if (!cJSON_IsNull(member)) /* null says nothing */
			keys[i].read(reader, here, member, &keys[i], into);
	}
}

/* --- limits --- */

static void read_limit(struct config_reader *reader, const char *path, const cJSON *value,
		       const struct key *key, void *into)
{
	const double number = cJSON_IsNumber(value) ? value->valuedouble : -1;

	if (number < (double)key->min || number > (double)key->max ||
	    number > (double)(int64_t)number)
		config_fault(reader, path,
			     "expected a whole number from %lld to %lld; without it "
			     "there is no such limit",
			     (long long)key->min, (long long)key->max);
	else
		*(int64_t *)(void *)((char *)into + key->offset) =
			(int64_t)number * key->scale;
}

/* clang-format off */
#define LIMIT(member) .read = read_limit, .offset = offsetof(struct retention_limits, member)
static const struct key LIMIT_KEYS[] = {
	{.name = "max_age_s", LIMIT(max_age_us), .min = 1, .max = AGE_MAX_S, .scale = US_PER_S},
	{.name = "keep_last", LIMIT(keep_last), .max = COUNT_MAX, .scale = 1},
	{.name = "max_bytes", LIMIT(max_bytes), .max = BYTES_MAX, .scale = 1},
};
#undef LIMIT
/* clang-format on */

static void read_limits(struct config_reader *reader, const char *path,
			const cJSON *value, struct retention_limits *ret)
{
	*ret = (struct retention_limits){-1, -1, -1};
	if (cJSON_IsObject(value))
		read_keys(reader, path, value, LIMIT_KEYS, ARRAY_SIZE(LIMIT_KEYS), ret);
	else
		config_fault(reader, path,
			     "expected an object of max_age_s, keep_last, max_bytes; {} "
			     "keeps for ever");
}

static void read_output_limits(struct config_reader *reader, const char *path,
			       const cJSON *value, const struct key *key, void *into)
{
	struct retention_rule *rule = into;

	(void)key;
	rule->has_output = true;
	read_limits(reader, path, value, &rule->output);
}

static void read_row_limits(struct config_reader *reader, const char *path,
			    const cJSON *value, const struct key *key, void *into)
{
	struct retention_rule *rule = into;

	(void)key;
	rule->has_rows = true;
	read_limits(reader, path, value, &rule->rows);
}

/* --- which jobs --- */

static void read_name(struct config_reader *reader, const char *path, const cJSON *value,
		      const struct key *key, void *into)
{
	char **field = (char **)(void *)((char *)into + key->offset);
	const char *text = cJSON_GetStringValue(value);

	if (!text || !text[0])
		config_fault(reader, path, "expected the name of a %s", key->name);
	else
		*field = mem_strdup(text);
}

static void add_outcome(struct config_reader *reader, const char *path,
			const cJSON *value, unsigned *outcomes)
{
	const char *word = cJSON_GetStringValue(value);
	const int outcome = word ? retention_outcome_parse(word) : -1;

	if (text_equal(word, "any"))
		*outcomes |= ANY_OUTCOME;
	else if (outcome >= 0)
		*outcomes |= 1u << outcome;
	else
		config_fault(reader, path,
			     "expected any, succeeded, failed, cancelled, skipped, lost, "
			     "or a list of them");
}

static void read_outcome(struct config_reader *reader, const char *path,
			 const cJSON *value, const struct key *key, void *into)
{
	struct retention_rule *rule = into;
	const cJSON *element;
	int index = 0;

	(void)key;
	rule->outcomes = 0;
	if (!cJSON_IsArray(value)) {
		add_outcome(reader, path, value, &rule->outcomes);
		return;
	}
	cJSON_ArrayForEach(element, value)
	{
		AUTO_FREE char *here = mem_printf("%s.%d", path, index++);

		add_outcome(reader, here, element, &rule->outcomes);
	}
	if (index == 0)
		config_fault(reader, path, "expected at least one outcome");
}

/* clang-format off */
#define NAME(member) .read = read_name, .offset = offsetof(struct retention_rule, member)
static const struct key RULE_KEYS[] = {
	{.name = "queue", NAME(queue)},
	{.name = "task", NAME(task)},
	{.name = "outcome", .read = read_outcome},
	{.name = "output", .read = read_output_limits},
	{.name = "rows", .read = read_row_limits},
};
#undef NAME
/* clang-format on */

static void release_rules(void *field)
{
	struct retention_rules *rules = field;

	for (size_t i = 0; i < rules->count; i++) {
		free(rules->item[i].queue);
		free(rules->item[i].task);
	}
	free(rules->item);
	*rules = (struct retention_rules){0};
}

static void read_rule(struct config_reader *reader, const char *path,
		      const cJSON *element, struct retention_rule *ret)
{
	*ret = (struct retention_rule){.outcomes = ANY_OUTCOME};
	if (!cJSON_IsObject(element)) {
		config_fault(reader, path, "expected an object");
		return;
	}
	read_keys(reader, path, element, RULE_KEYS, ARRAY_SIZE(RULE_KEYS), ret);
	if (!ret->has_output && !ret->has_rows)
		config_fault(reader, path,
			     "says neither what of the output nor what of the rows is "
			     "kept: add output, rows or both");
}

static void read_rules(struct config_reader *reader, const struct setting *row,
		       const char *path, const cJSON *value, void *field)
{
	struct retention_rules rules = {0};
	const cJSON *element;

	(void)row;
	if (!cJSON_IsArray(value)) {
		config_fault(reader, path, "expected a list");
		return;
	}
	rules.item = mem_array((size_t)cJSON_GetArraySize(value) + 1,
			       sizeof(struct retention_rule));
	cJSON_ArrayForEach(element, value)
	{
		AUTO_FREE char *here = mem_printf("%s.%zu", path, rules.count);

		read_rule(reader, here, element, &rules.item[rules.count++]);
	}
	release_rules(field);
	*(struct retention_rules *)field = rules;
}

/* clang-format off */
const struct setting_kind KIND_RETENTION = {
	.word = "list of {\"queue\", \"task\", \"outcome\", \"output\", \"rows\"}",
	.read = read_rules, .release = release_rules};
/* clang-format on */
