/* shim_serve.c - one attempt, from its spec to its exit record.
 *
 * Order is everything here. The journal is locked before it is looked at; `started` is
 * written before the process is made; the record is written last, when the tree is dead
 * and the output is closed; only then is the lock given back and the worker told. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "worker/process.h"
#include "worker/shim.h"

/* A job that ends before this is reported once, not twice. */
#define NOTE_AFTER_MS 2
#define RECORD_AGAIN_MS 200
#define LINE_BYTES_MAX 4096
#define SIGNALS_AT_ONCE 4

/* The present attempt. */
struct run {
	struct shim *shim;
	const struct spec *spec;
	uint32_t tag;
	int journal_fd;
	struct journal facts;
	struct sink sink;
	struct pipes pipes;
	struct stop stop;
	struct reaped reaped;
	struct attempt_end end;
	bool is_noted, is_stop_told, is_unheard;
};

static void tell(struct run *run, enum notice_kind kind)
{
	const struct notice notice = {.kind = kind,
				      .tag = run->tag,
				      .reason = (uint32_t)run->stop.reason,
				      .pid = run->facts.pid,
				      .pid_started = run->facts.pid_started,
				      .at_us = run->facts.started_at};

	if (notice_send(run->shim->socket, &notice) != 0)
		run->is_unheard = true;
	/* The worker that started this is gone; the next one listens to the bell. */
	if (run->is_unheard)
		bell_ring(run->shim->ringer, NULL);
}

/* --- the journal --- */

/* Takes the attempt for ourselves. A journal that is gone, locked, unlinked or written to
 * means that it is not ours to run. */
static int claim_journal(struct run *run)
{
	char path[ATTEMPT_PATH_BYTES];
	struct stat status;
	int fd = -1;

	attempt_journal_path(run->spec->job_id, run->spec->number, path);
	fd = sys.openat(run->shim->state_fd, path,
			O_RDWR | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0);
	if (fd < 0)
		return -1;
	if (flock(fd, LOCK_EX | LOCK_NB) != 0 || fstat(fd, &status) != 0 ||
	    status.st_nlink == 0 || status.st_size != 0) {
		close(fd);
		return -1;
	}
	run->journal_fd = fd;
	return 0;
}

static int note_started(struct run *run)
{
	AUTO_BUF struct buf line = BUF_INIT(LINE_BYTES_MAX);

	run->facts.shim_pid = run->shim->pid;
	run->facts.shim_started = run->shim->started;
	snprintf(run->facts.boot_id, sizeof(run->facts.boot_id), "%s", clock_boot_id());
	snprintf(run->facts.cgroup, sizeof(run->facts.cgroup), "%s", run->spec->cgroup);
	journal_put_started(&line, &run->facts);
	return journal_append(run->journal_fd, &line);
}

/* The process has lived for a while: say who it is, and need little until it ends. */
static void note_process(struct run *run)
{
	AUTO_BUF struct buf line = BUF_INIT(LINE_BYTES_MAX);
	struct process process;

	run->is_noted = true;
	/* Ours and not reaped, so this is it, even if it is dead already. */
	if (process_look(run->facts.pid, &process) == 0)
		run->facts.pid_started = process.started;
	run->end.pid_started = run->facts.pid_started;
	journal_put_process(&line, &run->facts);
	(void)journal_append(run->journal_fd, &line);
	tell(run, NOTICE_STARTED);
	rooms_give_back(run->shim);
}

/* The exit record is never given up: while the disk is full the attempt counts as alive,
 * which is the truth as far as anybody can know. */
static void record_end(struct run *run)
{
	AUTO_BUF struct buf line = BUF_INIT(LINE_BYTES_MAX);

	journal_put_ended(&line, run->facts.key, &run->end);
	while (journal_append(run->journal_fd, &line) != 0) {
		(void)poll(NULL, 0, RECORD_AGAIN_MS);
	}
	close(run->journal_fd);
}

/* --- the process --- */

static int start(struct run *run, int stdin_fd)
{
	struct launch launch = {.spec = run->spec};
	pid_t pid = -1;

	launch.stdin_fd = stdin_fd >= 0 ? stdin_fd : run->shim->null_fd;
	if (pipes_open(&run->pipes, run->shim, &run->sink) == 0) {
		launch.stdout_fd = run->pipes.ends[0].write_fd;
		launch.stderr_fd = run->pipes.ends[1].write_fd;
		run->facts.started_at = clock_now_us();
		pid = shim_launch(run->shim, &launch);
	} else {
		snprintf(launch.error, sizeof(launch.error), "pipe: %s (%s)",
			 strerror(errno), strerrorname_np(errno));
	}
	if (pid < 0) {
		snprintf(run->end.error, sizeof(run->end.error), "%s", launch.error);
		return -1;
	}
	run->facts.pid = pid;
	run->end.pid = pid;
	run->end.started_at = run->facts.started_at;
	run->reaped.main = pid;
	stop_init(&run->stop, run->spec, pid);
	return 0;
}

