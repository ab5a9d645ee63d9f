/* problem.c - collecting faults and writing JSON pointers. */
#include "common/problem.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/buf.h"
#include "common/mem.h"
#include "common/text.h"

/* A client chooses the names that come back to it, so their echo is bounded. */
#define POINTER_MAX ((size_t)1024)
#define DETAIL_BYTES 640

void problems_init(struct problems *problems)
{
	problems->base = NULL;
	problems->count = 0;
	problems->total = 0;
}

void problems_release(struct problems *problems)
{
	for (size_t i = 0; i < problems->count; i++) {
		free(problems->item[i].pointer);
		free(problems->item[i].detail);
	}
	problems_init(problems);
}

static void add(struct problems *problems, const char *pointer, const char *format,
		va_list args) __attribute__((format(printf, 3, 0)));

static void add(struct problems *problems, const char *pointer, const char *format,
		va_list args)
{
	char detail[DETAIL_BYTES] = "";

	problems->total++;
	if (problems->count == PROBLEM_MAX)
		return;
	if (vsnprintf(detail, sizeof(detail), format, args) >= (int)sizeof(detail))
		detail[text_whole_utf8(detail, sizeof(detail) - 1)] = '\0';
	problems->item[problems->count++] = (struct problem){
		.pointer = problems->base && pointer[0] == '#'
				   ? mem_printf("%s%s", problems->base, pointer + 1)
				   : mem_strdup(pointer),
		.detail = mem_strdup(detail),
	};
}

void problems_add(struct problems *problems, const char *pointer, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	add(problems, pointer, format, args);
	va_end(args);
}

/* What may stand in a URI fragment as itself (RFC 3986 section 3.5), but for '/' and '~',
 * which the pointer uses. */
static bool is_fragment_character(char c)
{
	return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
	       (c >= '0' && c <= '9') ||
	       (c != '\0' && strchr("-._!$&'()*+,;=:@?", c) != NULL);
}

/* Each character goes in whole; what passes the maximum is left out. */
static void append_escaped(struct buf *pointer, char c)
{
	if (c == '~')
		buf_append_text(pointer, "~0");
	else if (c == '/')
		buf_append_text(pointer, "~1");
	else if (is_fragment_character(c))
		buf_append_char(pointer, c);
	else
		buf_printf(pointer, "%%%02X", (unsigned)(unsigned char)c);
}

void problems_add_member(struct problems *problems, const char *parent, const char *key,
			 const char *format, ...)
{
	AUTO_BUF struct buf pointer = BUF_INIT(POINTER_MAX);
	va_list args;

	buf_append_text(&pointer, parent);
	buf_append_char(&pointer, '/');
	for (; *key != '\0' && !pointer.is_full; key++)
		append_escaped(&pointer, *key);
	va_start(args, format);
	add(problems, buf_text(&pointer), format, args);
	va_end(args);
}

void problems_add_element(struct problems *problems, const char *parent, size_t index,
			  const char *format, ...)
{
	AUTO_BUF struct buf pointer = BUF_INIT(POINTER_MAX);
	va_list args;

	buf_printf(&pointer, "%s/%zu", parent, index);
	va_start(args, format);
	add(problems, buf_text(&pointer), format, args);
	va_end(args);
}
