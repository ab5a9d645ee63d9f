/* output.c - GET /v1/jobs/{id}/output: whole, a range of it, or while it grows. */
#include "httpapi/answer.h"
#include "httpapi/follow.h"
#include "httpapi/gone.h"
#include "httpapi/handlers.h"
#include "httpapi/lookup.h"
#include "httpapi/range.h"
#include "httpapi/readers.h"
#include "httpapi/stream.h"

#define OUTPUT_BLOCK_BYTES (128 * 1024)

/* What is asked for. */
struct asked {
	enum output_stream stream;
	int attempt; /* 0: the last */
	bool follow;
};

/* A part of an open output, being sent. */
struct sending {
	const struct client *client;
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
	struct err err = ERR_INIT;
	ssize_t got = output_read(sending->output, sending->stream,
				  sending->offset + (int64_t)position, data, max, &err);
	/* The length is promised already: less than that can only be an error. */
	return got > 0 ? got : stream_cut(sending->client, data);
}

static int read_asked(struct request *request, struct asked *ret, struct err *err)
{
	static const char *const streams[] = {[OUTPUT_BOTH] = "both",
					      [OUTPUT_STDOUT] = "stdout",
					      [OUTPUT_STDERR] = "stderr"};
	const char *stream = target_param(&request->target, "stream");
	int64_t attempt;
	*ret = (struct asked){.stream = OUTPUT_BOTH};
	if (stream) {
		size_t i = 0;
		while (i < ARRAY_SIZE(streams) && strcmp(streams[i], stream) != 0)
			i++;
		if (i == ARRAY_SIZE(streams))
			return lookup_refuse(request, "stream", err,
					     "is both, stdout or stderr");
		ret->stream = (enum output_stream)i;
	}
	if (lookup_number(request, "attempt", 1, INT32_MAX, 0, &attempt, err) < 0)
		return -1;
	ret->attempt = (int)attempt;
	return lookup_flag(request, "follow", &ret->follow, err);
}

/* A range that depends on a tag we do not give out is none: the whole is always right. */
static int asked_range(const struct request *request, int64_t size, struct range *ret)
{
	const struct headers *headers = &request->headers;
	return headers->if_range ? 0 : range_read(headers->range, size, ret);
}

static void add_headers(struct MHD_Response *response)
{
	MHD_add_response_header(response, "Content-Type", "application/octet-stream");
}

static enum MHD_Result refuse_range(struct request *request, int64_t size)
{
	struct err err = ERR_INIT;
	err_set(&err, ERR_RANGE, "the output has %lld bytes", (long long)size);
	struct MHD_Response *response = answer_problem_new(request, &err, NULL);
	answer_header(response, "Content-Range", "bytes */%lld", (long long)size);
	return answer_send(request, MHD_HTTP_RANGE_NOT_SATISFIABLE, response);
}

/* Nothing has been written (yet). */
static enum MHD_Result answer_nothing(struct request *request)
{
	struct range range;
	if (asked_range(request, 0, &range) < 0)
		return refuse_range(request, 0);
	struct MHD_Response *response = answer_empty();
	add_headers(response);
	MHD_add_response_header(response, "Accept-Ranges", "bytes");
	return answer_send(request, MHD_HTTP_OK, response);
}

/* Sends the output, or the range of it that is asked for. The length is what it is now.
 * Takes the output. */
static enum MHD_Result answer_output(struct request *request, struct output *output,
				     enum output_stream stream)
{
	struct err err = ERR_INIT;
	int64_t size = 0;
	if (output_size(output, stream, &size, &err) < 0) {
		output_close(output);
		return answer_error(request, &err);
	}
	struct range range = {.bytes = size};
	int part = asked_range(request, size, &range);
	if (part < 0) {
		output_close(output);
		return refuse_range(request, size);
	}
	if (part == 0)
		range = (struct range){.bytes = size};
	struct sending *sending = mem_alloc(sizeof(*sending));
	*sending = (struct sending){.client = request->client,
				    .output = output,
				    .stream = stream,
				    .offset = range.first};
	struct MHD_Response *response = MHD_create_response_from_callback(
		(uint64_t)range.bytes, OUTPUT_BLOCK_BYTES, send_some, sending,
		sending_free);
	if (!response)
		abort(); /* only for want of memory */
	answer_guard(response);
	add_headers(response);
	MHD_add_response_header(response, "Accept-Ranges", "bytes");
	if (part > 0)
		answer_header(response, "Content-Range", "bytes %lld-%lld/%lld",
			      (long long)range.first,
			      (long long)(range.first + range.bytes - 1),
			      (long long)size);
	return answer_send(request, part > 0 ? MHD_HTTP_PARTIAL_CONTENT : MHD_HTTP_OK,
			   response);
}

/* Then there is nothing to follow. `attempt` 0: the last. */
static bool is_removed(struct queue *queue, const struct job *job, int attempt)
{
	struct attempt found = {0};
	const int number = attempt ? attempt : job->attempt;
	if (number == 0 || !job_state_is_final(job->state) ||
	    queue_attempt_get(queue, job->row, number, &found, NULL) != 1)
		return false;
	const bool is_gone = strcmp(found.stored, "removed") == 0;
	attempt_release(&found);
	return is_gone;
}

static enum MHD_Result answer_asked(struct request *request, struct queue *queue,
				    const struct job *job, const struct asked *asked)
{
	struct err err = ERR_INIT;
	struct output *output;
	if (asked->attempt > job->attempt) {
		err_set(&err, ERR_NOT_FOUND, "the job has %d attempts", job->attempt);
		return answer_error(request, &err);
	}
	if (asked->follow && !is_removed(queue, job, asked->attempt)) {
		struct MHD_Response *response =
			follow_response(request, job, asked->attempt, asked->stream);
		answer_guard(response);
		add_headers(response);
		return answer_send(request, MHD_HTTP_OK, response);
	}
	int attempt = asked->attempt ? asked->attempt : job->attempt;
	if (attempt == 0)
		return answer_nothing(request);
	int opened = queue_output_open(queue, request->settings->config.state_dir, job,
				       attempt, &output, &err);
	if (opened < 0) {
		if (err.code == ERR_GONE)
			gone_output(request, queue, job, attempt, &err);
		return answer_error(request, &err);
	}
	if (opened == 0)
		return answer_nothing(request);
	return answer_output(request, output, asked->stream);
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
