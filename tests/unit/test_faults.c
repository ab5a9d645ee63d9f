/* test_faults.c - sentences about a file, gathered into one error. */
#include <string.h>

#include "common/faults.h"
#include "common/mem.h"
#include "common/text.h"
#include "tests/unit/unit.h"

static void none_is_no_error(void **state)
{
	(void)state;
	struct faults faults = {0};
	struct err err = ERR_INIT;

	assert_int_equal(faults_report(&faults, &err), 0);
	assert_int_equal(err.code, ERR_NONE);
}

static void add(struct faults *faults, const char *place, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
static void add(struct faults *faults, const char *place, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	faults_vprintf(faults, place, format, args);
	va_end(args);
}

static void they_are_told_in_order(void **state)
{
	(void)state;
	struct faults faults = {0};
	struct err err = ERR_INIT;

	faults_add(&faults, "a.json: no such file");
	add(&faults, "b.json:2:3: ", "expected %d of %s", 3, "them");
	faults_add_syntax(&faults, "c.json", "line 7, column 12: expected ','");
	faults_add_syntax(&faults, "d.json", "too deep");
	assert_int_equal(faults_report(&faults, &err), -1);
	assert_int_equal(err.code, ERR_INVALID);
	assert_string_equal(err.text,
			    "a.json: no such file; b.json:2:3: expected 3 of "
			    "them; c.json:7:12: expected ','; d.json: too deep");
}

/* Later short ones may still fit; the count makes up for the rest, and always fits. */
static void what_does_not_fit_is_counted(void **state)
{
	(void)state;
	struct faults faults = {0};
	struct err err = ERR_INIT;
	char wide[400];

	memset(wide, 'x', sizeof(wide) - 1);
	wide[sizeof(wide) - 1] = '\0';
	faults_add(&faults, wide);
	faults_add(&faults, wide);
	faults_add(&faults, "short");
	for (int i = 0; i < 999997; i++)
		faults_add(&faults, wide);
	assert_int_equal(faults.count, 1000000);
	assert_int_equal(faults_report(&faults, &err), -1);
	assert_memory_equal(err.text, wide, sizeof(wide) - 1);
	assert_string_equal(err.text + sizeof(wide) - 1, "; short; and 999998 more");
}

static void the_first_is_cut_rather_than_left_out(void **state)
{
	(void)state;
	struct faults faults = {0};
	struct err err = ERR_INIT;
	char wide[sizeof(err.text) * 2];

	memset(wide, 'x', sizeof(wide) - 1);
	wide[sizeof(wide) - 1] = '\0';
	add(&faults, "file: ", "%s", wide);
	assert_int_equal(faults_report(&faults, &err), -1);
	assert_memory_equal(err.text, "file: xxxx", strlen("file: xxxx"));
	assert_true(strlen(err.text) > sizeof(err.text) - 40);
	faults_add(&faults, "and one");
	assert_int_equal(faults_report(&faults, &err), -1);
	assert_string_equal(err.text + strlen(err.text) - strlen("x; and 1 more"),
			    "x; and 1 more");
}

static void a_place_is_as_exact_as_can_be(void **state)
{
	(void)state;
	static const char text[] = "{\n  \"limits\": {\n    \"args\": 3}}";
	static const struct {
		const char *text, *path, *place;
	} cases[] = {
		{text, "limits.args", "f:3:5"},
		{text, "limits", "f:2:3"},
		{text, "", "f:1:1"},
		{text, "limits.labels", "f"},
		{NULL, "limits.args", "f"},
		{NULL, "", "f"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		AUTO_FREE char *place =
			faults_place("f", cases[i].text, sizeof(text) - 1, cases[i].path);

		assert_string_equal(place, cases[i].place);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(none_is_no_error),
		cmocka_unit_test(they_are_told_in_order),
		cmocka_unit_test(what_does_not_fit_is_counted),
		cmocka_unit_test(the_first_is_cut_rather_than_left_out),
		cmocka_unit_test(a_place_is_as_exact_as_can_be),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
