/* compress.c - see compress.h.
 *
 * The order of things is what makes any death harmless: the compressed file is written
 * beside the log, locked, so that the sweep leaves it alone; it is synced, and so is its
 * name; a transaction says that the output lies there; only then the log goes. */
#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/statvfs.h>
#include <unistd.h>
#include <zstd.h>

#include "queue/compress.h"
#include "queue/retention_run.h"
#include "queue/seekable.h"

#define LEVEL 3
/* It must become smaller than so many tenths. */
#define WORTH_TENTHS 9
/* So much stays free on the disk in any case. */
#define DISK_LEFT_BYTES (INT64_C(64) << 20)
/* Writing out begins after so many bytes, so that the sync at the end waits for few. */
#define WRITE_OUT_BYTES (INT64_C(1) << 20)

/* An output, as its row has it. */
struct candidate {
	int64_t row, attempt, bytes;
	char job_id[JOB_ID_BYTES];
	uint8_t sha256[DIGEST_BYTES];
};

struct compression {
	struct candidate one; /* the last that was looked at: where the walk is */
	struct compression_report report;
	/* while one is being compressed */
	bool is_open;
	int day_fd, log_fd, file_fd;
	ZSTD_CCtx *context;
	struct digest digest;
	char *plain, *pressed;
	uint8_t *table; /* what will be the seek table; heap */
	int64_t frames, plain_bytes, file_bytes, out_bytes;
};

struct compression *compression_open(int64_t least_bytes)
{
	struct compression *run = mem_alloc(sizeof *run);
	run->one.bytes = least_bytes;
	run->day_fd = run->log_fd = run->file_fd = -1;
	return run;
}

struct compression_report compression_report(const struct compression *run)
{
	return run->report;
}

/* --- files --- */

/* The name of the candidate's file within its day. */
static const char *name_of(const struct candidate *one, const char *suffix,
			   char path[ATTEMPT_PATH_BYTES])
{
	attempt_output_path(one->job_id, (int)one->attempt, suffix, path);
	return strrchr(path, '/') + 1;
}

static void file_remove(const struct compression *run, const char *suffix)
{
	char path[ATTEMPT_PATH_BYTES];
	(void)sys.unlinkat(run->day_fd, name_of(&run->one, suffix, path), 0);
}

static void one_close(struct compression *run)
{
	int *const fds[] = {&run->day_fd, &run->log_fd, &run->file_fd};
	for (size_t i = 0; i < ARRAY_SIZE(fds); i++)
		mem_close(fds[i]);
	(void)ZSTD_freeCCtx(run->context);
	free(run->plain);
	free(run->pressed);
	free(run->table);
	run->context = NULL;
	run->plain = run->pressed = NULL;
	run->table = NULL;
	run->is_open = false;
}

void compression_close(struct compression *run)
{
	if (run == NULL)
		return;
	if (run->file_fd >= 0)
		file_remove(run, SEEKABLE_SUFFIX);
	one_close(run);
	free(run);
}

static bool has_room(int day_fd, int64_t bytes)
{
	struct statvfs fs;
	return fstatvfs(day_fd, &fs) == 0 &&
	       (int64_t)fs.f_bavail * (int64_t)fs.f_frsize >= bytes + DISK_LEFT_BYTES;
}

/* What a run that died has left is made anew. 1 opened, 0 not now (or, *ret_is_gone,
 * never), -1. */
