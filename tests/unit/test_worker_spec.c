/* test_worker_spec.c - what a worker tells a shim arrives whole or not at all. */
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/unit/unit.h"
#include "worker/spec.h"

static char PROGRAM[] = "/usr/bin/env", ARGUMENT[] = "", VARIABLE[] = "A=b c";
static char DIRECTORY[] = "/tmp", CGROUP[] = "/cg", ROOT[] = "/usr/bin", OTHER[] = "/opt";
static char *ARGV[] = {PROGRAM, ARGUMENT, ARGUMENT, NULL};
static char *ENVIRONMENT[] = {VARIABLE, NULL};
static struct exec_root ROOTS[] = {{ROOT, true}, {OTHER, false}};

static struct spec sample(void)
{
	return (struct spec){.job_id = "01a1fe12-e90b-7249-8227-5f9edd479054",
			     .number = 3,
			     .timeout_us = 4,
			     .kill_grace_us = 5,
			     .output_bytes_max = INT64_MAX,
			     .output_fold_bytes = 7,
			     .output_policy = OUTPUT_STOP,
			     .working_directory = DIRECTORY,
			     .cgroup = CGROUP,
			     .argv = ARGV,
			     .environment = ENVIRONMENT,
			     .roots = {ROOTS, 2}};
}

static void assert_same(const struct spec *found, const struct spec *spec)
{
	assert_string_equal(found->job_id, spec->job_id);
	assert_int_equal(found->number, spec->number);
	assert_int_equal(found->timeout_us, spec->timeout_us);
	assert_int_equal(found->kill_grace_us, spec->kill_grace_us);
	assert_int_equal(found->output_bytes_max, spec->output_bytes_max);
	assert_int_equal(found->output_fold_bytes, spec->output_fold_bytes);
	assert_int_equal(found->output_policy, spec->output_policy);
	assert_string_equal(found->working_directory, spec->working_directory);
	assert_string_equal(found->cgroup, spec->cgroup);
	for (size_t i = 0; spec->argv[i] != NULL; i++)
		assert_string_equal(found->argv[i], spec->argv[i]);
	assert_string_equal(found->environment[0], spec->environment[0]);
	assert_null(found->environment[1]);
	assert_int_equal(found->roots.count, 2);
	assert_string_equal(found->roots.item[1].path, OTHER);
	assert_true(found->roots.item[0].follow_links);
	assert_false(found->roots.item[1].follow_links);
}

static void test_round_trip(void **state)
{
	AUTO_BUF struct buf bytes = BUF_INIT(SPEC_BYTES_MAX);
	const struct spec spec = sample();
	struct spec found;

	(void)state;
	assert_int_equal(spec_encode(&spec, &bytes), 0);
	assert_int_equal(spec_decode(bytes.data, bytes.length, &found, NULL), 0);
	assert_same(&found, &spec);
	spec_release(&found);
}

static void test_cut_and_longer_ones_are_refused(void **state)
{
	AUTO_BUF struct buf bytes = BUF_INIT(SPEC_BYTES_MAX);
	const struct spec spec = sample();
	struct spec found;
	struct err err = ERR_INIT;

	(void)state;
	assert_int_equal(spec_encode(&spec, &bytes), 0);
	for (size_t cut = 0; cut < bytes.length; cut++) {
		assert_int_equal(spec_decode(bytes.data, cut, &found, &err), -1);
		assert_int_equal(err.code, ERR_INVALID);
	}
	assert_int_equal(buf_append_char(&bytes, '\0'), 0);
	assert_int_equal(spec_decode(bytes.data, bytes.length, &found, &err), -1);
}

/* Each byte set to 255 in turn: counts and lengths that promise too much. Refused or
 * read, but never past the end (the sanitizers watch). */
static void test_lying_lengths_do_no_harm(void **state)
{
	AUTO_BUF struct buf bytes = BUF_INIT(SPEC_BYTES_MAX);
	const struct spec spec = sample();

	(void)state;
	assert_int_equal(spec_encode(&spec, &bytes), 0);
	for (size_t at = 0; at < bytes.length; at++) {
		const char was = bytes.data[at];
		struct spec found;

		bytes.data[at] = (char)0xff;
		if (spec_decode(bytes.data, bytes.length, &found, NULL) == 0)
			spec_release(&found);
		bytes.data[at] = was;
	}
}

