/* lock.c - one worker a state directory.
 *
 * The number in worker.lock is for the person who meets the message, and for telling
 * whether the holder lives: a worker that was killed while it started a process leaves
 * the lock to that one until its exec, a moment that must not keep the next worker out.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <unistd.h>

#include "worker/supervise.h"

#define AGAIN_MS 20
#define TRIES 250 /* five seconds: a machine may be busy */

/* 1 taken, 0 somebody else has it, and `holder` is who, -1. */
static int try_lock(const char *path, int *ret_fd, struct buf *holder, struct err *err)
{
	if (file_lock(path, ret_fd, err) == 0)
		return 1;
	buf_reset(holder);
	if (err->code != ERR_CONFLICT || file_read(AT_FDCWD, path, holder, NULL) != 0 ||
	    holder->length == 0)
		return -1;
	holder->data[strcspn(holder->data, "\n")] = '\0';
	return 0;
}

static bool is_alive(const char *number)
{
	int64_t pid;

	return text_parse_int(number, 1, INT32_MAX, &pid) != 0 ||
	       kill((pid_t)pid, 0) == 0 || errno != ESRCH;
}

int worker_lock(struct supervisor *supervisor, struct err *err)
{
	AUTO_FREE char *path = config_path(supervisor->config, "worker.lock");
	AUTO_BUF struct buf holder = BUF_INIT(64);
	char number[16];
	int result = try_lock(path, &supervisor->lock_fd, &holder, err);

	for (int i = 0; result == 0 && i < TRIES && !is_alive(buf_text(&holder)); i++) {
		(void)poll(NULL, 0, AGAIN_MS);
		result = try_lock(path, &supervisor->lock_fd, &holder, err);
	}
	if (result == 0)
		return err_set(err, ERR_UNAVAILABLE,
			       "another reeve-worker (pid %s) works in %s",
			       buf_text(&holder), supervisor->config->state_dir);
	if (result < 0)
		return -1;
	snprintf(number, sizeof(number), "%d\n", (int)getpid());
	if (ftruncate(supervisor->lock_fd, 0) != 0 ||
	    file_write_all(supervisor->lock_fd, number, strlen(number)) != 0)
		log_event(LOG_WARN, "lock_unmarked", LOG_TEXT("path", path), LOG_END);
	return 0;
}
