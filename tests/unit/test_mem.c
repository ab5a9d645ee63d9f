/* test_mem.c - memory that is there, or the process is not. */
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/mem.h"
#include "tests/unit/unit.h"

/* The sanitizer's allocator must fail like the real one for these tests. */
const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
	return "allocator_may_return_null=1";
}

static void memory_is_zeroed_and_never_null(void **state)
{
	(void)state;
	AUTO_FREE char *const none = mem_alloc(0);
	AUTO_FREE char *const some = mem_alloc(64);
	AUTO_FREE int *const empty = mem_array(0, sizeof(int));
	AUTO_FREE int *const array = mem_array(16, sizeof(int));
	AUTO_FREE void *const grown = mem_grow(NULL, 0);

	assert_non_null(none);
	assert_non_null(empty);
	assert_non_null(grown);
	for (size_t i = 0; i < 64; i++)
		assert_int_equal(some[i], 0);
	for (size_t i = 0; i < 16; i++)
		assert_int_equal(array[i], 0);
}

static void growing_keeps_the_content(void **state)
{
	(void)state;
	AUTO_FREE char *block = mem_strdup("abc");

	block = mem_grow(block, 1 << 20);
	assert_string_equal(block, "abc");
}

static void copies_are_whole(void **state)
{
	(void)state;
	AUTO_FREE char *const copy = mem_strdup("text");
	AUTO_FREE char *const part = mem_strndup("a\0bcd", 3);
	AUTO_FREE char *const printed = mem_printf("%s-%d", "x", 42);

	assert_string_equal(copy, "text");
	assert_memory_equal(part, "a\0b", 4);
	assert_string_equal(printed, "x-42");
	assert_null(mem_strdup(NULL));
}

static void ask_for_half_of_everything(void)
{
	volatile size_t bytes = SIZE_MAX / 4;

	free(mem_alloc(bytes));
}

static void ask_for_a_product_that_overflows(void)
{
	volatile size_t count = SIZE_MAX / 2;

	free(mem_array(count, 4));
}

static void grow_beyond_everything(void)
{
	volatile size_t bytes = SIZE_MAX / 4;

	free(mem_grow(NULL, bytes));
}

static void shortage_ends_the_process_with_111(void **state)
{
	(void)state;
	static void (*const asks[])(void) = {
		ask_for_half_of_everything,
		ask_for_a_product_that_overflows,
		grow_beyond_everything,
	};

	for (size_t i = 0; i < ARRAY_SIZE(asks); i++) {
		int status = 0;
		const pid_t child = fork();

		assert_true(child >= 0);
		if (child == 0) {
			const int null_fd = open("/dev/null", O_WRONLY | O_CLOEXEC);

			dup2(null_fd, STDERR_FILENO);
			asks[i]();
			_exit(0);
		}
		assert_int_equal(waitpid(child, &status, 0), child);
		assert_true(WIFEXITED(status));
		assert_int_equal(WEXITSTATUS(status), 111);
	}
}

static void descriptors_close_at_the_end_of_the_scope(void **state)
{
	(void)state;
	int number = -1;

	{
		AUTO_CLOSE const int none = -1;
		/* Closing this one fails, which is not what the caller asked. */
		AUTO_CLOSE const int not_open = 1000000;
		AUTO_CLOSE const int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);

		assert_true(fd >= 0);
		assert_int_equal(none, -1);
		assert_int_equal(not_open, 1000000);
		number = fd;
		errno = ENOSPC;
	}
	assert_int_equal(errno, ENOSPC);
	assert_int_equal(fcntl(number, F_GETFD), -1);
}

static void a_descriptor_is_closed_once(void **state)
{
	(void)state;
	int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	const int number = fd;

	assert_true(fd >= 0);
	mem_close(&fd);
	assert_int_equal(fd, -1);
	assert_int_equal(fcntl(number, F_GETFD), -1);
	const int others = open("/dev/null", O_RDONLY | O_CLOEXEC);

	assert_int_equal(others, number);
	mem_close(&fd);
	assert_true(fcntl(others, F_GETFD) >= 0);
	close(others);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(memory_is_zeroed_and_never_null),
		cmocka_unit_test(growing_keeps_the_content),
		cmocka_unit_test(copies_are_whole),
		cmocka_unit_test(shortage_ends_the_process_with_111),
		cmocka_unit_test(descriptors_close_at_the_end_of_the_scope),
		cmocka_unit_test(a_descriptor_is_closed_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
