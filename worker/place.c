/* place.c - where a worker stands: its directories, and the signals that reach it. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>

#include "worker/supervise.h"

int place_open(struct supervisor *supervisor, struct err *err)
{
	static const char *const DIRS[] = {"attempts", "output", "run/bell"};

	if (file_make_dirs(supervisor->config->state_dir, 0700, err) != 0)
		return -1;
	for (size_t i = 0; i < ARRAY_SIZE(DIRS); i++) {
		AUTO_FREE char *path = config_path(supervisor->config, DIRS[i]);

		if (file_make_dirs(path, 0700, err) != 0)
			return -1;
	}
	supervisor->state_fd =
		open(supervisor->config->state_dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (supervisor->state_fd < 0)
		return err_sys(err, ERR_INTERNAL, errno, "opening %s",
			       supervisor->config->state_dir);
	return 0;
}

int place_signals(struct supervisor *supervisor, struct err *err)
{
	sigset_t waited;

	sigemptyset(&waited);
	sigaddset(&waited, SIGTERM);
	sigaddset(&waited, SIGINT);
	sigaddset(&waited, SIGHUP);
	sigaddset(&waited, SIGCHLD);
	(void)signal(SIGPIPE, SIG_IGN);
	if (sigprocmask(SIG_BLOCK, &waited, NULL) != 0 ||
	    prctl(PR_SET_CHILD_SUBREAPER, 1) != 0)
		return err_sys(err, ERR_INTERNAL, errno, "setting up signals");
	supervisor->signal_fd = signalfd(-1, &waited, SFD_CLOEXEC | SFD_NONBLOCK);
	if (supervisor->signal_fd < 0)
		return err_sys(err, ERR_UNAVAILABLE, errno, "signalfd");
	return 0;
}
