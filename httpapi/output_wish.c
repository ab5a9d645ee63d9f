/* output_wish.c - which part of a job's output a request asks for (see output_wish.h). */
#include "httpapi/output_wish.h"

#include "httpapi/gone.h"
#include "httpapi/lookup.h"

int output_wish_read(struct request *request, struct track_wish *ret, struct err *err)
{
	int64_t attempt;
	*ret = (struct track_wish){0};
	if (lookup_stream(request, &ret->stream, err) < 0 ||
	    lookup_number(request, "attempt", 1, INT32_MAX, 0, &attempt, err) < 0 ||
	    lookup_number(request, "tail_lines", 0, INT32_MAX, -1, &ret->tail_lines,
			  err) < 0)
		return -1;
	ret->attempt = (int)attempt;
	ret->is_one_attempt = attempt != 0;
	return 0;
}

static bool is_removed(struct queue *queue, const struct job *job, int attempt)
{
	struct attempt found = {0};
	if (queue_attempt_get(queue, job->row, attempt, &found, NULL) != 1)
		return false;
	const bool is_gone = strcmp(found.stored, "removed") == 0;
	attempt_release(&found);
	return is_gone;
}

int output_wish_no_attempt(const struct job *job, int64_t attempt, struct err *err)
{
	return err_set(err, ERR_NOT_FOUND,
		       "there is no attempt %lld of this job; it has had %d",
		       (long long)attempt, job->attempt);
}

/* Whoever follows waits for an attempt as for a job that has not started. */
static bool may_come(const struct job *job, const struct track_wish *wish)
{
	return !wish->is_pinned && wish->is_one_attempt &&
	       wish->attempt <= job->max_attempts && !job_state_is_final(job->state);
}

int output_wish_check(struct request *request, struct queue *queue, const struct job *job,
		      const struct track_wish *wish, struct err *err)
{
	if (wish->attempt > job->attempt)
		return may_come(job, wish)
			       ? 0
			       : output_wish_no_attempt(job, wish->attempt, err);
	const int first = wish->attempt ? wish->attempt : job->attempt;
	const int last = wish->is_one_attempt ? first : job->attempt;
	if (first == 0 || !job_state_is_final(job->state))
		return 0;
	for (int attempt = first; attempt <= last; attempt++) {
		if (!is_removed(queue, job, attempt))
			continue;
		err_set(err, ERR_GONE, "this output was removed");
		gone_output(request, queue, job, attempt, err);
		return -1;
	}
	return 0;
}

int output_wish_tail(struct request *request, struct output *output,
		     const struct track_wish *wish, int64_t *ret_offset, struct err *err)
{
	struct err found = ERR_INIT;
	if (output_tail(output, wish->stream, wish->tail_lines, ret_offset, &found) == 0)
		return 0;
	if (found.code == ERR_TOO_LARGE)
		return lookup_refuse(request, "tail_lines", err,
				     "reaches back over more than the service looks "
				     "through (%d MiB); a Range does not",
				     (int)(OUTPUT_TAIL_BYTES >> 20));
	*err = found;
	return -1;
}
