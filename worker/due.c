/* due.c - waking for jobs that wait for a time.
 *
 * Such times are wall-clock times that people wrote down, so the timer runs on
 * CLOCK_REALTIME and also wakes us when that is set (timerfd_create(2),
 * TFD_TIMER_CANCEL_ON_SET): a jump forwards makes jobs due now, one backwards makes us
 * wait longer. What is due is decided by the database alone, in the transaction that
 * moves the job, so that being woken too often or too late starts nothing twice. */
#include <errno.h>
#include <sys/timerfd.h>

#include "worker/supervise.h"

int due_open(struct supervisor *supervisor, struct err *err)
{
	supervisor->due_fd = timerfd_create(CLOCK_REALTIME, TFD_CLOEXEC | TFD_NONBLOCK);
	supervisor->due_at = supervisor->armed_at = DUE_NEVER;
	return supervisor->due_fd < 0
		       ? err_sys(err, ERR_UNAVAILABLE, errno, "timerfd_create")
		       : 0;
}

void due_ready(struct supervisor *supervisor)
{
	uint64_t times = 0;

	/* ECANCELED: the clock was set. Either way it is to be armed again. */
	(void)!sys.read(supervisor->due_fd, &times, sizeof(times));
	supervisor->armed_at = DUE_NEVER;
}

int due_read(struct supervisor *supervisor)
{
	struct err err = ERR_INIT;
	int64_t at = 0;
	const int found = queue_due_next(supervisor->queue, &at, &err);

	/* Cannot be read now: the next round or the next second asks again. */
	if (found < 0)
		log_event(LOG_WARN, "due_unread", LOG_TEXT("error", err.text), LOG_END);
	supervisor->due_at = found == 1 ? at : DUE_NEVER;
	return found < 0 ? -1 : 0;
}

bool due_has_come(const struct supervisor *supervisor)
{
	return supervisor->due_at <= clock_now_us();
}

void due_arm(struct supervisor *supervisor)
{
	const int64_t at = supervisor->due_at;
	/* All zeros would disarm it, which is what DUE_NEVER wants. */
	const int64_t set_to = at == DUE_NEVER ? 0 : at > 0 ? at : 1;
	const struct itimerspec when = {
		.it_value = {.tv_sec = set_to / US_PER_S,
			     .tv_nsec = set_to % US_PER_S * 1000}};

	/* Something is short: the tick tries again, and not we, at once and for ever. */
	if (at == supervisor->armed_at || supervisor->is_waiting)
		return;
	/* ECANCELED: set, though the clock was as well, so that it may fire at once. */
	if (timerfd_settime(supervisor->due_fd,
			    TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET, &when,
			    NULL) == 0 ||
	    errno == ECANCELED)
		supervisor->armed_at = at;
}
