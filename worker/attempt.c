/* attempt.c - files of attempts. See attempt.h. */
#include "worker/attempt.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define UUID_LENGTH (JOB_ID_BYTES - 1)
#define FRAMES_BYTES_MAX ((size_t)16 << 20)

static void journal_path(const struct attempt_name *name, char ret[ATTEMPT_PATH_BYTES])
{
	attempt_journal_path(name->job_id, name->number, ret);
}

int attempt_prepare(int state_fd, const struct attempt_name *name, struct err *err)
{
	char path[ATTEMPT_PATH_BYTES];
	AUTO_CLOSE int fd = -1;

	journal_path(name, path);
	fd = sys.openat(state_fd, path,
			O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	return fd < 0 ? err_sys(err, ERR_INTERNAL, errno, "creating %s", path) : 0;
}

/* Emptied first: while it has its old name it is nobody's any more, and under its new one
 * it is as good as new. Whoever holds its lock is not done with it. */
int attempt_reuse(int state_fd, const struct attempt_name *old,
		  const struct attempt_name *name)
{
	char from[ATTEMPT_PATH_BYTES];
	char path[ATTEMPT_PATH_BYTES];
	AUTO_CLOSE int fd = -1;

	journal_path(old, from);
	journal_path(name, path);
	fd = sys.openat(state_fd, from, O_RDWR | O_NOFOLLOW | O_CLOEXEC, 0);
	if (fd < 0 || flock(fd, LOCK_EX | LOCK_NB) != 0 || ftruncate(fd, 0) != 0)
		return -1;
	return renameat2(state_fd, from, state_fd, path, RENAME_NOREPLACE);
}

/* What another attempt has left in the file says nothing of this one. */
static int read_own(int fd, const char *key, struct journal *ret)
{
	if (journal_read(fd, ret) != 0)
		return -1;
	if (ret->key[0] != '\0' && !text_equal(ret->key, key))
		memset(ret, 0, sizeof(*ret));
	return 0;
}

/* Judges an open journal. It is looked at again under the lock, for a shim may have
 * written its record between our reading and its leaving. */
static int judge_open(int state_fd, const struct attempt_name *name, int fd,
		      bool is_same_boot, struct finding *ret)
{
	struct evidence evidence = {.is_same_boot = is_same_boot};
	char path[ATTEMPT_PATH_BYTES];
	char key[ATTEMPT_KEY_BYTES];

	journal_path(name, path);
	attempt_key(name->job_id, name->number, key);
	if (read_own(fd, key, &ret->journal) != 0)
		return -1;
	if (!ret->journal.has_ended) {
		evidence.is_locked = flock(fd, LOCK_EX | LOCK_NB) != 0;
		if (read_own(fd, key, &ret->journal) != 0)
			return -1;
	}
	evidence.has_started = ret->journal.has_started;
	evidence.has_ended = ret->journal.has_ended;
	ret->verdict = judge(&evidence);
	if (ret->verdict == VERDICT_REVOKE && unlinkat(state_fd, path, 0) != 0 &&
	    errno != ENOENT)
		return -1;
	return 0;
}

int attempt_collect(int state_fd, const struct attempt_name *name, bool is_same_boot,
		    struct finding *ret, struct err *err)
{
	const struct evidence nothing = {.is_same_boot = is_same_boot};
	char path[ATTEMPT_PATH_BYTES];
	AUTO_CLOSE int fd = -1;

	journal_path(name, path);
	fd = sys.openat(state_fd, path, O_RDWR | O_NOFOLLOW | O_CLOEXEC, 0);
	if (fd < 0 && errno == ENOENT) {
		/* Whoever has the order to run it finds no journal either. */
		memset(ret, 0, sizeof(*ret));
		ret->verdict = judge(&nothing);
		return 0;
	}
	if (fd < 0)
		return err_sys(err, ERR_INTERNAL, errno, "opening %s", path);
	if (judge_open(state_fd, name, fd, is_same_boot, ret) != 0)
		return err_sys(err, ERR_INTERNAL, errno, "reading %s", path);
	return 0;
}

/* --- output --- */

/* The first `most` bytes of a file. A missing file is an empty one. 0 or -1. */
static int read_file(int state_fd, const char *path, size_t most, struct buf *ret,
		     struct err *err)
{
	AUTO_CLOSE int fd =
		sys.openat(state_fd, path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC, 0);
	struct stat status;
	size_t bytes = 0;
	ssize_t got = 0;

	if (fd < 0 && errno == ENOENT)
		return 0;
	if (fd < 0 || fstat(fd, &status) != 0)
		return err_sys(err, ERR_INTERNAL, errno, "opening %s", path);
	bytes = (size_t)status.st_size < most ? (size_t)status.st_size : most;
	buf_init(ret, bytes);
	if (bytes == 0)
		return 0;
	got = file_read_full(fd, buf_reserve(ret, bytes), bytes);
	if (got < 0)
		return err_sys(err, ERR_INTERNAL, errno, "reading %s", path);
	ret->length = (size_t)got;
	buf_seal(ret);
	return 0;
}

/* The record counts more than the file has: what is missing was lost with the power. The
 * digest is of what is left, else the stored output would never verify. */
static void cut_to(struct attempt_end *end, const struct buf *content)
{
	int64_t missing =
		end->stdout_bytes + end->stderr_bytes - (int64_t)content->length;
	const int64_t of_stderr =
		missing < end->stderr_bytes ? missing : end->stderr_bytes;

	end->dropped_bytes += missing;
	end->stderr_bytes -= of_stderr;
	end->stdout_bytes -= missing - of_stderr;
	digest_of(buf_text(content), content->length, end->sha256);
}

static int fold(int state_fd, const struct attempt_name *name, struct attempt_end *end,
		struct buf *content, struct buf *frames, struct err *err)
{
	const int64_t total = end->stdout_bytes + end->stderr_bytes;
	char path[ATTEMPT_PATH_BYTES];

	attempt_output_path(name->job_id, name->number, ".log", path);
	if (read_file(state_fd, path, (size_t)total, content, err) != 0)
		return -1;
	attempt_output_path(name->job_id, name->number, ".idx", path);
	if (read_file(state_fd, path, FRAMES_BYTES_MAX, frames, err) != 0)
		return -1;
	if ((int64_t)content->length < total)
		cut_to(end, content);
	if (content->length == 0)
		return 0;
	end->content = content->data;
	end->content_bytes = content->length;
	end->frames = buf_text(frames);
	end->frames_bytes = frames->length;
	return 0;
}

int attempt_read_output(int state_fd, const struct attempt_name *name, int64_t fold_bytes,
			struct attempt_end *end, struct buf *content, struct buf *frames,
			char *ret_path, struct err *err)
{
	const int64_t total = end->stdout_bytes + end->stderr_bytes;

	buf_release(content);
	buf_release(frames);
	if (total == 0)
		return 0;
	if (total > fold_bytes) {
		attempt_output_path(name->job_id, name->number, ".log", ret_path);
		end->path = ret_path;
		return 0;
	}
	return fold(state_fd, name, end, content, frames, err);
}

/* --- afterwards --- */

void attempt_discard_output(int state_fd, const struct attempt_name *name)
{
	char path[ATTEMPT_PATH_BYTES];

	attempt_output_path(name->job_id, name->number, ".log", path);
	(void)sys.unlinkat(state_fd, path, 0);
	attempt_output_path(name->job_id, name->number, ".idx", path);
	(void)sys.unlinkat(state_fd, path, 0);
}

/* The journal goes last: while it is there a starting worker looks again. */
void attempt_discard(int state_fd, const struct attempt_name *name, bool has_folded)
{
	char path[ATTEMPT_PATH_BYTES];

	if (has_folded)
		attempt_discard_output(state_fd, name);
	journal_path(name, path);
	(void)sys.unlinkat(state_fd, path, 0);
}

/* "<uuid>-<number>" */
static bool parse_key(const char *key, struct attempt_name *ret)
{
	int64_t number = 0;

	if (strlen(key) <= UUID_LENGTH + 1 || key[UUID_LENGTH] != '-' ||
	    text_parse_int(key + UUID_LENGTH + 1, 1, INT32_MAX, &number) != 0)
		return false;
	memcpy(ret->job_id, key, UUID_LENGTH);
	ret->job_id[UUID_LENGTH] = '\0';
	ret->number = (int)number;
	return job_id_is_valid(ret->job_id);
}

void attempt_each(int state_fd, attempt_visit_fn *visit, void *context)
{
	const int fd = openat(state_fd, "attempts", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
	const struct dirent *entry = NULL;

	while (dir != NULL && (entry = readdir(dir)) != NULL) {
		struct attempt_name name;

		if (parse_key(entry->d_name, &name))
			visit(context, &name);
	}
	if (dir != NULL)
		closedir(dir);
	else if (fd >= 0)
		close(fd);
}
