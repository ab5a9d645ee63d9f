/* value.c - is this value what its parameter allows? One row per type.
 *
 * Numbers and booleans may come as text too, as forms and command lines have them; they
 * are kept as what they are. */
#include <math.h>

#include "tasks/definition.h"

#define TEXT_BYTES_MAX (1024 * 1024)

void value_release(struct value *value)
{
	free(value->text);
	free(value->given);
	*value = (struct value){0};
}

/* Keeps a value: as text for an argument, and as JSON. */
static void keep(struct value *ret, char *text, const char *json)
{
	*ret = (struct value){.is_there = true, .text = text, .given = mem_strdup(json)};
}

static void keep_text(struct value *ret, const char *given, char *text)
{
	AUTO_BUF struct buf json = BUF_INIT((size_t)TEXT_BYTES_MAX * 6 + 16);
	struct json_writer writer;

	json_writer_init(&writer, &json);
	json_put_text(&writer, NULL, given);
	keep(ret, text, buf_text(&json));
}

/* --- texts --- */

/* Characters, not bytes: what a person counts. */
static int64_t characters(const char *text)
{
	int64_t count = 0;

	for (; *text; text++)
		count += ((unsigned char)*text & 0xc0) != 0x80;
	return count;
}

static int check_text(const struct parameter *parameter, const char *text,
		      struct err *err)
{
	const int64_t length = characters(text);

	if (strlen(text) > TEXT_BYTES_MAX)
		return err_set(err, ERR_INVALID, "is longer than 1 MiB");
	if (!text_is_utf8(text, strlen(text), NULL))
		return err_set(err, ERR_INVALID, "is not UTF-8");
	if (length < parameter->min_length)
		return err_set(err, ERR_INVALID, "has fewer than %lld characters",
			       (long long)parameter->min_length);
	if (parameter->max_length >= 0 && length > parameter->max_length)
		return err_set(err, ERR_INVALID, "has more than %lld characters",
			       (long long)parameter->max_length);
	if (!parameter->pattern)
		return 0;
	switch (pattern_matches(parameter->pattern, text)) {
	case 1:
		return 0;
	case 0:
		return err_set(err, ERR_INVALID, "does not match %.200s",
			       parameter->pattern_text);
	default:
		return err_set(err, ERR_INVALID,
			       "is too hard to compare with the pattern %.200s",
			       parameter->pattern_text);
	}
}

static int check_string(const struct parameter *parameter, const cJSON *json,
			bool is_live, struct value *ret, struct err *err)
{
	const char *text = cJSON_GetStringValue(json);

	(void)is_live;
	if (!text)
		return err_set(err, ERR_INVALID, "must be a string");
	if (check_text(parameter, text, err))
		return -1;
	keep_text(ret, text, mem_strdup(text));
	return 0;
}

static int check_enum(const struct parameter *parameter, const cJSON *json, bool is_live,
		      struct value *ret, struct err *err)
{
	const char *text = cJSON_GetStringValue(json);
	AUTO_BUF struct buf known = BUF_INIT(300);

	(void)is_live;
	for (size_t i = 0; i < parameter->values.count; i++) {
		if (text && text_equal(text, parameter->values.item[i])) {
			keep_text(ret, text, mem_strdup(text));
			return 0;
		}
		(void)buf_printf(&known, "%s\"%s\"", i ? ", " : "",
				 parameter->values.item[i]);
	}
	return err_set(err, ERR_INVALID, "must be one of %s", buf_text(&known));
}

static int check_path(const struct parameter *parameter, const cJSON *json, bool is_live,
		      struct value *ret, struct err *err)
{
	const char *given = cJSON_GetStringValue(json);
	AUTO_FREE char *tidy = NULL;
	char *real = NULL;

	if (!given)
		return err_set(err, ERR_INVALID, "must be a string");
	if (check_text(parameter, given, err) || path_tidy(given, &tidy, err))
		return -1;
	if (!is_live && parameter->beneath && !path_is_below(tidy, parameter->beneath))
		return err_set(err, ERR_INVALID, "must be below %.200s",
			       parameter->beneath);
	if (is_live &&
	    path_resolve(tidy, parameter->beneath, parameter->must_exist, &real, err))
		return -1;
	keep_text(ret, given, real ? real : mem_strdup(tidy));
	return 0;
}

