/* text.h - small questions about strings that the C library answers badly or not at all.
 */
#ifndef REEVE_TEXT_H
#define REEVE_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Equal, with NULL equal only to NULL. */
bool text_equal(const char *a, const char *b);
bool text_has_prefix(const char *text, const char *prefix);

/* Equal in a time that depends on the lengths only; for secrets. */
bool text_equal_secret(const void *a, size_t a_bytes, const void *b, size_t b_bytes);

/* The whole of `text` as a decimal integer within [min, max]: no blanks, no '+', no
 * leading zeros, no overflow. 0 or -1. */
int text_parse_int(const char *text, int64_t min, int64_t max, int64_t *ret);

/* A duration as people write it: "90", "1.5", "30s", "5m", "2h", "1d" -> microseconds,
 * rounded, at most 100 years. 0 or -1. */
int text_parse_duration_us(const char *text, int64_t *ret_us);

/* Well-formed UTF-8 (RFC 3629: no overlong forms, no surrogates, nothing over U+10FFFF)?
 * On false `*ret_bad`, when not NULL, is the offset of the first bad byte. */
bool text_is_utf8(const char *text, size_t length, size_t *ret_bad);

/* How much of the first `length` bytes ends with a whole character: `length`, or up to
 * three less when the cut fell into one. For shortening text that stays UTF-8. */
size_t text_whole_utf8(const char *text, size_t length);

/* Contains a control character (below 0x20, or 0x7f)? */
bool text_has_control(const char *text, size_t length);

/* The name from `names` nearest to `wrong` (Damerau-Levenshtein distance at most 2 and
 * less than its length), or NULL: "did you mean ...?". */
const char *text_nearest(const char *wrong, const char *const *names, size_t count);

/* Lower-case hexadecimal of `length` bytes into `ret` (2 * length + 1 bytes). */
void text_hex(const void *data, size_t length, char *ret);

/* Exactly `bytes` bytes from 2 * bytes hexadecimal digits of either case. 0 or -1. */
int text_unhex(const char *hex, void *ret, size_t bytes);

#endif
