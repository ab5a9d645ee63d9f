/* shares.c - open outputs that followers have in common (see shares.h). */
#include "httpapi/shares.h"

#include <pthread.h>

struct share {
	struct shares *shares; /* NULL: somebody's own */
	struct share *next, **link;
	int64_t job_row;
	int attempt;
	size_t holders;	      /* under the lock of shares */
	pthread_mutex_t lock; /* for output */
	struct output *output;
	struct strips *strips; /* NULL: somebody's own */
};

struct shares {
	pthread_mutex_t lock;
	struct share *first; /* as many as jobs are followed, which are few */
};

struct shares *shares_open(void)
{
	struct shares *shares = mem_alloc(sizeof(*shares));
	pthread_mutex_init(&shares->lock, NULL);
	return shares;
}

void shares_close(struct shares *shares)
{
	if (!shares)
		return;
	pthread_mutex_destroy(&shares->lock);
	free(shares);
}

static struct share *share_new(struct output *output)
{
	struct share *share = mem_alloc(sizeof(*share));
	share->holders = 1;
	share->output = output;
	pthread_mutex_init(&share->lock, NULL);
	return share;
}

static void share_free(struct share *share)
{
	output_close(share->output);
	strips_close(share->strips);
	pthread_mutex_destroy(&share->lock);
	free(share);
}

static struct share *share_find(const struct shares *shares, int64_t job_row, int attempt)
{
	struct share *at = shares->first;
	while (at && (at->job_row != job_row || at->attempt != attempt))
		at = at->next;
	return at;
}

static void share_list(struct shares *shares, struct share *share, int64_t job_row,
		       int attempt)
{
	share->shares = shares;
	share->job_row = job_row;
	share->attempt = attempt;
	share->strips = strips_open();
	share->next = shares->first;
	share->link = &shares->first;
	if (share->next)
		share->next->link = &share->next;
	shares->first = share;
}

int shares_take(struct shares *shares, struct queue *queue, const char *state_dir,
		const struct job *job, int attempt, bool is_live, struct share **ret,
		struct err *err)
{
	struct output *output;
	pthread_mutex_lock(&shares->lock);
	struct share *share = is_live ? share_find(shares, job->row, attempt) : NULL;
	if (share) {
		strips_suit(share->strips, ++share->holders);
		pthread_mutex_unlock(&shares->lock);
		*ret = share;
		return 1;
	}
	const int opened =
		queue_output_open(queue, state_dir, job, attempt, &output, err);
	if (opened == 1) {
		*ret = share_new(output);
		if (is_live)
			share_list(shares, *ret, job->row, attempt);
	}
	pthread_mutex_unlock(&shares->lock);
	return opened;
}

void share_give(struct share *share)
{
	if (!share)
		return;
	struct shares *shares = share->shares;
	if (!shares) {
		share_free(share);
		return;
	}
	pthread_mutex_lock(&shares->lock);
	const bool is_last = --share->holders == 0;
	strips_suit(share->strips, share->holders);
	if (is_last) {
		*share->link = share->next;
		if (share->next)
			share->next->link = share->link;
	}
	pthread_mutex_unlock(&shares->lock);
	if (is_last)
		share_free(share);
}

struct output *share_lock(struct share *share)
{
	pthread_mutex_lock(&share->lock);
	return share->output;
}

void share_unlock(struct share *share)
{
	pthread_mutex_unlock(&share->lock);
}

struct strips *share_strips(struct share *share)
{
	return share->strips;
}

int share_fd(struct share *share)
{
	const int fd = output_fd(share_lock(share));
	share_unlock(share);
	return fd;
}