/* --- numbers --- */

static int check_bounds(const struct parameter *parameter, double number, struct err *err)
{
	if (parameter->has_min && number < parameter->min)
		return err_set(err, ERR_INVALID, "must be at least %.15g",
			       parameter->min);
	if (parameter->has_max && number > parameter->max)
		return err_set(err, ERR_INVALID, "must be at most %.15g", parameter->max);
	return 0;
}

/* The integer that a JSON number or a text is. */
static bool integer_of(const cJSON *json, int64_t *ret)
{
	const char *text = cJSON_GetStringValue(json);
	const double number = cJSON_IsNumber(json) ? json->valuedouble : NAN;

	if (text)
		return !text_parse_int(text, -JSON_INTEGER_MAX, JSON_INTEGER_MAX, ret);
	if (!(fabs(number) <= (double)JSON_INTEGER_MAX))
		return false;
	*ret = (int64_t)number;
	return (double)*ret == number;
}

static int check_integer(const struct parameter *parameter, const cJSON *json,
			 bool is_live, struct value *ret, struct err *err)
{
	int64_t number = 0;
	char *text;

	(void)is_live;
	if (!integer_of(json, &number))
		return err_set(err, ERR_INVALID, "must be an integer");
	if (check_bounds(parameter, (double)number, err))
		return -1;
	text = mem_printf("%lld", (long long)number);
	keep(ret, text, text);
	return 0;
}

/* A text is a number when JSON says so: no blanks, no hexadecimal, no infinity. */
static double number_of(const cJSON *json)
{
	const char *text = cJSON_GetStringValue(json);
	double number = cJSON_IsNumber(json) ? json->valuedouble : NAN;
	cJSON *parsed = NULL;

	if (text && text[strspn(text, "+-.0123456789eE")] == '\0' &&
	    !json_parse(text, strlen(text), NULL, &parsed, NULL))
		number = cJSON_IsNumber(parsed) ? parsed->valuedouble : NAN;
	cJSON_Delete(parsed);
	return number;
}

static int check_number(const struct parameter *parameter, const cJSON *json,
			bool is_live, struct value *ret, struct err *err)
{
	const double number = number_of(json);
	AUTO_BUF struct buf text = BUF_INIT(64);
	struct json_writer writer;

	(void)is_live;
	if (!isfinite(number))
		return err_set(err, ERR_INVALID, "must be a number");
	if (check_bounds(parameter, number, err))
		return -1;
	json_writer_init(&writer, &text);
	json_put_double(&writer, NULL, number);
	keep(ret, mem_strdup(buf_text(&text)), buf_text(&text));
	return 0;
}

static int check_boolean(const struct parameter *parameter, const cJSON *json,
			 bool is_live, struct value *ret, struct err *err)
{
	static const char *const words[] = {"false", "true"};
	const char *text = cJSON_GetStringValue(json);

	(void)parameter;
	(void)is_live;
	for (int i = 0; i < 2; i++) {
		if ((i ? cJSON_IsTrue(json) : cJSON_IsFalse(json)) ||
		    (text && text_equal(text, words[i]))) {
			keep(ret, mem_strdup(words[i]), words[i]);
			return 0;
		}
	}
	return err_set(err, ERR_INVALID, "must be true or false");
}

/* --- the table --- */

typedef int check_fn(const struct parameter *parameter, const cJSON *json, bool is_live,
		     struct value *ret, struct err *err);

/* clang-format off */
static check_fn *const CHECKS[TYPE_COUNT] = {
	[TYPE_STRING]  = check_string,
	[TYPE_INTEGER] = check_integer,
	[TYPE_NUMBER]  = check_number,
	[TYPE_BOOLEAN] = check_boolean,
	[TYPE_PATH]    = check_path,
	[TYPE_ENUM]    = check_enum,
};
/* clang-format on */

int value_check(const struct parameter *parameter, const cJSON *json, bool is_live,
		struct value *ret, struct err *err)
{
	return CHECKS[parameter->type](parameter, json, is_live, ret, err);
}
