/* follow.c - sending an attempt's output while it grows (see follow.h).
 *
 * The order of looks is what makes it exact: the end of the attempt is read first, the
 * output after it, so that a last byte written before the end is never missed. */
#include "httpapi/follow.h"

#include "httpapi/feed.h"
#include "httpapi/readers.h"
#include "httpapi/watcher.h"

struct follow {
	struct request *request;
	char job_id[JOB_ID_BYTES];
	int attempt; /* 0: not known yet */
	enum output_stream stream;
	struct output *output; /* NULL: not opened yet */
	int64_t offset;
	bool is_ended; /* nothing is added any more */
	bool is_stale; /* the database has changed since it was looked at */
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

static enum feed_next follow_next(void *cls, bool is_newer, struct buf *out,
				  struct err *err)
{
	struct follow *follow = cls;
	for (;;) {
		ssize_t got = 0;
		if (follow->output)
			got = output_read(follow->output, follow->stream, follow->offset,
					  buf_reserve(out, FEED_BLOCK_BYTES),
					  FEED_BLOCK_BYTES, err);
		if (got < 0)
			return FEED_FAILED;
		if (got > 0) {
			follow->offset += got;
			out->length += (size_t)got;
			buf_seal(out);
			/* what the hint was for is looked at when these are sent */
			follow->is_stale |= is_newer;
			return FEED_BYTES;
		}
		if (follow->is_ended)
			return FEED_END;
		if (!is_newer && !follow->is_stale && follow->output)
			return FEED_LATER;
		const bool had_output = follow->output != NULL;
		is_newer = follow->is_stale = false;
		if (refresh(follow, err) < 0)
			return FEED_FAILED;
		/* Something is new: read again before sleeping. */
		if (!follow->is_ended && (had_output || !follow->output))
			return FEED_LATER;
	}
}

static const struct feed_source OUTPUT_SOURCE = {
	.name = "output", .next = follow_next, .free = follow_free};

struct MHD_Response *follow_response(struct request *request, const struct job *job,
				     int attempt, enum output_stream stream)
{
	struct follow *follow = mem_alloc(sizeof(*follow));
	struct waiter *waiter = &request->waiter;
	*follow =
		(struct follow){.request = request, .attempt = attempt, .stream = stream};
	snprintf(follow->job_id, sizeof(follow->job_id), "%s", job->id);
	*waiter = (struct waiter){.wants_bell = true};
	snprintf(waiter->job_id, sizeof(waiter->job_id), "%s", job->id);
	return feed_response(request, &OUTPUT_SOURCE, follow);
}
