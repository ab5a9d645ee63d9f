/* output_open.c - finding an attempt's output: the growing file, its row, the file it was
 * left in, as it was or compressed.
 *
 * The file is looked for first: whoever holds it can read to its end even when the output
 * is folded meanwhile. When it is not there, it was folded before or never written, and
 * the database knows which. */
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "queue/output.h"
#include "queue/seekable.h"

static struct output *output_new(void)
{
	struct output *output = mem_alloc(sizeof *output);
	output->log_fd = output->index_fd = -1;
	return output;
}

void output_close(struct output *output)
{
	if (output == NULL)
		return;
	if (output->log_fd >= 0)
		(void)close(output->log_fd);
	if (output->index_fd >= 0)
		(void)close(output->index_fd);
	packed_close(output->packed);
	free(output->index_path);
	free(output->content);
	free(output->frames);
	free(output->span);
	free(output);
}

/* "x.log" or "x.log.zst" -> "x.idx"; heap. */
static char *index_name(const char *log_path)
{
	static const char *const suffixes[] = {SEEKABLE_SUFFIX, ".log"};
	size_t length = strlen(log_path);
	for (size_t i = 0; i < ARRAY_SIZE(suffixes); i++) {
		const size_t tail = strlen(suffixes[i]);
		if (length > tail && strcmp(log_path + length - tail, suffixes[i]) == 0) {
			length -= tail;
			break;
		}
	}
	return mem_printf("%.*s.idx", (int)length, log_path);
}

void output_index_open(struct output *output)
{
	if (output->index_path == NULL)
		return;
	output->index_fd =
		sys.openat(AT_FDCWD, output->index_path, O_RDONLY | O_CLOEXEC, 0);
	if (output->index_fd < 0)
		return;
	free(output->index_path);
	output->index_path = NULL;
}

/* 1 opened, 0 no such file, -1. */
static int open_file(const char *state_dir, const struct stored_file *file,
		     struct output **ret, struct err *err)
{
	AUTO_FREE char *log_path = file_join(state_dir, file->path);
	struct packed *packed = NULL;
	const int fd = sys.openat(AT_FDCWD, log_path, O_RDONLY | O_CLOEXEC, 0);
	if (fd < 0)
		return errno == ENOENT
			       ? 0
			       : err_sys(err, ERR_INTERNAL, errno, "opening an output");
	if (file->is_packed && packed_open(fd, file->bytes, &packed, err) != 0)
		return -1;
	struct output *output = output_new();
	output->packed = packed;
	output->log_fd = packed == NULL ? fd : -1;
	output->index_path = index_name(log_path);
	output_index_open(output);
	*ret = output;
	return 1;
}

int output_open_left(const char *state_dir, const struct stored_file *file,
		     struct output **ret, struct err *err)
{
	const int found = open_file(state_dir, file, ret, err);
	const size_t length = strlen(file->path);
	if (found != 0 || file->is_packed || length < 4 ||
	    strcmp(file->path + length - 4, ".log") != 0)
		return found;
	AUTO_FREE char *beside =
		mem_printf("%.*s" SEEKABLE_SUFFIX, (int)(length - 4), file->path);
	const struct stored_file packed = {
		.path = beside, .is_packed = true, .bytes = file->bytes};
	return open_file(state_dir, &packed, ret, err);
}

static void *column_copy(sqlite3_stmt *stmt, int column, int64_t *ret_bytes)
{
	const void *data = sqlite3_column_blob(stmt, column);
	const size_t bytes = (size_t)sqlite3_column_bytes(stmt, column);
	char *copy = mem_alloc(bytes + 1);
	if (bytes > 0)
		memcpy(copy, data, bytes);
	*ret_bytes = (int64_t)bytes;
	return copy;
}

/* From the row `stmt` stands on: the columns of OUTPUT_GET. */
static int open_row(sqlite3_stmt *stmt, const char *state_dir, struct output **ret,
		    struct err *err)
{
	const char *stored = (const char *)sqlite3_column_text(stmt, 0);
	if (text_equal(stored, "row")) {
		struct output *output = output_new();
		output->content = column_copy(stmt, 2, &output->content_bytes);
		output->frames = column_copy(stmt, 3, &output->frames_bytes);
		*ret = output;
		return 1;
	}
	AUTO_FREE char *path = column_text(stmt, 1);
	const struct stored_file file = {.path = path,
					 .is_packed = sqlite3_column_type(stmt, 4) !=
						      SQLITE_NULL,
					 .bytes = sqlite3_column_int64(stmt, 5)};
	int found = 0;
	if (text_equal(stored, "file") && path != NULL)
		found = output_open_left(state_dir, &file, ret, err);
	return found != 0 ? found : err_set(err, ERR_GONE, "this output was removed");
}

static int open_stored(struct queue *queue, const char *state_dir, int64_t job_row,
		       int attempt, struct output **ret, struct err *err)
{
	sqlite3_stmt *stmt;
	if (db_start(queue, STATEMENT_OUTPUT_GET, BINDS(as_int(job_row), as_int(attempt)),
		     &stmt, err) != 0)
		return -1;
	int found = db_step(queue, stmt, err);
	if (found == 1)
		found = open_row(stmt, state_dir, ret, err);
	db_end(stmt);
	return found;
}

int queue_output_open(struct queue *queue, const char *state_dir, const struct job *job,
		      int attempt, struct output **ret, struct err *err)
{
	char path[ATTEMPT_PATH_BYTES];
	struct output *live = NULL;
	attempt_output_path(job->id, attempt, "log", path);
	const struct stored_file growing = {.path = path};
	const int found = open_file(state_dir, &growing, &live, err);
	if (found < 0)
		return -1;
	if (found == 1 && live->index_fd >= 0) {
		*ret = live;
		return 1;
	}
	/* no file, or a log whose index is missing: it may just have been folded */
	const int stored = open_stored(queue, state_dir, job->row, attempt, ret, err);
	if (stored == 0 && live != NULL) {
		*ret = live;
		return 1;
	}
	output_close(live);
	return stored;
}
