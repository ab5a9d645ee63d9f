/* output.c - GET /v1/jobs/{id}/output: whole, a range of it, its end, or while it grows.
 */
#include "httpapi/answer.h"
#include "httpapi/follow.h"
#include "httpapi/gone.h"
#include "httpapi/handed.h"
#include "httpapi/handlers.h"
#include "httpapi/lookup.h"
#include "httpapi/output_wish.h"
#include "httpapi/range.h"
#include "httpapi/readers.h"
#include "httpapi/stream.h"

#define OUTPUT_BLOCK_BYTES (128 * 1024)

/* What is asked for. */
struct asked {
	struct track_wish wish;
	bool is_followed, has_times;
	const char *range;    /* the header; NULL: none that counts */
	bool has_range_start; /* followed from wish.offset on */
};

/* A part of an open output, being sent. */
struct sending {
	const struct request *request;
	struct output *output;
	enum output_stream stream;
	int64_t offset; /* of the part */
};

static void sending_free(void *cls)
{
	struct sending *sending = cls;
	output_close(sending->output);
	free(sending);
}

static ssize_t send_some(void *cls, uint64_t position, char *data, size_t max)
{
	const struct sending *sending = cls;
	const struct request *request = sending->request;
	struct err err = ERR_INIT;
	ssize_t got = output_read(sending->output, sending->stream,
				  sending->offset + (int64_t)position, data, max, &err);
	client_expect_within(request->client, request->settings->config.http.stall_us);
	/* The length is promised already: less than that can only be an error. */
	return got > 0 ? got : stream_cut(request->client, data);
}

/* --- what is asked for --- */

/* What cannot be had together. */
static int check_range(struct request *request, struct asked *asked, struct err *err)
{
	const char *const range = asked->range;
	if (!range)
		return 0;
	if (asked->wish.tail_lines >= 0)
		return lookup_refuse(request, "tail_lines", err,
				     "and Range exclude each other: "
				     "both say where to begin");
	if (asked->has_times)
		return lookup_refuse(request, "timestamps", err,
				     "and Range exclude each other: "
				     "a range counts bytes of the output alone");
	if (!asked->is_followed)
		return 0;
	const int found = range_read_live(range, &asked->wish.offset);
	if (found < 0)
		return lookup_refuse(request, "follow", err,
				     "and a Range with an end exclude each other: "
				     "bytes=N- says where to begin");
	asked->has_range_start = found == 1;
	return 0;
}

static int read_asked(struct request *request, struct asked *ret, struct err *err)
{
	const struct headers *headers = &request->headers;
	struct range unused;
	*ret = (struct asked){0};
	/* A range that depends on a tag we do not give out is none: the whole is always
	 * right. */
	ret->range = headers->if_range ? NULL : headers->range;
	if (range_read(ret->range, INT64_MAX, &unused) == 0)
		ret->range = NULL; /* it is none that we understand */
	if (output_wish_read(request, &ret->wish, err) < 0 ||
	    lookup_flag(request, "follow", &ret->is_followed, err) < 0 ||
	    lookup_flag(request, "timestamps", &ret->has_times, err) < 0)
		return -1;
	ret->wish.is_pinned = !ret->is_followed;
	return check_range(request, ret, err);
}

/* --- answers --- */

static void add_headers(struct MHD_Response *response, int attempt)
{
	MHD_add_response_header(response, "Content-Type", "application/octet-stream");
	if (attempt > 0)
		answer_header(response, "Reeve-Attempt", "%d", attempt);
}

static enum MHD_Result refuse_range(struct request *request, int64_t size)
{
	struct err err = ERR_INIT;
	err_set(&err, ERR_RANGE, "the output has %lld bytes", (long long)size);
	struct MHD_Response *response = answer_problem_new(request, &err, NULL);
	answer_header(response, "Content-Range", "bytes */%lld", (long long)size);
	return answer_send(request, MHD_HTTP_RANGE_NOT_SATISFIABLE, response);
}

static enum MHD_Result refuse(struct request *request, struct queue *queue,
			      const struct job *job, int attempt, struct err *err)
{
	if (err->code == ERR_GONE)
		gone_output(request, queue, job, attempt, err);
	return answer_error(request, err);
}

/* Nothing has been written (yet). */
static enum MHD_Result answer_nothing(struct request *request, const struct asked *asked,
				      int attempt)
{
	struct range range;
	if (range_read(asked->range, 0, &range) < 0)
		return refuse_range(request, 0);
	struct MHD_Response *response = answer_empty();
	add_headers(response, attempt);
	MHD_add_response_header(response, "Accept-Ranges", "bytes");
	return answer_send(request, MHD_HTTP_OK, response);
}

/* Which part of it: the length is what it is now. 1 a range, 0 what is asked for is the
 * whole, -1 (ERR_RANGE: there is no such part). */
