/* process.c - /proc and pidfds. */
#include "worker/process.h"

#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <sys/pidfd.h>
#include <unistd.h>

#include "common/common.h"

#define STAT_BYTES 1024
#define ENVIRONMENT_BYTES ((size_t)2 << 20)

/* The fields after "pid (comm) ": comm may hold blanks and brackets, so from the last
 * bracket on. */
static int parse_stat(const char *text, struct process *ret)
{
	const char *rest = strrchr(text, ')');
	int parent = 0;
	int group = 0;
	int session = 0;
	long long started = 0;

	if (rest == NULL ||
	    sscanf(rest,
		   ") %c %d %d %d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d "
		   "%*d %*d %lld",
		   &ret->state, &parent, &group, &session, &started) != 5)
		return -1;
	ret->parent = parent;
	ret->group = group;
	ret->session = session;
	ret->started = started;
	return 0;
}

int process_look(pid_t pid, struct process *ret)
{
	char path[32];
	char text[STAT_BYTES];
	AUTO_CLOSE int fd = -1;
	ssize_t got = 0;
	struct process process = {.pid = pid};

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -1;
	got = read(fd, text, sizeof(text) - 1);
	if (got <= 0)
		return -1;
	text[got] = '\0';
	if (parse_stat(text, &process) != 0)
		return -1;
	*ret = process;
	return 0;
}

int process_open(pid_t pid, int64_t started)
{
	const int pidfd = pid > 0 ? pidfd_open(pid, 0) : -1;
	struct process process;

	if (pidfd < 0)
		return -1;
	if (started != 0 &&
	    (process_look(pid, &process) != 0 || process.started != started)) {
		close(pidfd);
		return -1;
	}
	return pidfd;
}

bool process_is_alive(int pidfd)
{
	struct pollfd wait = {.fd = pidfd, .events = POLLIN};

	return poll(&wait, 1, 0) == 0;
}

int process_signal(int pidfd, int signal, uint32_t value)
{
	siginfo_t info = {.si_signo = signal, .si_code = SI_QUEUE};

	info.si_pid = getpid();
	info.si_uid = getuid();
	info.si_value.sival_int = (int)value;
	return pidfd_send_signal(pidfd, signal, &info, 0);
}

void process_each(process_visit_fn *visit, void *context)
{
	DIR *dir = opendir("/proc");
	const struct dirent *entry = NULL;

	while (dir != NULL && (entry = readdir(dir)) != NULL) {
		struct process process;
		int64_t pid = 0;

		if (text_parse_int(entry->d_name, 1, INT32_MAX, &pid) != 0 ||
		    process_look((pid_t)pid, &process) != 0)
			continue;
		if (!visit(context, &process))
			break;
	}
	if (dir != NULL)
		closedir(dir);
}

static bool block_has_word(const char *block, size_t bytes, const char *word)
{
	const size_t length = strlen(word) + 1;

	for (size_t at = 0; at < bytes; at += strnlen(block + at, bytes - at) + 1) {
		if (bytes - at >= length && memcmp(block + at, word, length) == 0)
			return true;
	}
	return false;
}

bool process_has_environment(pid_t pid, const char *const *words, size_t count)
{
	AUTO_BUF struct buf block = BUF_INIT(ENVIRONMENT_BYTES);
	char path[32];

	snprintf(path, sizeof(path), "/proc/%d/environ", (int)pid);
	if (file_read(AT_FDCWD, path, &block, NULL) != 0)
		return false;
	for (size_t i = 0; i < count; i++) {
		if (!block_has_word(buf_text(&block), block.length, words[i]))
			return false;
	}
	return true;
}