static void test_too_large_is_said(void **state)
{
	AUTO_BUF struct buf bytes = BUF_INIT(SPEC_BYTES_MAX);
	AUTO_FREE char *large = mem_alloc(SPEC_BYTES_MAX);
	char *argv[] = {PROGRAM, large, NULL};
	struct spec spec = sample();

	(void)state;
	memset(large, 'x', SPEC_BYTES_MAX - 1);
	spec.argv = argv;
	assert_int_equal(spec_encode(&spec, &bytes), -1);
}

/* Through the socket: small ones in the message, large ones beside it, with stdin. */
static void test_travels_with_its_stdin(void **state)
{
	static const size_t SIZES[] = {10, SPEC_INLINE_BYTES, (size_t)3 << 20};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(SIZES); i++) {
		AUTO_FREE char *word = mem_alloc(SIZES[i] + 1);
		AUTO_FREE char *room = mem_alloc(SPEC_ROOM_BYTES);
		char *argv[] = {PROGRAM, word, NULL};
		struct spec spec = sample();
		struct spec found;
		char content[8] = "";
		int stdin_fd = -1;
		int pair[2];
		const int given = memfd_of("test", "hello", 5);

		memset(word, 'y', SIZES[i]);
		spec.argv = argv;
		assert_int_equal(
			socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
		assert_int_equal(spec_send(pair[0], &spec, given, NULL), 0);
		assert_int_equal(spec_receive(pair[1], room, &found, &stdin_fd, NULL), 1);
		assert_string_equal(found.argv[1], word);
		assert_int_equal(read(stdin_fd, content, sizeof(content)), 5);
		assert_string_equal(content, "hello");
		assert_int_equal(write(stdin_fd, "x", 1), -1);
		spec_release(&found);
		close(stdin_fd);
		close(given);
		close(pair[0]);
		assert_int_equal(spec_receive(pair[1], room, &found, &stdin_fd, NULL), 0);
		close(pair[1]);
	}
}

/* A shim that does not read never makes the worker wait. */
static void test_sending_never_blocks(void **state)
{
	const struct spec spec = sample();
	struct err err = ERR_INIT;
	int pair[2];
	int sent = 0;

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
	while (sent < 1000000 && spec_send(pair[0], &spec, -1, &err) == 0)
		sent++;
	assert_int_equal(err.code, ERR_UNAVAILABLE);
	close(pair[1]);
	assert_int_equal(spec_send(pair[0], &spec, -1, &err), -1);
	close(pair[0]);
}

static void test_notices(void **state)
{
	const struct notice notice = {.kind = NOTICE_ENDED, .tag = 0xdeadbeef, .pid = 7};
	struct notice found;
	int pair[2];

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
	assert_int_equal(notice_receive(pair[0], &found), 0);
	assert_int_equal(notice_send(pair[1], &notice), 0);
	assert_int_equal(notice_receive(pair[0], &found), 1);
	assert_memory_equal(&found, &notice, sizeof(notice));
	close(pair[0]);
	assert_int_equal(notice_send(pair[1], &notice), -1);
	assert_int_equal(notice_receive(pair[1], &found), -1);
	close(pair[1]);
}

static void test_tags_differ(void **state)
{
	(void)state;
	assert_int_equal(spec_tag(""), UINT32_C(2166136261));
	assert_int_equal(spec_tag("a"), UINT32_C(0xe40c292c)); /* the published vector */
	assert_true(spec_tag("x-1") != spec_tag("x-2"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_cut_and_longer_ones_are_refused),
		cmocka_unit_test(test_lying_lengths_do_no_harm),
		cmocka_unit_test(test_too_large_is_said),
		cmocka_unit_test(test_travels_with_its_stdin),
		cmocka_unit_test(test_sending_never_blocks),
		cmocka_unit_test(test_notices),
		cmocka_unit_test(test_tags_differ),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
