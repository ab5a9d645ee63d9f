/* executor_local.c - attempts on this machine, by a pool of shims.
 *
 * One shim a slot, started when it is first needed and kept: a job then costs a message
 * and a clone, not a process of ours. Shims that an earlier worker left behind are only
 * watched; they end after the attempt they are at. */
#include <errno.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "worker/cgroup.h"
#include "worker/executor.h"
#include "worker/process.h"
#include "worker/program.h"

#define SHIM_SOCKET_FD 3
#define EVENTS_MAX 64

/* One slot. */
struct pool_shim {
	pid_t pid; /* 0: not started */
	int pidfd, socket;
	char *cgroup; /* NULL: none */
	bool is_busy;
	bool is_leaving; /* there are fewer slots now, and it was told */
	uint32_t tag;
	void *cookie; /* of the attempt it is at */
};

/* A shim of an earlier worker. */
struct stray_shim {
	int pidfd; /* -1: free entry */
	void *cookie;
};

struct executor {
	const struct config *config;
	char *shim_path;
	char *cgroup_dir; /* NULL: none */
	int epoll_fd;
	size_t slots;
	struct pool_shim *pool; /* at least one for each slot */
	size_t pool_count;
	struct stray_shim *stray;
	size_t stray_count;
};

/* What an epoll event is about. */
enum source { SOURCE_SOCKET, SOURCE_PIDFD, SOURCE_STRAY };

static int epoll_watch(const struct executor *executor, int fd, enum source source,
		       size_t index)
{
	struct epoll_event event = {.events = EPOLLIN,
				    .data.u64 = (uint64_t)source << 32 | index};

	return epoll_ctl(executor->epoll_fd, EPOLL_CTL_ADD, fd, &event);
}

/* --- opening --- */

static void local_close(struct executor *executor);

static int local_open(struct executor **ret, const struct config *config, struct err *err)
{
	struct executor *executor = mem_alloc(sizeof(*executor));

	executor->config = config;
	executor->slots = executor->pool_count = (size_t)config->slots;
	executor->pool = mem_array(executor->pool_count, sizeof(*executor->pool));
	executor->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (executor->epoll_fd < 0) {
		err_sys(err, ERR_UNAVAILABLE, errno, "epoll_create1");
		goto fail;
	}
	executor->shim_path = program_find("reeve-shim", err);
	if (executor->shim_path == NULL)
		goto fail;
	if (cgroup_find(config->cgroup, config->state_dir, &executor->cgroup_dir, err) !=
	    0)
		goto fail;
	if (executor->cgroup_dir != NULL)
		cgroup_sweep(executor->cgroup_dir);
	*ret = executor;
	return 0;
fail:
	local_close(executor);
	return -1;
}

static void shim_forget(struct pool_shim *shim)
{
	if (shim->pid == 0)
		return;
	close(shim->pidfd);
	close(shim->socket);
	if (shim->cgroup != NULL)
		cgroup_remove(shim->cgroup);
	free(shim->cgroup);
	memset(shim, 0, sizeof(*shim));
}

/* Closing the sockets tells the shims: idle ones end, the others finish first. */
static void local_close(struct executor *executor)
{
	for (size_t i = 0; i < executor->pool_count; i++)
		shim_forget(&executor->pool[i]);
	for (size_t i = 0; i < executor->stray_count; i++)
		mem_close(&executor->stray[i].pidfd);
	mem_close(&executor->epoll_fd);
	if (executor->cgroup_dir != NULL)
		(void)rmdir(executor->cgroup_dir); /* if no shim is left in it */
	free(executor->pool);
	free(executor->stray);
	free(executor->shim_path);
	free(executor->cgroup_dir);
	free(executor);
}

/* --- shims --- */

/* An empty environment, nothing but the socket, all signals at their defaults. Standard
 * error stays the worker's: there is no other place where a shim could complain. */
