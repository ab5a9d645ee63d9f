/* helper.c - the worker's one helper, reeve-sender: started, watched, ended.
 *
 * It lives as long as the pipe that it reads from: a worker that is killed takes it
 * along. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include "worker/program.h"
#include "worker/supervise.h"

#define HELPER "reeve-sender"
#define DELAY_MIN_US US_PER_S
#define DELAY_MAX_US (60 * US_PER_S)
/* One that lived so long died of something new. */
#define LIFE_MIN_US (60 * US_PER_S)

/* Its settings come by the same file and the same variables as ours. Of descriptors it
 * gets the pipe and our log. */
static int spawn(const char *program, const char *config_path, int input, pid_t *ret)
{
	/* posix_spawn changes none of them; its type is older than const */
	char *argv[] = {mem_strdup(program), NULL, NULL, NULL};
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attributes;
	sigset_t all;
	sigset_t held;

	if (config_path != NULL) {
		argv[1] = mem_strdup("--config");
		argv[2] = mem_strdup(config_path);
	}
	sigfillset(&all);
	/* until it can hear a reload it must not die of one */
	sigemptyset(&held);
	sigaddset(&held, SIGHUP);
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_adddup2(&actions, input, STDIN_FILENO);
	posix_spawn_file_actions_addclosefrom_np(&actions, STDERR_FILENO + 1);
	posix_spawnattr_init(&attributes);
	posix_spawnattr_setsigdefault(&attributes, &all);
	posix_spawnattr_setsigmask(&attributes, &held);
	posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSID | POSIX_SPAWN_SETSIGDEF |
						      POSIX_SPAWN_SETSIGMASK);
	const int result =
		posix_spawn(ret, program, &actions, &attributes, argv, environ);
	posix_spawnattr_destroy(&attributes);
	posix_spawn_file_actions_destroy(&actions);
	for (size_t i = 0; i < ARRAY_SIZE(argv); i++)
		free(argv[i]);
	return result;
}

static int start(struct supervisor *supervisor, struct err *err)
{
	struct helper *helper = &supervisor->helper;
	AUTO_FREE char *program = program_find(HELPER, err);
	int ends[2];

	if (program == NULL)
		return -1;
	if (sys.pipe2(ends, O_CLOEXEC) != 0)
		return err_sys(err, ERR_UNAVAILABLE, errno, "pipe");
	const int failed = spawn(program, supervisor->config_path, ends[0], &helper->pid);
	close(ends[0]);
	if (failed != 0) {
		close(ends[1]);
		helper->pid = 0;
		return err_sys(err, ERR_UNAVAILABLE, failed, "starting %s", program);
	}
	helper->pipe_fd = ends[1];
	helper->started_us = clock_boot_us();
	log_event(LOG_INFO, "helper_started", LOG_TEXT("program", HELPER),
		  LOG_INT("pid", helper->pid), LOG_END);
	return 0;
}

static void put_off(struct helper *helper)
{
	const int64_t delay_us = helper->delay_us > 0 ? helper->delay_us : DELAY_MIN_US;

	helper->due_us = clock_boot_us() + delay_us;
	helper->delay_us = 2 * delay_us < DELAY_MAX_US ? 2 * delay_us : DELAY_MAX_US;
}

void helper_tick(struct supervisor *supervisor)
{
	struct helper *helper = &supervisor->helper;
	struct err err = ERR_INIT;

	if (supervisor->config->callbacks.allowed_hosts.count == 0) {
		helper_release(supervisor);
		return;
	}
	if (helper->pid != 0 || clock_boot_us() < helper->due_us)
		return;
	if (start(supervisor, &err) == 0)
		return;
	put_off(helper);
	if (!helper->is_missing_logged)
		log_event(LOG_ERROR, "helper_unstarted", LOG_TEXT("program", HELPER),
			  LOG_TEXT("error", err.text), LOG_END);
	helper->is_missing_logged = true;
}

void helper_died(struct supervisor *supervisor, pid_t pid, int status)
{
	struct helper *helper = &supervisor->helper;

	if (pid != helper->pid)
		return;
	/* it ended because it was to */
	if (helper->pipe_fd < 0) {
		helper->pid = 0;
		helper->due_us = helper->delay_us = 0;
		return;
	}
	if (clock_boot_us() - helper->started_us > LIFE_MIN_US)
		helper->delay_us = 0;
	put_off(helper);
	mem_close(&helper->pipe_fd);
	helper->pid = 0;
	log_event(LOG_ERROR, "helper_died", LOG_TEXT("program", HELPER),
		  LOG_INT("pid", pid),
		  LOG_INT("exit_code", WIFEXITED(status) ? WEXITSTATUS(status) : -1),
		  LOG_INT("signal", WIFSIGNALED(status) ? WTERMSIG(status) : 0), LOG_END);
}

/* It is our child and not reaped, so the number is its own. What it died of may be what
 * was changed. */
void helper_reload(struct supervisor *supervisor)
{
	struct helper *helper = &supervisor->helper;
	const bool was_there = helper->pid != 0;

	helper->due_us = helper->delay_us = 0;
	helper->is_missing_logged = false;
	helper_tick(supervisor);
	if (was_there && helper->pipe_fd >= 0)
		(void)kill(helper->pid, SIGHUP);
}

void helper_release(struct supervisor *supervisor)
{
	mem_close(&supervisor->helper.pipe_fd);
}