/* --- while it runs --- */

static void set_timer(struct shim *shim, int64_t deadline_us, int64_t *armed_us)
{
	struct itimerspec at = {.it_value = {.tv_sec = deadline_us / US_PER_S,
					     .tv_nsec = deadline_us % US_PER_S * 1000}};

	if (deadline_us == *armed_us)
		return;
	if (timerfd_settime(shim->timer_fd, TFD_TIMER_ABSTIME, &at, NULL) == 0)
		*armed_us = deadline_us;
}

/* Some of them; what is left is there the next time. */
static void take_signals(struct run *run)
{
	struct signalfd_siginfo infos[SIGNALS_AT_ONCE];
	const ssize_t got = sys.read(run->shim->signal_fd, infos, sizeof(infos));
	const size_t count = got > 0 ? (size_t)got / sizeof(infos[0]) : 0;
	bool has_dead = false;

	for (size_t i = 0; i < count; i++) {
		const int signal = (int)infos[i].ssi_signo;

		if (signal == SIGCHLD)
			has_dead = true;
		else if ((uint32_t)infos[i].ssi_int == run->tag)
			stop_event(&run->stop,
				   signal == STOP_SIGNAL_FORCE ? EVENT_STOP_FORCE
							       : EVENT_STOP,
				   STOP_CANCEL);
	}
	if (has_dead)
		reap_all(&run->reaped, &run->stop, &run->end);
}

static void take_timer(struct run *run)
{
	uint64_t times = 0;

	if (sys.read(run->shim->timer_fd, &times, sizeof(times)) == sizeof(times))
		stop_event(&run->stop, EVENT_TIMER, STOP_TIMEOUT);
}

/* By its policy a job may not go on when a byte of it cannot be kept. */
static void look_at_output(struct run *run)
{
	if (run->sink.dropped > 0 && run->spec->output_policy == OUTPUT_STOP &&
	    run->stop.phase == PHASE_RUN)
		stop_event(&run->stop, EVENT_STOP, STOP_OUTPUT_LIMIT);
}

static void tell_stop(struct run *run)
{
	if (run->is_stop_told || run->stop.reason == STOP_NONE ||
	    run->reaped.is_main_ended)
		return;
	run->is_stop_told = true;
	if (run->stop.reason != STOP_CANCEL)
		tell(run, NOTICE_STOPPING);
}

static void watch(struct run *run)
{
	const int64_t note_after_us = NOTE_AFTER_MS * US_PER_MS;
	int64_t armed_us = 0;

	while (!run->reaped.is_all_ended) {
		unsigned int ready = 0;

		set_timer(run->shim, run->stop.deadline_us, &armed_us);
		ready = pipes_step(&run->pipes, run->is_noted ? -1 : note_after_us);
		if (!run->is_noted &&
		    clock_now_us() - run->facts.started_at >= note_after_us)
			note_process(run);
		look_at_output(run);
		if (ready & 1U << SOURCE_SIGNALS)
			take_signals(run);
		if (ready & 1U << SOURCE_TIMER)
			take_timer(run);
		tell_stop(run);
	}
	set_timer(run->shim, 0, &armed_us);
	pipes_finish(&run->pipes);
}

/* --- afterwards --- */

static void fill_end(struct run *run)
{
	struct attempt_end *end = &run->end;
	const int status = run->reaped.status;

	end->ended_at = run->reaped.ended_at != 0 ? run->reaped.ended_at : clock_now_us();
	end->stop_reason = run->stop.reason;
	if (run->reaped.is_main_ended && WIFEXITED(status)) {
		end->has_exit_code = true;
		end->exit_code = WEXITSTATUS(status);
	} else if (run->reaped.is_main_ended && WIFSIGNALED(status)) {
		end->has_signal = true;
		end->signal = WTERMSIG(status);
	}
	end->stdout_bytes = run->sink.kept[0];
	end->stderr_bytes = run->sink.kept[1];
	end->dropped_bytes = run->sink.dropped;
	digest_end(&run->sink.digest, end->sha256);
}

bool shim_serve(struct shim *shim, const struct spec *spec, int stdin_fd)
{
	struct run run = {.shim = shim, .spec = spec, .journal_fd = -1};

	attempt_key(spec->job_id, spec->number, run.facts.key);
	run.tag = spec_tag(run.facts.key);
	sink_init(&run.sink, spec);
	if (claim_journal(&run) != 0) {
		tell(&run, NOTICE_REFUSED);
		return !run.is_unheard;
	}
	if (note_started(&run) != 0) {
		/* Nothing is written, nothing was run: the worker takes it back. */
		close(run.journal_fd);
		tell(&run, NOTICE_REFUSED);
		return !run.is_unheard;
	}
	if (start(&run, stdin_fd) == 0)
		watch(&run);
	pipes_close(&run.pipes);
	sink_finish(&run.sink, shim, spec->output_fold_bytes);
	fill_end(&run);
	record_end(&run);
	tell(&run, NOTICE_ENDED);
	return !run.is_unheard;
}
