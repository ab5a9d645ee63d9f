/* member_waiting.c - the members of a submission that say when it may start, until when,
 * and how often (see members.h). */
#include "httpapi/members.h"

#define ATTEMPTS_MAX 1000
#define RETRY_BYTES_MAX 8192
#define SECONDS_MAX ((double)RETRY_DELAY_MAX_US / (double)US_PER_S)
#define DEADLINE_LEAST_S 0.001

/* --- times --- */

static void read_time(struct reading *reading, const char *pointer, const cJSON *value,
		      int64_t *ret_at)
{
	int64_t at = 0;
	if (!cJSON_IsString(value) || clock_parse(value->valuestring, &at) != 0 ||
	    at <= 0)
		problems_add(reading->problems, pointer,
			     "must be a time as RFC 3339 writes it, after 1970, such as "
			     "\"2026-11-21T06:00:00Z\"");
	else
		*ret_at = at;
}

void member_run_at(struct reading *reading, const char *pointer, const cJSON *value)
{
	read_time(reading, pointer, value, &reading->intake->submission.run_at);
}

/* One that is over is no mistake: the same request may be a repetition. */
void member_expires_at(struct reading *reading, const char *pointer, const cJSON *value)
{
	read_time(reading, pointer, value, &reading->intake->submission.expires_at);
}

void member_deadline(struct reading *reading, const char *pointer, const cJSON *value)
{
	member_seconds(reading, pointer, value, DEADLINE_LEAST_S, SECONDS_MAX,
		       &reading->intake->submission.deadline_us);
}

void member_hold(struct reading *reading, const char *pointer, const cJSON *value)
{
	if (!cJSON_IsBool(value))
		problems_add(reading->problems, pointer, "must be true or false");
	else
		reading->intake->submission.is_held = cJSON_IsTrue(value);
}

void member_keep(struct reading *reading, const char *pointer, const cJSON *value)
{
	if (!cJSON_IsBool(value))
		problems_add(reading->problems, pointer, "must be true or false");
	else
		reading->intake->submission.is_kept = cJSON_IsTrue(value);
}

/* --- retry --- */

static void read_max_attempts(struct reading *reading, const char *pointer,
			      const cJSON *value)
{
	int64_t number;
	if (member_int(reading, pointer, value, 1, ATTEMPTS_MAX, &number))
		reading->intake->submission.max_attempts = (int)number;
}

static void read_delay(struct reading *reading, const char *pointer, const cJSON *value)
{
	member_seconds(reading, pointer, value, 0, SECONDS_MAX, &reading->retry.delay_us);
}

static void read_max_delay(struct reading *reading, const char *pointer,
			   const cJSON *value)
{
	member_seconds(reading, pointer, value, 0, SECONDS_MAX,
		       &reading->retry.max_delay_us);
}

static void read_ratio(struct reading *reading, const char *pointer, const cJSON *value,
		       double min, double max, double *ret)
{
	if (!cJSON_IsNumber(value) || value->valuedouble < min ||
	    value->valuedouble > max)
		problems_add(reading->problems, pointer, "must be a number from %g to %g",
			     min, max);
	else
		*ret = value->valuedouble;
}

static void read_factor(struct reading *reading, const char *pointer, const cJSON *value)
{
	read_ratio(reading, pointer, value, 1, RETRY_FACTOR_MAX, &reading->retry.factor);
}

static void read_jitter(struct reading *reading, const char *pointer, const cJSON *value)
{
	read_ratio(reading, pointer, value, 0, 1, &reading->retry.jitter);
}

#define CAUSE_WORD_(cause, word) word,
static const char *const CAUSES[] = {RETRY_CAUSES(CAUSE_WORD_)};
#undef CAUSE_WORD_

static void read_on(struct reading *reading, const char *pointer, const cJSON *value)
{
	member_words(reading, pointer, value, CAUSES, ARRAY_SIZE(CAUSES),
		     &reading->retry.on);
}

/* 0 is no end that is tried again. */
static void read_exit_codes(struct reading *reading, const char *pointer,
			    const cJSON *value)
{
	const cJSON *code;
	size_t index = 0;
	if (!cJSON_IsArray(value) || cJSON_GetArraySize(value) == 0) {
		problems_add(reading->problems, pointer,
			     "must be an array of at least one exit code");
		return;
	}
	reading->retry.has_exit_codes = true;
	cJSON_ArrayForEach(code, value)
	{
		double number = cJSON_IsNumber(code) ? code->valuedouble : 0;
		if (!(number >= 1 && number < RETRY_EXIT_CODES) ||
		    (double)(int)number != number)
			problems_add_element(reading->problems, pointer, index,
					     "must be an exit code from 1 to 255");
		else
			reading->retry.exit_code[(int)number] = true;
		index++;
	}
}

/* clang-format off */
static const struct member RETRY[] = {
	{.name = "max_attempts", .read = read_max_attempts},
	{.name = "delay_s",      .read = read_delay},
	{.name = "factor",       .read = read_factor},
	{.name = "max_delay_s",  .read = read_max_delay},
	{.name = "jitter",       .read = read_jitter},
	{.name = "on",           .read = read_on},
	{.name = "exit_codes",   .read = read_exit_codes},
};
/* clang-format on */

void member_retry(struct reading *reading, const char *pointer, const cJSON *value)
{
	struct intake *intake = reading->intake;
	retry_init(&reading->retry);
	members_read(reading, pointer, value, RETRY, ARRAY_SIZE(RETRY));
	buf_init(&intake->retry, RETRY_BYTES_MAX);
	retry_format(&reading->retry, &intake->retry);
	intake->submission.retry = buf_text(&intake->retry);
}
