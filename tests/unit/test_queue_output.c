/* test_queue_output.c - reading outputs: growing, folded, in files, by stream.
 *
 * The test plays the shim: it writes a frame before its bytes. The oracle keeps each
 * stream's bytes apart from the start. */
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/unit/queue_fixture.h"

/* A job with one attempt, and the files its shim would write. */
struct written {
	struct fixture *f;
	struct claim_list claims;
	int log_fd, index_fd;
	char log_path[ATTEMPT_PATH_BYTES];
	struct buf whole, streams[3], frames; /* streams by enum output_stream */
	enum output_stream last;
};

static void written_open(struct written *w, struct fixture *f)
{
	struct submitted submitted;
	char path[256];
	memset(w, 0, sizeof *w);
	w->f = f;
	fixture_submit(f, "uid:1000", &submitted);
	fixture_claim(f, &w->claims);
	attempt_output_path(submitted.id, 1, "log", w->log_path);
	(void)snprintf(path, sizeof path, "%s/%.17s", f->dir, w->log_path);
	assert_done(file_make_dirs(path, 0700, &f->err), &f->err);
	w->log_fd = w->index_fd = -1;
	buf_init(&w->whole, 64 << 20);
	buf_init(&w->streams[OUTPUT_STDOUT], 64 << 20);
	buf_init(&w->streams[OUTPUT_STDERR], 64 << 20);
	buf_init(&w->frames, 64 << 20);
}

static int create(struct written *w, const char *suffix)
{
	char path[256], name[ATTEMPT_PATH_BYTES];
	attempt_output_path(w->claims.item[0].job.id, 1, suffix, name);
	(void)snprintf(path, sizeof path, "%s/%s", w->f->dir, name);
	const int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	return fd;
}

static void written_remove(struct written *w)
{
	char path[256], name[ATTEMPT_PATH_BYTES];
	const char *const suffixes[] = {"log", "idx"};
	for (int i = 0; i < 2; i++) {
		attempt_output_path(w->claims.item[0].job.id, 1, suffixes[i], name);
		(void)snprintf(path, sizeof path, "%s/%s", w->f->dir, name);
		assert_int_equal(unlink(path), 0);
	}
}

static void written_close(struct written *w)
{
	if (w->log_fd >= 0)
		assert_int_equal(close(w->log_fd), 0);
	if (w->index_fd >= 0)
		assert_int_equal(close(w->index_fd), 0);
	buf_release(&w->whole);
	buf_release(&w->streams[OUTPUT_STDOUT]);
	buf_release(&w->streams[OUTPUT_STDERR]);
	buf_release(&w->frames);
	claim_list_release(&w->claims);
}

static void written_frame(struct written *w, enum output_stream stream)
{
	uint8_t packed[FRAME_BYTES];
	const struct frame frame = {.at_us = 1700000000000000 + (int64_t)w->frames.length,
				    .offset = (int64_t)w->whole.length,
				    .stdout_bytes =
					    (int64_t)w->streams[OUTPUT_STDOUT].length,
				    .stream = stream};
	frame_pack(&frame, packed);
	if (w->index_fd < 0)
		w->index_fd = create(w, ".idx");
	assert_int_equal(write(w->index_fd, packed, sizeof packed), sizeof packed);
	assert_int_equal(buf_append(&w->frames, packed, sizeof packed), 0);
	w->last = stream;
}

static void written_bytes(struct written *w, const void *data, size_t bytes)
{
	if (w->log_fd < 0)
		w->log_fd = create(w, "log");
	assert_int_equal(write(w->log_fd, data, bytes), (ssize_t)bytes);
	assert_int_equal(buf_append(&w->whole, data, bytes), 0);
	assert_int_equal(buf_append(&w->streams[w->last], data, bytes), 0);
}

static void written_add(struct written *w, enum output_stream stream, const char *text)
{
	written_frame(w, stream);
	written_bytes(w, text, strlen(text));
}

