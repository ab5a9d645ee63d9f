/* shim_spawn.c - from a spec to a running process.
 *
 * The child shares our memory until it has exec'ed (CLONE_VM | CLONE_VFORK), so that
 * starting costs the same however large the shim is, and so that it can write which step
 * failed, and why, straight into our variables. While it runs we stand still: it may use
 * what is ours, but only functions that neither allocate nor lock. */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "worker/shim.h"

#if defined(__SANITIZE_ADDRESS__)
#define ON_ITS_OWN_STACK __attribute__((no_sanitize_address))
#else
#define ON_ITS_OWN_STACK
#endif

/* What the child works with, and what it leaves us when it fails. */
struct child {
	const struct launch *launch;
	pid_t parent;
	int program_fd, directory_fd;
	bool is_script;
	const char *failed_step;
	int failed_errno;
};

/* --- the steps, in their order --- */

ON_ITS_OWN_STACK static int step_session(struct child *child)
{
	(void)child;
	return setsid() < 0 ? -1 : 0;
}

/* A job does not outlive its shim, not even by the moment before anybody looks. If the
 * shim died before this call there is nobody left to tell. */
ON_ITS_OWN_STACK static int step_death_signal(struct child *child)
{
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0)
		return -1;
	if (getppid() != child->parent)
		_exit(127);
	return 0;
}

ON_ITS_OWN_STACK static int step_stdin(struct child *child)
{
	return dup2(child->launch->stdin_fd, STDIN_FILENO);
}

ON_ITS_OWN_STACK static int step_output(struct child *child)
{
	if (dup2(child->launch->stdout_fd, STDOUT_FILENO) < 0)
		return -1;
	return dup2(child->launch->stderr_fd, STDERR_FILENO);
}

ON_ITS_OWN_STACK static int step_close_range(struct child *child)
{
	(void)child;
	return close_range(STDERR_FILENO + 1, ~0U, CLOSE_RANGE_CLOEXEC);
}

ON_ITS_OWN_STACK static int step_directory(struct child *child)
{
	return fchdir(child->directory_fd);
}

/* The shim has changed no action, so that unblocking is all there is to do. */
ON_ITS_OWN_STACK static int step_signals(struct child *child)
{
	sigset_t none;

	(void)child;
	sigemptyset(&none);
	return sigprocmask(SIG_SETMASK, &none, NULL);
}

/* The interpreter of a script opens the script itself, by /dev/fd/N. */
ON_ITS_OWN_STACK static int step_exec(struct child *child)
{
	const struct spec *spec = child->launch->spec;

	if (child->is_script && fcntl(child->program_fd, F_SETFD, 0) != 0)
		return -1;
	return (int)syscall(SYS_execveat, child->program_fd, "", spec->argv,
			    spec->environment, AT_EMPTY_PATH);
}

struct step {
	const char *name;
	int (*run)(struct child *child);
};

/* clang-format off */
static const struct step STEPS[] = {
	{ .name = "setsid",            .run = step_session },
	{ .name = "pdeathsig",         .run = step_death_signal },
	{ .name = "stdin",             .run = step_stdin },
	{ .name = "output",            .run = step_output },
	{ .name = "close_range",       .run = step_close_range },
	{ .name = "working_directory", .run = step_directory },
	{ .name = "signals",           .run = step_signals },
	{ .name = "exec",              .run = step_exec },
};
/* clang-format on */

ON_ITS_OWN_STACK static int child_main(void *argument)
{
	struct child *child = argument;

	for (size_t i = 0; i < ARRAY_SIZE(STEPS); i++) {
		if (STEPS[i].run(child) < 0) {
			child->failed_errno = errno;
			child->failed_step = STEPS[i].name;
			break;
		}
	}
	_exit(127);
}

/* --- the parent's side --- */

static bool is_script(int program_fd)
{
	char path[32];
	char start[2] = "";
	AUTO_CLOSE int fd = -1;

	if (pread(program_fd, start, sizeof(start), 0) == (ssize_t)sizeof(start))
		return start[0] == '#' && start[1] == '!';
	/* An O_PATH descriptor, or a program that may be run but not read. */
	snprintf(path, sizeof(path), "/proc/self/fd/%d", program_fd);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	return fd >= 0 && pread(fd, start, sizeof(start), 0) == (ssize_t)sizeof(start) &&
	       start[0] == '#' && start[1] == '!';
}

static void say_errno(struct launch *launch, const char *step, int error)
{
	snprintf(launch->error, sizeof(launch->error), "%s: %s (%s)", step,
		 strerror(error), strerrorname_np(error));
}

static void say(struct launch *launch, const char *step, const struct err *err)
{
	snprintf(launch->error, sizeof(launch->error), "%s: %.160s", step, err->text);
}

static pid_t clone_child(const struct shim *shim, struct child *child,
			 struct launch *launch)
{
	const pid_t pid = clone(child_main, shim->child_stack,
				CLONE_VM | CLONE_VFORK | SIGCHLD, child);

	if (pid < 0) {
		say_errno(launch, "clone", errno);
		return -1;
	}
	if (child->failed_step == NULL)
		return pid;
	while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
	say_errno(launch, child->failed_step, child->failed_errno);
	return -1;
}

pid_t shim_launch(const struct shim *shim, struct launch *launch)
{
	const struct spec *spec = launch->spec;
	struct child child = {.launch = launch, .parent = shim->pid};
	AUTO_CLOSE int program_fd = -1;
	AUTO_CLOSE int directory_fd = -1;
	struct err err = ERR_INIT;

	if (beneath_open_program(&spec->roots, spec->argv[0], &program_fd, NULL, &err) !=
	    0) {
		say(launch, "program", &err);
		return -1;
	}
	if (beneath_open_dir(spec->working_directory, &directory_fd, &err) != 0) {
		say(launch, "working_directory", &err);
		return -1;
	}
	child.program_fd = program_fd;
	child.directory_fd = directory_fd;
	child.is_script = is_script(program_fd);
	return clone_child(shim, &child, launch);
}
