/* json_lex.c - the smallest pieces of JSON: blanks, strings and numbers.
 *
 * Written by RFC 8259 and RFC 3629 rather than by what cJSON takes, because cJSON takes
 * too much. The places where cJSON takes too little (numbers of more than 63 characters)
 * are refused here, so that nothing passes the scanner and then fails in the parser. */
#include "common/json_lex.h"

#include <math.h>
#include <stdarg.h>

#include "common/json.h"

void json_lex_init(struct json_lex *lex, const char *text, size_t length,
		   bool allow_comments)
{
	*lex = (struct json_lex){
		.text = text, .length = length, .allow_comments = allow_comments};
}

int json_lex_fail(struct json_lex *lex, size_t at, const char *format, ...)
{
	va_list args;

	if (lex->fault[0])
		return -1;
	va_start(args, format);
	(void)vsnprintf(lex->fault, sizeof(lex->fault), format, args);
	va_end(args);
	lex->fault_at = at;
	return -1;
}

int json_lex_expected(struct json_lex *lex, const char *what)
{
	int c = json_lex_peek(lex);

	if (c < 0)
		return json_lex_fail(lex, lex->at, "expected %s, found the end", what);
	if (c == '/')
		return json_lex_fail(lex, lex->at, "expected %s, found '/' (%s)", what,
				     lex->allow_comments ? "a comment starts with //"
							 : "comments are not allowed");
	if (c > ' ' && c < 0x7f)
		return json_lex_fail(lex, lex->at, "expected %s, found '%c'", what, c);
	return json_lex_fail(lex, lex->at, "expected %s, found byte 0x%02x", what,
			     (unsigned)c);
}

int json_lex_peek(const struct json_lex *lex)
{
	return lex->at < lex->length ? (unsigned char)lex->text[lex->at] : -1;
}

static bool comment_is_next(const struct json_lex *lex)
{
	return lex->allow_comments && lex->length - lex->at >= 2 &&
	       lex->text[lex->at] == '/' && lex->text[lex->at + 1] == '/';
}

void json_lex_blanks(struct json_lex *lex)
{
	for (;;) {
		int c = json_lex_peek(lex);

		if (c == ' ' || c == '\t' || c == '\n' || c == '\r')
			lex->at++;
		else if (c == '/' && comment_is_next(lex))
			while (json_lex_peek(lex) >= 0 && json_lex_peek(lex) != '\n')
				lex->at++;
		else
			return;
	}
}

bool json_lex_take(struct json_lex *lex, char c)
{
	if (json_lex_peek(lex) != (unsigned char)c)
		return false;
	lex->at++;
	return true;
}

/* --- strings --- */

/* One multi-byte sequence of UTF-8 (RFC 3629 section 4). */
static int utf8_sequence(struct json_lex *lex, uint32_t *ret)
{
	static const uint32_t least[] = {0, 0x80, 0x800, 0x10000};
	size_t start = lex->at;
	unsigned lead = (unsigned char)lex->text[lex->at++];
	size_t more = lead >= 0xf0 ? 3 : lead >= 0xe0 ? 2 : 1;
	uint32_t value = lead & (0x3fU >> more);

	if (lead < 0xc2 || lead > 0xf4)
		return json_lex_fail(lex, start, "invalid UTF-8 (byte 0x%02x)", lead);
	for (size_t i = 0; i < more; i++) {
		int c = json_lex_peek(lex);

		if (c < 0 || (c & 0xc0) != 0x80)
			return json_lex_fail(lex, start, "invalid UTF-8 (cut sequence)");
		value = value << 6 | ((uint32_t)c & 0x3f);
		lex->at++;
	}
	if (value < least[more] || value > 0x10ffff ||
	    (value >= 0xd800 && value <= 0xdfff))
		return json_lex_fail(lex, start, "invalid UTF-8 (not a character)");
	*ret = value;
	return 0;
}

