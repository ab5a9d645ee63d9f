/* test_worker_journal.c - the attempt journal: what is written comes back, and nothing
 * that is torn, changed or strange is believed. */
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "tests/unit/unit.h"
#include "worker/journal.h"

static struct journal sample(void)
{
	struct journal facts = {.shim_pid = 4711,
				.shim_started = 987654321,
				.boot_id = "0a1b2c3d-0000-4000-8000-0123456789ab",
				.cgroup = "/sys/fs/cgroup/with blank/50%/shim-1",
				.pid = 4712,
				.pid_started = 987654400,
				.started_at = INT64_C(1763740000123456)};

	facts.end = (struct attempt_end){.started_at = 1,
					 .ended_at = INT64_MAX,
					 .pid = 4712,
					 .pid_started = 3,
					 .has_signal = true,
					 .signal = 9,
					 .stop_reason = STOP_TIMEOUT,
					 .error = "exec: no \"way\"\n50% (ENOENT) =x=",
					 .cpu_user_us = 4,
					 .cpu_system_us = 5,
					 .max_rss_bytes = 6,
					 .read_bytes = 7,
					 .written_bytes = 8,
					 .stdout_bytes = 9,
					 .stderr_bytes = 10,
					 .dropped_bytes = 11};
	for (size_t i = 0; i < DIGEST_BYTES; i++)
		facts.end.sha256[i] = (uint8_t)(i * 7 + 1);
	return facts;
}

static void put_all(struct buf *ret, const struct journal *facts)
{
	journal_put_started(ret, facts);
	journal_put_process(ret, facts);
	journal_put_ended(ret, "", &facts->end);
}

static void test_what_is_written_comes_back(void **state)
{
	AUTO_BUF struct buf text = BUF_INIT(8192);
	const struct journal facts = sample();
	struct journal found;

	(void)state;
	put_all(&text, &facts);
	journal_parse(buf_text(&text), text.length, &found);
	assert_true(found.has_started && found.has_process && found.has_ended);
	assert_int_equal(found.shim_pid, facts.shim_pid);
	assert_int_equal(found.shim_started, facts.shim_started);
	assert_string_equal(found.boot_id, facts.boot_id);
	assert_string_equal(found.cgroup, facts.cgroup);
	assert_int_equal(found.pid, facts.pid);
	assert_int_equal(found.pid_started, facts.pid_started);
	assert_int_equal(found.started_at, facts.started_at);
	assert_memory_equal(&found.end, &facts.end, sizeof(facts.end));
}

static void test_exit_code_and_signal_are_kept_apart(void **state)
{
	struct journal found;

	(void)state;
	for (int kind = 0; kind < 3; kind++) {
		AUTO_BUF struct buf text = BUF_INIT(8192);
		struct attempt_end end = {.has_exit_code = kind == 1,
					  .has_signal = kind == 2};

		journal_put_ended(&text, "", &end);
		journal_parse(buf_text(&text), text.length, &found);
		assert_true(found.has_ended);
		assert_int_equal(found.end.has_exit_code, kind == 1);
		assert_int_equal(found.end.has_signal, kind == 2);
	}
}

static void test_no_cgroup_is_none(void **state)
{
	AUTO_BUF struct buf text = BUF_INIT(8192);
	struct journal facts = sample();
	struct journal found;

	(void)state;
	facts.cgroup[0] = '\0';
	journal_put_started(&text, &facts);
	journal_parse(buf_text(&text), text.length, &found);
	assert_true(found.has_started && !found.has_ended);
	assert_string_equal(found.cgroup, "");
}

/* Cut at every byte: a line counts when it is whole, and not a byte earlier. */
static void test_torn_lines_do_not_count(void **state)
{
	AUTO_BUF struct buf text = BUF_INIT(8192);
	const struct journal facts = sample();
	struct journal found;
	size_t started = 0;
	size_t process = 0;

	(void)state;
	journal_put_started(&text, &facts);
	started = text.length;
	journal_put_process(&text, &facts);
	process = text.length;
	journal_put_ended(&text, "", &facts.end);
	for (size_t cut = 0; cut <= text.length; cut++) {
		journal_parse(buf_text(&text), cut, &found);
		assert_int_equal(found.has_started, cut >= started);
		assert_int_equal(found.has_process, cut >= process);
		assert_int_equal(found.has_ended, cut == text.length);
	}
}

