/* supervise.c - reeve-worker's loop: one thread, one epoll, readiness into events.
 *
 * It sleeps until somebody rings, a shim reports or a second has passed; the second is
 * there to notice rows that were written by hand, and for the heartbeat. */
#include "worker/supervise.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <unistd.h>

#define STOP_REQUESTS_AT_ONCE 64

/* --- sources of readiness --- */

static void on_bell(struct supervisor *supervisor)
{
	if (bell_drain(supervisor->bell_fd) == 1)
		supervisor->wants_look = true;
}

/* Our shims, and whatever a dead shim's job left to us: as the next subreaper up it is
 * ours to reap. */
static void reap_orphans(struct supervisor *supervisor)
{
	siginfo_t info = {.si_pid = 0};
	int status = 0;

	/* The kernel looks at every child, and each slot has one. */
	if (!supervisor->has_dead)
		return;
	while (waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) == 0 &&
	       info.si_pid != 0) {
		if (supervisor->ops->owns(supervisor->executor, info.si_pid))
			return; /* its pidfd will tell; then we come again */
		if (waitpid(info.si_pid, &status, WNOHANG) == info.si_pid)
			helper_died(supervisor, info.si_pid, status);
		info.si_pid = 0;
	}
	supervisor->has_dead = false;
}

static void on_signal(struct supervisor *supervisor)
{
	struct signalfd_siginfo info;

	while (sys.read(supervisor->signal_fd, &info, sizeof(info)) == sizeof(info)) {
		if (info.ssi_signo == SIGCHLD) {
			supervisor->has_dead = true;
			continue;
		}
		if (info.ssi_signo == SIGHUP) {
			reload(supervisor);
			continue;
		}
		supervisor->is_ending = true;
		supervisor->is_over = true;
	}
}

static void on_report(void *context, const struct report *report)
{
	static const enum work_event EVENTS[] = {
		[REPORT_STARTED] = WORK_STARTED,
		[REPORT_STOPPING] = WORK_STOPPING,
		[REPORT_LOOK] = WORK_LOOK,
	};

	work_event(context, report->cookie, EVENTS[report->kind], report);
}

void take_reports(struct supervisor *supervisor)
{
	supervisor->ops->poll(supervisor->executor, on_report, supervisor);
}

/* Once after a busy time, so that an idle database is one file. */
static void checkpoint(struct supervisor *supervisor, bool is_idle)
{
	const int64_t least = is_idle ? 0 : supervisor->config->wal_bytes;
	struct err err = ERR_INIT;

	if (!supervisor->is_dirty)
		return;
	if (queue_checkpoint(supervisor->queue, least, &err) != 0)
		log_event(LOG_WARN, "checkpoint_failed", LOG_TEXT("error", err.text),
			  LOG_END);
	if (is_idle)
		supervisor->is_dirty = false;
}

static void on_tick(struct supervisor *supervisor)
{
	uint64_t times = 0;
	int64_t version = supervisor->data_version;
	bool is_idle = supervisor->rounds == 0;

	(void)!sys.read(supervisor->timer_fd, &times, sizeof(times));
	if (queue_data_version(supervisor->queue, &version, NULL) == 0 &&
	    version != supervisor->data_version) {
		supervisor->data_version = version;
		supervisor->wants_look = true;
		supervisor->is_dirty = true;
		is_idle = false;
	}
	if (supervisor->is_waiting) {
		supervisor->is_waiting = false;
		supervisor->wants_claim = true;
	}
	works_tick(supervisor);
	reap_orphans(supervisor);
	helper_tick(supervisor);
	checkpoint(supervisor, is_idle);
	supervisor->rounds = 0;
}

/* One row per thing that can become ready; the index is the epoll mark. */
struct source {
	int (*fd)(const struct supervisor *supervisor);
	void (*run)(struct supervisor *supervisor);
};

static int bell_fd_of(const struct supervisor *supervisor)
{
	return supervisor->bell_fd;
}

static int signal_fd_of(const struct supervisor *supervisor)
{
	return supervisor->signal_fd;
}

static int timer_fd_of(const struct supervisor *supervisor)
{
	return supervisor->timer_fd;
}

static int due_fd_of(const struct supervisor *supervisor)
{
	return supervisor->due_fd;
}

static int executor_fd_of(const struct supervisor *supervisor)
{
	return supervisor->ops->wait_fd(supervisor->executor);
}

