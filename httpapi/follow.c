/* follow.c - sending an attempt's output while it grows (see follow.h).
 *
 * The order of looks is what makes it exact: the end of the attempt is read first, the
 * output after it, so that a last byte written before the end is never missed. */
#include "httpapi/follow.h"

#include "httpapi/readers.h"
#include "httpapi/stream.h"
#include "httpapi/watcher.h"

#define FOLLOW_BLOCK_BYTES 65536

struct follow {
	struct request *request;
	char job_id[JOB_ID_BYTES];
	int attempt; /* 0: not known yet */
	enum output_stream stream;
	struct output *output; /* NULL: not opened yet */
	int64_t offset;
	bool is_ended; /* nothing is added any more */
};

static void follow_free(void *cls)
{
	struct follow *follow = cls;
	if (follow->output)
		output_close(follow->output);
	free(follow);
}

/* Opens the output if there is some. */
static int open_output(struct follow *follow, struct queue *queue, const struct job *job,
		       struct err *err)
{
	struct server *server = follow->request->server;
	int opened = queue_output_open(queue, server->started_with->state_dir, job,
				       follow->attempt, &follow->output, err);
	if (opened != 1)
		return opened;
	int fd = output_fd(follow->output);
	if (fd >= 0)
		watcher_follow(server->watcher, &follow->request->waiter, fd);
	return 0;
}

/* Learns from the database which attempt it is and whether it has ended. */
static int look(struct follow *follow, struct queue *queue, struct err *err)
{
	struct viewer viewer = request_viewer(follow->request);
	struct job job = {0};
	int found = queue_job_get(queue, &viewer, follow->job_id, &job, err);
	if (found <= 0)
		return found < 0 ? -1 : err_set(err, ERR_NOT_FOUND, "the job is gone");
	if (follow->attempt == 0)
		follow->attempt = job.attempt;
	if (follow->attempt == 0) {
		follow->is_ended = job_state_is_final(job.state);
	} else {
		struct attempt attempt = {0};
		found = queue_attempt_get(queue, job.row, follow->attempt, &attempt, err);
		follow->is_ended = found == 1 && attempt.ended_at != 0;
		attempt_release(&attempt);
		if (found >= 0 && !follow->output)
			found = open_output(follow, queue, &job, err);
	}
	job_release(&job);
	return found < 0 ? -1 : 0;
}

static int refresh(struct follow *follow, struct err *err)
{
	struct readers *readers = follow->request->server->readers;
	struct queue *queue = NULL;
	if (readers_take(readers, &queue, err) < 0)
		return -1;
	int result = look(follow, queue, err);
	readers_give(readers, queue);
	return result;
}

/* Bytes, 0 at the present end, -1. */
static ssize_t read_some(struct follow *follow, char *data, size_t max, struct err *err)
{
	if (!follow->output)
		return 0;
	ssize_t got = output_read(follow->output, follow->stream, follow->offset, data,
				  max, err);
	if (got > 0)
		follow->offset += got;
	return got;
}

static ssize_t fail(struct follow *follow, char *data, const struct err *err)
{
	log_event(LOG_WARN, "follow_failed", LOG_TEXT("job", follow->job_id),
		  LOG_TEXT("error", err->text), LOG_END);
	return stream_cut(follow->request->client, data);
}

/* Called by the HTTP library whenever it could send more. */
static ssize_t follow_read(void *cls, uint64_t unused, char *data, size_t max)
{
	struct follow *follow = cls;
	struct waiter *waiter = &follow->request->waiter;
	struct err err = ERR_INIT;
	(void)unused;
	for (;;) {
		ssize_t got = read_some(follow, data, max, &err);
		if (got > 0)
			return got;
		if (got < 0)
			return fail(follow, data, &err);
		if (follow->is_ended)
			return stream_end(follow->request, data);
		if (atomic_load(&waiter->is_gone) ||
		    atomic_load(&follow->request->server->is_stopping))
			return stream_cut(follow->request->client, data);
		bool had_output = follow->output != NULL;
		if (!had_output || atomic_exchange(&waiter->is_newer, false)) {
			if (refresh(follow, &err) < 0)
				return fail(follow, data, &err);
			/* Something is new: read again before sleeping. */
			if (follow->is_ended || (!had_output && follow->output))
				continue;
		}
		if (waiter_park(waiter))
			return 0;
	}
}

struct MHD_Response *follow_response(struct request *request, const struct job *job,
				     int attempt, enum output_stream stream)
{
	struct follow *follow = mem_alloc(sizeof(*follow));
	struct waiter *waiter = &request->waiter;
	*follow =
		(struct follow){.request = request, .attempt = attempt, .stream = stream};
	snprintf(follow->job_id, sizeof(follow->job_id), "%s", job->id);
	*waiter = (struct waiter){.connection = request->connection,
				  .socket_fd = request->client->fd,
				  .wants_bell = true,
				  .is_newer = true};
	snprintf(waiter->job_id, sizeof(waiter->job_id), "%s", job->id);
	watcher_add(request->server->watcher, waiter);
	struct MHD_Response *response = MHD_create_response_from_callback(
		MHD_SIZE_UNKNOWN, FOLLOW_BLOCK_BYTES, follow_read, follow, follow_free);
	if (!response)
		abort(); /* only for want of memory */
	return response;
}
