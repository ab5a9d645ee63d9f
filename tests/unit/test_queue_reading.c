/* test_queue_reading.c - last lines, the source of bytes, and searching, each against a
 * walk over all bytes, for outputs that grow, are folded, lie in files, and compressed.
 */
#include <fcntl.h>
#include <unistd.h>

#include "tests/unit/written.h"

/* --- how outputs lie --- */

static uint32_t draw(uint32_t *random)
{
	*random = *random * 1664525 + 1013904223;
	return *random >> 8;
}

enum lie { LIE_LIVE, LIE_FILE, LIE_ROW, LIE_PACKED, LIES };

static struct output *laid(struct written *w, enum lie lie)
{
	if (lie != LIE_LIVE)
		written_import(w, lie == LIE_ROW);
	if (lie == LIE_ROW)
		written_remove(w);
	if (lie == LIE_PACKED)
		written_compress(w);
	return written_output(w);
}

/* --- tail --- */

/* As tail(1): count newlines from the end, but for one that is the last byte. */
static size_t oracle_tail(const struct buf *bytes, int64_t lines)
{
	size_t at = bytes->length;
	if (lines == 0)
		return at;
	if (at > 0)
		at--;
	for (; at > 0; at--)
		if (bytes->data[at - 1] == '\n' && --lines == 0)
			return at;
	return 0;
}

static void check_tail(const struct written *w, struct output *output, int64_t lines)
{
	struct err err = ERR_INIT;
	for (int s = OUTPUT_BOTH; s <= OUTPUT_STDERR; s++) {
		int64_t offset = -1;
		assert_done(
			output_tail(output, (enum output_stream)s, lines, &offset, &err),
			&err);
		assert_int_equal(
			offset,
			oracle_tail(written_oracle(w, (enum output_stream)s), lines));
	}
}

static void test_tails(void **state)
{
	static const int64_t lines[] = {0, 1, 2, 3, 10, 100, 5000, 1000000};
	for (int lie = 0; lie < LIES; lie++) {
		struct written w;
		written_open(&w, *state);
		written_letters(&w, 5 + (uint32_t)lie, 4000, 90, "abcdefghijk\n");
		struct output *output = laid(&w, (enum lie)lie);
		for (size_t i = 0; i < ARRAY_SIZE(lines); i++)
			check_tail(&w, output, lines[i]);
		output_close(output);
		written_close(&w);
	}
}

static void test_tails_of_little(void **state)
{
	static const char *const texts[] = {"\n",  "x",	   "x\n",   "\n\n",
					    "\nx", "x\ny", "x\ny\n"};
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		struct written w;
		written_open(&w, *state);
		written_add(&w, OUTPUT_STDERR, texts[i]);
		struct output *output = written_output(&w);
		for (int64_t lines = 0; lines < 4; lines++)
			check_tail(&w, output, lines);
		output_close(output);
		written_close(&w);
	}
}

/* --- sources --- */

/* The stream's byte `at`, found by walking over all frames. false: there is none. */
static bool oracle_source(const struct written *w, enum output_stream stream, size_t at,
			  struct output_source *ret)
{
	int64_t before = 0;
	const size_t frames = w->frames.length / FRAME_BYTES;
	for (size_t i = 0; i < frames; i++) {
		struct frame frame, next = {.offset = (int64_t)w->whole.length};
		const uint8_t *raw = (const uint8_t *)w->frames.data + i * FRAME_BYTES;
		frame_unpack(raw, &frame);
		if (i + 1 < frames)
			frame_unpack(raw + FRAME_BYTES, &next);
		if (stream != OUTPUT_BOTH && stream != frame.stream)
			continue;
		before += next.offset - frame.offset;
		if ((int64_t)at < before) {
			*ret = (struct output_source){.at_us = frame.at_us,
						      .stream = frame.stream,
						      .until = before};
			return true;
		}
	}
	return false;
}

static void check_source(const struct written *w, struct output *output,
			 enum output_stream stream, size_t at)
{
	struct output_source source = {.until = -1}, expected = {.until = -1};
	struct err err = ERR_INIT;
	const int found = output_source(output, stream, (int64_t)at, &source, &err);
	assert_done(found, &err);
	assert_int_equal(found, oracle_source(w, stream, at, &expected));
	if (found == 0)
		return;
	assert_int_equal(source.at_us, expected.at_us);
	assert_int_equal(source.stream, expected.stream);
	assert_int_equal(source.until, expected.until);
}

