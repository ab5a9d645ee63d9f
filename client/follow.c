/* follow.c - a job's output to standard output, from byte to byte.
 *
 * We count the bytes that have arrived. When the connection is lost, or the service ends
 * the stream because it restarts, the rest is asked for with Range; a service that
 * answers with the whole all the same is skipped over. So nothing is printed twice and
 * nothing is left out. */
#include "client/api.h"

#include <stdlib.h>
#include <string.h>

#include "client/neutral.h"
#include "client/output.h"

#define OUT_OF_REACH_US (60 * US_PER_S)
#define PAUSE_US (200 * US_PER_MS)
#define TAIL_BYTES_MAX (64u << 20)
#define TAIL_SLACK_BYTES (1u << 20)
#define STATUS_PARTIAL 206
#define STATUS_RANGE 416

struct follow {
	struct cli *cli;
	const struct output_request *request;
	struct neutral neutral;
	bool is_neutral;
	int64_t offset;	     /* bytes of the stream that have been taken */
	int64_t skip;	     /* bytes of this answer that we have already */
	bool is_first_piece; /* of this answer */
	int64_t lost_since_us;
	int64_t end_offset; /* at the last orderly end; the job was final then */
	struct buf *tail;   /* instead of printing: the last lines */
	struct err failure;
};

/* --- the last lines --- */

/* Where the last `lines` lines of the buffer begin. */
static size_t tail_start(const struct buf *buf, int64_t lines)
{
	size_t at = buf->length;
	if (lines == 0)
		return at;
	if (at > 0 && buf->data[at - 1] == '\n')
		at--;
	for (; at > 0; at--)
		if (buf->data[at - 1] == '\n' && --lines == 0)
			break;
	return at;
}

/* Drops what can no longer be among the last lines. */
static void tail_trim(struct buf *buf, int64_t lines)
{
	const size_t start = tail_start(buf, lines);
	memmove(buf->data, buf->data + start, buf->length - start);
	buf->length -= start;
	buf_seal(buf);
}

/* Trimmed now and then rather than at each piece, which would be quadratic. */
static bool tail_add(struct follow *follow, const void *data, size_t bytes)
{
	if (follow->tail->length + bytes > TAIL_SLACK_BYTES)
		tail_trim(follow->tail, follow->request->tail_lines);
	if (buf_append(follow->tail, data, bytes) == 0)
		return true;
	err_set(&follow->failure, ERR_TOO_LARGE,
		"the last %lld lines are over %u MiB; leave out -n",
		(long long)follow->request->tail_lines, TAIL_BYTES_MAX >> 20);
	return false;
}

/* --- printing --- */

static int print_piece(struct follow *follow, const void *data, size_t bytes)
{
	if (!follow->is_neutral)
		return out_write(follow->cli, data, bytes, &follow->failure);
	AUTO_BUF struct buf shown = BUF_INIT(TAIL_BYTES_MAX * 8);
	neutral_add(&follow->neutral, data, bytes, &shown);
	return out_write(follow->cli, buf_text(&shown), shown.length, &follow->failure);
}

/* False ends the transfer: nobody reads our output any more, or it is too much. */
static bool on_piece(void *context, const struct exchange *exchange, const void *data,
		     size_t bytes)
{
	struct follow *follow = context;
	follow->lost_since_us = 0;
	if (follow->is_first_piece)
		follow->skip = exchange->status == STATUS_PARTIAL ? 0 : follow->offset;
	follow->is_first_piece = false;
	const char *at = data;
	if (follow->skip > 0) {
		const size_t passed =
			(size_t)follow->skip < bytes ? (size_t)follow->skip : bytes;
		follow->skip -= (int64_t)passed;
		at += passed;
		bytes -= passed;
	}
	if (bytes == 0)
		return true;
	follow->offset += (int64_t)bytes;
	if (follow->tail != NULL)
		return tail_add(follow, at, bytes);
	return print_piece(follow, at, bytes) == 0;
}

/* --- one answer, and what comes after it --- */

static void output_path(const struct output_request *request, bool is_followed,
			struct exchange *exchange)
{
	AUTO_BUF struct buf query = BUF_INIT(512);
	buf_printf(&query, "?stream=%s", request->stream);
	if (request->attempt > 0)
		buf_printf(&query, "&attempt=%lld", (long long)request->attempt);
	if (is_followed)
		buf_append_text(&query, "&follow=1");
	exchange_init(exchange, "GET", "/v1/jobs/%s/output%s", request->id,
		      buf_text(&query));
}

