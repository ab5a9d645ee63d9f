/* test_worker_process.c - processes are told apart by more than their number. */
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/common.h"
#include "tests/unit/unit.h"
#include "worker/process.h"

static pid_t fork_waiting(void)
{
	const pid_t pid = fork();

	if (pid == 0) {
		for (;;)
			pause();
	}
	return pid;
}

static void end(pid_t pid)
{
	(void)kill(pid, SIGKILL);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
}

static void test_look(void **state)
{
	const pid_t pid = fork_waiting();
	struct process child;
	struct process self;

	(void)state;
	assert_int_equal(process_look(getpid(), &self), 0);
	assert_int_equal(process_look(pid, &child), 0);
	assert_int_equal(child.pid, pid);
	assert_int_equal(child.parent, getpid());
	assert_int_equal(child.session, getsid(0));
	assert_int_equal(child.group, getpgrp());
	assert_true(child.started >= self.started && self.started > 0);
	end(pid);
	assert_int_equal(process_look(pid, &child), -1);
}

static void test_another_start_time_is_another_process(void **state)
{
	const pid_t pid = fork_waiting();
	struct process child;
	int pidfd = -1;

	(void)state;
	assert_int_equal(process_look(pid, &child), 0);
	assert_int_equal(process_open(pid, child.started + 1), -1);
	pidfd = process_open(pid, child.started);
	assert_true(pidfd >= 0);
	assert_true(process_is_alive(pidfd));
	assert_int_equal(process_signal(pidfd, SIGKILL, 0), 0);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	assert_false(process_is_alive(pidfd));
	assert_int_equal(process_signal(pidfd, SIGKILL, 0), -1);
	close(pidfd);
	assert_int_equal(process_open(pid, child.started), -1);
}

/* The value that a shim compares with its attempt arrives as it was sent. */
static void test_signal_carries_its_value(void **state)
{
	const int pidfd = process_open(getpid(), 0);
	siginfo_t info = {.si_pid = 0};
	sigset_t set;

	(void)state;
	sigemptyset(&set);
	sigaddset(&set, SIGRTMIN);
	assert_int_equal(sigprocmask(SIG_BLOCK, &set, NULL), 0);
	assert_int_equal(process_signal(pidfd, SIGRTMIN, UINT32_C(0xfedcba98)), 0);
	assert_int_equal(sigwaitinfo(&set, &info), SIGRTMIN);
	assert_int_equal((uint32_t)info.si_value.sival_int, UINT32_C(0xfedcba98));
	close(pidfd);
}

static bool count_self(void *context, const struct process *process)
{
	int *count = context;

	*count += process->pid == getpid();
	return true;
}

static void test_each_comes_to_us(void **state)
{
	int count = 0;

	(void)state;
	process_each(count_self, &count);
	assert_int_equal(count, 1);
}

static void test_environment_is_compared_by_whole_words(void **state)
{
	static const char *const BOTH[] = {"REEVE_TEST_A=1", "REEVE_TEST_B=2"};
	static const char *const PART[] = {"REEVE_TEST_A=1", "REEVE_TEST_B="};
	char program[] = "/bin/sleep";
	char argument[] = "100";
	char variables[][32] = {"X=REEVE_TEST_B=", "REEVE_TEST_A=1", "REEVE_TEST_B=2"};
	char *argv[] = {program, argument, NULL};
	char *environment[] = {variables[0], variables[1], variables[2], NULL};
	const pid_t pid = fork();

	(void)state;
	if (pid == 0) {
		execve(argv[0], argv, environment);
		_exit(1);
	}
	/* Until the exec it has our environment. */
	for (int i = 0; i < 1000 && !process_has_environment(pid, BOTH, 2); i++)
		(void)usleep(10000);
	assert_true(process_has_environment(pid, BOTH, 2));
	assert_false(process_has_environment(pid, PART, 2));
	end(pid);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_look),
		cmocka_unit_test(test_another_start_time_is_another_process),
		cmocka_unit_test(test_signal_carries_its_value),
		cmocka_unit_test(test_each_comes_to_us),
		cmocka_unit_test(test_environment_is_compared_by_whole_words),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