static int hex_digit(int c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* The four digits after "\u". */
static int hex_four(struct json_lex *lex, uint32_t *ret)
{
	uint32_t value = 0;

	for (int i = 0; i < 4; i++) {
		int digit = hex_digit(json_lex_peek(lex));

		if (digit < 0)
			return json_lex_expected(lex, "four hexadecimal digits");
		value = value << 4 | (uint32_t)digit;
		lex->at++;
	}
	*ret = value;
	return 0;
}

/* A \u escape or a pair of them; lex->at is behind the first 'u'. */
static int unicode_escape(struct json_lex *lex, size_t start, uint32_t *ret)
{
	uint32_t high = 0, low = 0;

	if (hex_four(lex, &high))
		return -1;
	if (high == 0)
		return json_lex_fail(lex, start, "\\u0000 is not allowed");
	if (high < 0xd800 || high > 0xdfff) {
		*ret = high;
		return 0;
	}
	if (high >= 0xdc00 || !json_lex_take(lex, '\\') || !json_lex_take(lex, 'u'))
		return json_lex_fail(lex, start, "a lone surrogate");
	if (hex_four(lex, &low))
		return -1;
	if (low < 0xdc00 || low > 0xdfff)
		return json_lex_fail(lex, start, "a lone surrogate");
	*ret = 0x10000 + ((high - 0xd800) << 10) + (low - 0xdc00);
	return 0;
}

static int escape(struct json_lex *lex, uint32_t *ret)
{
	static const char letters[] = "\"\\/bfnrt", meanings[] = "\"\\/\b\f\n\r\t";
	size_t start = lex->at++;
	int c = json_lex_peek(lex);

	if (c == 'u') {
		lex->at++;
		return unicode_escape(lex, start, ret);
	}
	for (size_t i = 0; letters[i]; i++)
		if (c == letters[i]) {
			lex->at++;
			*ret = (unsigned char)meanings[i];
			return 0;
		}
	return json_lex_expected(lex,
				 "an escape (\\\" \\\\ \\/ \\b \\f \\n \\r \\t \\u)");
}

int json_lex_code_point(struct json_lex *lex, uint32_t *ret)
{
	int c = json_lex_peek(lex);

	if (c < 0)
		return json_lex_fail(lex, lex->at, "the string does not end");
	if (c < 0x20)
		return json_lex_fail(lex, lex->at,
				     "a control character in a string (0x%02x)",
				     (unsigned)c);
	if (c == '\\')
		return escape(lex, ret);
	if (c >= 0x80)
		return utf8_sequence(lex, ret);
	lex->at++;
	*ret = (uint32_t)c;
	return 0;
}

/* Passes characters that stand for themselves: most of a long text. */
static void pass_plain(struct json_lex *lex)
{
	size_t i = lex->at;

	while (i < lex->length && (unsigned char)lex->text[i] - 0x20U < 0x60 &&
	       lex->text[i] != '"' && lex->text[i] != '\\')
		i++;
	lex->at = i;
}

int json_lex_string(struct json_lex *lex, uint64_t *hash)
{
	uint32_t code = 0;

	if (!json_lex_take(lex, '"'))
		return json_lex_expected(lex, "a string");
	for (;;) {
		if (!hash)
			pass_plain(lex);
		if (json_lex_take(lex, '"'))
			return 0;
		if (json_lex_code_point(lex, &code))
			return -1;
		if (hash) {
			*hash = (*hash ^ code) * UINT64_C(0x9e3779b97f4a7c15);
			*hash ^= *hash >> 32;
		}
	}
}

bool json_lex_same(const struct json_lex *lex, size_t a, size_t b)
{
	struct json_lex left = *lex, right = *lex;
	uint32_t left_code = 0, right_code = 0;

	left.at = a + 1;
	right.at = b + 1;
	for (;;) {
		bool left_ends = json_lex_take(&left, '"');
		bool right_ends = json_lex_take(&right, '"');

		if (left_ends || right_ends)
			return left_ends && right_ends;
		if (json_lex_code_point(&left, &left_code) ||
		    json_lex_code_point(&right, &right_code) || left_code != right_code)
			return false;
	}
}

/* --- numbers --- */

/* Passes digits; how many there were. */
static size_t digits(struct json_lex *lex)
{
	size_t start = lex->at;

	while (json_lex_peek(lex) >= '0' && json_lex_peek(lex) <= '9')
		lex->at++;
	return lex->at - start;
}

/* Is the integer that `length` digits spell within 2^53? As a double 2^53 + 1 would be.
 */
static bool integer_fits(const char *text, size_t length)
{
	int64_t value = 0;

	if (length > 16)
		return false;
	for (size_t i = 0; i < length; i++)
		value = value * 10 + (text[i] - '0');
	return value <= JSON_INTEGER_MAX;
}

/* Beyond 2^53 doubles have gaps of more than 1, so that every number there, however it is
 * written, is an integer that would be changed in silence. */
static bool double_fits(const char *text, size_t length)
{
	char copy[JSON_NUMBER_MAX + 1];

	memcpy(copy, text, length);
	copy[length] = '\0';
	return fabs(strtod(copy, NULL)) <= (double)JSON_INTEGER_MAX;
}

/* The parts behind the integer. ret_is_integer: there were none. */
static int fraction_and_exponent(struct json_lex *lex, bool *ret_is_integer)
{
	size_t start = lex->at;

	if (json_lex_take(lex, '.') && !digits(lex))
		return json_lex_expected(lex, "a digit behind the decimal point");
	if (json_lex_take(lex, 'e') || json_lex_take(lex, 'E')) {
		if (!json_lex_take(lex, '+'))
			(void)json_lex_take(lex, '-');
		if (!digits(lex))
			return json_lex_expected(lex, "a digit in the exponent");
	}
	*ret_is_integer = lex->at == start;
	return 0;
}

int json_lex_number(struct json_lex *lex)
{
	size_t start = lex->at, first, count;
	bool is_integer = false;

	(void)json_lex_take(lex, '-');
	first = lex->at;
	count = digits(lex);
	if (!count)
		return json_lex_expected(lex, "a digit");
	if (count > 1 && lex->text[first] == '0')
		return json_lex_fail(lex, start, "a number with a leading zero");
	if (fraction_and_exponent(lex, &is_integer))
		return -1;
	if (lex->at - start > JSON_NUMBER_MAX)
		return json_lex_fail(lex, start, "a number of more than %d characters",
				     JSON_NUMBER_MAX);
	if (is_integer ? !integer_fits(lex->text + first, count)
		       : !double_fits(lex->text + start, lex->at - start))
		return json_lex_fail(lex, start, "a number beyond 2^53");
	return 0;
}
