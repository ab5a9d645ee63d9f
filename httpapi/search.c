/* search.c - GET /v1/jobs/{id}/output/search: the lines in which something stands.
 *
 * One request looks at a bounded number of bytes, so that nobody else waits for it; the
 * rest is found with the cursor of its answer. */
#include "httpapi/answer.h"
#include "httpapi/gone.h"
#include "httpapi/handlers.h"
#include "httpapi/lookup.h"
#include "httpapi/output_wish.h"
#include "httpapi/paging.h"
#include "httpapi/readers.h"

#define SEARCH_BYTES (INT64_C(8) << 20)
#define SEARCH_LIMIT 100
#define SEARCH_LIMIT_MAX 1000

/* What is asked for. */
struct asked {
	int64_t attempt; /* 0: the last */
	int64_t limit;
	struct search search;
};

/* --- the cursor --- */

/* How far the search has come, and in which attempt. */
struct position {
	int64_t attempt;
	struct search_place place;
};
_Static_assert(sizeof(struct position) <= CURSOR_POSITION_MAX, "too large a position");

/* What a cursor belongs to. */
static void digest_search(const struct job *job, const struct search *search,
			  uint8_t ret[DIGEST_BYTES])
{
	const uint8_t how[] = {(uint8_t)search->stream, search->ignores_case};
	struct digest digest;
	digest_init(&digest);
	digest_add(&digest, job->id, strlen(job->id));
	digest_add(&digest, how, sizeof(how));
	digest_add(&digest, search->needle, search->needle_bytes);
	digest_end(&digest, ret);
}

/* Without attempt= it goes on in the attempt it began in. */
static int read_cursor(struct request *request, const struct job *job,
		       struct asked *asked, struct err *err)
{
	const char *text = target_param(&request->target, "cursor");
	uint8_t mark[DIGEST_BYTES];
	struct position position;
	if (!text)
		return 0;
	digest_search(job, &asked->search, mark);
	struct err wrong = ERR_INIT;
	if (cursor_read(text, mark, &position, sizeof(position), &wrong) < 0)
		return lookup_refuse(request, "cursor", err, "%s", wrong.text);
	if (position.attempt < 1 || position.attempt > INT32_MAX)
		return lookup_refuse(request, "cursor", err, "is not one of ours");
	if (asked->attempt != 0 && asked->attempt != position.attempt)
		return lookup_refuse(request, "cursor", err,
				     "belongs to another attempt than this");
	asked->attempt = position.attempt;
	asked->search.place = position.place;
	return 0;
}

/* --- the query --- */

static int read_asked(struct request *request, struct asked *ret, struct err *err)
{
	const char *needle = target_param(&request->target, "q");
	struct search *search = &ret->search;
	*ret = (struct asked){0};
	if (!needle || !needle[0] || strlen(needle) > SEARCH_NEEDLE_MAX ||
	    strchr(needle, '\n'))
		return lookup_refuse(request, "q", err,
				     "is what to search for: 1 to %d bytes of one line",
				     SEARCH_NEEDLE_MAX);
	search->needle = needle;
	search->needle_bytes = strlen(needle);
	if (lookup_stream(request, &search->stream, err) < 0 ||
	    lookup_flag(request, "ignore_case", &search->ignores_case, err) < 0 ||
	    lookup_number(request, "attempt", 1, INT32_MAX, 0, &ret->attempt, err) < 0)
		return -1;
	return lookup_number(request, "limit", 1, SEARCH_LIMIT_MAX, SEARCH_LIMIT,
			     &ret->limit, err);
}

/* --- the answer --- */

static void put_hit(struct json_writer *json, const struct search_hit *hit,
		    const struct search_text *text)
{
	json_open(json, NULL, '{');
	json_put_int(json, "line", hit->line);
	json_put_int(json, "offset", hit->offset);
	if (hit->at_us != 0)
		json_put_time(json, "at", hit->at_us);
	else
		json_put_null(json, "at");
	json_put_text(json, "stream",
		      hit->stream == OUTPUT_BOTH ? NULL
						 : lookup_stream_word(hit->stream));
	json_put_text_n(json, "text", text->data, text->bytes);
	json_put_bool(json, "text_is_cut", text->is_cut);
	json_put_int(json, "text_offset", text->offset);
	json_close(json, '}');
}

