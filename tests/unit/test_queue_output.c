/* test_queue_output.c - reading outputs: growing, folded, in files, by stream. */
#include <unistd.h>

#include "tests/unit/written.h"

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
	struct output *output = written_output(&w);
	assert_true(output_fd(output) >= 0);
	written_check(&w, output);
	written_add(&w, OUTPUT_STDERR, "oops ");
	written_check(&w, output);
	written_bytes(&w, "more oops ", 10);
	written_check(&w, output);
	written_frame(&w, OUTPUT_STDOUT); /* its bytes are not there yet */
	written_check(&w, output);
	written_bytes(&w, "two", 3);
	written_check(&w, output);
	/* it ends, is folded and removed: whoever reads can read to the end */
	written_add(&w, OUTPUT_STDERR, " last");
	written_import(&w, true);
	written_remove(&w);
	written_check(&w, output);
	output_close(output);
	/* and whoever comes later finds the row */
	output = written_output(&w);
	assert_int_equal(output_fd(output), -1);
	written_check(&w, output);
	output_close(output);
	written_close(&w);
}

static bool is_file(struct output *output, enum output_stream stream)
{
	struct err err = ERR_INIT;
	int64_t size;
	assert_done(output_size(output, stream, &size, &err), &err);
	return output_is_file(output, stream);
}

static void test_what_the_file_alone_has(void **state)
{
	struct written w;
	char data[32] = {0};
	written_open(&w, *state);
	written_add(&w, OUTPUT_STDERR, "oops ");
	struct output *output = written_output(&w);
	assert_true(is_file(output, OUTPUT_BOTH));
	assert_true(is_file(output, OUTPUT_STDERR));
	assert_false(is_file(output, OUTPUT_STDOUT));
	written_frame(&w, OUTPUT_STDOUT); /* its bytes are not there yet */
	assert_true(is_file(output, OUTPUT_STDERR));
	written_bytes(&w, "one ", 4);
	written_add(&w, OUTPUT_STDERR, "again");
	assert_true(is_file(output, OUTPUT_BOTH));
	assert_false(is_file(output, OUTPUT_STDERR));
	assert_false(is_file(output, OUTPUT_STDOUT));
	written_import(&w, true);
	written_remove(&w);
	const int fd = output_into_fd(output);
	assert_true(fd >= 0);
	assert_int_equal(pread(fd, data, sizeof data, 0), 14);
	assert_string_equal(data, "oops one again");
	close(fd);
	/* now it is in a row */
	output = written_output(&w);
	assert_false(is_file(output, OUTPUT_BOTH));
	assert_int_equal(output_into_fd(output), -1);
	written_close(&w);
}

static void test_a_log_without_its_index_yet(void **state)
{
	struct written w;
	struct err err = ERR_INIT;
	char data[8];
	written_open(&w, *state);
	w.log_fd = written_create(&w, "log");
	struct output *output = written_output(&w);
	assert_int_equal(output_read(output, OUTPUT_STDOUT, 0, data, 8, &err), 0);
	written_add(&w, OUTPUT_STDERR, "late");
	written_check(&w, output);
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
	struct output *output = written_output(&w);
	ssize_t (*const real)(int, void *, size_t, off_t) = sys.pread;
	growing = &w;
	sys.pread = growing_pread;
	const int result = output_size(output, OUTPUT_STDOUT, &size, &w.f->err);
	sys.pread = real;
	assert_done(result, &w.f->err);
	assert_null(growing);
	assert_int_equal(size, 6);
	written_check(&w, output);
	output_close(output);
	written_close(&w);
}

static void random_output(void **state, bool is_live, bool is_folded, int stretches)
{
	struct written w;
	written_open(&w, *state);
	written_random(&w, 42, stretches, 60);
	if (!is_live) {
		written_import(&w, is_folded);
		if (is_folded)
			written_remove(&w);
	}
	struct output *output = written_output(&w);
	written_check(&w, output);
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
	struct output *output = written_output(&w);
	for (int i = 0; i < 5000; i++) {
		random = random * 1664525 + 1013904223;
		const enum output_stream stream =
			(enum output_stream)((random >> 16) % 3);
		const struct buf *oracle = written_oracle(&w, stream);
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
	written_import(&w, true);
	written_remove(&w);
	struct output *output = written_output(&w);
	written_check(&w, output);
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
	written_import(&w, false);
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
		TEST(test_what_the_file_alone_has),
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