static void test_sources(void **state)
{
	for (int lie = 0; lie < LIES; lie++) {
		struct written w;
		uint32_t random = 11;
		written_open(&w, *state);
		written_letters(&w, 23, 1200, 30, "ab\n");
		struct output *output = laid(&w, (enum lie)lie);
		for (int i = 0; i < 3000; i++) {
			const enum output_stream stream =
				(enum output_stream)(draw(&random) % 3);
			check_source(&w, output, stream,
				     draw(&random) % (w.whole.length + 5));
		}
		for (size_t at = 0; at < 500; at++)
			check_source(&w, output, OUTPUT_STDOUT, at);
		output_close(output);
		written_close(&w);
	}
}

static void test_the_source_of_what_grows(void **state)
{
	struct written w;
	written_open(&w, *state);
	written_add(&w, OUTPUT_STDOUT, "one");
	struct output *output = written_output(&w);
	check_source(&w, output, OUTPUT_BOTH, 2);
	check_source(&w, output, OUTPUT_BOTH, 3);
	written_frame(&w, OUTPUT_STDERR); /* without its bytes */
	check_source(&w, output, OUTPUT_BOTH, 3);
	check_source(&w, output, OUTPUT_STDERR, 0);
	written_bytes(&w, "two", 3);
	check_source(&w, output, OUTPUT_BOTH, 3);
	check_source(&w, output, OUTPUT_STDERR, 0);
	check_source(&w, output, OUTPUT_STDOUT, 2);
	output_close(output);
	written_close(&w);
}

/* --- searching --- */

static char lower(char letter)
{
	return letter >= 'A' && letter <= 'Z' ? (char)(letter + 32) : letter;
}

static bool stands_at(const struct search *search, const char *data, size_t left)
{
	if (left < search->needle_bytes)
		return false;
	for (size_t i = 0; i < search->needle_bytes; i++)
		if (search->ignores_case ? lower(data[i]) != lower(search->needle[i])
					 : data[i] != search->needle[i])
			return false;
	return true;
}

/* The next line with the needle from the begin of a line on. */
struct oracle_line {
	size_t at, end, found_at;
	int64_t number;
};

static bool oracle_next(const struct search *search, const struct buf *bytes,
			struct oracle_line *line)
{
	for (; line->at < bytes->length; line->at = line->end + 1) {
		const char *newline =
			memchr(bytes->data + line->at, '\n', bytes->length - line->at);
		line->number++;
		line->end =
			newline != NULL ? (size_t)(newline - bytes->data) : bytes->length;
		for (size_t k = line->at; k < line->end; k++)
			if (stands_at(search, bytes->data + k, line->end - k)) {
				line->found_at = k;
				return true;
			}
	}
	return false;
}

static void check_text(const struct search *search, const struct buf *bytes,
		       const struct oracle_line *line, const struct search_text *text)
{
	const size_t whole = line->end - line->at;
	assert_int_equal(text->is_cut, whole > SEARCH_TEXT_BYTES);
	assert_true(text->bytes <= SEARCH_TEXT_BYTES);
	if (!text->is_cut) {
		assert_int_equal(text->offset, line->at);
		assert_int_equal(text->bytes, whole);
	}
	/* the place that was found is to be seen */
	assert_true((size_t)text->offset >= line->at);
	assert_true((size_t)text->offset <= line->found_at);
	assert_true((size_t)text->offset + text->bytes >=
		    line->found_at + search->needle_bytes);
	assert_true((size_t)text->offset + text->bytes <= line->end);
	assert_memory_equal(text->data, bytes->data + text->offset, text->bytes);
}

/* All hits, asked for `max` at a time and `budget` bytes at a time, are the oracle's. */
static void check_search(const struct written *w, struct output *output,
			 struct search search, size_t max, int64_t budget)
{
	const struct buf *bytes = written_oracle(w, search.stream);
	struct oracle_line line = {.end = (size_t)-1};
	struct search_hit hit[16];
	struct search_text text;
	struct err err = ERR_INIT;
	size_t count;
	int more;
	do {
		const int64_t before = search.place.offset;
		more = output_search(output, &search, budget, hit, max, &count, &err);
		assert_done(more, &err);
		assert_true(search.place.offset <= before + budget + (1 << 16));
		assert_true(more == 0 || count > 0 || search.place.offset > before);
		for (size_t i = 0; i < count; i++) {
			struct output_source source = {.until = -1};
			line.at = line.end + 1;
			assert_true(oracle_next(&search, bytes, &line));
			assert_int_equal(hit[i].line, line.number);
			assert_int_equal(hit[i].offset, line.at);
			assert_int_equal(hit[i].found_at, line.found_at);
			assert_true(oracle_source(w, search.stream, line.at, &source));
			assert_int_equal(hit[i].at_us, source.at_us);
			assert_int_equal(hit[i].stream, source.stream);
			assert_done(
				output_search_text(output, &search, &hit[i], &text, &err),
				&err);
			check_text(&search, bytes, &line, &text);
		}
	} while (more == 1);
	line.at = line.end + 1;
	assert_false(oracle_next(&search, bytes, &line));
}

