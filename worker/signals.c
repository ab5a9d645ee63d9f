/* signals.c - sends the signals that people want sent to running jobs.
 *
 * Each at most once: first a transaction says that we set about to send it, then it is
 * sent, then another one records that. Only the main process gets it, known by number and
 * start time and signalled through a pidfd. One whose process is not there yet waits for
 * it; one whose attempt has ended, or of which nobody recorded whether it was sent, is
 * recorded as what it is. What became of one that we sent ourselves is known until that
 * is recorded, however often it fails. */
#include <stdlib.h>
#include <unistd.h>

#include "worker/process.h"
#include "worker/supervise.h"

#define SIGNALS_AT_ONCE 64

/* What is done with one request of those that are looked at together. */
struct delivery {
	int64_t id;
	int signal;
	const struct work *work; /* whose process gets it; NULL: nobody does */
	enum signal_fate fate;
};
struct deliveries {
	struct delivery item[SIGNALS_AT_ONCE];
	int count, to_send;
};

/* --- what is written --- */

static int write_taken(struct supervisor *supervisor, struct deliveries *deliveries,
		       struct err *err)
{
	for (int i = 0; i < deliveries->count; i++) {
		struct delivery *one = &deliveries->item[i];

		if (one->work != NULL && queue_signal_take(supervisor->queue, one->id,
							   supervisor->epoch, err) < 0)
			return -1;
	}
	return 0;
}

static int write_settled(struct supervisor *supervisor, struct deliveries *deliveries,
			 struct err *err)
{
	for (int i = 0; i < deliveries->count; i++)
		if (queue_signal_settle(supervisor->queue, deliveries->item[i].id,
					deliveries->item[i].fate, err) != 0)
			return -1;
	return 0;
}

typedef int write_fn(struct supervisor *supervisor, struct deliveries *deliveries,
		     struct err *err);

/* --- what is sent and not recorded --- */

static struct unsaid *unsaid_find(const struct supervisor *supervisor, int64_t id)
{
	const struct unsaid_list *list = &supervisor->unsaid;

	for (size_t i = 0; i < list->count; i++)
		if (list->item[i].id == id)
			return &list->item[i];
	return NULL;
}

static void unsaid_add(struct supervisor *supervisor, const struct delivery *one)
{
	struct unsaid_list *list = &supervisor->unsaid;

	list->item = mem_grow(list->item, (list->count + 1) * sizeof(*list->item));
	list->item[list->count++] = (struct unsaid){.id = one->id, .fate = one->fate};
}

static void unsaid_forget(struct supervisor *supervisor, int64_t id)
{
	struct unsaid_list *list = &supervisor->unsaid;
	struct unsaid *said = unsaid_find(supervisor, id);

	if (said != NULL)
		*said = list->item[--list->count];
}

void signals_release(struct supervisor *supervisor)
{
	free(supervisor->unsaid.item);
	supervisor->unsaid = (struct unsaid_list){.item = NULL};
}

/* One transaction. -1: not written; the rows are still there, and a later look finds
 * them. */
static int transact(struct supervisor *supervisor, write_fn *write,
		    struct deliveries *deliveries)
{
	struct err err = ERR_INIT;

	if (queue_begin(supervisor->queue, &err) == 0 &&
	    write(supervisor, deliveries, &err) == 0 &&
	    queue_commit(supervisor->queue, &err) == 0) {
		supervisor->is_signal_logged = false;
		return 0;
	}
	queue_rollback(supervisor->queue);
	if (!supervisor->is_signal_logged)
		log_event(LOG_WARN, "signal_postponed", LOG_TEXT("error", err.text),
			  LOG_END);
	supervisor->is_signal_logged = true;
	supervisor->wants_signals = true;
	return -1;
}

/* --- what is sent --- */

static enum signal_fate send(const struct work *work, int number)
{
	const int pidfd = process_open(work->pid, work->pid_started);
	enum signal_fate fate = SIGNAL_TOO_LATE;

	if (pidfd < 0)
		return fate;
	if (process_signal(pidfd, number, 0) == 0)
		fate = SIGNAL_DELIVERED;
	else if (process_is_alive(pidfd))
		fate = SIGNAL_REFUSED;
	close(pidfd);
	return fate;
}

static const struct work *living_work(const struct supervisor *supervisor,
				      const struct signal_request *request)
{
	const struct work *work =
		work_find(supervisor, request->job_row, request->number);

	return work != NULL && work->phase != WORK_CLOSING ? work : NULL;
}

/* Adds what is to be done with it, if that can be said already. */
static void plan(struct supervisor *supervisor, const struct signal_request *request,
		 struct deliveries *deliveries)
{
	struct delivery one = {
		.id = request->id, .signal = request->signal, .fate = SIGNAL_UNKNOWN};

	if (request->sent_by == 0) {
		one.work = living_work(supervisor, request);
		one.fate = SIGNAL_TOO_LATE;
	} else if (request->sent_by == supervisor->epoch) {
		const struct unsaid *sent = unsaid_find(supervisor, request->id);

		one.fate = sent != NULL ? sent->fate : SIGNAL_UNKNOWN;
	}
	if (one.work != NULL && one.work->phase != WORK_RUNNING) {
		supervisor->wants_signals = true;
		return;
	}
	deliveries->to_send += one.work != NULL;
	deliveries->item[deliveries->count++] = one;
}

static void deliver(struct supervisor *supervisor, struct deliveries *deliveries)
{
	if (deliveries->count == 0 ||
	    (deliveries->to_send > 0 &&
	     transact(supervisor, write_taken, deliveries) != 0))
		return;
	for (int i = 0; i < deliveries->count; i++) {
		struct delivery *one = &deliveries->item[i];

		if (one->work == NULL)
			continue;
		one->fate = send(one->work, one->signal);
		unsaid_add(supervisor, one);
	}
	if (transact(supervisor, write_settled, deliveries) != 0)
		return;
	for (int i = 0; i < deliveries->count; i++)
		unsaid_forget(supervisor, deliveries->item[i].id);
	supervisor->is_dirty = true;
	bell_ring(supervisor->ringer, WORKER_BELL);
}

void signals_send(struct supervisor *supervisor, bool has_looked)
{
	struct signal_request requests[SIGNALS_AT_ONCE];
	int64_t after = 0;
	int count = 0;

	if (supervisor->is_over || (!has_looked && !supervisor->wants_signals))
		return;
	supervisor->wants_signals = false;
	do {
		struct deliveries deliveries = {.count = 0};

		count = queue_signal_requests(supervisor->queue, after, requests,
					      SIGNALS_AT_ONCE, NULL);
		for (int i = 0; i < count; i++) {
			after = requests[i].id;
			plan(supervisor, &requests[i], &deliveries);
		}
		deliver(supervisor, &deliveries);
	} while (count == SIGNALS_AT_ONCE);
}
