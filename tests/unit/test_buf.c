/* test_buf.c - the bounded buffer, above all at its maximum. */
#include <stdlib.h>
#include <string.h>

#include "common/buf.h"
#include "common/mem.h"
#include "tests/unit/unit.h"

static void an_empty_buffer_is_an_empty_text(void **state)
{
	(void)state;
	AUTO_BUF struct buf buf = BUF_INIT(10);

	assert_string_equal(buf_text(&buf), "");
	assert_null(buf.data);
	AUTO_FREE char *const taken = buf_take(&buf);

	assert_string_equal(taken, "");
}

static void appends_of_all_kinds_follow_each_other(void **state)
{
	(void)state;
	AUTO_BUF struct buf buf = BUF_INIT(1000);

	assert_int_equal(buf_append(&buf, "a\0b", 3), 0);
	assert_int_equal(buf_append_text(&buf, "text"), 0);
	assert_int_equal(buf_append_char(&buf, '!'), 0);
	assert_int_equal(buf_printf(&buf, "%d", 42), 0);
	assert_int_equal(buf_append(&buf, NULL, 0), 0);
	assert_int_equal(buf.length, 10);
	assert_memory_equal(buf.data, "a\0btext!42", 11);
}

/* Appends n bytes to a buffer of `max` that holds `held`, in each of the ways. */
static void append_at(size_t max, size_t held, size_t n, int expected)
{
	static const char bytes[] = "0123456789012345678901234567890123456789";

	for (int way = 0; way < 3; way++) {
		AUTO_BUF struct buf buf = BUF_INIT(max);

		assert_int_equal(buf_append(&buf, bytes, held), 0);
		const int result =
			way == 0   ? buf_append(&buf, bytes, n)
			: way == 1 ? buf_append_text(&buf, bytes + sizeof(bytes) - 1 - n)
				   : buf_printf(&buf, "%.*s", (int)n, bytes);

		assert_int_equal(result, expected);
		assert_int_equal(buf.is_full, expected != 0);
		assert_int_equal(buf.length, expected == 0 ? held + n : held);
		assert_int_equal(strlen(buf_text(&buf)), buf.length);
	}
}

static void the_maximum_is_exact(void **state)
{
	(void)state;
	append_at(10, 0, 10, 0);
	append_at(10, 0, 11, -1);
	append_at(10, 9, 1, 0);
	append_at(10, 9, 2, -1);
	append_at(10, 10, 0, 0);
	append_at(10, 10, 1, -1);
	append_at(0, 0, 0, 0);
	append_at(0, 0, 1, -1);
}

/* Every length against every fill: each comes out exactly at what is allocated once. */
static void printing_fits_to_the_byte(void **state)
{
	(void)state;
	static char bytes[300];

	memset(bytes, 'x', sizeof(bytes));
	for (int held = 0; held < 140; held++) {
		for (int n = 0; n < 140; n++) {
			AUTO_BUF struct buf buf = BUF_INIT(1000);

			assert_int_equal(buf_append(&buf, bytes, (size_t)held), 0);
			assert_int_equal(buf_printf(&buf, "%.*s", n, bytes), 0);
			assert_int_equal(buf.length, held + n);
			assert_int_equal(strspn(buf_text(&buf), "x"), held + n);
		}
	}
}

static void nothing_follows_what_was_refused(void **state)
{
	(void)state;
	AUTO_BUF struct buf buf = BUF_INIT(4);

	assert_int_equal(buf_append_text(&buf, "abc"), 0);
	assert_int_equal(buf_append_text(&buf, "de"), -1);
	assert_int_equal(buf_append_text(&buf, "f"), -1);
	assert_int_equal(buf_printf(&buf, "%s", ""), -1);
	assert_null(buf_reserve(&buf, 1));
	assert_string_equal(buf_text(&buf), "abc");
	buf_reset(&buf);
	assert_false(buf.is_full);
	assert_string_equal(buf_text(&buf), "");
	assert_int_equal(buf_append_text(&buf, "abcd"), 0);
	assert_string_equal(buf_text(&buf), "abcd");
}

static void release_keeps_the_maximum(void **state)
{
	(void)state;
	struct buf buf;

	buf_init(&buf, 3);
	assert_int_equal(buf_append_text(&buf, "abcd"), -1);
	buf_release(&buf);
	assert_int_equal(buf.max, 3);
	assert_int_equal(buf_append_text(&buf, "abc"), 0);
	buf_release(&buf);
	assert_null(buf.data);
}

static void reserve_and_seal_is_an_append(void **state)
{
	(void)state;
	AUTO_BUF struct buf buf = BUF_INIT(300);
	char *room = buf_reserve(&buf, 200);

	assert_non_null(room);
	memset(room, 'x', 200);
	buf.length += 150;
	buf_seal(&buf);
	assert_int_equal(strlen(buf_text(&buf)), 150);
	room = buf_reserve(&buf, 150);
	assert_ptr_equal(room, buf.data + 150);
	assert_null(buf_reserve(&buf, 151));
	assert_true(buf.is_full);
}

static void many_small_appends_grow_it(void **state)
{
	(void)state;
	AUTO_BUF struct buf buf = BUF_INIT(100000);

	for (int i = 0; i < 20000; i++)
		assert_int_equal(buf_printf(&buf, "%05d", i), 0);
	assert_int_equal(buf.length, 100000);
	assert_memory_equal(buf.data + 99990, "1999819999", 11);
	assert_true(buf.capacity <= 100001);
	assert_int_equal(buf_append_char(&buf, 'x'), -1);
}

static void take_hands_over(void **state)
{
	(void)state;
	AUTO_BUF struct buf buf = BUF_INIT(10);

	buf_append_text(&buf, "abc");
	AUTO_FREE char *const taken = buf_take(&buf);

	assert_string_equal(taken, "abc");
	assert_int_equal(buf.length, 0);
	assert_null(buf.data);
	assert_int_equal(buf_append_text(&buf, "new"), 0);
	assert_string_equal(taken, "abc");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_empty_buffer_is_an_empty_text),
		cmocka_unit_test(appends_of_all_kinds_follow_each_other),
		cmocka_unit_test(the_maximum_is_exact),
		cmocka_unit_test(printing_fits_to_the_byte),
		cmocka_unit_test(nothing_follows_what_was_refused),
		cmocka_unit_test(release_keeps_the_maximum),
		cmocka_unit_test(reserve_and_seal_is_an_append),
		cmocka_unit_test(many_small_appends_grow_it),
		cmocka_unit_test(take_hands_over),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