static int spawn(const struct executor *executor, int socket, pid_t *ret)
{
	char number[16];
	char *argv[] = {executor->shim_path, number, executor->config->state_dir, NULL};
	char *environment[] = {NULL};
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attributes;
	sigset_t all;
	sigset_t none;
	int result = 0;

	snprintf(number, sizeof(number), "%d", SHIM_SOCKET_FD);
	sigfillset(&all);
	sigemptyset(&none);
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDWR, 0);
	posix_spawn_file_actions_adddup2(&actions, STDIN_FILENO, STDOUT_FILENO);
	posix_spawn_file_actions_adddup2(&actions, socket, SHIM_SOCKET_FD);
	posix_spawn_file_actions_addclosefrom_np(&actions, SHIM_SOCKET_FD + 1);
	posix_spawnattr_init(&attributes);
	posix_spawnattr_setsigdefault(&attributes, &all);
	posix_spawnattr_setsigmask(&attributes, &none);
	posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSID | POSIX_SPAWN_SETSIGDEF |
						      POSIX_SPAWN_SETSIGMASK);
	result = posix_spawn(ret, executor->shim_path, &actions, &attributes, argv,
			     environment);
	posix_spawnattr_destroy(&attributes);
	posix_spawn_file_actions_destroy(&actions);
	return result;
}

static int shim_start(struct executor *executor, struct pool_shim *shim, struct err *err)
{
	const size_t index = (size_t)(shim - executor->pool);
	struct pool_shim made = {.pidfd = -1, .socket = -1};
	int pair[2];
	int failed = 0;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0)
		return err_sys(err, ERR_UNAVAILABLE, errno, "socketpair");
	failed = spawn(executor, pair[1], &made.pid);
	close(pair[1]);
	if (failed != 0) {
		close(pair[0]);
		return err_sys(err, ERR_UNAVAILABLE, failed, "starting %s",
			       executor->shim_path);
	}
	made.socket = pair[0];
	made.pidfd = pidfd_open(made.pid, 0);
	if (made.pidfd < 0 || epoll_watch(executor, made.socket, SOURCE_SOCKET, index) ||
	    epoll_watch(executor, made.pidfd, SOURCE_PIDFD, index)) {
		err_sys(err, ERR_UNAVAILABLE, errno, "watching a shim");
		close(made.socket);
		mem_close(&made.pidfd);
		return -1;
	}
	if (executor->cgroup_dir != NULL)
		(void)cgroup_enter(executor->cgroup_dir, made.pid, &made.cgroup, NULL);
	*shim = made;
	return 0;
}

/* --- starting and stopping attempts --- */

static int local_capacity(const struct executor *executor)
{
	int busy = 0;

	for (size_t i = 0; i < executor->pool_count; i++)
		busy += executor->pool[i].is_busy;
	for (size_t i = 0; i < executor->stray_count; i++)
		busy += executor->stray[i].pidfd >= 0;
	return busy < (int)executor->slots ? (int)executor->slots - busy : 0;
}

static size_t count_shims(const struct executor *executor, bool is_leaving)
{
	size_t count = 0;

	for (size_t i = 0; i < executor->pool_count; i++) {
		const struct pool_shim *shim = &executor->pool[i];

		count += shim->pid != 0 && shim->is_leaving == is_leaving;
	}
	return count;
}

/* Tells idle shims to end while there are more than slots. Each is forgotten when it is
 * dead. */
static void dismiss_surplus(struct executor *executor)
{
	size_t count =
		executor->slots < executor->pool_count ? count_shims(executor, false) : 0;

	for (size_t i = 0; i < executor->pool_count && count > executor->slots; i++) {
		struct pool_shim *shim = &executor->pool[i];

		if (shim->pid == 0 || shim->is_busy || shim->is_leaving)
			continue;
		(void)shutdown(shim->socket, SHUT_WR);
		shim->is_leaving = true;
		count--;
	}
}

static void local_resize(struct executor *executor, size_t slots)
{
	const size_t wanted = slots + count_shims(executor, true);

	if (wanted > executor->pool_count) {
		executor->pool =
			mem_grow(executor->pool, wanted * sizeof(*executor->pool));
		memset(executor->pool + executor->pool_count, 0,
		       (wanted - executor->pool_count) * sizeof(*executor->pool));
		executor->pool_count = wanted;
	}
	executor->slots = slots;
	dismiss_surplus(executor);
}