static int put_hits(struct json_writer *json, struct output *output,
		    const struct asked *asked, const struct search_hit *hit, size_t count,
		    struct err *err)
{
	struct search_text text;
	json_open(json, "items", '[');
	for (size_t i = 0; i < count; i++) {
		if (output_search_text(output, &asked->search, &hit[i], &text, err) < 0)
			return -1;
		put_hit(json, &hit[i], &text);
	}
	json_close(json, ']');
	return 0;
}

/* 1 there is more to search, 0, -1. */
static int put_found(struct json_writer *json, struct output *output, struct asked *asked,
		     struct err *err)
{
	struct search *search = &asked->search;
	const int64_t before = search->place.offset;
	AUTO_FREE struct search_hit *hit = mem_alloc((size_t)asked->limit * sizeof(*hit));
	int64_t bytes = 0;
	size_t count = 0;
	if (output_size(output, search->stream, &bytes, err) < 0)
		return -1;
	int more = output_search(output, search, SEARCH_BYTES, hit, (size_t)asked->limit,
				 &count, err);
	if (more < 0 || put_hits(json, output, asked, hit, count, err) < 0)
		return -1;
	const int64_t place = search->place.offset;
	/* It may have grown since; and at the end nothing is left to look at, though the
	 * place is where something could still begin. */
	bytes = place > bytes ? place : bytes;
	json_put_int(json, "scanned_bytes", (more ? place : bytes) - before);
	json_put_int(json, "bytes", bytes);
	return more;
}

/* Nothing has been written (yet). */
static int put_nothing(struct json_writer *json)
{
	json_open(json, "items", '[');
	json_close(json, ']');
	json_put_int(json, "scanned_bytes", 0);
	json_put_int(json, "bytes", 0);
	return 0;
}

/* `output` NULL: there is none. */
static enum MHD_Result answer_found(struct request *request, const struct job *job,
				    struct output *output, struct asked *asked)
{
	struct err err = ERR_INIT;
	struct buf body = BUF_INIT(ANSWER_BYTES_MAX);
	struct json_writer json;
	char cursor[CURSOR_TEXT_BYTES(sizeof(struct position))];
	uint8_t mark[DIGEST_BYTES];
	json_writer_init(&json, &body);
	json_open(&json, NULL, '{');
	json_put_int(&json, "attempt", asked->attempt);
	int more = output ? put_found(&json, output, asked, &err) : put_nothing(&json);
	if (more < 0) {
		buf_release(&body);
		/* The needle was judged before: what is wrong is the place. */
		if (err.code == ERR_INVALID)
			lookup_refuse(request, "cursor", &err, "is not one of ours");
		return answer_error(request, &err);
	}
	const struct position position = {.attempt = asked->attempt,
					  .place = asked->search.place};
	digest_search(job, &asked->search, mark);
	cursor_write(&position, sizeof(position), mark, cursor);
	json_put_text(&json, "next_cursor", more ? cursor : NULL);
	json_close(&json, '}');
	return answer_send(request, MHD_HTTP_OK, answer_json(&body));
}

/* The job, and its output as far as there is one. */
static int open_asked(struct request *request, struct queue *queue, struct asked *asked,
		      struct job *job, struct output **ret, struct err *err)
{
	const char *state_dir = request->settings->config.state_dir;
	if (lookup_job(request, queue, job, err) < 0 ||
	    read_cursor(request, job, asked, err) < 0)
		return -1;
	if (asked->attempt > job->attempt)
		return output_wish_no_attempt(job, asked->attempt, err);
	if (asked->attempt == 0)
		asked->attempt = job->attempt;
	if (asked->attempt == 0)
		return 0;
	const int opened =
		queue_output_open(queue, state_dir, job, (int)asked->attempt, ret, err);
	if (opened < 0 && err->code == ERR_GONE)
		gone_output(request, queue, job, (int)asked->attempt, err);
	return opened;
}

enum MHD_Result handle_job_search(struct request *request)
{
	struct readers *readers = request->server->readers;
	struct err err = ERR_INIT;
	struct queue *queue = NULL;
	struct output *output = NULL;
	struct job job = {0};
	struct asked asked;
	if (read_asked(request, &asked, &err) < 0 ||
	    readers_take(readers, &queue, &err) < 0)
		return answer_error(request, &err);
	const int opened = open_asked(request, queue, &asked, &job, &output, &err);
	readers_give(readers, queue);
	const enum MHD_Result result =
		opened < 0 ? answer_error(request, &err)
			   : answer_found(request, &job, output, &asked);
	output_close(output);
	job_release(&job);
	return result;
}