static struct search search_for(const char *needle, size_t bytes, int stream)
{
	return (struct search){.needle = needle,
			       .needle_bytes = bytes,
			       .stream = (enum output_stream)stream};
}

static void check_searches(const struct written *w, struct output *output)
{
	static const struct {
		const char *text;
		size_t bytes;
	} needles[] = {{"a", 1},    {"ab", 2},	   {"aba", 3},
		       {"b\0a", 3}, {"aabbab", 6}, {"abababababab", 12},
		       {"zzz", 3},  {"\0", 1}};
	static const int64_t budgets[] = {1, 4096, 1 << 20};
	for (size_t i = 0; i < ARRAY_SIZE(needles); i++)
		for (int s = OUTPUT_BOTH; s <= OUTPUT_STDERR; s++)
			check_search(w, output,
				     search_for(needles[i].text, needles[i].bytes, s),
				     16 - 2 * i, budgets[i % 3]);
	struct search search = search_for("AbaB", 4, OUTPUT_BOTH);
	check_search(w, output, search, 16, 1 << 20);
	search.ignores_case = true;
	check_search(w, output, search, 16, 1 << 20);
}

static void test_searches(void **state)
{
	for (int lie = 0; lie < LIES; lie++) {
		struct written w;
		written_open(&w, *state);
		written_letters(&w, 77 + (uint32_t)lie, 1600, 120, "abababAB\n");
		struct output *output = laid(&w, (enum lie)lie);
		check_searches(&w, output);
		output_close(output);
		written_close(&w);
	}
}

/* Lines of many blocks, in which the needle lies anywhere. */
static void test_searches_in_long_lines(void **state)
{
	struct written w;
	written_open(&w, *state);
	for (uint32_t i = 0; i < 4; i++) {
		written_letters(&w, 3 + i, 3000, 120, "ab");
		written_add(&w, OUTPUT_STDOUT, i % 2 ? "needle\n" : "needle");
	}
	struct output *output = laid(&w, LIE_FILE);
	check_searches(&w, output);
	for (int s = OUTPUT_BOTH; s <= OUTPUT_STDERR; s++) {
		check_search(&w, output, search_for("needle", 6, s), 3, 1);
		check_search(&w, output, search_for("dlea", 4, s), 3, 4096);
	}
	output_close(output);
	written_close(&w);
}

/* The needle at every place around the border of two blocks. */
static void test_a_needle_across_blocks(void **state)
{
	char line[64];
	for (int shift = 0; shift < 14; shift++) {
		struct written w;
		written_open(&w, *state);
		memset(line, 'x', sizeof line);
		line[63] = '\n';
		written_frame(&w, OUTPUT_STDOUT);
		for (int i = 0; i < 1023; i++)
			written_bytes(&w, line, sizeof line);
		written_bytes(&w, line, sizeof line - 13 + (size_t)shift);
		written_add(&w, OUTPUT_STDERR, "nee");
		written_add(&w, OUTPUT_STDOUT, "dle and a needle\nneedle");
		struct output *output = written_output(&w);
		for (int s = OUTPUT_BOTH; s <= OUTPUT_STDERR; s++)
			check_search(&w, output, search_for("needle", 6, s), 4, 1 << 20);
		output_close(output);
		written_close(&w);
	}
}

/* A search that has come to the present end goes on with what is added, also in the
 * middle of what it looks for. */