/* An idle shim, else a slot for a new one. */
static struct pool_shim *find_room(struct executor *executor)
{
	struct pool_shim *empty = NULL;

	for (size_t i = 0; i < executor->pool_count; i++) {
		struct pool_shim *shim = &executor->pool[i];

		if (shim->pid != 0 && !shim->is_busy && !shim->is_leaving)
			return shim;
		if (shim->pid == 0 && empty == NULL)
			empty = shim;
	}
	return empty;
}

static enum start_result local_start(struct executor *executor, const struct spec *spec,
				     int stdin_fd, void *cookie, struct err *err)
{
	struct pool_shim *shim = find_room(executor);
	struct spec own = *spec;
	char nowhere[1] = "";
	char key[ATTEMPT_KEY_BYTES];

	if (shim == NULL)
		return START_BUSY;
	if (shim->pid == 0 && shim_start(executor, shim, err) != 0)
		return START_DOWN;
	own.cgroup = shim->cgroup != NULL ? shim->cgroup : nowhere;
	if (spec_send(shim->socket, &own, stdin_fd, err) != 0)
		return err != NULL && err->code == ERR_TOO_LARGE ? START_REFUSED
								 : START_DOWN;
	attempt_key(spec->job_id, spec->number, key);
	shim->is_busy = true;
	shim->tag = spec_tag(key);
	shim->cookie = cookie;
	return START_STARTED;
}

static int local_watch(struct executor *executor, const struct journal *journal,
		       void *cookie)
{
	size_t index = 0;
	int pidfd = -1;

	if (!text_equal(journal->boot_id, clock_boot_id()))
		return -1;
	pidfd = process_open(journal->shim_pid, journal->shim_started);
	if (pidfd < 0)
		return -1;
	while (index < executor->stray_count && executor->stray[index].pidfd >= 0)
		index++;
	if (index == executor->stray_count) {
		executor->stray_count++;
		executor->stray =
			mem_grow(executor->stray,
				 executor->stray_count * sizeof(*executor->stray));
	}
	executor->stray[index] = (struct stray_shim){.pidfd = -1};
	if (epoll_watch(executor, pidfd, SOURCE_STRAY, index) != 0) {
		close(pidfd);
		return -1;
	}
	executor->stray[index] = (struct stray_shim){.pidfd = pidfd, .cookie = cookie};
	return 0;
}

/* The shim may still be busy; it says when it is not, but not to whom it belonged. */
static void local_forget(struct executor *executor, const void *cookie)
{
	for (size_t i = 0; i < executor->pool_count; i++) {
		if (executor->pool[i].cookie == cookie)
			executor->pool[i].cookie = NULL;
	}
	for (size_t i = 0; i < executor->stray_count; i++) {
		if (executor->stray[i].cookie == cookie)
			executor->stray[i].cookie = NULL;
	}
}

static int local_signal(struct executor *executor, const struct journal *journal,
			uint32_t tag, bool is_forced)
{
	AUTO_CLOSE int pidfd = -1;

	(void)executor;
	if (!journal->has_started || !text_equal(journal->boot_id, clock_boot_id()))
		return -1;
	pidfd = process_open(journal->shim_pid, journal->shim_started);
	if (pidfd < 0)
		return -1;
	/* A job runs as its shim does and may have stopped it: it has to hear this. */
	(void)pidfd_send_signal(pidfd, SIGCONT, NULL, 0);
	return process_signal(pidfd, is_forced ? STOP_SIGNAL_FORCE : STOP_SIGNAL, tag);
}

static bool local_owns(const struct executor *executor, pid_t pid)
{
	for (size_t i = 0; i < executor->pool_count; i++) {
		if (executor->pool[i].pid == pid)
			return true;
	}
	return false;
}

/* --- reports --- */

struct reporter {
	report_fn *report;
	void *context;
};

static void report_look(const struct reporter *reporter, void *cookie)
{
	const struct report report = {.kind = REPORT_LOOK, .cookie = cookie};

	if (cookie != NULL)
		reporter->report(reporter->context, &report);
}

