/* sweep.c - files that no row needs, and rows whose file is missing.
 *
 * A directory is read entry by entry and the database asked about each: who made the file
 * had committed its attempt before, so an attempt that is not there never will be. Only
 * names of ours in directories of ours are looked at, opened without following links; a
 * file that was touched lately, or that somebody has locked, is left for the next time.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "queue/retention_run.h"
#include "queue/seekable.h"

#define SLICE 250
#define DIR_FLAGS (O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)

struct sweep {
	bool is_preview;
	const char *principal;
	int phase;
	int64_t now;
	DIR *days, *day, *attempts; /* as far as they are open */
	char day_name[16];
	int64_t after_row, after_attempt;
	struct sweep_report report;
};

/* --- what the database knows --- */

struct known {
	bool is_there, has_ended, is_in_file;
	bool is_packed;	   /* in a compressed one */
	bool is_elsewhere; /* in its row, or removed */
};

static int attempt_known(struct queue *queue, const struct output_name *file,
			 struct known *ret, struct err *err)
{
	sqlite3_stmt *stmt;
	uint8_t low[DB_UUID_BYTES], high[DB_UUID_BYTES];
	*ret = (struct known){.is_there = false};
	(void)id_range(file->job_id, low, high);
	if (db_start(queue, STATEMENT_SWEEP_ATTEMPT,
		     BINDS(as_blob(low, sizeof low), as_int(file->attempt)), &stmt,
		     err) != 0)
		return -1;
	const int found = db_step(queue, stmt, err);
	if (found == 1) {
		const char *stored = (const char *)sqlite3_column_text(stmt, 1);
		ret->is_there = true;
		ret->has_ended = sqlite3_column_int(stmt, 0) != 0;
		ret->is_in_file = text_equal(stored, "file");
		ret->is_packed = sqlite3_column_type(stmt, 2) != SQLITE_NULL;
		ret->is_elsewhere = stored != NULL && !ret->is_in_file;
	}
	db_end(stmt);
	return found < 0 ? -1 : 0;
}

/* --- files --- */

/* A plain file that nobody has touched lately and nobody has locked. */
static bool is_at_rest(int dir_fd, const char *name, int64_t now)
{
	struct stat st;
	AUTO_CLOSE const int fd = sys.openat(
		dir_fd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0);
	if (fd < 0 || fstat(fd, &st) != 0 || !S_ISREG(st.st_mode))
		return false;
	return now - (int64_t)st.st_mtime * US_PER_S > SWEEP_GRACE_US &&
	       flock(fd, LOCK_EX | LOCK_NB) == 0;
}

static void remove_file(struct sweep *sweep, int dir_fd, const char *name)
{
	if (is_at_rest(dir_fd, name, sweep->now) &&
	    (sweep->is_preview || sys.unlinkat(dir_fd, name, 0) == 0))
		sweep->report.files++;
}

static bool is_there(int dir_fd, const char *name)
{
	struct stat st;
	return fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0;
}

/* Of a log and a compressed one beside it the row names one; the other was left by a
 * death. Never the last that there is. */
static bool is_other_file(const struct sweep *sweep, const char *name, bool is_zst,
			  const struct known *known)
{
	const int length = (int)strlen(name);
	AUTO_FREE char *log =
		mem_printf("%.*s", is_zst ? length - (int)strlen(".zst") : length, name);
	AUTO_FREE char *packed = mem_printf("%s.zst", log);
	return known->is_in_file && known->is_packed != is_zst &&
	       is_there(dirfd(sweep->day), is_zst ? log : packed);
}

/* Output of an attempt that is not known, or that is in its row or gone, or that lies
 * twice. An attempt of which no output is recorded may be one of which the end is not
 * known: that stays. */
static int look_at_output(struct queue *queue, struct sweep *sweep, const char *name,
			  struct err *err)
{
	struct output_name file;
	struct known known;
	const bool is_zst = output_name_parse(name, SEEKABLE_SUFFIX, &file);
	const bool is_log = is_zst || output_name_parse(name, ".log", &file);
	if (!is_log && !output_name_parse(name, ".idx", &file))
		return 0;
	if (attempt_known(queue, &file, &known, err) != 0)
		return -1;
	if (!known.is_there || (known.has_ended && known.is_elsewhere) ||
	    (is_log && is_other_file(sweep, name, is_zst, &known)))
		remove_file(sweep, dirfd(sweep->day), name);
	return 0;
}