static void test_a_search_goes_on_when_more_is_written(void **state)
{
	struct written w;
	struct search search = search_for("needle", 6, OUTPUT_BOTH);
	struct search_hit hit[4];
	size_t count = 9;
	written_open(&w, *state);
	written_add(&w, OUTPUT_STDOUT, "one\na nee");
	struct output *output = written_output(&w);
	assert_int_equal(
		output_search(output, &search, 1 << 20, hit, 4, &count, &w.f->err), 0);
	assert_int_equal(count, 0);
	written_add(&w, OUTPUT_STDERR, "dle here");
	assert_int_equal(
		output_search(output, &search, 1 << 20, hit, 4, &count, &w.f->err), 0);
	assert_int_equal(count, 1);
	assert_int_equal(hit[0].line, 2);
	assert_int_equal(hit[0].offset, 4);
	assert_int_equal(hit[0].found_at, 6);
	written_add(&w, OUTPUT_STDOUT, " and a needle\nneedle");
	assert_int_equal(
		output_search(output, &search, 1 << 20, hit, 4, &count, &w.f->err), 0);
	assert_int_equal(count, 1);
	assert_int_equal(hit[0].line, 3);
	output_close(output);
	written_close(&w);
}

static void test_needles_that_are_none(void **state)
{
	struct written w;
	char large[SEARCH_NEEDLE_MAX + 2] = "";
	struct search_hit hit[1];
	size_t count;
	memset(large, 'x', sizeof large - 1);
	written_open(&w, *state);
	written_add(&w, OUTPUT_STDOUT, large);
	struct output *output = written_output(&w);
	struct search wrong[] = {
		search_for("", 0, OUTPUT_BOTH), search_for("a\nb", 3, OUTPUT_BOTH),
		search_for(large, sizeof large - 1, OUTPUT_BOTH),
		search_for("x", 1, OUTPUT_BOTH), search_for("x", 1, OUTPUT_BOTH)};
	wrong[3].place.line_at = 1;
	wrong[4].place.offset = INT64_MAX;
	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
		assert_int_equal(
			output_search(output, &wrong[i], 100, hit, 1, &count, &w.f->err),
			-1);
		assert_int_equal(w.f->err.code, ERR_INVALID);
	}
	output_close(output);
	written_close(&w);
}

/* A frame may have one byte: then a page is over long before its bytes. */
static void test_small_frames_count(void **state)
{
	struct written w;
	struct search_hit hit;
	size_t count;
	written_open(&w, *state);
	for (int i = 0; i < 160000; i++)
		written_add(&w, i % 2 ? OUTPUT_STDOUT : OUTPUT_STDERR, "x");
	struct output *output = written_output(&w);
	for (int s = OUTPUT_BOTH; s <= OUTPUT_STDERR; s++) {
		struct search search = search_for("nowhere", 7, s);
		assert_int_equal(
			output_search(output, &search, 1 << 20, &hit, 1, &count, NULL),
			s != OUTPUT_BOTH);
	}
	output_close(output);
	written_close(&w);
}

/* --- an index that is none --- */