static void take_notice(struct pool_shim *shim, const struct notice *notice,
			const struct reporter *reporter)
{
	struct report report = {.cookie = shim->cookie,
				.pid = notice->pid,
				.pid_started = notice->pid_started,
				.at_us = notice->at_us,
				.reason = (enum stop_reason)notice->reason};

	if (!shim->is_busy || notice->tag != shim->tag)
		return;
	switch ((enum notice_kind)notice->kind) {
	case NOTICE_STARTED:
		report.kind = REPORT_STARTED;
		break;
	case NOTICE_STOPPING:
		report.kind = REPORT_STOPPING;
		break;
	case NOTICE_ENDED:
	case NOTICE_REFUSED:
		shim->is_busy = false;
		shim->cookie = NULL;
		report.kind = REPORT_LOOK;
		break;
	}
	if (report.cookie != NULL)
		reporter->report(reporter->context, &report);
}

/* false: the other end is closed. Its death is reported by the pidfd and not before, for
 * only then its locks are certainly free. A shim that has become idle has no more to say.
 */
static bool take_notices(struct pool_shim *shim, const struct reporter *reporter)
{
	struct notice notice;
	int got = 0;

	while ((got = notice_receive(shim->socket, &notice)) == 1) {
		const bool was_busy = shim->is_busy;

		take_notice(shim, &notice, reporter);
		if (was_busy && !shim->is_busy)
			return true;
	}
	return got == 0;
}

static void shim_is_dead(struct pool_shim *shim, const struct reporter *reporter)
{
	void *cookie = NULL;
	bool was_busy = false;
	siginfo_t info = {.si_pid = 0};

	if (shim->pid == 0)
		return;
	(void)take_notices(shim, reporter);
	(void)waitid(P_PIDFD, (id_t)shim->pidfd, &info, WEXITED | WNOHANG);
	was_busy = shim->is_busy;
	cookie = shim->cookie;
	log_event(was_busy ? LOG_WARN : LOG_INFO, "shim_gone", LOG_INT("pid", shim->pid),
		  LOG_INT("status", info.si_status), LOG_INT("busy", was_busy), LOG_END);
	shim->is_busy = false;
	/* Still known as ours while its leftovers are hunted for. */
	if (was_busy)
		report_look(reporter, cookie);
	shim_forget(shim);
}

static void take_event(struct executor *executor, uint64_t data,
		       const struct reporter *reporter)
{
	const size_t index = (size_t)(data & UINT32_MAX);
	struct pool_shim *shim =
		index < executor->pool_count ? &executor->pool[index] : NULL;

	switch ((enum source)(data >> 32)) {
	case SOURCE_SOCKET:
		if (shim != NULL && shim->pid != 0 && !take_notices(shim, reporter))
			(void)epoll_ctl(executor->epoll_fd, EPOLL_CTL_DEL, shim->socket,
					NULL);
		break;
	case SOURCE_PIDFD:
		if (shim != NULL)
			shim_is_dead(shim, reporter);
		break;
	case SOURCE_STRAY:
		if (index < executor->stray_count && executor->stray[index].pidfd >= 0) {
			close(executor->stray[index].pidfd);
			executor->stray[index].pidfd = -1;
			report_look(reporter, executor->stray[index].cookie);
		}
		break;
	}
}

static void local_poll(struct executor *executor, report_fn *report, void *context)
{
	const struct reporter reporter = {.report = report, .context = context};
	struct epoll_event events[EVENTS_MAX];
	int count = 0;

	do {
		count = epoll_wait(executor->epoll_fd, events, EVENTS_MAX, 0);
		for (int i = 0; i < count; i++)
			take_event(executor, events[i].data.u64, &reporter);
	} while (count == EVENTS_MAX);
	dismiss_surplus(executor);
}

static int local_wait_fd(const struct executor *executor)
{
	return executor->epoll_fd;
}

const struct executor_ops executor_local = {
	.name = "local",
	.open = local_open,
	.close = local_close,
	.capacity = local_capacity,
	.resize = local_resize,
	.start = local_start,
	.watch = local_watch,
	.forget = local_forget,
	.wait_fd = local_wait_fd,
	.poll = local_poll,
	.signal = local_signal,
	.owns = local_owns,
};