/* Random stretches, also of no bytes, of both streams. */
static void written_random(struct written *w, unsigned seed, int stretches, int longest)
{
	char data[512];
	uint32_t random = seed;
	for (int i = 0; i < stretches; i++) {
		random = random * 1664525 + 1013904223;
		const size_t bytes = (random >> 8) % (unsigned)longest;
		for (size_t k = 0; k < bytes; k++)
			data[k] = (char)(random >> (k % 24)) + (char)k;
		if (i == 0 || (random >> 28) < 12)
			written_frame(w,
				      random >> 30 & 1 ? OUTPUT_STDERR : OUTPUT_STDOUT);
		written_bytes(w, data, bytes);
	}
}

static struct output *open_output(struct written *w)
{
	struct output *output = NULL;
	const int found = queue_output_open(
		w->f->queue, w->f->dir, &w->claims.item[0].job, 1, &output, &w->f->err);
	assert_done(found, &w->f->err);
	assert_int_equal(found, 1);
	return output;
}

static const struct buf *oracle_of(const struct written *w, enum output_stream stream)
{
	return stream == OUTPUT_BOTH ? &w->whole : &w->streams[stream];
}

/* From `offset` on, in pieces of `piece` bytes, it is the oracle's bytes to the end. */
static void check_from(const struct written *w, struct output *output,
		       enum output_stream stream, size_t offset, size_t piece)
{
	const struct buf *oracle = oracle_of(w, stream);
	struct err err = ERR_INIT;
	char *data = mem_alloc(piece);
	for (;;) {
		const ssize_t got =
			output_read(output, stream, (int64_t)offset, data, piece, &err);
		assert_done((int)got, &err);
		if (got == 0)
			break;
		assert_true(offset + (size_t)got <= oracle->length);
		assert_memory_equal(data, oracle->data + offset, (size_t)got);
		offset += (size_t)got;
	}
	assert_int_equal(offset, oracle->length);
	free(data);
}

static void check_all(const struct written *w, struct output *output)
{
	struct err err = ERR_INIT;
	for (int s = OUTPUT_BOTH; s <= OUTPUT_STDERR; s++) {
		const enum output_stream stream = (enum output_stream)s;
		const size_t length = oracle_of(w, stream)->length;
		int64_t size;
		assert_done(output_size(output, stream, &size, &err), &err);
		assert_int_equal(size, length);
		check_from(w, output, stream, 0, 4096);
		/* backwards, so that no cursor helps */
		for (size_t i = 0; i <= 8; i++)
			check_from(w, output, stream, length - length * i / 8, 65536);
		check_from(w, output, stream, length / 2, 113);
	}
}

/* How the files are left when the attempt has ended. */
static void import_output(struct written *w, bool is_folded)
{
	struct attempt_end end = fixture_end(0);
	end.stdout_bytes = (int64_t)w->streams[OUTPUT_STDOUT].length;
	end.stderr_bytes = (int64_t)w->streams[OUTPUT_STDERR].length;
	digest_of(w->whole.data, w->whole.length, end.sha256);
	if (is_folded) {
		end.content = w->whole.data;
		end.content_bytes = w->whole.length;
		end.frames = w->frames.data;
		end.frames_bytes = w->frames.length;
	} else {
		end.path = w->log_path;
	}
	assert_int_equal(fixture_import(w->f, &w->claims.item[0], &end), 1);
}

static void test_nothing_written_yet(void **state)
{
	struct written w;
	struct output *output = NULL;
	written_open(&w, *state);
	assert_int_equal(queue_output_open(w.f->queue, w.f->dir, &w.claims.item[0].job, 1,
					   &output, &w.f->err),
			 0);
	assert_null(output);
	written_close(&w);
}

static void test_a_growing_output_is_followed(void **state)
{
	struct written w;
	written_open(&w, *state);
	written_add(&w, OUTPUT_STDOUT, "one ");
	struct output *output = open_output(&w);
	assert_true(output_fd(output) >= 0);
	check_all(&w, output);
	written_add(&w, OUTPUT_STDERR, "oops ");
	check_all(&w, output);
	written_bytes(&w, "more oops ", 10);
	check_all(&w, output);
	written_frame(&w, OUTPUT_STDOUT); /* its bytes are not there yet */
	check_all(&w, output);
	written_bytes(&w, "two", 3);
	check_all(&w, output);
	/* it ends, is folded and removed: whoever reads can read to the end */
	written_add(&w, OUTPUT_STDERR, " last");
	import_output(&w, true);
	written_remove(&w);
	check_all(&w, output);
	output_close(output);
	/* and whoever comes later finds the row */
	output = open_output(&w);
	assert_int_equal(output_fd(output), -1);
	check_all(&w, output);
	output_close(output);
	written_close(&w);
}

