/* output_events.c - GET /v1/jobs/{id}/output/events: what a job writes, as server-sent
 * events.
 *
 *     id: 1:120                               go on here: attempt 1, behind byte 120
 *     event: stdout
 *     data: {"at":"2026-…Z","text":"…"}       or "base64", where it is no text
 *
 * `attempt` says that another one begins, `end` how the last one ended. */
#include "httpapi/answer.h"
#include "httpapi/feed.h"
#include "httpapi/gone.h"
#include "httpapi/handlers.h"
#include "httpapi/job_json.h"
#include "httpapi/lookup.h"
#include "httpapi/output_wish.h"
#include "httpapi/pieces.h"
#include "httpapi/readers.h"
#include "httpapi/sse.h"

#define EVENT_BYTES_MAX (64u << 10)
#define BLOCK_BYTES (FEED_BLOCK_BYTES / 2)
#define ID_BYTES 48

struct events {
	struct track track;
	bool has_begun;
};

static void events_free(void *cls)
{
	struct events *events = cls;
	track_release(&events->track);
	free(events);
}

/* --- what is sent --- */

static void put_event(struct buf *out, const struct track *track, const char *suffix,
		      const char *kind, const struct buf *data)
{
	char id[ID_BYTES];
	snprintf(id, sizeof(id), "%d:%lld%s", track->attempt, (long long)track->offset,
		 suffix);
	sse_put(out, id, kind, buf_text(data), data->length);
}

static void put_piece(struct buf *out, const struct track *track,
		      const struct piece *piece)
{
	AUTO_BUF struct buf data = BUF_INIT(EVENT_BYTES_MAX);
	struct json_writer json;
	json_writer_init(&json, &data);
	json_open(&json, NULL, '{');
	json_put_time(&json, "at", piece->at_us);
	if (piece->is_text) {
		json_put_text_n(&json, "text", piece->data, piece->bytes);
	} else {
		AUTO_FREE char *text = base64_encode(piece->data, piece->bytes);
		json_put_text(&json, "base64", text);
	}
	json_close(&json, '}');
	put_event(out, track, "", piece->stream == OUTPUT_STDERR ? "stderr" : "stdout",
		  &data);
}

static void put_attempt(struct buf *out, const struct track *track)
{
	AUTO_BUF struct buf data = BUF_INIT(EVENT_BYTES_MAX);
	struct json_writer json;
	json_writer_init(&json, &data);
	json_open(&json, NULL, '{');
	json_put_int(&json, "attempt", track->attempt);
	json_close(&json, '}');
	put_event(out, track, "", "attempt", &data);
}

static void put_number(struct json_writer *json, const char *key, bool has, int value)
{
	if (has)
		json_put_int(json, key, value);
	else
		json_put_null(json, key);
}

static void put_how_it_ended(struct json_writer *json, const struct job *job,
			     const struct attempt *attempt)
{
	json_open(json, NULL, '{');
	json_put_text(json, "state", job_state_word(job->state));
	json_put_text(json, "reason", job->reason);
	json_put_int(json, "attempt", attempt->number);
	json_put_text(json, "outcome", attempt->outcome[0] ? attempt->outcome : NULL);
	put_number(json, "exit_code", attempt->has_exit_code, attempt->exit_code);
	put_number(json, "signal", attempt->has_signal, attempt->signal);
	attempt_put_output(json, attempt);
	json_close(json, '}');
}

static int put_end(struct buf *out, const struct track *track, struct queue *queue,
		   struct err *err)
{
	AUTO_BUF struct buf data = BUF_INIT(EVENT_BYTES_MAX);
	const struct viewer viewer = request_viewer(track->request);
	struct attempt attempt = {0};
	struct job job = {0};
	struct json_writer json;
	int found = queue_job_get(queue, &viewer, track->job_id, &job, err);
	if (found == 0)
		return err_set(err, ERR_NOT_FOUND, "the job is gone");
	if (found == 1 && track->attempt > 0)
		found = queue_attempt_get(queue, job.row, track->attempt, &attempt, err);
	json_writer_init(&json, &data);
	if (found >= 0)
		put_how_it_ended(&json, &job, &attempt);
	attempt_release(&attempt);
	job_release(&job);
	if (found < 0)
		return -1;
	put_event(out, track, ":end", "end", &data);
	return 0;
}

static enum feed_next end(struct events *events, struct buf *out, struct err *err)
{
	struct readers *readers = events->track.request->server->readers;
	struct queue *queue = NULL;
	if (readers_take(readers, &queue, err) < 0)
		return FEED_FAILED;
	const int result = put_end(out, &events->track, queue, err);
	readers_give(readers, queue);
	return result < 0 ? FEED_FAILED : FEED_END;
}

