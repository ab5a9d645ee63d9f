/* output_files.c - removing an attempt's output files, and nothing else.
 *
 * The names are made from the job's id, never taken from a row that somebody may have
 * written by hand, and each directory on the way is opened without following a link. */
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "queue/retention_run.h"
#include "queue/seekable.h"

#define DIR_FLAGS (O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)

int state_directory_open(const char *state_dir, const char *name)
{
	AUTO_CLOSE const int state =
		sys.openat(AT_FDCWD, state_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
	return state < 0 ? -1 : sys.openat(state, name, DIR_FLAGS, 0);
}

int output_day_open(const char *state_dir, const char *job_id, int attempt)
{
	char path[ATTEMPT_PATH_BYTES];
	AUTO_CLOSE const int output = state_directory_open(state_dir, "output");
	if (output < 0)
		return -1;
	attempt_output_path(job_id, attempt, ".log", path);
	char *day_name = path + strlen("output/"); /* output/<day>/<name> */
	day_name[strcspn(day_name, "/")] = '\0';
	return sys.openat(output, day_name, DIR_FLAGS, 0);
}

void output_files_remove(const char *state_dir, const char *job_id, int attempt,
			 bool *ret_is_gone)
{
	static const char *const suffixes[] = {".log", SEEKABLE_SUFFIX, ".idx"};
	char path[ATTEMPT_PATH_BYTES];
	AUTO_CLOSE const int day = output_day_open(state_dir, job_id, attempt);
	*ret_is_gone = day >= 0 || errno == ENOENT;
	for (size_t i = 0; i < ARRAY_SIZE(suffixes) && day >= 0; i++) {
		attempt_output_path(job_id, attempt, suffixes[i], path);
		if (sys.unlinkat(day, strrchr(path, '/') + 1, 0) != 0 && errno != ENOENT)
			*ret_is_gone = false;
	}
}
