/* news.c - what the database wants of the worker besides claiming: times that have come,
 * dependants to be looked at, jobs to be stopped or signalled.
 *
 * Each question alone costs SQLite two locks, and its cache when others have written. So
 * they are asked together: at the end of a transaction of ours, where they cost neither,
 * or in one snapshot after somebody rang. */
#include "worker/supervise.h"

/* What cannot be read is looked at where it matters, and asked again. */
static void read_requests(struct supervisor *supervisor)
{
	struct news *news = &supervisor->news;
	struct stop_request stop;
	struct signal_request signal;

	news->has_stops = queue_stop_requests(supervisor->queue, 0, &stop, 1, NULL) != 0;
	news->has_signals =
		queue_signal_requests(supervisor->queue, 0, &signal, 1, NULL) != 0;
}

void news_read(struct supervisor *supervisor)
{
	struct news *news = &supervisor->news;
	const int unresolved = queue_unresolved(supervisor->queue, NULL);

	news->is_unresolved = unresolved == 1;
	read_requests(supervisor);
	news->is_known = due_read(supervisor) == 0 && unresolved >= 0;
}

void news_look(struct supervisor *supervisor)
{
	if (supervisor->news.is_known)
		return;
	/* Without a snapshot the questions are only asked one by one. */
	(void)queue_snapshot_begin(supervisor->queue, NULL);
	news_read(supervisor);
	queue_snapshot_end(supervisor->queue);
}