static const struct source SOURCES[] = {
	{.fd = executor_fd_of, .run = take_reports}, {.fd = bell_fd_of, .run = on_bell},
	{.fd = signal_fd_of, .run = on_signal},	     {.fd = timer_fd_of, .run = on_tick},
	{.fd = due_fd_of, .run = due_ready},
};

/* --- looking at the database --- */

static void take_stop_requests(struct supervisor *supervisor)
{
	struct stop_request requests[STOP_REQUESTS_AT_ONCE];
	int64_t after_row = 0;
	int count = 0;

	do {
		count = queue_stop_requests(supervisor->queue, after_row, requests,
					    STOP_REQUESTS_AT_ONCE, NULL);
		for (int i = 0; i < count; i++) {
			struct work *work = work_find(supervisor, requests[i].job_row,
						      requests[i].number);

			after_row = requests[i].job_row;
			if (work == NULL ||
			    (work->wants_stop &&
			     work->is_stop_forced == requests[i].is_forced))
				continue;
			work->is_stop_forced = requests[i].is_forced;
			work_event(supervisor, work, WORK_STOP_WANTED, NULL);
		}
	} while (count == STOP_REQUESTS_AT_ONCE);
}

/* Has starting left something to be recorded, or somebody to be claimed first? */
static bool has_news(const struct supervisor *supervisor)
{
	return !supervisor->is_waiting && !supervisor->is_over &&
	       ((supervisor->works.closing > 0 && !round_can_wait(supervisor)) ||
		supervisor->is_urgent);
}

/* The slots have work, and what ends meanwhile has time. */
static bool is_enough(const struct supervisor *supervisor)
{
	return round_can_wait(supervisor) && !supervisor->is_more;
}

/* Everything that can be done now, until nothing is left to do that cannot wait. */
static void work_off(struct supervisor *supervisor)
{
	bool has_looked = false;

	supervisor->round_due_us = 0;
	do {
		has_looked = supervisor->wants_look;
		supervisor->wants_look = false;
		if (has_looked) {
			supervisor->wants_claim = true;
			supervisor->news.is_known = false;
		}
		do {
			while (round_run(supervisor) == 1 && !is_enough(supervisor))
				;
			start_waiting(supervisor);
		} while (has_news(supervisor));
		news_look(supervisor);
		if (has_looked && supervisor->news.has_stops)
			take_stop_requests(supervisor);
		signals_send(supervisor, has_looked && supervisor->news.has_signals);
	} while (supervisor->wants_look);
	due_arm(supervisor);
}

/* --- opening --- */

static int open_loop(struct supervisor *supervisor, struct err *err)
{
	const struct itimerspec second = {.it_interval = {.tv_sec = 1},
					  .it_value = {.tv_sec = 1}};

	if (due_open(supervisor, err) != 0)
		return -1;
	supervisor->timer_fd =
		timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	supervisor->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (supervisor->timer_fd < 0 || supervisor->epoll_fd < 0 ||
	    timerfd_settime(supervisor->timer_fd, 0, &second, NULL) != 0)
		return err_sys(err, ERR_UNAVAILABLE, errno, "timerfd and epoll");
	for (size_t i = 0; i < ARRAY_SIZE(SOURCES); i++) {
		struct epoll_event event = {.events = EPOLLIN, .data.u64 = i};

		if (epoll_ctl(supervisor->epoll_fd, EPOLL_CTL_ADD,
			      SOURCES[i].fd(supervisor), &event) != 0)
			return err_sys(err, ERR_UNAVAILABLE, errno, "epoll_ctl");
	}
	return 0;
}

static int open_all(struct supervisor *supervisor, struct err *err)
{
	const struct config *config = supervisor->config;

	if (place_open(supervisor, err) != 0 || worker_lock(supervisor, err) != 0 ||
	    place_signals(supervisor, err) != 0 ||
	    queue_open(&supervisor->queue, config->state_dir, QUEUE_WRITE, err) != 0)
		return -1;
	supervisor->ops = executor_find("local");
	if (supervisor->ops->open(&supervisor->executor, config, err) != 0)
		return -1;
	account_init(&supervisor->account);
	supervisor->turns = turns_new();
	supervisor->ringer = bell_ringer_open(config->state_dir);
	if (bell_listen(config->state_dir, WORKER_BELL, &supervisor->bell_fd, err) != 0)
		return -1;
	if (adopt_all(supervisor, err) != 0)
		return err_wrap(err, "taking over");
	helper_tick(supervisor);
	return open_loop(supervisor, err);
}