/* The next pieces as somebody else was sent them, else one that is kept for others. As
 * piece_read. */
static int put_next(struct track *track, struct buf *out, struct err *err)
{
	const enum output_stream stream = track->wish.stream;
	struct strips *strips = track->share ? share_strips(track->share) : NULL;
	const int64_t from = track->offset;
	const size_t at = out->length;
	struct piece piece;
	if (strips && strips_take(strips, stream, &track->offset, out, BLOCK_BYTES))
		return 1;
	const int got = piece_read(track, &piece, err);
	if (got != 1)
		return got;
	put_piece(out, track, &piece);
	if (strips)
		strips_keep(strips, stream, from, track->offset, out->data + at,
			    out->length - at);
	return 1;
}

/* As many pieces as make a block. FEED_LATER: there are none now. */
static enum feed_next put_pieces(struct events *events, struct buf *out, struct err *err)
{
	int got = 1;
	while (out->length < BLOCK_BYTES && got == 1)
		got = put_next(&events->track, out, err);
	if (got < 0 || out->length == 0)
		return got < 0 ? FEED_FAILED : FEED_LATER;
	return got == 0 && track_is_quiet(&events->track) ? FEED_CAUGHT_UP : FEED_BYTES;
}

/* With the id of where it begins, for a client that is cut off before the first event:
 * else it would come back to another attempt, or to other last lines. */
static void begin(struct buf *out, const struct track *track)
{
	char id[ID_BYTES];
	snprintf(id, sizeof(id), "%d:%lld", track->attempt, (long long)track->offset);
	sse_begin(out, id);
}

static enum feed_next events_next(void *cls, bool is_newer, struct buf *out,
				  struct err *err)
{
	struct events *events = cls;
	struct track *track = &events->track;
	track->is_stale |= is_newer;
	if (!events->has_begun) {
		events->has_begun = true;
		begin(out, track);
		return FEED_BYTES;
	}
	for (;;) {
		const enum feed_next put = put_pieces(events, out, err);
		if (put != FEED_LATER)
			return put;
		switch (track_turn(track, err)) {
		case TRACK_AGAIN:
			continue;
		case TRACK_NEXT:
			put_attempt(out, track);
			return FEED_BYTES;
		case TRACK_LATER:
			return FEED_LATER;
		case TRACK_END:
			return end(events, out, err);
		case TRACK_FAILED:
			return FEED_FAILED;
		}
	}
}

static void events_idle(void *cls, struct buf *out)
{
	(void)cls;
	sse_put_keepalive(out);
}

/* --- where it begins --- */

/* "<attempt>:<offset>", and behind the end ":end". Attempt 0 is before the first one. */
struct place {
	bool is_given, is_end;
	const char *name; /* of what gives it */
	int64_t attempt, offset;
};

static int place_parse(const char *text, struct place *ret)
{
	char attempt[24], offset[24];
	int length = 0;
	if (sscanf(text, "%23[0-9]:%23[0-9]%n", attempt, offset, &length) != 2)
		return -1;
	const char *rest = text + length;
	*ret = (struct place){.is_given = true, .is_end = strcmp(rest, ":end") == 0};
	if (*rest && !ret->is_end)
		return -1;
	if (text_parse_int(attempt, 0, INT32_MAX, &ret->attempt) < 0 ||
	    text_parse_int(offset, 0, INT64_MAX, &ret->offset) < 0)
		return -1;
	return ret->attempt == 0 && ret->offset != 0 ? -1 : 0;
}

static int read_place(struct request *request, struct track_wish *wish, struct place *ret,
		      struct err *err)
{
	const char *name, *const text = sse_last_id(request, &name);
	*ret = (struct place){0};
	if (!text)
		return 0;
	if (place_parse(text, ret) < 0)
		return lookup_refuse(request, name, err,
				     "is <attempt>:<offset>, the id of an event");
	ret->name = name;
	if (wish->is_one_attempt && ret->attempt != wish->attempt)
		return lookup_refuse(request, name, err,
				     "is of attempt %lld, and attempt=%d is asked for",
				     (long long)ret->attempt, wish->attempt);
	/* A browser that comes back says both: the id is where it goes on. */
	if (wish->tail_lines >= 0 && strcmp(name, SSE_LAST_ID) != 0)
		return lookup_refuse(request, "tail_lines", err,
				     "and after exclude each other: "
				     "both say where to begin");
	wish->tail_lines = -1;
	wish->offset = ret->offset;
	if (ret->attempt != 0)
		wish->attempt = (int)ret->attempt;
	return 0;
}