static int files_open(const struct queue *queue, struct compression *run,
		      bool *ret_is_gone, struct err *err)
{
	char path[ATTEMPT_PATH_BYTES];
	run->day_fd =
		output_day_open(queue->state_dir, run->one.job_id, (int)run->one.attempt);
	if (run->day_fd < 0 || !has_room(run->day_fd, run->one.bytes))
		return 0;
	run->log_fd = sys.openat(run->day_fd, name_of(&run->one, ".log", path),
				 O_RDONLY | O_NOFOLLOW | O_CLOEXEC, 0);
	*ret_is_gone = run->log_fd < 0 && errno == ENOENT;
	if (run->log_fd < 0)
		return 0;
	file_remove(run, SEEKABLE_SUFFIX);
	run->file_fd =
		sys.openat(run->day_fd, name_of(&run->one, SEEKABLE_SUFFIX, path),
			   O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (run->file_fd < 0)
		return err_sys(err, ERR_UNAVAILABLE, errno,
			       "making the file of a compressed output");
	(void)flock(run->file_fd, LOCK_EX | LOCK_NB);
	return 1;
}

static int write_some(struct compression *run, const void *data, size_t bytes,
		      struct err *err)
{
	if (file_write_all(run->file_fd, data, bytes) != 0)
		return err_sys(err, ERR_UNAVAILABLE, errno,
			       "writing a compressed output");
	run->file_bytes += (int64_t)bytes;
	if (run->file_bytes - run->out_bytes >= WRITE_OUT_BYTES) {
		(void)sync_file_range(run->file_fd, run->out_bytes,
				      run->file_bytes - run->out_bytes,
				      SYNC_FILE_RANGE_WRITE);
		run->out_bytes = run->file_bytes;
	}
	return 0;
}

/* --- one output --- */

/* The next candidate. 1, 0 there is none, -1. */
static int next_find(struct queue *queue, struct compression *run, struct err *err)
{
	sqlite3_stmt *stmt;
	struct candidate *one = &run->one;
	if (db_start(queue, STATEMENT_COMPRESS_NEXT,
		     BINDS(as_int(one->bytes), as_int(one->row), as_int(one->attempt)),
		     &stmt, err) != 0)
		return -1;
	const int found = db_step(queue, stmt, err);
	if (found == 1) {
		one->row = sqlite3_column_int64(stmt, 0);
		one->attempt = sqlite3_column_int64(stmt, 1);
		column_id(stmt, 2, one->job_id);
		one->bytes = sqlite3_column_int64(stmt, 3);
		memcpy(one->sha256, sqlite3_column_blob(stmt, 4), sizeof one->sha256);
	}
	db_end(stmt);
	return found;
}

/* One statement in a transaction of its own. 1 it changed the row, 0 it did not, -1. */
static int row_change(struct queue *queue, enum statement statement,
		      const struct bind *binds, size_t count, struct err *err)
{
	if (queue_begin(queue, err) != 0)
		return -1;
	const int changed = db_run(queue, statement, binds, count, err);
	if (changed < 0) {
		queue_rollback(queue);
		return -1;
	}
	return queue_commit(queue, err) == 0 ? changed : -1;
}

/* Its log is gone. The row is not looked at again: what becomes of it is the sweep's
 * matter. */
static int one_pass(struct queue *queue, struct compression *run, struct err *err)
{
	one_close(run);
	return row_change(queue, STATEMENT_COMPRESS_KEPT,
			  BINDS(as_int(run->one.row), as_int(run->one.attempt)), err) < 0
		       ? -1
		       : 1;
}

static int one_open(struct queue *queue, struct compression *run, struct err *err)
{
	const int found = next_find(queue, run, err);
	if (found <= 0)
		return found;
	bool is_gone = false;
	const int is_open = files_open(queue, run, &is_gone, err);
	if (is_gone)
		return one_pass(queue, run, err);
	if (is_open <= 0) {
		one_close(run);
		run->report.left += is_open == 0;
		return is_open < 0 ? -1 : 1;
	}
	run->context = ZSTD_createCCtx();
	if (run->context == NULL)
		abort(); /* only for want of memory */
	(void)ZSTD_CCtx_setParameter(run->context, ZSTD_c_compressionLevel, LEVEL);
	(void)ZSTD_CCtx_setParameter(run->context, ZSTD_c_checksumFlag, 1);
	run->plain = mem_alloc(SEEKABLE_PLAIN_BYTES);
	run->pressed = mem_alloc(ZSTD_compressBound(SEEKABLE_PLAIN_BYTES));
	digest_init(&run->digest);
	run->frames = run->plain_bytes = run->file_bytes = run->out_bytes = 0;
	run->is_open = true;
	return 1;
}

static void table_add(struct compression *run, size_t pressed, size_t plain)
{
	const size_t at =
		SEEKABLE_HEADER_BYTES + (size_t)run->frames * SEEKABLE_ENTRY_BYTES;
	if ((run->frames & (run->frames - 1)) == 0) /* doubles: 0, 1, 2, 4, ... */
		run->table = mem_grow(run->table, SEEKABLE_HEADER_BYTES +
							  SEEKABLE_FOOTER_BYTES +
							  (size_t)(2 * run->frames + 1) *
								  SEEKABLE_ENTRY_BYTES);
	seekable_put(run->table + at, (uint32_t)pressed);
	seekable_put(run->table + at + 4, (uint32_t)plain);
	run->frames++;
}

/* One frame. 1 pressed, 0 the log is at its end, -1; *ret_is_bad: it cannot be read. */
static int frame_press(struct compression *run, bool *ret_is_bad, struct err *err)
{
	const ssize_t got = file_read_full(run->log_fd, run->plain, SEEKABLE_PLAIN_BYTES);
	*ret_is_bad = got < 0;
	if (got <= 0)
		return 0;
	const size_t pressed = ZSTD_compress2(run->context, run->pressed,
					      ZSTD_compressBound(SEEKABLE_PLAIN_BYTES),
					      run->plain, (size_t)got);
	if (ZSTD_isError(pressed))
		return err_set(err, ERR_INTERNAL, "compressing an output: %s",
			       ZSTD_getErrorName(pressed));
	digest_add(&run->digest, run->plain, (size_t)got);
	run->plain_bytes += got;
	table_add(run, pressed, (size_t)got);
	return write_some(run, run->pressed, pressed, err) == 0 ? 1 : -1;
}

static bool is_worth(const struct compression *run)
{
	return run->file_bytes < run->one.bytes / 10 * WORTH_TENTHS;
}

static bool is_right(struct compression *run)
{
	uint8_t sha256[DIGEST_BYTES];
	digest_end(&run->digest, sha256);
	return run->plain_bytes == run->one.bytes &&
	       memcmp(sha256, run->one.sha256, sizeof sha256) == 0;
}

/* --- the end of it --- */

static int table_write(struct compression *run, struct err *err)
{
	const size_t entries = (size_t)run->frames * SEEKABLE_ENTRY_BYTES;
	uint8_t *footer = run->table + SEEKABLE_HEADER_BYTES + entries;
	seekable_put(run->table, SEEKABLE_HEADER_MAGIC);
	seekable_put(run->table + 4, (uint32_t)(entries + SEEKABLE_FOOTER_BYTES));
	seekable_put(footer, (uint32_t)run->frames);
	footer[4] = 0;
	seekable_put(footer + 5, SEEKABLE_FOOTER_MAGIC);
	if (write_some(run, run->table,
		       SEEKABLE_HEADER_BYTES + entries + SEEKABLE_FOOTER_BYTES, err) != 0)
		return -1;
	if (sys.fdatasync(run->file_fd) != 0 || sys.fsync(run->day_fd) != 0)
		return err_sys(err, ERR_UNAVAILABLE, errno,
			       "syncing a compressed output");
	return 0;
}

static int one_keep(struct queue *queue, struct compression *run, struct err *err)
{
	file_remove(run, SEEKABLE_SUFFIX);
	one_close(run);
	run->report.kept++;
	return row_change(queue, STATEMENT_COMPRESS_KEPT,
			  BINDS(as_int(run->one.row), as_int(run->one.attempt)), err) < 0
		       ? -1
		       : 1;
}

/* When it is not known whether the commit came true, both files stay: the sweep sees
 * which of them is too many. */
static int one_finish(struct queue *queue, struct compression *run, struct err *err)
{
	char path[ATTEMPT_PATH_BYTES];
	if (table_write(run, err) != 0) {
		file_remove(run, SEEKABLE_SUFFIX);
		one_close(run);
		return -1;
	}
	(void)name_of(&run->one, SEEKABLE_SUFFIX, path);
	const int changed =
		row_change(queue, STATEMENT_COMPRESS_DONE,
			   BINDS(as_int(run->one.row), as_int(run->one.attempt),
				 as_text(path), as_int(run->file_bytes)),
			   err);
	if (changed >= 0)
		file_remove(run, changed > 0 ? ".log" : SEEKABLE_SUFFIX);
	if (changed > 0) {
		run->report.outputs++;
		run->report.plain_bytes += run->plain_bytes;
		run->report.file_bytes += run->file_bytes;
	}
	one_close(run);
	return changed < 0 ? -1 : 1;
}

int queue_compression_step(struct queue *queue, struct compression *run, struct err *err)
{
	bool is_bad = false;
	if (!run->is_open)
		return one_open(queue, run, err);
	const int more = frame_press(run, &is_bad, err);
	if (more < 0 || is_bad) {
		file_remove(run, SEEKABLE_SUFFIX);
		one_close(run);
		run->report.left++;
		return more < 0 ? -1 : 1;
	}
	if (!is_worth(run))
		return one_keep(queue, run, err);
	if (more > 0)
		return 1;
	return is_right(run) ? one_finish(queue, run, err) : one_keep(queue, run, err);
}
