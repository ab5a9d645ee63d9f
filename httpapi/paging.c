/* paging.c - from one page of a list to the next (see paging.h). */
#include "httpapi/paging.h"

#include "httpapi/answer.h"

static void put_mark(uint8_t ret[CURSOR_MARK_BYTES], const void *position, size_t bytes,
		     const uint8_t list[DIGEST_BYTES])
{
	uint8_t mark[DIGEST_BYTES];
	struct digest digest;
	digest_init(&digest);
	digest_add(&digest, list, DIGEST_BYTES);
	digest_add(&digest, position, bytes);
	digest_end(&digest, mark);
	memcpy(ret, mark, CURSOR_MARK_BYTES);
}

void cursor_write(const void *position, size_t bytes, const uint8_t list[DIGEST_BYTES],
		  char *ret)
{
	uint8_t mark[CURSOR_MARK_BYTES];
	put_mark(mark, position, bytes, list);
	text_hex(position, bytes, ret);
	text_hex(mark, sizeof(mark), ret + 2 * bytes);
}

int cursor_read(const char *text, const uint8_t list[DIGEST_BYTES], void *ret,
		size_t bytes, struct err *err)
{
	uint8_t given[CURSOR_POSITION_MAX + CURSOR_MARK_BYTES], right[CURSOR_MARK_BYTES];
	if (strlen(text) != CURSOR_TEXT_BYTES(bytes) - 1 ||
	    text_unhex(text, given, bytes + CURSOR_MARK_BYTES) < 0)
		return err_set(err, ERR_INVALID, "is not one of ours");
	put_mark(right, given, bytes, list);
	if (memcmp(given + bytes, right, sizeof(right)) != 0)
		return err_set(err, ERR_INVALID, "belongs to another list than this");
	memcpy(ret, given, bytes);
	return 0;
}

/* Is the parameter that begins here named "cursor", in whatever spelling? The target was
 * judged before: behind a percent sign are two digits. */
static bool is_cursor(const char *raw)
{
	for (const char *c = "cursor"; *c; c++) {
		const char digits[] = {raw[0] == '%' ? raw[1] : '0',
				       raw[0] == '%' ? raw[2] : '0', '\0'};
		const char spelt =
			raw[0] == '%' ? (char)strtol(digits, NULL, 16) : raw[0];
		if (spelt != *c)
			return false;
		raw += raw[0] == '%' ? 3 : 1;
	}
	return *raw == '=';
}

void paging_link(struct MHD_Response *response, const struct request *request,
		 const char *cursor)
{
	AUTO_BUF struct buf query = BUF_INIT(72 * 1024);
	const struct target *target = &request->target;
	const char *raw = target->raw + target->path_bytes;
	for (raw += *raw == '?'; *raw;) {
		size_t length = strcspn(raw, "&");
		if (length > 0 && !is_cursor(raw))
			buf_printf(&query, "%.*s&", (int)length, raw);
		raw += length + (raw[length] == '&');
	}
	answer_header(response, "Link", "<%.*s?%scursor=%s>; rel=\"next\"",
		      (int)target->path_bytes, target->raw, buf_text(&query), cursor);
}
