/* track.c - where somebody who follows a job's output is (see track.h). */
#include "httpapi/track.h"

#include "httpapi/output_wish.h"
#include "httpapi/readers.h"
#include "httpapi/watcher.h"

static int open_share(struct track *track, struct queue *queue, const struct job *job,
		      struct err *err)
{
	struct server *server = track->request->server;
	return shares_take(server->shares, queue, server->started_with->state_dir, job,
			   track->attempt, !track->is_ended && !track->wish.is_pinned,
			   &track->share, err);
}

/* Learns whether the attempt has ended, and opens its output if there is some. */
static int look_at_attempt(struct track *track, struct queue *queue,
			   const struct job *job, struct err *err)
{
	struct attempt attempt = {0};
	const int found =
		queue_attempt_get(queue, job->row, track->attempt, &attempt, err);
	if (found < 0)
		return -1;
	const bool is_one = track->wish.is_one_attempt;
	/* One that is waited for does not come any more when the job is over. */
	track->is_ended =
		found == 1 ? attempt.ended_at != 0 : job_state_is_final(job->state);
	track->has_next = track->is_ended && !is_one && job->attempt > track->attempt;
	track->is_last = track->is_ended && !track->has_next &&
			 (is_one || job_state_is_final(job->state));
	attempt_release(&attempt);
	return track->share || open_share(track, queue, job, err) >= 0 ? 0 : -1;
}

static int look(struct track *track, struct queue *queue, const struct job *job,
		struct err *err)
{
	if (track->attempt == 0)
		track->attempt = job->attempt;
	if (track->attempt != 0)
		return look_at_attempt(track, queue, job, err);
	track->is_ended = track->is_last = job_state_is_final(job->state);
	return 0;
}

static int look_again(struct track *track, struct err *err)
{
	struct readers *readers = track->request->server->readers;
	struct viewer viewer = request_viewer(track->request);
	struct queue *queue = NULL;
	struct job job = {0};
	if (readers_take(readers, &queue, err) < 0)
		return -1;
	int result = queue_job_get(queue, &viewer, track->job_id, &job, err);
	if (result == 0)
		result = err_set(err, ERR_NOT_FOUND, "the job is gone");
	if (result == 1) {
		/* When there was none, the first to come is it, however many came. */
		if (track->attempt == 0 && job.attempt > 0)
			track->attempt = 1;
		result = look(track, queue, &job, err);
		job_release(&job);
	}
	readers_give(readers, queue);
	return result;
}

/* --- the beginning --- */

/* In an output opened for it alone: many wait for one that they share. */
static int find_tail(struct track *track, struct queue *queue, const struct job *job,
		     struct err *err)
{
	struct request *request = track->request;
	struct output *output;
	const int opened =
		queue_output_open(queue, request->server->started_with->state_dir, job,
				  track->attempt, &output, err);
	if (opened != 1)
		return opened;
	const int result =
		output_wish_tail(request, output, &track->wish, &track->offset, err);
	output_close(output);
	return result;
}

/* How much there is, and where to begin. */
static int measure(struct track *track, int64_t *ret_size, struct err *err)
{
	const struct track_wish *wish = &track->wish;
	int64_t size = 0;
	if (track->share) {
		struct output *output = share_lock(track->share);
		const int result = output_size(output, wish->stream, &size, err);
		share_unlock(track->share);
		if (result < 0)
			return -1;
	}
	if (wish->is_pinned)
		track->end = size;
	*ret_size = size;
	if (track->offset > size)
		return err_set(err, ERR_RANGE, "the output has %lld bytes",
			       (long long)size);
	return 0;
}

int track_init(struct track *track, struct request *request, struct queue *queue,
	       const struct job *job, const struct track_wish *wish, int64_t *ret_size,
	       struct err *err)
{
	*track = (struct track){.request = request,
				.wish = *wish,
				.attempt = wish->attempt,
				.offset = wish->offset,
				.end = INT64_MAX};
	snprintf(track->job_id, sizeof(track->job_id), "%s", job->id);
	if (look(track, queue, job, err) < 0)
		return -1;
	if (track->share && wish->tail_lines >= 0 &&
	    find_tail(track, queue, job, err) < 0)
		return -1;
	return measure(track, ret_size, err);
}

void track_release(struct track *track)
{
	share_give(track->share);
	track->share = NULL;
}

/* --- reading --- */

ssize_t track_peek(struct track *track, int64_t offset, void *data, size_t max,
		   struct err *err)
{
	if (!track->share || offset >= track->end)
		return 0;
	if ((int64_t)max > track->end - offset)
		max = (size_t)(track->end - offset);
	struct output *output = share_lock(track->share);
	const ssize_t got =
		output_read(output, track->wish.stream, offset, data, max, err);
	share_unlock(track->share);
	return got;
}

ssize_t track_read(struct track *track, void *data, size_t max, struct err *err)
{
	const ssize_t got = track_peek(track, track->offset, data, max, err);
	if (got > 0)
		track->offset += got;
	return got;
}

int track_source(struct track *track, int64_t offset, struct output_source *ret,
		 struct err *err)
{
	if (!track->share || offset >= track->end)
		return 0;
	struct output *output = share_lock(track->share);
	const int found = output_source(output, track->wish.stream, offset, ret, err);
	share_unlock(track->share);
	return found;
}

/* --- when there is nothing to read --- */

static void watch(struct track *track)
{
	struct request *request = track->request;
	if (track->is_watched || !track->share || track->is_ended)
		return;
	const int fd = share_fd(track->share);
	track->is_watched = true;
	if (fd >= 0)
		watcher_follow(request->server->watcher, &request->waiter, fd);
}

static void begin_next(struct track *track)
{
	struct request *request = track->request;
	if (track->is_watched)
		watcher_unfollow(request->server->watcher, &request->waiter);
	share_give(track->share);
	track->share = NULL;
	track->is_watched = track->is_ended = track->has_next = false;
	track->is_stale = true;
	track->attempt++;
	track->offset = 0;
}

bool track_is_quiet(const struct track *track)
{
	return track_is_open(track) && !track->is_stale && !track->has_next;
}

bool track_is_open(const struct track *track)
{
	return !track->wish.is_pinned && !track->is_last;
}

enum track_turn track_turn(struct track *track, struct err *err)
{
	if (!track_is_open(track))
		return TRACK_END;
	if (track->has_next) {
		begin_next(track);
		return TRACK_NEXT;
	}
	if (!track->is_stale)
		return TRACK_LATER;
	track->is_stale = false;
	const bool had_share = track->share != NULL, was_ended = track->is_ended;
	const bool was_watched = track->is_watched;
	if (look_again(track, err) < 0)
		return TRACK_FAILED;
	watch(track);
	/* What is new is read before anybody sleeps. */
	const bool is_new =
		had_share != (track->share != NULL) || was_watched != track->is_watched ||
		was_ended != track->is_ended || track->is_last || track->has_next;
	return is_new ? TRACK_AGAIN : TRACK_LATER;
}