static void test_a_log_without_its_index_yet(void **state)
{
	struct written w;
	struct err err = ERR_INIT;
	char data[8];
	written_open(&w, *state);
	w.log_fd = create(&w, "log");
	struct output *output = open_output(&w);
	assert_int_equal(output_read(output, OUTPUT_STDOUT, 0, data, 8, &err), 0);
	written_add(&w, OUTPUT_STDERR, "late");
	check_all(&w, output);
	output_close(output);
	written_close(&w);
}

/* The writer goes on between the reader's look at the log and its look at the frames. */
static struct written *growing;

static ssize_t growing_pread(int fd, void *data, size_t bytes, off_t offset)
{
	if (growing != NULL) {
		struct written *w = growing;
		growing = NULL;
		written_add(w, OUTPUT_STDERR, "grown meanwhile");
		written_frame(w, OUTPUT_STDOUT);
	}
	return pread(fd, data, bytes, offset);
}

static void test_it_grows_between_two_looks(void **state)
{
	struct written w;
	int64_t size = -1;
	written_open(&w, *state);
	written_add(&w, OUTPUT_STDOUT, "before");
	struct output *output = open_output(&w);
	ssize_t (*const real)(int, void *, size_t, off_t) = sys.pread;
	growing = &w;
	sys.pread = growing_pread;
	const int result = output_size(output, OUTPUT_STDOUT, &size, &w.f->err);
	sys.pread = real;
	assert_done(result, &w.f->err);
	assert_null(growing);
	assert_int_equal(size, 6);
	check_all(&w, output);
	output_close(output);
	written_close(&w);
}

static void random_output(void **state, bool is_live, bool is_folded, int stretches)
{
	struct written w;
	written_open(&w, *state);
	written_random(&w, 42, stretches, 60);
	if (!is_live) {
		import_output(&w, is_folded);
		if (is_folded)
			written_remove(&w);
	}
	struct output *output = open_output(&w);
	check_all(&w, output);
	output_close(output);
	written_close(&w);
}

static void test_random_frames_live(void **state)
{
	random_output(state, true, false, 5000);
}

static void test_random_frames_folded(void **state)
{
	random_output(state, false, true, 1500);
}

static void test_random_frames_in_a_file(void **state)
{
	random_output(state, false, false, 5000);
}

/* Random access over a random output, against the oracle. */
static void test_random_reads(void **state)
{
	struct written w;
	char data[300];
	uint32_t random = 7;
	written_open(&w, *state);
	written_random(&w, 4, 6000, 40);
	struct output *output = open_output(&w);
	for (int i = 0; i < 5000; i++) {
		random = random * 1664525 + 1013904223;
		const enum output_stream stream =
			(enum output_stream)((random >> 16) % 3);
		const struct buf *oracle = oracle_of(&w, stream);
		const size_t offset = (random >> 4) % (oracle->length + 10);
		const size_t bytes = (random >> 20) % sizeof data;
		const size_t left = offset < oracle->length ? oracle->length - offset : 0;
		const ssize_t got = output_read(output, stream, (int64_t)offset, data,
						bytes, &w.f->err);
		assert_int_equal(got, bytes < left ? bytes : left);
		if (got > 0)
			assert_memory_equal(data, oracle->data + offset, (size_t)got);
	}
	output_close(output);
	written_close(&w);
}

