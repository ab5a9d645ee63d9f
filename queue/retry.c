/* retry.c - the rule of retries: its words, its arithmetic, its text (see retry.h). */
#include "queue/retry.h"

#include <string.h>

static const char *const CAUSES[RETRY_CAUSE_COUNT_] = {
#define CAUSE_WORD_(cause, word) [cause] = (word),
	RETRY_CAUSES(CAUSE_WORD_)
#undef CAUSE_WORD_
};

const char *retry_cause_word(enum retry_cause cause)
{
	return (unsigned)cause < RETRY_CAUSE_COUNT_ ? CAUSES[cause] : "";
}

enum retry_cause retry_cause_parse(const char *word)
{
	unsigned i = 0;
	while (i < RETRY_CAUSE_COUNT_ && !text_equal(CAUSES[i], word))
		i++;
	return (enum retry_cause)i;
}

void retry_init(struct retry *ret)
{
	*ret = (struct retry){
		.delay_us = 10 * US_PER_S,
		.max_delay_us = 3600 * US_PER_S,
		.factor = 2,
		.jitter = 0.1,
		.on = 1U << RETRY_EXIT | 1U << RETRY_SIGNAL,
	};
}

/* --- as text --- */

static void put_seconds(struct json_writer *json, const char *key, int64_t us)
{
	if (us % US_PER_S == 0)
		json_put_int(json, key, us / US_PER_S);
	else
		json_put_double(json, key, (double)us / (double)US_PER_S);
}

static void put_exit_codes(struct json_writer *json, const struct retry *retry)
{
	if (!retry->has_exit_codes) {
		json_put_null(json, "exit_codes");
		return;
	}
	json_open(json, "exit_codes", '[');
	for (int code = 0; code < RETRY_EXIT_CODES; code++)
		if (retry->exit_code[code])
			json_put_int(json, NULL, code);
	json_close(json, ']');
}

void retry_format(const struct retry *retry, struct buf *out)
{
	struct json_writer json;
	json_writer_init(&json, out);
	json_open(&json, NULL, '{');
	put_seconds(&json, "delay_s", retry->delay_us);
	json_put_double(&json, "factor", retry->factor);
	put_seconds(&json, "max_delay_s", retry->max_delay_us);
	json_put_double(&json, "jitter", retry->jitter);
	json_open(&json, "on", '[');
	for (unsigned i = 0; i < RETRY_CAUSE_COUNT_; i++)
		if (retry->on & 1U << i)
			json_put_text(&json, NULL, CAUSES[i]);
	json_close(&json, ']');
	put_exit_codes(&json, retry);
	json_close(&json, '}');
}

/* A number within its limits, whoever wrote the row; the default when there is none. */
static double number_of(const cJSON *tree, const char *key, double most, double fallback)
{
	const cJSON *value = json_get(tree, key);
	if (value == NULL || !cJSON_IsNumber(value))
		return fallback;
	const double number = value->valuedouble;
	return number > most ? most : number > 0 ? number : 0;
}

static int64_t us_of(const cJSON *tree, const char *key, int64_t fallback_us)
{
	const double most = (double)RETRY_DELAY_MAX_US / (double)US_PER_S;
	const double fallback = (double)fallback_us / (double)US_PER_S;
	return (int64_t)(number_of(tree, key, most, fallback) * (double)US_PER_S + 0.5);
}

static void read_on(const cJSON *list, struct retry *ret)
{
	const cJSON *word;
	if (!cJSON_IsArray(list))
		return;
	ret->on = 0;
	cJSON_ArrayForEach(word, list)
	{
		const enum retry_cause cause =
			retry_cause_parse(cJSON_GetStringValue(word));
		if (cause != RETRY_CAUSE_COUNT_)
			ret->on |= 1U << cause;
	}
}

static void read_exit_codes(const cJSON *list, struct retry *ret)
{
	const cJSON *code;
	ret->has_exit_codes = cJSON_IsArray(list);
	cJSON_ArrayForEach(code, list)
	{
		const double number = cJSON_IsNumber(code) ? code->valuedouble : -1;
		if (number >= 0 && number < RETRY_EXIT_CODES)
			ret->exit_code[(int)number] = true;
	}
}

int retry_parse(const char *text, struct retry *ret, struct err *err)
{
	cJSON *tree = NULL;
	struct retry retry;
	if (json_parse(text, strlen(text), NULL, &tree, err) < 0)
		return err_wrap(err, "retry");
	retry_init(&retry);
	retry.delay_us = us_of(tree, "delay_s", retry.delay_us);
	retry.max_delay_us = us_of(tree, "max_delay_s", retry.max_delay_us);
	retry.factor = number_of(tree, "factor", RETRY_FACTOR_MAX, retry.factor);
	retry.jitter = number_of(tree, "jitter", 1, retry.jitter);
	read_on(json_get(tree, "on"), &retry);
	read_exit_codes(json_get(tree, "exit_codes"), &retry);
	cJSON_Delete(tree);
	*ret = retry;
	return 0;
}

/* --- the rule --- */

bool retry_covers(const struct retry *retry, enum retry_cause cause, int exit_code)
{
	if ((unsigned)cause >= RETRY_CAUSE_COUNT_ || (retry->on & 1U << cause) == 0)
		return false;
	if (cause != RETRY_EXIT || !retry->has_exit_codes)
		return true;
	return exit_code >= 0 && exit_code < RETRY_EXIT_CODES &&
	       retry->exit_code[exit_code];
}

int64_t retry_delay_us(const struct retry *retry, int used, double sample)
{
	const double most = (double)retry->max_delay_us;
	double delay = (double)retry->delay_us;
	for (int n = 1; n < used && delay < most; n++)
		delay *= retry->factor;
	delay = delay < most ? delay : most;
	delay *= 1 + retry->jitter * (2 * sample - 1);
	if (!(delay > 0))
		return 0;
	return delay < (double)RETRY_DELAY_MAX_US ? (int64_t)delay : RETRY_DELAY_MAX_US;
}
