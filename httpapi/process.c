/* process.c - what a running job's main process has used so far, from /proc (proc(5)). */
#include "httpapi/process.h"

#include <fcntl.h>
#include <inttypes.h>
#include <unistd.h>

#define PROC_TEXT_BYTES 4096

/* /proc/<pid>/<name> as text; false when it cannot be read. */
static bool proc_read(pid_t pid, const char *name, char ret[PROC_TEXT_BYTES])
{
	char path[64];
	snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, name);
	AUTO_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t got = fd < 0 ? -1 : file_read_full(fd, ret, PROC_TEXT_BYTES - 1);
	if (got < 0)
		return false;
	ret[got] = '\0';
	return true;
}

/* The number after `label` at the beginning of a line. */
static int64_t number_of(const char *text, const char *label)
{
	size_t length = strlen(label);
	for (const char *at = text; at; at = strchr(at, '\n')) {
		at += *at == '\n';
		if (strncmp(at, label, length) == 0)
			return strtoll(at + length, NULL, 10);
	}
	return 0;
}

static int64_t ticks_us(uint64_t ticks)
{
	static const int64_t us_per_s = US_PER_S;
	long per_s = sysconf(_SC_CLK_TCK);
	return per_s > 0 ? (int64_t)ticks * us_per_s / per_s : 0;
}

/* Field 14 (utime), 15 (stime) and 22 (starttime), counted after the name in brackets,
 * which may hold anything. */
static bool look_at_stat(struct attempt *attempt)
{
	char text[PROC_TEXT_BYTES];
	uint64_t user, kernel, started;
	if (!proc_read(attempt->pid, "stat", text))
		return false;
	const char *rest = strrchr(text, ')');
	if (!rest || sscanf(rest + 1,
			    " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %" SCNu64
			    " %" SCNu64 " %*d %*d %*d %*d %*d %*d %" SCNu64,
			    &user, &kernel, &started) != 3)
		return false;
	if ((int64_t)started != attempt->pid_started)
		return false;
	attempt->cpu_user_us = ticks_us(user);
	attempt->cpu_system_us = ticks_us(kernel);
	return true;
}

void process_look(struct attempt *attempt)
{
	char text[PROC_TEXT_BYTES];
	if (attempt->pid == 0)
		return;
	if (!look_at_stat(attempt)) {
		attempt->pid = 0;
		return;
	}
	if (proc_read(attempt->pid, "status", text))
		attempt->max_rss_bytes = number_of(text, "VmHWM:") * 1024;
	if (proc_read(attempt->pid, "io", text)) {
		attempt->read_bytes = number_of(text, "read_bytes:");
		attempt->written_bytes = number_of(text, "write_bytes:");
	}
}