static int look_at_attempt(struct queue *queue, struct sweep *sweep, const char *name,
			   struct err *err)
{
	struct output_name file;
	struct known known;
	if (!output_name_parse(name, "", &file))
		return 0;
	if (attempt_known(queue, &file, &known, err) != 0)
		return -1;
	if (!known.is_there || known.has_ended)
		remove_file(sweep, dirfd(sweep->attempts), name);
	return 0;
}

static DIR *directory_open(int dir_fd, const char *name)
{
	const int fd = sys.openat(dir_fd, name, DIR_FLAGS, 0);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	if (dir == NULL && fd >= 0)
		(void)close(fd);
	return dir;
}

static DIR *state_open(const struct queue *queue, const char *name)
{
	const int fd = state_directory_open(queue->state_dir, name);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	if (dir == NULL && fd >= 0)
		(void)close(fd);
	return dir;
}

/* Looks at up to SLICE entries. 1 there are more, 0, -1. */
static int look_at_some(struct queue *queue, struct sweep *sweep, DIR *dir,
			int (*look)(struct queue *queue, struct sweep *sweep,
				    const char *name, struct err *err),
			struct err *err)
{
	const struct dirent *entry;
	for (int i = 0; i < SLICE; i++) {
		if ((entry = readdir(dir)) == NULL)
			return 0;
		if (look(queue, sweep, entry->d_name, err) != 0)
			return -1;
	}
	return 1;
}

/* The next directory of a day. 1 opened, 0 that was the last. */
static int day_open(struct sweep *sweep)
{
	const struct dirent *entry;
	while (sweep->day == NULL && (entry = readdir(sweep->days)) != NULL) {
		if (!output_day_is(entry->d_name))
			continue;
		memcpy(sweep->day_name, entry->d_name, 11);
		sweep->day = directory_open(dirfd(sweep->days), sweep->day_name);
	}
	return sweep->day != NULL;
}

/* As soon as it is read: a worker that sleeps between two steps holds no more than it
 * must. */
static void directory_close(DIR **dir)
{
	if (*dir != NULL)
		(void)closedir(*dir);
	*dir = NULL;
}

/* Goes when it is empty. One that is being used for a job's first output was touched just
 * now; and a job of which it is taken away all the same makes it again. */
static void day_close(struct sweep *sweep)
{
	struct stat st;
	const bool is_at_rest =
		fstat(dirfd(sweep->day), &st) == 0 &&
		sweep->now - (int64_t)st.st_mtime * US_PER_S > SWEEP_GRACE_US;
	directory_close(&sweep->day);
	if (is_at_rest && !sweep->is_preview &&
	    sys.unlinkat(dirfd(sweep->days), sweep->day_name, AT_REMOVEDIR) == 0)
		sweep->report.days++;
}

static int step_outputs(struct queue *queue, struct sweep *sweep, struct err *err)
{
	if (sweep->days == NULL)
		sweep->days = state_open(queue, "output");
	if (sweep->days == NULL)
		return 0;
	if (!day_open(sweep)) {
		directory_close(&sweep->days);
		return 0;
	}
	const int more = look_at_some(queue, sweep, sweep->day, look_at_output, err);
	if (more == 0)
		day_close(sweep);
	return more < 0 ? -1 : 1;
}

static int step_attempts(struct queue *queue, struct sweep *sweep, struct err *err)
{
	if (sweep->attempts == NULL)
		sweep->attempts = state_open(queue, "attempts");
	if (sweep->attempts == NULL)
		return 0;
	const int more =
		look_at_some(queue, sweep, sweep->attempts, look_at_attempt, err);
	if (more == 0)
		directory_close(&sweep->attempts);
	return more;
}

/* --- rows --- */

struct missing {
	int64_t row, bytes;
	int attempt;
};

/* Is anything in output/ at all? */
static bool has_days(const struct queue *queue)
{
	DIR *dir = state_open(queue, "output");
	const struct dirent *entry;
	bool has_any = false;
	while (dir != NULL && !has_any && (entry = readdir(dir)) != NULL)
		has_any = output_day_is(entry->d_name);
	if (dir != NULL)
		(void)closedir(dir);
	return has_any;
}

static bool is_missing(int state_fd, const char *job_id, int attempt)
{
	static const char *const suffixes[] = {".log", SEEKABLE_SUFFIX};
	struct stat st;
	char path[ATTEMPT_PATH_BYTES];
	for (size_t i = 0; i < ARRAY_SIZE(suffixes); i++) {
		attempt_output_path(job_id, attempt, suffixes[i], path);
		if (fstatat(state_fd, path, &st, AT_SYMLINK_NOFOLLOW) == 0 ||
		    errno != ENOENT)
			return false;
	}
	return true;
}

