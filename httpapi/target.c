/* target.c - the request target, taken apart once and strictly.
 *
 * Why by hand: the decoding of the HTTP library turns %2F into a separator and %00 into
 * an end, which is how others were walked around (Dagu GHSA-ph8x-4jfv-v9v8). */
#include "httpapi/target.h"

#include <ctype.h>

void target_init(struct target *target, const char *raw)
{
	size_t length = strlen(raw);
	/* Decoding only shortens; each part needs one NUL, and has a separator for it. */
	*target = (struct target){
		.raw = mem_grow(NULL, 2 * length + TARGET_PARAMS_MAX + 5)};
	memcpy(target->raw, raw, length + 1);
	target->decoded = target->raw + length + 1;
}

void target_release(struct target *target)
{
	free(target->raw);
	free(target->param);
	*target = (struct target){0};
}

/* pchar, "/" and "?" of RFC 3986; "%" is checked with its digits when it is decoded. */
static bool is_target_char(char c)
{
	return isalnum((unsigned char)c) || (c && strchr("-._~!$&'()*+,;=:@/?%", c));
}

static int check_alphabet(const char *raw, size_t max_bytes, struct err *err)
{
	if (raw[0] != '/')
		return err_set(err, ERR_BAD_REQUEST, "the target must begin with '/'");
	size_t length = strlen(raw);
	if (length > max_bytes)
		return err_set(
			err, ERR_BAD_REQUEST,
			"the target is longer than %zu bytes (limits.target_bytes)",
			max_bytes);
	for (size_t i = 0; i < length; i++)
		if (!is_target_char(raw[i]))
			return err_set(err, ERR_BAD_REQUEST,
				       "byte %zu of the target is not allowed there",
				       i + 1);
	return 0;
}

/* Decodes `length` characters to `*out` and moves it past the NUL. */
static int unescape(const char *text, size_t length, bool is_query, char **out,
		    struct err *err)
{
	char *at = *out;
	for (size_t i = 0; i < length; i++) {
		char c = text[i];
		if (c == '%') {
			char pair[3] = {0};
			memcpy(pair, text + i + 1, length - i > 2 ? 2 : length - i - 1);
			if (text_unhex(pair, &c, 1) < 0)
				return err_set(err, ERR_BAD_REQUEST,
					       "a '%%' in the target has no two digits");
			if (c == '/' && !is_query)
				return err_set(
					err, ERR_BAD_REQUEST,
					"an escaped '/' in a path is not accepted");
			i += 2;
		} else if (c == '+' && is_query) {
			c = ' ';
		}
		*at++ = c;
	}
	*at = '\0';
	*out = at + 1;
	return 0;
}

/* Is what stands from `text` to the NUL at `end` as long as it seems, and fit to print?
 */
static bool is_clean(const char *text, const char *end)
{
	const size_t bytes = (size_t)(end - text);
	return !text_has_control(text, bytes) && text_is_utf8(text, bytes, NULL);
}

static int decode(const char *text, size_t length, bool is_query, char **out,
		  struct err *err)
{
	const char *const begin = *out;
	if (unescape(text, length, is_query, out, err) < 0)
		return -1;
	if (!is_clean(begin, *out - 1))
		return err_set(err, ERR_BAD_REQUEST,
			       "the target hides control characters or is not UTF-8");
	return 0;
}

/* What need not be text, but ends where a C string ends. */
static int decode_value(const char *text, size_t length, char **out,
			struct target_param *param, struct err *err)
{
	param->value = *out;
	if (unescape(text, length, true, out, err) < 0)
		return -1;
	const char *const end = *out - 1;
	if (param->value + strlen(param->value) != end)
		return err_set(err, ERR_BAD_REQUEST, "%s has a NUL (%%00)", param->name);
	param->is_text = is_clean(param->value, end);
	return 0;
}

static int parse_path(struct target *target, char **out, struct err *err)
{
	const char *at = target->raw + 1, *end = target->raw + target->path_bytes;
	while (at <= end) {
		const char *slash = memchr(at, '/', (size_t)(end - at));
		size_t length = (size_t)((slash ? slash : end) - at);
		if (target->segments == TARGET_SEGMENTS_MAX)
			return err_set(err, ERR_NOT_FOUND, "there is nothing that deep");
		target->segment[target->segments++] = *out;
		if (decode(at, length, false, out, err) < 0)
			return -1;
		at += length + 1;
	}
	return 0;
}

static int parse_query(struct target *target, const char *query, char **out,
		       struct err *err)
{
	target->param = mem_array(TARGET_PARAMS_MAX, sizeof(*target->param));
	while (*query) {
		size_t length = strcspn(query, "&");
		const char *equals = memchr(query, '=', length);
		size_t name_bytes = equals ? (size_t)(equals - query) : length;
		if (length > 0) {
			if (target->params == TARGET_PARAMS_MAX)
				return err_set(err, ERR_BAD_REQUEST,
					       "too many parameters in the query");
			struct target_param *param = &target->param[target->params++];
			param->name = *out;
			if (decode(query, name_bytes, true, out, err) < 0)
				return -1;
			size_t skip = equals ? name_bytes + 1 : name_bytes;
			if (decode_value(query + skip, length - skip, out, param, err) <
			    0)
				return -1;
		}
		query += length + (query[length] == '&');
	}
	return 0;
}

int target_parse(struct target *target, size_t max_bytes, struct err *err)
{
	if (check_alphabet(target->raw, max_bytes, err) < 0)
		return -1;
	target->path_bytes = strcspn(target->raw, "?");
	char *out = target->decoded;
	if (parse_path(target, &out, err) < 0)
		return -1;
	if (target->raw[target->path_bytes] != '?')
		return 0;
	return parse_query(target, target->raw + target->path_bytes + 1, &out, err);
}

const char *target_param(const struct target *target, const char *name)
{
	for (size_t i = 0; i < target->params; i++)
		if (strcmp(target->param[i].name, name) == 0)
			return target->param[i].value;
	return NULL;
}

static void complain(struct problems *problems, const char *name, const char *what)
{
	AUTO_FREE char *pointer = mem_printf("?%s", name);
	problems_add(problems, pointer, "%s", what);
}

static bool is_listed(const char *const *list, const char *name)
{
	for (size_t i = 0; list && list[i]; i++)
		if (strcmp(list[i], name) == 0)
			return true;
	return false;
}

void target_check_params(const struct target *target, const struct target_known *known,
			 struct problems *problems)
{
	for (size_t i = 0; i < target->params; i++) {
		const struct target_param *param = &target->param[i];
		const char *name = param->name;
		const bool may_repeat = is_listed(known->many, name);
		if (!may_repeat && !is_listed(known->once, name))
			complain(problems, name, "is not a parameter of this route");
		else if (!may_repeat && target_param(target, name) != param->value)
			complain(problems, name, "is given more than once");
		else if (!param->is_text && !is_listed(known->raw, name))
			complain(problems, name,
				 "hides control characters or is not UTF-8");
	}
}
