/* test_queue_compress.c - outputs that are kept compressed: the same bytes, wherever the
 * one who compresses dies, and an error instead of wrong ones. */
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "queue/db.h"
#include "tests/unit/written.h"

#define LETTERS "abcdefgh\n"

/* Of several frames, the last one short. */
static void write_large(struct written *w, void **state)
{
	written_open(w, *state);
	written_letters(w, 31, 12000, 120, LETTERS);
	written_import(w, false);
}

static bool has_file(const struct written *w, const char *suffix)
{
	char path[256];
	written_path(w, suffix, path);
	return access(path, F_OK) == 0;
}

static struct compression_report compress_from(struct fixture *f, int64_t least_bytes)
{
	struct compression *run = compression_open(least_bytes);
	int more;
	while ((more = queue_compression_step(f->queue, run, &f->err)) == 1)
		;
	assert_done(more, &f->err);
	const struct compression_report report = compression_report(run);
	compression_close(run);
	return report;
}

static void assert_verified(struct fixture *f)
{
	struct verify_result result;
	const int found = queue_verify(f->queue, f->dir, &result, &f->err);
	assert_done(found, &f->err);
	assert_string_equal(result.detail, "");
	assert_int_equal(found, 0);
}

static void check_whole(struct written *w)
{
	struct output *output = written_output(w);
	written_check(w, output);
	output_close(output);
	assert_verified(w->f);
}

static void test_it_reads_as_before(void **state)
{
	struct written w;
	struct attempt attempt;
	struct stat st;
	char path[256];
	write_large(&w, state);
	struct output *before = written_output(&w);
	const struct compression_report report = compress_from(w.f, 1000);
	assert_int_equal(report.outputs, 1);
	assert_int_equal(report.plain_bytes, w.whole.length);
	written_path(&w, ".log.zst", path);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(report.file_bytes, st.st_size);
	assert_true((size_t)st.st_size < w.whole.length / 2);
	assert_false(has_file(&w, ".log"));
	assert_true(has_file(&w, ".idx"));
	check_whole(&w);
	/* and whoever had it open reads on */
	written_check(&w, before);
	output_close(before);
	assert_int_equal(queue_attempt_get(w.f->queue, w.claims.item[0].job.row, 1,
					   &attempt, &w.f->err),
			 1);
	assert_string_equal(attempt.stored, "file");
	assert_string_equal(attempt.encoding, "zstd");
	assert_int_equal(attempt.file_bytes, st.st_size);
	attempt_release(&attempt);
	assert_int_equal(compress_from(w.f, 1).outputs, 0);
	written_close(&w);
}

/* Of many frames, more than there are marks, some of which are asked for at random. */
static void test_random_reads_of_many_frames(void **state)
{
	struct written w;
	char block[65536], data[5000];
	uint32_t random = 3;
	written_open(&w, *state);
	buf_release(&w.whole);
	buf_init(&w.whole, (size_t)256 << 20);
	buf_release(&w.streams[OUTPUT_STDOUT]);
	buf_init(&w.streams[OUTPUT_STDOUT], (size_t)256 << 20);
	written_frame(&w, OUTPUT_STDOUT);
	for (int i = 0; i < 2600; i++) {
		memset(block, 'a' + i % 26, sizeof block);
		(void)snprintf(block, sizeof block, "block %d\n", i);
		written_bytes(&w, block, sizeof block - (size_t)(i % 7));
	}
	written_import(&w, false);
	written_compress(&w);
	struct output *output = written_output(&w);
	for (int i = 0; i < 300; i++) {
		random = random * 1664525 + 1013904223;
		const size_t offset = random % w.whole.length;
		const size_t left = w.whole.length - offset;
		const ssize_t got = output_read(output, OUTPUT_STDOUT, (int64_t)offset,
						data, sizeof data, &w.f->err);
		assert_int_equal(got, left < sizeof data ? left : sizeof data);
		assert_memory_equal(data, w.whole.data + offset, (size_t)got);
	}
	output_close(output);
	written_close(&w);
}

static void test_what_is_too_small_is_left(void **state)
{
	struct written w;
	write_large(&w, state);
	const int64_t bytes = (int64_t)w.whole.length;
	assert_int_equal(compress_from(w.f, bytes + 1).outputs, 0);
	assert_true(has_file(&w, ".log"));
	assert_int_equal(compress_from(w.f, bytes).outputs, 1);
	written_close(&w);
}

static void assert_kept(struct written *w, struct compression_report report)
{
	assert_int_equal(report.kept, 1);
	assert_int_equal(report.outputs, 0);
	assert_true(has_file(w, ".log"));
	assert_false(has_file(w, ".log.zst"));
	/* once and for all */
	assert_int_equal(compress_from(w->f, 1).kept, 0);
	fixture_assert_sql(w->f->dir, "SELECT encoding IS NULL FROM output", "1");
}

