/* follow.c - sending a job's output as raw bytes while it grows (see follow.h). */
#include "httpapi/follow.h"

#include "httpapi/feed.h"
#include "httpapi/stamps.h"

struct follow {
	struct track track;
	bool has_times;
	struct stamps stamps;
};

static void follow_free(void *cls)
{
	struct follow *follow = cls;
	track_release(&follow->track);
	free(follow);
}

/* What there is, up to a block. FEED_LATER: nothing now. */
static enum feed_next read_some(struct follow *follow, struct buf *out, struct err *err)
{
	if (follow->has_times) {
		const int got = stamps_read(&follow->stamps, &follow->track, out, err);
		return got < 0 ? FEED_FAILED : got > 0 ? FEED_BYTES : FEED_LATER;
	}
	char *data = buf_reserve(out, FEED_BLOCK_BYTES);
	const ssize_t got = track_read(&follow->track, data, FEED_BLOCK_BYTES, err);
	if (got <= 0)
		return got < 0 ? FEED_FAILED : FEED_LATER;
	out->length += (size_t)got;
	buf_seal(out);
	return got < FEED_BLOCK_BYTES && track_is_quiet(&follow->track) ? FEED_CAUGHT_UP
									: FEED_BYTES;
}

static enum feed_next follow_next(void *cls, bool is_newer, struct buf *out,
				  struct err *err)
{
	struct follow *follow = cls;
	follow->track.is_stale |= is_newer;
	for (;;) {
		const enum feed_next read = read_some(follow, out, err);
		if (read != FEED_LATER)
			return read;
		switch (track_turn(&follow->track, err)) {
		case TRACK_AGAIN:
			continue;
		case TRACK_NEXT:
			stamps_break(&follow->stamps, out);
			return FEED_BYTES;
		case TRACK_LATER:
			return FEED_LATER;
		case TRACK_END:
			return FEED_END;
		case TRACK_FAILED:
			return FEED_FAILED;
		}
	}
}

struct MHD_Response *follow_response(struct request *request, struct track *track,
				     bool has_times)
{
	static const struct feed_source source = {
		.name = "output", .next = follow_next, .free = follow_free};
	struct follow *follow = mem_alloc(sizeof(*follow));
	*follow = (struct follow){.track = *track, .has_times = has_times};
	request_wait_for(request, track->job_id, track_is_open(track));
	return feed_response(request, &source, follow);
}