/* How many bytes the stream has by the job's own figures, or -1. */
static int64_t expected_bytes(const struct follow *follow, const cJSON *job)
{
	const int64_t out = item_int(job, "output.stdout_bytes", -1);
	const int64_t err = item_int(job, "output.stderr_bytes", -1);
	if (out < 0 || err < 0 || follow->request->attempt > 0)
		return -1;
	if (strcmp(follow->request->stream, "stdout") == 0)
		return out;
	return strcmp(follow->request->stream, "stderr") == 0 ? err : out + err;
}

/* The stream has ended in an orderly way: has the job too? 1 done, 0 ask again, -1. */
static int judge_end(struct follow *follow, struct err *err)
{
	if (!follow->request->is_followed)
		return 1;
	cJSON *job = NULL;
	if (api_get(follow->cli, &job, err, "/v1/jobs/%s", follow->request->id) < 0)
		return err->code == ERR_UNAVAILABLE && !follow->cli->is_interrupted ? 0
										    : -1;
	const bool is_final = job_is_final(job);
	const bool is_whole = follow->offset >= expected_bytes(follow, job);
	const bool is_stuck =
		follow->offset == follow->end_offset; /* asked again in vain */
	cJSON_Delete(job);
	follow->end_offset = is_final ? follow->offset : -1;
	return is_final && (is_whole || is_stuck) ? 1 : 0;
}

/* Said once for each loss, not for each try. */
static int lost(struct follow *follow, const struct exchange *exchange, struct err *err)
{
	const int64_t now = clock_boot_us();
	if (follow->lost_since_us == 0) {
		follow->lost_since_us = now;
		say(follow->cli, "%s; resuming at byte %lld",
		    exchange->failure.code != ERR_NONE ? exchange->failure.text
						       : "the stream broke off",
		    (long long)follow->offset);
	}
	if (now - follow->lost_since_us < OUT_OF_REACH_US)
		return 0;
	return api_answer(follow->cli, exchange, NULL, err);
}

/* What to do after one answer: 1 done, 0 ask again, -1. */
static int judge(struct follow *follow, const struct exchange *exchange, struct err *err)
{
	if (follow->failure.code != ERR_NONE) {
		*err = follow->failure;
		return -1;
	}
	if (exchange->is_finished && exchange->status == STATUS_RANGE &&
	    follow->offset > 0)
		return judge_end(follow, err);
	if (exchange->is_finished && exchange->status < 500) {
		if (api_answer(follow->cli, exchange, NULL, err) < 0)
			return -1;
		return judge_end(follow, err);
	}
	if (!http_may_return(follow->cli, exchange))
		return api_answer(follow->cli, exchange, NULL, err);
	return lost(follow, exchange, err);
}

/* One answer after the other until everything is there. The pause comes before each but
 * the first: a service that breaks off at once is not hammered. */
static int run(struct follow *follow, bool is_followed, struct err *err)
{
	int status = 0;
	for (bool is_first = true; status == 0; is_first = false) {
		if (!is_first && http_pause(follow->cli, PAUSE_US, err) < 0)
			return -1;
		struct exchange exchange;
		output_path(follow->request, is_followed, &exchange);
		exchange.range_from = follow->offset;
		exchange.sink = on_piece;
		exchange.sink_context = follow;
		follow->is_first_piece = true;
		struct exchange *const list[] = {&exchange};
		status = http_perform(follow->cli, list, 1, false, err);
		if (status == 0)
			status = judge(follow, &exchange, err);
		exchange_release(&exchange);
	}
	return status < 0 ? -1 : 0;
}

/* The last lines of what there is now; following goes on behind them. */
static int run_tail(struct follow *follow, struct err *err)
{
	AUTO_BUF struct buf tail = BUF_INIT(TAIL_BYTES_MAX);
	struct output_request now = *follow->request;
	now.is_followed = false;
	struct follow first = {.cli = follow->cli, .request = &now, .tail = &tail};
	if (run(&first, false, err) < 0)
		return -1;
	follow->offset = first.offset;
	tail_trim(&tail, now.tail_lines);
	if (print_piece(follow, buf_text(&tail), tail.length) < 0) {
		*err = follow->failure;
		return -1;
	}
	return 0;
}

int api_output(struct cli *cli, const struct output_request *request, struct err *err)
{
	struct follow follow = {.cli = cli,
				.request = request,
				.end_offset = -1,
				.is_neutral = cli->out_is_terminal && !request->is_raw};
	int status = 0;
	if (request->tail_lines >= 0)
		status = run_tail(&follow, err);
	if (status == 0 && (request->tail_lines < 0 || request->is_followed))
		status = run(&follow, request->is_followed, err);
	if (status == 0 && follow.is_neutral) {
		AUTO_BUF struct buf rest = BUF_INIT(64);
		neutral_end(&follow.neutral, &rest);
		status = out_write(cli, buf_text(&rest), rest.length, err);
	}
	return status;
}