static void test_what_does_not_become_smaller_stays(void **state)
{
	struct written w;
	uint8_t noise[256];
	written_open(&w, *state);
	written_frame(&w, OUTPUT_STDOUT);
	for (int i = 0; i < 4000; i++) {
		assert_int_equal(getrandom(noise, sizeof noise, 0), sizeof noise);
		written_bytes(&w, noise, sizeof noise);
	}
	written_import(&w, false);
	assert_kept(&w, compress_from(w.f, 1));
	check_whole(&w);
	written_close(&w);
}

/* Bytes that are not those that were hashed are evidence. */
static void test_what_was_changed_stays(void **state)
{
	struct written w;
	char path[256];
	write_large(&w, state);
	written_path(&w, ".log", path);
	const int fd = open(path, O_WRONLY | O_CLOEXEC);
	assert_int_equal(pwrite(fd, "?", 1, 300000), 1);
	assert_int_equal(close(fd), 0);
	assert_kept(&w, compress_from(w.f, 1));
	written_close(&w);
}

/* Somebody removed it: it is looked at once; that it is gone is the sweep's to say. */
static void test_what_is_missing_is_passed_over(void **state)
{
	struct written w;
	char path[256];
	write_large(&w, state);
	written_path(&w, ".log", path);
	assert_int_equal(unlink(path), 0);
	const struct compression_report report = compress_from(w.f, 1);
	assert_int_equal(report.outputs + report.kept + report.left, 0);
	fixture_assert_sql(w.f->dir,
			   "SELECT file_bytes = stdout_bytes + stderr_bytes AND "
			   "encoding IS NULL AND removed_at IS NULL FROM output",
			   "1");
	written_close(&w);
}

static void test_what_is_being_removed_is_not_compressed(void **state)
{
	struct written w;
	write_large(&w, state);
	struct compression *run = compression_open(1);
	assert_int_equal(queue_compression_step(w.f->queue, run, &w.f->err), 1);
	assert_int_equal(queue_compression_step(w.f->queue, run, &w.f->err), 1);
	assert_int_equal(fixture_sql(w.f->dir, "UPDATE output SET removed_at = 1", NULL),
			 0);
	int more;
	while ((more = queue_compression_step(w.f->queue, run, &w.f->err)) == 1)
		;
	assert_int_equal(more, 0);
	assert_int_equal(compression_report(run).outputs, 0);
	compression_close(run);
	assert_false(has_file(&w, ".log.zst"));
	fixture_assert_sql(w.f->dir, "SELECT encoding IS NULL FROM output", "1");
	written_close(&w);
}

static void test_giving_up_leaves_nothing(void **state)
{
	struct written w;
	write_large(&w, state);
	struct compression *run = compression_open(1);
	assert_int_equal(queue_compression_step(w.f->queue, run, &w.f->err), 1);
	assert_int_equal(queue_compression_step(w.f->queue, run, &w.f->err), 1);
	assert_true(has_file(&w, ".log.zst"));
	compression_close(run);
	assert_false(has_file(&w, ".log.zst"));
	check_whole(&w);
	written_close(&w);
}

/* Somebody looked at the row before, and opens the file after. */
static void test_a_row_that_was_read_before(void **state)
{
	struct written w;
	struct queue *reader = NULL;
	struct output *output = NULL;
	int64_t rows;
	write_large(&w, state);
	assert_done(queue_open(&reader, w.f->dir, QUEUE_READ, &w.f->err), &w.f->err);
	assert_done(queue_snapshot_begin(reader, &w.f->err), &w.f->err);
	assert_done(queue_event_last(reader, &rows, &w.f->err), &w.f->err);
	written_compress(&w);
	assert_int_equal(queue_output_open(reader, w.f->dir, &w.claims.item[0].job, 1,
					   &output, &w.f->err),
			 1);
	written_check(&w, output);
	output_close(output);
	struct verify_result result;
	assert_int_equal(queue_verify(reader, w.f->dir, &result, &w.f->err), 0);
	queue_snapshot_end(reader);
	queue_close(reader);
	written_close(&w);
}

/* --- dying --- */

static int calls_left;

static void one_call(void)
{
	if (calls_left-- == 0)
		_exit(9);
}

/* Called when all is written but the end of the transaction. */
static int dying_commit(void *unused)
{
	(void)unused;
	one_call();
	return 0;
}

static struct sys real;

static int dying_openat(int dir_fd, const char *path, int flags, mode_t mode)
{
	one_call();
	return real.openat(dir_fd, path, flags, mode);
}

static ssize_t dying_write(int fd, const void *data, size_t bytes)
{
	one_call();
	/* and with a part of it written */
	if (calls_left == 0)
		bytes = bytes / 2 + 1;
	return real.write(fd, data, bytes);
}