/* Every byte changed once: the line it is in is not believed, the others are. */
static void test_changed_bytes_are_found(void **state)
{
	AUTO_BUF struct buf text = BUF_INIT(8192);
	const struct journal facts = sample();
	struct journal found;
	size_t started = 0;

	(void)state;
	journal_put_started(&text, &facts);
	started = text.length;
	journal_put_ended(&text, "", &facts.end);
	for (size_t at = 0; at < text.length; at++) {
		const char was = text.data[at];

		text.data[at] = (char)(was ^ 1);
		journal_parse(buf_text(&text), text.length, &found);
		/* Without its newline the first line swallows the second. */
		if (at != started - 1)
			assert_int_equal(found.has_ended, at < started);
		assert_int_equal(found.has_started, at >= started);
		text.data[at] = was;
	}
}

static void test_garbage_is_nothing(void **state)
{
	static const char *const GARBAGE[] = {"",
					      "\n",
					      "\n\n\n",
					      "ended\n",
					      " crc=00000000\n",
					      "started crc=\n",
					      "ended exit=0 crc=00000000\n",
					      "=\n=\n \n",
					      "crc=\xff\xfe\n"};
	struct journal found;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(GARBAGE); i++) {
		journal_parse(GARBAGE[i], strlen(GARBAGE[i]), &found);
		assert_false(found.has_started || found.has_process || found.has_ended);
	}
}

static void test_line_after_a_torn_one_counts(void **state)
{
	AUTO_BUF struct buf text = BUF_INIT(8192);
	const struct journal facts = sample();
	struct journal found;

	(void)state;
	assert_int_equal(buf_append_text(&text, "ended pid=1 sta\n"), 0);
	journal_put_ended(&text, "", &facts.end);
	journal_parse(buf_text(&text), text.length, &found);
	assert_true(found.has_ended);
	assert_int_equal(found.end.signal, 9);
}

/* --- the file --- */

static ssize_t write_half(int fd, const void *data, size_t bytes)
{
	return write(fd, data, bytes / 2);
}

static ssize_t write_nothing(int fd, const void *data, size_t bytes)
{
	(void)fd;
	(void)data;
	(void)bytes;
	errno = ENOSPC;
	return -1;
}

static void test_append_is_all_or_nothing(void **state)
{
	static ssize_t (*const FAULTS[])(int, const void *, size_t) = {write_half,
								       write_nothing};
	char *dir = scratch_make();
	AUTO_FREE char *path = file_join(dir, "journal");
	AUTO_BUF struct buf line = BUF_INIT(8192);
	const struct journal facts = sample();
	AUTO_CLOSE int fd = open(path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	struct journal found;

	(void)state;
	journal_put_started(&line, &facts);
	assert_int_equal(journal_append(fd, &line), 0);
	for (size_t i = 0; i < ARRAY_SIZE(FAULTS); i++) {
		ssize_t (*const was)(int, const void *, size_t) = sys.write;

		sys.write = FAULTS[i];
		assert_int_equal(journal_append(fd, &line), -1);
		assert_int_equal(errno, ENOSPC);
		sys.write = was;
		assert_int_equal(lseek(fd, 0, SEEK_END), (off_t)line.length);
	}
	buf_reset(&line);
	journal_put_ended(&line, "", &facts.end);
	assert_int_equal(journal_append(fd, &line), 0);
	assert_int_equal(journal_read(fd, &found), 0);
	assert_true(found.has_started && found.has_ended);
	scratch_remove(dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_is_written_comes_back),
		cmocka_unit_test(test_exit_code_and_signal_are_kept_apart),
		cmocka_unit_test(test_no_cgroup_is_none),
		cmocka_unit_test(test_torn_lines_do_not_count),
		cmocka_unit_test(test_changed_bytes_are_found),
		cmocka_unit_test(test_garbage_is_nothing),
		cmocka_unit_test(test_line_after_a_torn_one_counts),
		cmocka_unit_test(test_append_is_all_or_nothing),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