/* What is wrong with going on at the place, said of the place. */
static void blame_place(struct request *request, const struct place *place, int64_t size,
			struct err *err)
{
	if (!place->is_given || (err->code != ERR_RANGE && err->code != ERR_NOT_FOUND))
		return;
	if (err->code == ERR_NOT_FOUND)
		lookup_refuse(request, place->name, err,
			      "is of attempt %lld, which there is not",
			      (long long)place->attempt);
	else
		lookup_refuse(request, place->name, err,
			      "is beyond the %lld bytes of attempt %lld", (long long)size,
			      (long long)place->attempt);
}

/* 1: the place is the end that somebody was told of, 0: it goes on from there, -1: no end
 * is there. */
static int judge_end(struct request *request, const struct place *place,
		     const struct track *track, int64_t size, struct err *err)
{
	if (!place->is_end)
		return 0;
	const char *const name = place->name;
	const long long attempt = (long long)place->attempt;
	if (place->attempt != track->attempt)
		return lookup_refuse(request, name, err,
				     "is the end of a job that never began, "
				     "and this one has");
	if (!track->is_ended)
		return lookup_refuse(request, name, err,
				     "is the end of attempt %lld, which has not ended",
				     attempt);
	if (place->offset != size)
		return lookup_refuse(request, name, err,
				     "is not the end of attempt %lld, which is at %lld",
				     attempt, (long long)size);
	return track->is_last;
}

static enum MHD_Result answer_events(struct request *request, const struct track *track)
{
	static const struct feed_source source = {.name = "output",
						  .next = events_next,
						  .free = events_free,
						  .idle = events_idle};
	struct events *events = mem_alloc(sizeof(*events));
	*events = (struct events){.track = *track};
	request_wait_for(request, track->job_id, track_is_open(track));
	struct MHD_Response *response = feed_response(request, &source, events);
	answer_guard(response);
	sse_headers(response);
	return answer_send(request, MHD_HTTP_OK, response);
}

/* Was the end told to somebody who waited for an attempt that never came? */
static bool is_end_of_none(const struct job *job, const struct track_wish *wish,
			   const struct place *place)
{
	return place->is_end && place->offset == 0 && wish->is_one_attempt &&
	       wish->attempt > job->attempt && wish->attempt <= job->max_attempts &&
	       job_state_is_final(job->state);
}

static enum MHD_Result answer_nothing(struct request *request)
{
	return answer_send(request, MHD_HTTP_NO_CONTENT, answer_empty());
}

static enum MHD_Result answer_asked(struct request *request, struct queue *queue,
				    const struct job *job, const struct track_wish *wish,
				    const struct place *place)
{
	struct err err = ERR_INIT;
	struct track track = {0};
	int64_t size = 0;
	if (is_end_of_none(job, wish, place))
		return answer_nothing(request);
	if (output_wish_check(request, queue, job, wish, &err) < 0 ||
	    track_init(&track, request, queue, job, wish, &size, &err) < 0) {
		track_release(&track);
		if (err.code == ERR_GONE)
			gone_output(request, queue, job, track.attempt, &err);
		blame_place(request, place, size, &err);
		return answer_error(request, &err);
	}
	const int ended = judge_end(request, place, &track, size, &err);
	if (ended == 0)
		return answer_events(request, &track);
	track_release(&track);
	/* Behind the end there is nothing, and no use in asking again. */
	return ended > 0 ? answer_nothing(request) : answer_error(request, &err);
}

enum MHD_Result handle_job_output_events(struct request *request)
{
	struct readers *readers = request->server->readers;
	struct err err = ERR_INIT;
	struct queue *queue = NULL;
	struct track_wish wish;
	struct place place;
	struct job job = {0};
	if (output_wish_read(request, &wish, &err) < 0 ||
	    read_place(request, &wish, &place, &err) < 0 ||
	    readers_take(readers, &queue, &err) < 0)
		return answer_error(request, &err);
	enum MHD_Result result;
	if (lookup_job(request, queue, &job, &err) < 0) {
		result = answer_error(request, &err);
	} else {
		if (place.is_given && wish.attempt == 0 && job.attempt > 0)
			wish.attempt = 1;
		result = answer_asked(request, queue, &job, &wish, &place);
		job_release(&job);
	}
	readers_give(readers, queue);
	return result;
}