static int dying_fsync(int fd)
{
	one_call();
	return real.fsync(fd);
}

static int dying_fdatasync(int fd)
{
	one_call();
	return real.fdatasync(fd);
}

static int dying_unlinkat(int dir_fd, const char *path, int flags)
{
	one_call();
	return real.unlinkat(dir_fd, path, flags);
}

/* Compresses in a process that dies at call number `calls`. Did it die? */
static bool dies_at(struct fixture *f, int calls)
{
	int status;
	queue_close(f->queue);
	const pid_t child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		struct compression *run = compression_open(1);
		int more = queue_open(&f->queue, f->dir, QUEUE_WRITE, &f->err);
		if (more == 0)
			(void)sqlite3_commit_hook(f->queue->db, dying_commit, NULL);
		real = sys;
		calls_left = calls;
		sys.openat = dying_openat;
		sys.write = dying_write;
		sys.fsync = dying_fsync;
		sys.fdatasync = dying_fdatasync;
		sys.unlinkat = dying_unlinkat;
		while (more >= 0 &&
		       (more = queue_compression_step(f->queue, run, &f->err)) == 1)
			;
		_exit(more == 0 ? 0 : 1);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	assert_done(queue_open(&f->queue, f->dir, QUEUE_WRITE, &f->err), &f->err);
	assert_true(WEXITSTATUS(status) == 0 || WEXITSTATUS(status) == 9);
	return WEXITSTATUS(status) == 9;
}

static void age_files(const struct written *w)
{
	static const char *const suffixes[] = {".log", ".log.zst", ".idx"};
	const struct timespec old[] = {{.tv_sec = 1000000000}, {.tv_sec = 1000000000}};
	char path[256];
	for (size_t i = 0; i < ARRAY_SIZE(suffixes); i++) {
		written_path(w, suffixes[i], path);
		(void)utimensat(AT_FDCWD, path, old, 0);
	}
}

static int64_t sweep(struct fixture *f)
{
	struct sweep *run = sweep_open(false, NULL);
	int more;
	while ((more = queue_sweep_step(f->queue, run, &f->err)) == 1)
		;
	assert_done(more, &f->err);
	const struct sweep_report report = sweep_report(run);
	sweep_close(run);
	assert_int_equal(report.missing, 0);
	return report.files;
}

/* Whatever a death left: it reads, and the sweep leaves one file of the two. */
static void test_dying_anywhere_loses_nothing(void **state)
{
	struct written w;
	int deaths = 0, twice = 0;
	bool is_dying = true;
	for (; is_dying; deaths++) {
		write_large(&w, state);
		is_dying = dies_at(w.f, deaths);
		check_whole(&w);
		const bool has_both = has_file(&w, ".log") && has_file(&w, ".log.zst");
		twice += has_both;
		age_files(&w);
		assert_int_equal(sweep(w.f), has_both);
		assert_int_equal(has_file(&w, ".log") + has_file(&w, ".log.zst"), 1);
		check_whole(&w);
		/* and the next one goes on */
		(void)compress_from(w.f, 1);
		assert_true(has_file(&w, ".log.zst"));
		fixture_assert_sql(w.f->dir,
				   "SELECT count(*) FROM output WHERE encoding IS NULL",
				   "0");
		check_whole(&w);
		written_close(&w);
	}
	assert_in_range(deaths, 8, 100);
	assert_in_range(twice, 4, deaths);
}

/* The next one to try does not need the sweep. */
static void test_a_half_written_file_is_made_anew(void **state)
{
	struct written w;
	write_large(&w, state);
	assert_true(dies_at(w.f, 6));
	assert_true(has_file(&w, ".log.zst"));
	written_compress(&w);
	check_whole(&w);
	written_close(&w);
}

static void test_what_is_being_written_is_not_swept(void **state)
{
	struct written w;
	write_large(&w, state);
	struct compression *run = compression_open(1);
	assert_int_equal(queue_compression_step(w.f->queue, run, &w.f->err), 1);
	assert_int_equal(queue_compression_step(w.f->queue, run, &w.f->err), 1);
	age_files(&w);
	assert_int_equal(sweep(w.f), 0);
	assert_true(has_file(&w, ".log.zst"));
	compression_close(run);
	written_close(&w);
}

static void test_retention_removes_it(void **state)
{
	struct written w;
	struct retention *run;
	int more;
	write_large(&w, state);
	written_compress(&w);
	struct retention_policy policy = {.slice = 10};
	assert_int_equal(fixture_sql(w.f->dir, "UPDATE output SET removed_at = 1", NULL),
			 0);
	run = retention_open(&policy, RETENTION_ALL, false, NULL);
	while ((more = queue_retention_step(w.f->queue, run, &w.f->err)) == 1)
		;
	assert_done(more, &w.f->err);
	retention_close(run);
	assert_false(has_file(&w, ".log.zst"));
	assert_false(has_file(&w, ".idx"));
	fixture_assert_sql(w.f->dir,
			   "SELECT stored || coalesce(path, '-') || "
			   "coalesce(encoding, '-') FROM output",
			   "removed--");
	written_close(&w);
}