static void close_all(struct supervisor *supervisor)
{
	prune_reset(supervisor);
	helper_release(supervisor);
	compress_reset(supervisor);
	if (supervisor->executor != NULL)
		supervisor->ops->close(supervisor->executor);
	works_release(supervisor);
	signals_release(supervisor);
	if (supervisor->bell_fd >= 0)
		bell_unlisten(supervisor->config->state_dir, WORKER_BELL);
	mem_close(&supervisor->bell_fd);
	mem_close(&supervisor->signal_fd);
	mem_close(&supervisor->timer_fd);
	mem_close(&supervisor->due_fd);
	mem_close(&supervisor->epoll_fd);
	if (supervisor->ringer != NULL)
		bell_ringer_close(supervisor->ringer);
	account_release(&supervisor->account);
	turns_free(supervisor->turns);
	if (supervisor->queue != NULL)
		queue_close(supervisor->queue);
	mem_close(&supervisor->state_fd);
	mem_close(&supervisor->lock_fd);
}

/* --- running and ending --- */

/* With short jobs at hand the slots are filled again at once, and what has ended is
 * recorded when few are left there, or after a while. */
static bool can_wait(struct supervisor *supervisor)
{
	const int64_t now_us = clock_boot_us();

	if (!round_can_wait(supervisor))
		return false;
	if (supervisor->round_due_us == 0)
		supervisor->round_due_us = now_us + round_wait_us(supervisor);
	return now_us < supervisor->round_due_us;
}

static void run(struct supervisor *supervisor)
{
	struct epoll_event events[ARRAY_SIZE(SOURCES)];

	work_off(supervisor);
	while (!supervisor->is_over) {
		const int timeout_ms =
			can_wait(supervisor)
				? (int)(round_wait_us(supervisor) / US_PER_MS) + 1
				: -1;
		const int rest_ms = compress_timeout_ms(
			supervisor, prune_timeout_ms(supervisor, timeout_ms));
		const int count = epoll_wait(supervisor->epoll_fd, events,
					     (int)ARRAY_SIZE(events), rest_ms);

		for (int i = 0; i < count; i++)
			SOURCES[events[i].data.u64].run(supervisor);
		supervisor->was_urgent = false;
		start_waiting(supervisor);
		if (!supervisor->is_over && !can_wait(supervisor))
			work_off(supervisor);
		prune_between_rounds(supervisor, count == 0);
		compress_between_rounds(supervisor, count == 0);
	}
}

/* Records what has ended by now and says goodbye. Shims are left alone. */
static void retire(struct supervisor *supervisor)
{
	struct err err = ERR_INIT;

	supervisor->is_over = false;
	take_reports(supervisor);
	works_give_back(supervisor, INT64_MAX);
	(void)round_run(supervisor);
	if (queue_begin(supervisor->queue, &err) == 0 &&
	    queue_worker_retire(supervisor->queue, supervisor->epoch, &err) == 0 &&
	    queue_commit(supervisor->queue, &err) == 0)
		(void)queue_checkpoint(supervisor->queue, 0, NULL);
	else
		queue_rollback(supervisor->queue);
	log_event(LOG_INFO, "stopped", LOG_INT("running", supervisor->works.count),
		  LOG_END);
}

static int exit_code_of(const struct err *err)
{
	return err->code == ERR_UNAVAILABLE || err->code == ERR_OUT_OF_SPACE ||
			       err->code == ERR_INTERNAL
		       ? EXIT_TEMPORARY
		       : EXIT_PERMANENT;
}

int supervise(struct config *config, const char *path)
{
	struct supervisor supervisor = {.config = config,
					.config_path = path,
					.state_fd = -1,
					.lock_fd = -1,
					.bell_fd = -1,
					.signal_fd = -1,
					.timer_fd = -1,
					.due_fd = -1,
					.epoll_fd = -1,
					.helper = {.pipe_fd = -1}};
	struct err err = ERR_INIT;

	if (open_all(&supervisor, &err) != 0) {
		log_event(LOG_ERROR, "start_failed", LOG_TEXT("error", err.text),
			  LOG_END);
		close_all(&supervisor);
		return exit_code_of(&err);
	}
	log_event(LOG_INFO, "ready", LOG_TEXT("state_dir", config->state_dir),
		  LOG_INT("slots", config->slots), LOG_INT("epoch", supervisor.epoch),
		  LOG_INT("running", supervisor.works.count - supervisor.works.closing),
		  LOG_END);
	run(&supervisor);
	if (supervisor.is_ending)
		retire(&supervisor);
	close_all(&supervisor);
	return supervisor.exit_code;
}
