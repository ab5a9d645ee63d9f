/* pieces.c - an output in pieces that do not cut characters (see pieces.h). */
#include "httpapi/pieces.h"

#define CHARACTER_BYTES_MAX 4

static size_t whole_bytes(const struct piece *piece)
{
	return text_whole_utf8(piece->data, piece->bytes);
}

/* Adds the byte behind the piece. 1, 0 there is none now, -1; ret_is_other: it is of the
 * other stream, and was not added. */
static int add_byte(struct track *track, struct piece *piece, bool *ret_is_other,
		    struct err *err)
{
	const int64_t offset = track->offset + (int64_t)piece->bytes;
	struct output_source source;
	const int found = track_source(track, offset, &source, err);
	if (found != 1)
		return found;
	/* Of one stream alone the next byte is the next, whatever was between. */
	*ret_is_other = source.stream != piece->stream;
	if (*ret_is_other)
		return 1;
	const ssize_t got = track_peek(track, offset, piece->data + piece->bytes, 1, err);
	if (got > 0)
		piece->bytes++;
	return (int)got;
}

/* The piece ends with a part of a character: adds the rest if it is there, else leaves
 * the part for later; what stays a part for ever is a piece of its own. 0, -1. */
static int mend(struct track *track, struct piece *piece, struct err *err)
{
	const size_t whole = whole_bytes(piece);
	bool is_other = false;
	int added = 1;
	while (added == 1 && !is_other && whole_bytes(piece) < piece->bytes &&
	       piece->bytes - whole < CHARACTER_BYTES_MAX)
		added = add_byte(track, piece, &is_other, err);
	if (added < 0)
		return -1;
	if (added == 1 && !is_other)
		return 0;
	const bool is_final = is_other || track->is_ended;
	piece->bytes = whole == 0 && is_final ? piece->bytes : whole;
	return 0;
}

int piece_read(struct track *track, struct piece *ret, struct err *err)
{
	struct output_source source;
	const int found = track_source(track, track->offset, &source, err);
	if (found != 1)
		return found;
	const int64_t there = source.until - track->offset;
	const size_t max = there < PIECE_BYTES ? (size_t)there : PIECE_BYTES;
	const ssize_t got = track_peek(track, track->offset, ret->data, max, err);
	if (got <= 0)
		return (int)got;
	ret->stream = source.stream;
	ret->at_us = source.at_us;
	ret->bytes = (size_t)got;
	const size_t whole = whole_bytes(ret);
	if (whole < ret->bytes && got == PIECE_BYTES)
		ret->bytes = whole;
	else if (whole < ret->bytes && mend(track, ret, err) < 0)
		return -1;
	if (ret->bytes == 0)
		return 0;
	ret->is_text = text_is_utf8(ret->data, ret->bytes, NULL) &&
		       !memchr(ret->data, '\0', ret->bytes);
	track->offset += (int64_t)ret->bytes;
	return 1;
}
