/* stamps.c - when each line was written (see stamps.h). */
#include "httpapi/stamps.h"

#define STAMPS_BLOCK_BYTES 4096

static void put_time(struct buf *out, int64_t at_us)
{
	char text[CLOCK_TEXT_BYTES];
	clock_format(at_us, text);
	buf_append_text(out, text);
	buf_append_char(out, ' ');
}

static int read_some(struct stamps *stamps, struct track *track, struct buf *out,
		     struct err *err)
{
	char data[STAMPS_BLOCK_BYTES];
	struct output_source source;
	const int found = track_source(track, track->offset, &source, err);
	if (found != 1)
		return found;
	size_t max = sizeof(data);
	if (source.until - track->offset < (int64_t)max)
		max = (size_t)(source.until - track->offset);
	const ssize_t got = track_read(track, data, max, err);
	if (got <= 0)
		return (int)got;
	const char *const end = data + got;
	for (const char *at = data; at < end;) {
		const char *newline = memchr(at, '\n', (size_t)(end - at));
		const char *next = newline ? newline + 1 : end;
		if (!stamps->is_midline)
			put_time(out, source.at_us);
		buf_append(out, at, (size_t)(next - at));
		stamps->is_midline = !newline;
		at = next;
	}
	return 1;
}

int stamps_read(struct stamps *stamps, struct track *track, struct buf *out,
		struct err *err)
{
	int got = 1;
	while (out->length < STAMPS_BLOCK_BYTES && got == 1)
		got = read_some(stamps, track, out, err);
	return got < 0 ? -1 : out->length > 0;
}

void stamps_break(struct stamps *stamps, struct buf *out)
{
	if (stamps->is_midline)
		buf_append_char(out, '\n');
	stamps->is_midline = false;
}