/* Fills up to SLICE; *ret_looked rows were looked at. The count or -1. */
static int missing_find(struct queue *queue, struct sweep *sweep, struct missing *ret,
			int *ret_looked, struct err *err)
{
	sqlite3_stmt *stmt;
	int more, count = 0;
	AUTO_CLOSE const int state = sys.openat(AT_FDCWD, queue->state_dir,
						O_PATH | O_DIRECTORY | O_CLOEXEC, 0);
	*ret_looked = 0;
	if (state < 0)
		return err_sys(err, ERR_INTERNAL, errno, "opening %s", queue->state_dir);
	if (db_start(queue, STATEMENT_SWEEP_FILES,
		     BINDS(as_int(sweep->after_row), as_int(sweep->after_attempt),
			   as_int(SLICE)),
		     &stmt, err) != 0)
		return -1;
	while ((more = db_step(queue, stmt, err)) == 1) {
		char id[JOB_ID_BYTES];
		sweep->after_row = sqlite3_column_int64(stmt, 0);
		sweep->after_attempt = sqlite3_column_int64(stmt, 1);
		column_id(stmt, 2, id);
		++*ret_looked;
		if (is_missing(state, id, (int)sweep->after_attempt))
			ret[count++] =
				(struct missing){.row = sweep->after_row,
						 .bytes = sqlite3_column_int64(stmt, 3),
						 .attempt = (int)sweep->after_attempt};
	}
	db_end(stmt);
	return more < 0 ? -1 : count;
}

static int missing_mark(struct queue *queue, const struct sweep *sweep,
			const struct missing *missing, struct err *err)
{
	char data[96];
	const int64_t now = clock_now_us();
	const int changed = db_run(
		queue, STATEMENT_OUTPUT_LOST,
		BINDS(as_int(missing->row), as_int(missing->attempt), as_int(now)), err);
	if (changed <= 0)
		return changed;
	(void)snprintf(data, sizeof data, "{\"attempt\":%d,\"bytes\":%lld}",
		       missing->attempt, (long long)missing->bytes);
	return event_append(queue,
			    &(const struct event_row){.at = now,
						      .has_job = true,
						      .job_row = missing->row,
						      .kind = "output_missing",
						      .principal = sweep->principal,
						      .data = data},
			    err);
}

static int missing_mark_all(struct queue *queue, struct sweep *sweep,
			    const struct missing *missing, int count, struct err *err)
{
	if (queue_begin(queue, err) != 0)
		return -1;
	for (int i = 0; i < count; i++)
		if (missing_mark(queue, sweep, &missing[i], err) != 0) {
			queue_rollback(queue);
			return -1;
		}
	return queue_commit(queue, err);
}

static int step_rows(struct queue *queue, struct sweep *sweep, struct err *err)
{
	struct missing missing[SLICE];
	int looked;
	const int count = missing_find(queue, sweep, missing, &looked, err);
	if (count < 0)
		return -1;
	if (count > 0 && !has_days(queue)) {
		sweep->report.is_refused = true;
		return 0;
	}
	if (count > 0 && !sweep->is_preview &&
	    missing_mark_all(queue, sweep, missing, count, err) != 0)
		return -1;
	sweep->report.missing += count;
	return looked == SLICE;
}

/* --- the whole --- */

static int (*const PHASES[])(struct queue *queue, struct sweep *sweep,
			     struct err *err) = {step_rows, step_attempts, step_outputs};

int queue_sweep_step(struct queue *queue, struct sweep *sweep, struct err *err)
{
	if (sweep->phase == (int)ARRAY_SIZE(PHASES))
		return 0;
	const int more = PHASES[sweep->phase](queue, sweep, err);
	if (more < 0)
		return -1;
	sweep->phase += more == 0;
	return sweep->phase < (int)ARRAY_SIZE(PHASES);
}

struct sweep *sweep_open(bool is_preview, const char *principal)
{
	struct sweep *sweep = mem_alloc(sizeof *sweep);
	sweep->is_preview = is_preview;
	sweep->principal = principal;
	sweep->now = clock_now_us();
	return sweep;
}

void sweep_close(struct sweep *sweep)
{
	if (sweep == NULL)
		return;
	directory_close(&sweep->days);
	directory_close(&sweep->day);
	directory_close(&sweep->attempts);
	free(sweep);
}

struct sweep_report sweep_report(const struct sweep *sweep)
{
	return sweep->report;
}