static int index_open(struct written *w)
{
	char path[256], name[ATTEMPT_PATH_BYTES];
	attempt_output_path(w->claims.item[0].job.id, 1, "idx", name);
	(void)snprintf(path, sizeof path, "%s/%s", w->f->dir, name);
	const int fd = open(path, O_WRONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	return fd;
}

/* Both streams together are read and searched all the same. */
static void check_only_both(struct written *w)
{
	struct err err = ERR_INIT;
	struct search search = search_for("needle", 6, OUTPUT_BOTH);
	struct search_hit hit[1];
	struct output_source source;
	size_t count;
	int64_t size;
	char data[64];
	struct output *output = written_output(w);
	written_check_from(w, output, OUTPUT_BOTH, 0, 4096);
	assert_int_equal(output_search(output, &search, 1 << 20, hit, 1, &count, &err),
			 0);
	assert_int_equal(count, 1);
	assert_int_equal(hit[0].at_us, 0);
	assert_int_equal(hit[0].stream, OUTPUT_BOTH);
	for (int s = OUTPUT_STDOUT; s <= OUTPUT_STDERR; s++) {
		const enum output_stream stream = (enum output_stream)s;
		const bool is_read =
			output_size(output, stream, &size, &err) == 0 &&
			output_read(output, stream, 0, data, sizeof data, &err) >= 0 &&
			output_source(output, stream, 0, &source, &err) >= 0;
		assert_false(is_read);
		assert_non_null(strstr(err.text, "frames of this output"));
		assert_int_equal(err.code, ERR_INTERNAL);
	}
	output_close(output);
}

static void damage(struct written *w, uint8_t *frames, size_t bytes)
{
	const int fd = index_open(w);
	assert_int_equal(ftruncate(fd, 0), 0);
	assert_int_equal(pwrite(fd, frames, bytes, 0), (ssize_t)bytes);
	assert_int_equal(close(fd), 0);
	check_only_both(w);
}

static void test_damaged_frames(void **state)
{
	struct written w;
	uint8_t old[48] = {0}, frames[3 * FRAME_BYTES];
	written_open(&w, *state);
	written_add(&w, OUTPUT_STDOUT, "one\n");
	written_add(&w, OUTPUT_STDERR, "two needle\n");
	written_add(&w, OUTPUT_STDOUT, "three\n");
	memcpy(frames, w.frames.data, sizeof frames);
	/* three frames of 16 bytes, as they once were: time and offset */
	for (size_t i = 0; i < 3; i++) {
		memcpy(old + 16 * i, frames + FRAME_BYTES * i, 16);
	}
	damage(&w, old, sizeof old);
	damage(&w, old, 0);
	damage(&w, frames, 10);
	frames[FRAME_BYTES + 16]++; /* how much of stdout stands before the second */
	damage(&w, frames, sizeof frames);
	written_close(&w);
}

/* The writer takes back frames of which no byte could be written, after the reader has
 * seen how many there are. */
static struct written *shrinking;

static ssize_t shrinking_pread(int fd, void *data, size_t bytes, off_t offset)
{
	if (shrinking != NULL) {
		const int index = index_open(shrinking);
		assert_int_equal(ftruncate(index, 2 * FRAME_BYTES), 0);
		assert_int_equal(close(index), 0);
		shrinking = NULL;
	}
	return pread(fd, data, bytes, offset);
}

static void test_frames_that_are_taken_back(void **state)
{
	struct written w;
	int64_t size = -1;
	written_open(&w, *state);
	written_add(&w, OUTPUT_STDOUT, "one");
	written_add(&w, OUTPUT_STDERR, "three");
	for (int i = 0; i < 700; i++)
		written_frame(&w, i % 2 ? OUTPUT_STDERR : OUTPUT_STDOUT);
	struct output *output = written_output(&w);
	ssize_t (*const real)(int, void *, size_t, off_t) = sys.pread;
	shrinking = &w;
	sys.pread = shrinking_pread;
	const int result = output_size(output, OUTPUT_STDERR, &size, &w.f->err);
	sys.pread = real;
	assert_done(result, &w.f->err);
	assert_null(shrinking);
	assert_int_equal(size, 5);
	written_check(&w, output);
	output_close(output);
	written_close(&w);
}

/* --- far in a long index --- */

static int64_t index_reads;

static ssize_t counting_pread(int fd, void *data, size_t bytes, off_t offset)
{
	index_reads++;
	return pread(fd, data, bytes, offset);
}

/* Reads that a random byte of stdout, the last lines, and the length cost. */
static int64_t reads_of(void **state, int stretches)
{
	struct written w;
	int64_t offset, size;
	char data[16];
	written_open(&w, *state);
	written_letters(&w, 9, stretches, 12, "ab\n");
	struct output *output = laid(&w, LIE_FILE);
	ssize_t (*const real)(int, void *, size_t, off_t) = sys.pread;
	index_reads = 0;
	sys.pread = counting_pread;
	assert_int_equal(output_size(output, OUTPUT_STDOUT, &size, NULL), 0);
	assert_int_equal(output_tail(output, OUTPUT_BOTH, 100, &offset, NULL), 0);
	assert_int_equal(
		output_read(output, OUTPUT_STDOUT, size / 3, data, sizeof data, NULL),
		sizeof data);
	sys.pread = real;
	output_close(output);
	written_close(&w);
	return index_reads;
}

static void test_any_byte_costs_a_few_reads(void **state)
{
	const int64_t few = reads_of(state, 3000), many = reads_of(state, 300000);
	/* 100 times the frames: seven more steps of each of the two searches */
	assert_in_range(many, 1, few + 16);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_tails),
		TEST(test_tails_of_little),
		TEST(test_sources),
		TEST(test_the_source_of_what_grows),
		TEST(test_searches),
		TEST(test_searches_in_long_lines),
		TEST(test_a_needle_across_blocks),
		TEST(test_a_search_goes_on_when_more_is_written),
		TEST(test_needles_that_are_none),
		TEST(test_small_frames_count),
		TEST(test_damaged_frames),
		TEST(test_frames_that_are_taken_back),
		TEST(test_any_byte_costs_a_few_reads),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