static int choose_part(struct request *request, struct output *output,
		       const struct asked *asked, struct range *ret, int64_t *ret_size,
		       struct err *err)
{
	const enum output_stream stream = asked->wish.stream;
	int64_t first = 0, size;
	if (asked->wish.tail_lines >= 0 &&
	    output_wish_tail(request, output, &asked->wish, &first, err) < 0)
		return -1;
	if (output_size(output, stream, &size, err) < 0)
		return -1;
	*ret_size = size;
	const int part = range_read(asked->range, size, ret);
	if (part < 0)
		return err_set(err, ERR_RANGE, "there is no such range");
	if (part == 0)
		*ret = (struct range){.first = first, .bytes = size - first};
	return part;
}

/* From the file as it is wherever there is one, else piece by piece. Takes the output. */
static struct MHD_Response *part_response(struct request *request, struct output *output,
					  enum output_stream stream,
					  const struct range *range)
{
	if (range->bytes > 0 && output_is_file(output, stream))
		return handed_response(request, output_into_fd(output), range->first,
				       range->bytes);
	struct sending *sending = mem_alloc(sizeof(*sending));
	*sending = (struct sending){.request = request,
				    .output = output,
				    .stream = stream,
				    .offset = range->first};
	struct MHD_Response *response = MHD_create_response_from_callback(
		(uint64_t)range->bytes, OUTPUT_BLOCK_BYTES, send_some, sending,
		sending_free);
	if (!response)
		abort(); /* only for want of memory */
	return response;
}

/* Sends what is asked for of an output. Takes the output. */
static enum MHD_Result answer_output(struct request *request, struct output *output,
				     const struct asked *asked, int attempt)
{
	struct err err = ERR_INIT;
	struct range range;
	int64_t size = 0;
	const int part = choose_part(request, output, asked, &range, &size, &err);
	if (part < 0) {
		output_close(output);
		return err.code == ERR_RANGE ? refuse_range(request, size)
					     : answer_error(request, &err);
	}
	struct MHD_Response *response =
		part_response(request, output, asked->wish.stream, &range);
	answer_guard(response);
	add_headers(response, attempt);
	MHD_add_response_header(response, "Accept-Ranges", "bytes");
	if (part > 0)
		answer_header(response, "Content-Range", "bytes %lld-%lld/%lld",
			      (long long)range.first,
			      (long long)(range.first + range.bytes - 1),
			      (long long)size);
	return answer_send(request, part > 0 ? MHD_HTTP_PARTIAL_CONTENT : MHD_HTTP_OK,
			   response);
}

/* What has no length that could be said before: what grows, and what has times in it. */
static enum MHD_Result answer_unmeasured(struct request *request, struct queue *queue,
					 const struct job *job, const struct asked *asked)
{
	struct err err = ERR_INIT;
	struct track track;
	int64_t size = 0;
	if (track_init(&track, request, queue, job, &asked->wish, &size, &err) < 0) {
		track_release(&track);
		return err.code == ERR_RANGE
			       ? refuse_range(request, size)
			       : refuse(request, queue, job, track.attempt, &err);
	}
	const int attempt = track.attempt;
	struct MHD_Response *response =
		follow_response(request, &track, asked->has_times);
	answer_guard(response);
	add_headers(response, attempt);
	if (asked->has_range_start)
		answer_header(response, "Content-Range", "bytes %lld-%lld/*",
			      (long long)asked->wish.offset, (long long)RANGE_LIVE_LAST);
	return answer_send(
		request, asked->has_range_start ? MHD_HTTP_PARTIAL_CONTENT : MHD_HTTP_OK,
		response);
}

static enum MHD_Result answer_asked(struct request *request, struct queue *queue,
				    const struct job *job, const struct asked *asked)
{
	struct err err = ERR_INIT;
	struct output *output;
	if (output_wish_check(request, queue, job, &asked->wish, &err) < 0)
		return answer_error(request, &err);
	if (asked->is_followed || asked->has_times)
		return answer_unmeasured(request, queue, job, asked);
	const int attempt = asked->wish.attempt ? asked->wish.attempt : job->attempt;
	if (attempt == 0)
		return answer_nothing(request, asked, attempt);
	const int opened = queue_output_open(queue, request->settings->config.state_dir,
					     job, attempt, &output, &err);
	if (opened < 0)
		return refuse(request, queue, job, attempt, &err);
	if (opened == 0)
		return answer_nothing(request, asked, attempt);
	return answer_output(request, output, asked, attempt);
}

enum MHD_Result handle_job_output(struct request *request)
{
	struct readers *readers = request->server->readers;
	struct err err = ERR_INIT;
	struct queue *queue = NULL;
	struct asked asked;
	struct job job = {0};
	if (read_asked(request, &asked, &err) < 0 ||
	    readers_take(readers, &queue, &err) < 0)
		return answer_error(request, &err);
	enum MHD_Result result;
	if (lookup_job(request, queue, &job, &err) < 0) {
		result = answer_error(request, &err);
	} else {
		result = answer_asked(request, queue, &job, &asked);
		job_release(&job);
	}
	readers_give(readers, queue);
	return result;
}