/* --- damage --- */

/* Reads all: the bytes as they were, or an error; never others. Is it an error? */
static bool is_refused(struct written *w, struct err *err)
{
	struct output *output = NULL;
	char data[8192];
	size_t done = 0;
	ssize_t got = 0;
	*err = (struct err)ERR_INIT;
	const int found = queue_output_open(w->f->queue, w->f->dir,
					    &w->claims.item[0].job, 1, &output, err);
	if (found != 1) {
		assert_int_equal(found, -1);
		return true;
	}
	while ((got = output_read(output, OUTPUT_BOTH, (int64_t)done, data, sizeof data,
				  err)) > 0) {
		assert_true(done + (size_t)got <= w->whole.length);
		assert_memory_equal(data, w->whole.data + done, (size_t)got);
		done += (size_t)got;
	}
	output_close(output);
	assert_true(got < 0 || done == w->whole.length);
	return got < 0;
}

static void test_damage_is_an_error(void **state)
{
	struct written w;
	struct err err;
	struct stat st;
	char path[256];
	uint8_t byte;
	uint32_t random = 99;
	int refused = 0;
	write_large(&w, state);
	written_compress(&w);
	written_path(&w, ".log.zst", path);
	const int fd = open(path, O_RDWR | O_CLOEXEC);
	assert_true(fd >= 0);
	assert_int_equal(fstat(fd, &st), 0);
	for (int i = 0; i < 400; i++) {
		random = random * 1664525 + 1013904223;
		/* half of them in the seek table and what stands before it */
		const off_t at = i % 2 ? st.st_size - 1 - (random >> 8) % 80
				       : (random >> 8) % st.st_size;
		assert_int_equal(pread(fd, &byte, 1, at), 1);
		const uint8_t other = byte ^ (uint8_t)(1U << (random >> 29));
		assert_int_equal(pwrite(fd, &other, 1, at), 1);
		refused += is_refused(&w, &err);
		assert_int_equal(pwrite(fd, &byte, 1, at), 1);
	}
	/* there may be bits that mean nothing */
	assert_in_range(refused, 380, 400);
	assert_false(is_refused(&w, &err));
	for (off_t cut = 1; cut < 60; cut += 7) {
		assert_int_equal(ftruncate(fd, st.st_size - cut), 0);
		assert_true(is_refused(&w, &err));
		assert_non_null(strstr(err.text, "seek table"));
	}
	assert_int_equal(close(fd), 0);
	written_close(&w);
}

static void test_a_damaged_frame_is_named(void **state)
{
	struct written w;
	struct err err;
	char path[256], data[16];
	struct verify_result result;
	write_large(&w, state);
	written_compress(&w);
	written_path(&w, ".log.zst", path);
	const int fd = open(path, O_WRONLY | O_CLOEXEC);
	assert_int_equal(pwrite(fd, "damaged", 7, 1000), 7);
	assert_int_equal(close(fd), 0);
	assert_true(is_refused(&w, &err));
	assert_non_null(strstr(err.text, "frame 0 of this compressed output"));
	assert_non_null(strstr(err.text, "damaged"));
	/* the others are well */
	struct output *output = written_output(&w);
	assert_int_equal(output_read(output, OUTPUT_BOTH, (int64_t)w.whole.length - 16,
				     data, 16, &w.f->err),
			 16);
	assert_memory_equal(data, w.whole.data + w.whole.length - 16, 16);
	output_close(output);
	assert_int_equal(queue_verify(w.f->queue, w.f->dir, &result, &w.f->err), 1);
	assert_non_null(strstr(result.detail, "frame 0"));
	written_close(&w);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_it_reads_as_before),
		TEST(test_random_reads_of_many_frames),
		TEST(test_what_is_too_small_is_left),
		TEST(test_what_is_missing_is_passed_over),
		TEST(test_what_does_not_become_smaller_stays),
		TEST(test_what_was_changed_stays),
		TEST(test_what_is_being_removed_is_not_compressed),
		TEST(test_giving_up_leaves_nothing),
		TEST(test_a_row_that_was_read_before),
		TEST(test_dying_anywhere_loses_nothing),
		TEST(test_a_half_written_file_is_made_anew),
		TEST(test_what_is_being_written_is_not_swept),
		TEST(test_retention_removes_it),
		TEST(test_damage_is_an_error),
		TEST(test_a_damaged_frame_is_named),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
