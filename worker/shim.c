/* shim.c - reeve-shim: receive a spec, serve it, answer; until the worker is gone.
 *
 *     reeve-shim SOCKET_FD STATE_DIR        (started by reeve-worker only) */
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "worker/cgroup.h"
#include "worker/process.h"
#include "worker/shim.h"

#define KERNEL_SIGSET_BYTES ((size_t)8)

/* Signals meant for the service stop no job; the job's own faults reach only the job.
 * They are blocked and not ignored, for then a job finds every signal at its default as
 * soon as it unblocks them. The C library keeps two for itself, which posix_spawn(3) left
 * ignored here and which sigaction(3) would not touch. */
static int set_signals(struct shim *shim)
{
	static const int BLOCKED[] = {SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGPIPE, SIGXFSZ};
	static const int OF_LIBRARY[] = {32, 33};
	static const uint64_t DEFAULT_ACTION[4]; /* the kernel's struct: all zero */
	sigset_t waited;
	sigset_t blocked;

	for (size_t i = 0; i < ARRAY_SIZE(OF_LIBRARY); i++) {
		if (syscall(SYS_rt_sigaction, OF_LIBRARY[i], DEFAULT_ACTION, NULL,
			    KERNEL_SIGSET_BYTES) != 0)
			return -1;
	}
	sigemptyset(&waited);
	sigaddset(&waited, SIGCHLD);
	sigaddset(&waited, STOP_SIGNAL);
	sigaddset(&waited, STOP_SIGNAL_FORCE);
	blocked = waited;
	for (size_t i = 0; i < ARRAY_SIZE(BLOCKED); i++)
		sigaddset(&blocked, BLOCKED[i]);
	if (sigprocmask(SIG_SETMASK, &blocked, NULL) != 0)
		return -1;
	shim->signal_fd = signalfd(-1, &waited, SFD_CLOEXEC | SFD_NONBLOCK);
	return shim->signal_fd < 0 ? -1 : 0;
}

/* What each job has from us by being our child. */
static int set_inherited(void)
{
	const struct rlimit none = {0, 0};

	(void)umask(077);
	return setrlimit(RLIMIT_CORE, &none);
}

/* What every attempt waits for besides its own pipes. */
static int watch_all(struct shim *shim)
{
	struct epoll_event signals = {.events = EPOLLIN, .data.u32 = SOURCE_SIGNALS};
	struct epoll_event timer = {.events = EPOLLIN, .data.u32 = SOURCE_TIMER};

	shim->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (shim->epoll_fd < 0 ||
	    epoll_ctl(shim->epoll_fd, EPOLL_CTL_ADD, shim->signal_fd, &signals) != 0)
		return -1;
	return epoll_ctl(shim->epoll_fd, EPOLL_CTL_ADD, shim->timer_fd, &timer);
}

static int open_all(struct shim *shim)
{
	struct process self;

	if (process_look(shim->pid, &self) != 0 || set_signals(shim) != 0 ||
	    set_inherited() != 0 || prctl(PR_SET_CHILD_SUBREAPER, 1) != 0)
		return -1;
	shim->started = self.started;
	shim->state_fd = open(shim->state_dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	shim->null_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	shim->timer_fd = timerfd_create(CLOCK_BOOTTIME, TFD_CLOEXEC | TFD_NONBLOCK);
	if (shim->state_fd < 0 || shim->null_fd < 0 || shim->timer_fd < 0 ||
	    rooms_open(shim) != 0 || watch_all(shim) != 0)
		return -1;
	shim->ringer = bell_ringer_open(shim->state_dir);
	return 0;
}

static void close_all(struct shim *shim)
{
	bell_ringer_close(shim->ringer);
	rooms_close(shim);
	close(shim->state_fd);
	close(shim->null_fd);
	close(shim->timer_fd);
	close(shim->epoll_fd);
	close(shim->signal_fd);
	close(shim->socket);
	if (shim->cgroup != NULL)
		cgroup_leave(shim->cgroup);
	free(shim->cgroup);
}

/* Until the worker is gone. -1: what it sends makes no sense. */
static int serve_all(struct shim *shim)
{
	for (bool is_heard = true; is_heard;) {
		struct spec spec;
		struct err err = ERR_INIT;
		int stdin_fd = -1;
		const int got =
			spec_receive(shim->socket, shim->buffer, &spec, &stdin_fd, &err);

		if (got <= 0)
			return got;
		if (shim->cgroup == NULL && spec.cgroup[0] != '\0')
			shim->cgroup = mem_strdup(spec.cgroup);
		is_heard = shim_serve(shim, &spec, stdin_fd);
		mem_close(&stdin_fd);
		spec_release(&spec);
	}
	return 0;
}

int main(int argc, char **argv)
{
	struct shim shim = {.pid = getpid()};
	int64_t socket = 0;
	int result = 0;

	if (argc != 3 || text_parse_int(argv[1], 0, INT32_MAX, &socket) != 0) {
		fprintf(stderr, "reeve-shim is started by reeve-worker\n");
		return EXIT_PERMANENT;
	}
	shim.socket = (int)socket;
	shim.state_dir = argv[2];
	if (open_all(&shim) != 0) {
		perror("reeve-shim: cannot start");
		return EXIT_TEMPORARY;
	}
	(void)fcntl(shim.socket, F_SETFD, FD_CLOEXEC);
	result = serve_all(&shim);
	close_all(&shim);
	return result == 0 ? EXIT_SUCCESS : EXIT_PERMANENT;
}
