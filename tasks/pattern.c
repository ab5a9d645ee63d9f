/* pattern.c - regular expressions over whole values, by PCRE2, with an end in sight.
 *
 * A pattern such as (a+)+b takes for ever on the right value, and the value is the
 * caller's. Past its limits a comparison gives up, which refuses the value. */
#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include "tasks/definition.h"

#define MATCH_LIMIT 100000
#define DEPTH_LIMIT 1000
#define HEAP_LIMIT_KIB 1024

struct pattern {
	pcre2_code *code;
	pcre2_match_context *limits;
};

int pattern_compile(const char *text, struct pattern **ret, struct err *err)
{
	const uint32_t options = PCRE2_ANCHORED | PCRE2_ENDANCHORED | PCRE2_UTF;
	struct pattern *pattern = mem_alloc(sizeof(*pattern));
	PCRE2_SIZE at = 0;
	PCRE2_UCHAR words[128] = "";
	int number = 0;

	pattern->code = pcre2_compile((PCRE2_SPTR)text, PCRE2_ZERO_TERMINATED, options,
				      &number, &at, NULL);
	pattern->limits = pcre2_match_context_create(NULL);
	if (!pattern->code || !pattern->limits) {
		(void)pcre2_get_error_message(number, words, sizeof(words));
		pattern_free(pattern);
		return err_set(err, ERR_INVALID, "at character %zu: %s", (size_t)at,
			       (const char *)words);
	}
	(void)pcre2_set_match_limit(pattern->limits, MATCH_LIMIT);
	(void)pcre2_set_depth_limit(pattern->limits, DEPTH_LIMIT);
	(void)pcre2_set_heap_limit(pattern->limits, HEAP_LIMIT_KIB);
	*ret = pattern;
	return 0;
}

void pattern_free(struct pattern *pattern)
{
	if (!pattern)
		return;
	pcre2_code_free(pattern->code);
	pcre2_match_context_free(pattern->limits);
	free(pattern);
}

/* A pattern is shared by the threads that serve requests; what a comparison writes to is
 * its own. */
int pattern_matches(const struct pattern *pattern, const char *text)
{
	pcre2_match_data *data = pcre2_match_data_create(1, NULL);
	int result = PCRE2_ERROR_NOMEMORY;

	if (data)
		result = pcre2_match(pattern->code, (PCRE2_SPTR)text, strlen(text), 0, 0,
				     data, pattern->limits);
	pcre2_match_data_free(data);
	if (result == PCRE2_ERROR_NOMATCH)
		return 0;
	return result < 0 ? -1 : 1;
}