static void test_all_byte_values_come_back(void **state)
{
	struct written w;
	uint8_t bytes[256];
	for (int i = 0; i < 256; i++)
		bytes[i] = (uint8_t)i;
	written_open(&w, *state);
	written_frame(&w, OUTPUT_STDOUT);
	written_bytes(&w, bytes, sizeof bytes);
	import_output(&w, true);
	written_remove(&w);
	struct output *output = open_output(&w);
	check_all(&w, output);
	output_close(output);
	struct attempt attempt;
	assert_int_equal(queue_attempt_get(w.f->queue, w.claims.item[0].job.row, 1,
					   &attempt, &w.f->err),
			 1);
	assert_string_equal(attempt.stored, "row");
	assert_int_equal(attempt.stdout_bytes, 256);
	attempt_release(&attempt);
	written_close(&w);
}

static void test_a_removed_output_is_gone(void **state)
{
	struct written w;
	struct output *output = NULL;
	written_open(&w, *state);
	written_add(&w, OUTPUT_STDOUT, "x");
	import_output(&w, false);
	written_remove(&w);
	assert_int_equal(queue_output_open(w.f->queue, w.f->dir, &w.claims.item[0].job, 1,
					   &output, &w.f->err),
			 -1);
	assert_int_equal(w.f->err.code, ERR_GONE);
	assert_int_equal(
		fixture_sql(w.f->dir, "UPDATE output SET stored = 'removed'", NULL), 0);
	assert_int_equal(queue_output_open(w.f->queue, w.f->dir, &w.claims.item[0].job, 1,
					   &output, &w.f->err),
			 -1);
	assert_int_equal(w.f->err.code, ERR_GONE);
	written_close(&w);
}

static void test_what_was_dropped_is_counted(void **state)
{
	struct fixture *f = *state;
	struct submitted submitted;
	struct claim_list list;
	struct attempt attempt;
	struct attempt_end end = fixture_end(0);
	end.dropped_bytes = 12345; /* limits.output_bytes was 0 */
	fixture_submit(f, "uid:1000", &submitted);
	fixture_claim(f, &list);
	assert_int_equal(fixture_import(f, &list.item[0], &end), 1);
	assert_int_equal(queue_attempt_get(f->queue, submitted.row, 1, &attempt, &f->err),
			 1);
	assert_int_equal(attempt.dropped_bytes, 12345);
	attempt_release(&attempt);
	claim_list_release(&list);
}

static void test_frames_pack_and_paths(void **state)
{
	(void)state;
	const struct frame frame = {.at_us = 1700000000123456,
				    .offset = INT64_C(0x0102030405060708),
				    .stdout_bytes = INT64_C(0x0102030405060707),
				    .stream = OUTPUT_STDERR};
	struct frame back;
	uint8_t packed[FRAME_BYTES];
	char path[ATTEMPT_PATH_BYTES], key[ATTEMPT_KEY_BYTES];
	frame_pack(&frame, packed);
	assert_int_equal(packed[0] & 1, 1);
	assert_int_equal(packed[8], 0x08); /* little endian on disk */
	assert_int_equal(packed[15], 0x01);
	frame_unpack(packed, &back);
	assert_int_equal(back.at_us, frame.at_us);
	assert_int_equal(back.offset, frame.offset);
	assert_int_equal(back.stdout_bytes, frame.stdout_bytes);
	assert_int_equal(back.stream, OUTPUT_STDERR);
	/* 0x0193f2c40000 ms is in this day */
	const char *id = "0193f2c4-0000-7000-8000-000000000000";
	attempt_output_path(id, 12, ".log", path);
	assert_string_equal(path, "output/2024-12-23/"
				  "0193f2c4-0000-7000-8000-000000000000-12.log");
	attempt_journal_path(id, 3, path);
	assert_string_equal(path, "attempts/0193f2c4-0000-7000-8000-000000000000-3");
	attempt_key(id, 3, key);
	assert_string_equal(key, "0193f2c4-0000-7000-8000-000000000000-3");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_nothing_written_yet),
		TEST(test_a_growing_output_is_followed),
		TEST(test_a_log_without_its_index_yet),
		TEST(test_it_grows_between_two_looks),
		TEST(test_random_frames_live),
		TEST(test_random_frames_folded),
		TEST(test_random_frames_in_a_file),
		TEST(test_random_reads),
		TEST(test_all_byte_values_come_back),
		TEST(test_a_removed_output_is_gone),
		TEST(test_what_was_dropped_is_counted),
		TEST(test_frames_pack_and_paths),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
