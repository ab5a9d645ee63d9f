/* test_json.c - the strict scanner, the tree, the places of members, and the writer. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>

#include "common/common.h"
#include "tests/unit/json_texts.h"

/* `text` parsed and printed without blanks; heap. Fails the test when it is refused. */
static char *reprint(const char *text, size_t length)
{
	struct err err = ERR_INIT;
	cJSON *tree = NULL;
	char *printed;

	if (json_parse(text, length, NULL, &tree, &err))
		fail_msg("%.*s: %s", (int)length, text, err.text);
	printed = cJSON_PrintUnformatted(tree);
	cJSON_Delete(tree);
	assert_non_null(printed);
	return printed;
}

static void check_good(const struct json_text *row)
{
	AUTO_FREE char *once = reprint(row->text, row->length);
	AUTO_FREE char *twice = reprint(once, strlen(once));

	assert_string_equal(once, twice);
}

static void check_bad(const struct json_text *row)
{
	char place[64];
	struct err err = ERR_INIT;

	if (!json_scan(row->text, row->length, NULL, &err))
		fail_msg("accepted: %.*s", (int)row->length, row->text);
	assert_int_equal(err.code, ERR_BAD_REQUEST);
	(void)snprintf(place, sizeof(place), "line %d, column %d: ", row->line,
		       row->column);
	if (!text_has_prefix(err.text, place))
		fail_msg("%.*s: expected %s, got %s", (int)row->length, row->text, place,
			 err.text);
}

/* Every row is tried in a block of exactly its size, so that a sanitizer sees any read
 * beyond the end. */
static void every_text_gets_its_verdict(void **state)
{
	(void)state;
	assert_true(ARRAY_SIZE(JSON_TEXTS) >= 300);
	for (size_t i = 0; i < ARRAY_SIZE(JSON_TEXTS); i++) {
		struct json_text row = JSON_TEXTS[i];
		char *exact = malloc(row.length ? row.length : 1);

		assert_non_null(exact);
		memcpy(exact, row.text, row.length);
		row.text = exact;
		if (row.column)
			check_bad(&row);
		else
			check_good(&row);
		free(exact);
	}
}

/* A text cut anywhere is never accepted with a different meaning or read beyond. */
static void no_object_survives_a_cut(void **state)
{
	static const char text[] =
		"{\"a\":[1,-2.5e3,\"\\u00e9\\uD83D\\uDE00\xc3\xa9\"],\"b\":{\"c\":null}}";

	(void)state;
	assert_int_equal(json_scan(text, sizeof(text) - 1, NULL, NULL), 0);
	for (size_t length = 0; length < sizeof(text) - 1; length++) {
		AUTO_FREE char *cut = mem_strndup(text, length);

		assert_int_equal(json_scan(cut, length, NULL, NULL), -1);
	}
}

/* "[x,x,...]" or "{"0":x,"1":x,...}" with `count` children, into `ret`. */
static void many_children(struct buf *ret, char open, size_t count, const char *value)
{
	(void)buf_append_char(ret, open);
	for (size_t i = 0; i < count; i++) {
		(void)buf_append_text(ret, i ? "," : "");
		if (open == '{')
			(void)buf_printf(ret, "\"%zu\":", i);
		(void)buf_append_text(ret, value);
	}
	(void)buf_append_char(ret, open == '{' ? '}' : ']');
	assert_false(ret->is_full);
}

static int scan_children(char open, size_t count, const char *value,
			 const struct json_rules *rules)
{
	AUTO_BUF struct buf text = BUF_INIT(1 << 24);

	many_children(&text, open, count, value);
	return json_scan(text.data, text.length, rules, NULL);
}

static void members_and_elements_are_counted(void **state)
{
	static const struct json_rules few = {.max_members = 2, .max_elements = 3};

	(void)state;
	assert_int_equal(scan_children('{', JSON_MEMBERS_MAX, "1", NULL), 0);
	assert_int_equal(scan_children('{', JSON_MEMBERS_MAX + 1, "1", NULL), -1);
	assert_int_equal(scan_children('{', 2, "1", &few), 0);
	assert_int_equal(scan_children('{', 3, "1", &few), -1);
	assert_int_equal(scan_children('[', 100000, "1", NULL), 0);
	assert_int_equal(scan_children('[', 100001, "1", NULL), -1);
	assert_int_equal(scan_children('[', 3, "1", &few), 0);
	assert_int_equal(scan_children('[', 4, "1", &few), -1);
	/* closed objects give their room back: 1,000 objects of 100 members each */
	assert_int_equal(
		scan_children('[', 1000, "{\"a\":1,\"b\":{\"a\":1},\"c\":3}", NULL), 0);
}

/* However they are nested: the tree has a node for each. */
static void all_values_are_counted(void **state)
{
	static const struct json_rules few = {.max_values = 7};
	static const struct {
		const char *text;
		int verdict;
	} cases[] = {
		{"[1,2,3,4,5,6]", 0},
		{"[1,2,3,4,5,6,7]", -1},
		{"[[[[[[[]]]]]]]", 0},
		{"[[[[[[[[]]]]]]]]", -1},
		{"{\"a\":[1,{\"b\":[2,3]}]}", 0},
		{"{\"a\":[1,{\"b\":[2,3,4]}]}", -1},
		{"[null,true,false,\"x\",{},[]]", 0},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		assert_int_equal(
			json_scan(cases[i].text, strlen(cases[i].text), &few, NULL),
			cases[i].verdict);
}

/* The last of 1,000 keys meets each of the others, wherever it falls in the table. */
static void a_double_key_is_found_among_a_thousand(void **state)
{
	(void)state;
	for (int twin = 0; twin < 999; twin++) {
		AUTO_BUF struct buf text = BUF_INIT(1 << 20);

		many_children(&text, '{', 999, "1");
		text.length--;
		(void)buf_printf(&text, ",\"%d\":1}", twin);
		assert_int_equal(json_scan(text.data, text.length, NULL, NULL), -1);
	}
}

/* An inner object comes and goes between the twins: its keys leave no trace, and those of
 * the outer one are still known. */
static void keys_are_remembered_across_inner_objects(void **state)
{
	(void)state;
	for (int twin = 0; twin < 900; twin += 7) {
		AUTO_BUF struct buf text = BUF_INIT(1 << 20);
		size_t fine;

		many_children(&text, '{', 900, "1");
		text.length--;
		(void)buf_append_text(&text, ",\"inner\":");
		many_children(&text, '{', 1000, "1");
		fine = text.length;
		(void)buf_append_char(&text, '}');
		assert_int_equal(json_scan(text.data, text.length, NULL, NULL), 0);
		text.length = fine;
		(void)buf_printf(&text, ",\"%d\":1}", twin);
		assert_int_equal(json_scan(text.data, text.length, NULL, NULL), -1);
	}
}

static void comments_only_where_they_are_allowed(void **state)
{
	static const struct json_rules rules = {.allow_comments = true};
	static const char text[] =
		"// first\n{ // \"a\": 2,\n\"a\": \"//x\\\"//\", // }\n"
		"\"b\"// k\n:// v\n[1// one\n,2]}// end";
	struct err err = ERR_INIT;
	AUTO_FREE char *slash = mem_alloc(1);
	cJSON *tree = NULL;

	(void)state;
	*slash = '/'; /* a sanitizer sees who looks for the second one */
	assert_int_equal(json_scan(slash, 1, &rules, NULL), -1);
	assert_int_equal(json_scan(text, sizeof(text) - 1, NULL, NULL), -1);
	assert_int_equal(json_parse(text, sizeof(text) - 1, &rules, &tree, &err), 0);
	assert_string_equal(json_get(tree, "a")->valuestring, "//x\"//");
	assert_int_equal(cJSON_GetArraySize(json_get(tree, "b")), 2);
	cJSON_Delete(tree);
	assert_int_equal(json_scan("/* a */1", 8, &rules, NULL), -1);
	assert_int_equal(json_scan("1 /", 3, &rules, NULL), -1);
	assert_int_equal(json_scan("// 1", 4, &rules, NULL), -1);
}

/* Numbers of all sizes: what passes means the same after printing. */
static void numbers_survive_printing(void **state)
{
	uint64_t random = 88172645463325252U;

	(void)state;
	for (int i = 0; i < 20000; i++) {
		char text[64];
		double value;

		random ^= random << 13; /* xorshift64, Marsaglia 2003 */
		random ^= random >> 7;
		random ^= random << 17;
		memcpy(&value, &random, sizeof(value));
		if (!isfinite(value) || fabs(value) > 9e15)
			value = (double)(int64_t)random / 2048;
		(void)snprintf(text, sizeof(text), i % 2 ? "%.17g" : "%.5g", value);
		if (json_scan(text, strlen(text), NULL, NULL) == 0)
			check_good(&(struct json_text){text, strlen(text), 0, 0});
		else
			assert_true(fabs(value) > 9e15);
	}
}

/* Random edits of a good text: whatever the scanner takes, cJSON takes, and what it
 * prints is a fixed point. The fuzz targets go further; this runs in every build. */
static void what_passes_is_parsed(void **state)
{
	static const char seed[] =
		"{\"a\":[1,2.5e-3,true,null,\"x\\n\\u20ac\"],\"b\":{}}";
	static const char bytes[] = "{}[]:,\"\\u0eE+-.12tfn \xc3\xa9/\x01";
	unsigned random = 1;
	int passed = 0;

	(void)state;
	for (int i = 0; i < 50000; i++) {
		char text[sizeof(seed)];

		memcpy(text, seed, sizeof(seed));
		for (int edit = 0; edit < 1 + i % 3; edit++) {
			random = random * 1103515245 + 12345;
			text[(random >> 8) % (sizeof(seed) - 1)] =
				bytes[(random >> 20) % (sizeof(bytes) - 1)];
		}
		if (json_scan(text, sizeof(seed) - 1, NULL, NULL))
			continue;
		passed++;
		check_good(&(struct json_text){text, sizeof(seed) - 1, 0, 0});
	}
	assert_true(passed > 100);
}

static void get_knows_exact_names_only(void **state)
{
	static const char text[] = "{\"a\":1,\"B\":2,\"n\":null}";
	cJSON *tree = NULL;

	(void)state;
	assert_int_equal(json_parse(text, sizeof(text) - 1, NULL, &tree, NULL), 0);
	assert_non_null(json_get(tree, "a"));
	assert_null(json_get(tree, "A"));
	assert_null(json_get(tree, "b"));
	assert_null(json_get(tree, "n"));
	assert_null(json_get(tree, ""));
	assert_null(json_get(NULL, "a"));
	cJSON_Delete(tree);
}

static void members_are_located(void **state)
{
	static const char text[] = "// a: 1\n{\n  \"a\": {\"x\": [\"}\", -1.5e+3],\n"
				   "\t\"y.z\": 2}, // \"b\"\n  \"list\": [{}, true,\n"
				   " {\"mode\": null}],\"b\":\n3\n}";
	static const struct {
		const char *path;
		int line, column;
	} rows[] = {
		{"a", 3, 3},	       {"a.x", 3, 9},	  {"a.x.0", 3, 15},
		{"a.x.1", 3, 20},      {"a.y.z", 4, 2},	  {"list", 5, 3},
		{"list.0", 5, 12},     {"list.1", 5, 16}, {"list.2", 6, 2},
		{"list.2.mode", 6, 3}, {"b", 6, 18},
	};
	static const char *const missing[] = {"",      "c",	     "a.b",
					      "a.x.2", "list.3",     "list.x",
					      "b.c",   "list.2.mod", "a.x.0.y"};
	int line, column;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		assert_int_equal(
			json_locate(text, sizeof(text) - 1, rows[i].path, &line, &column),
			0);
		assert_int_equal(line, rows[i].line);
		assert_int_equal(column, rows[i].column);
	}
	for (size_t i = 0; i < ARRAY_SIZE(missing); i++)
		assert_int_equal(
			json_locate(text, sizeof(text) - 1, missing[i], &line, &column),
			-1);
}

/* --- writing --- */

static void the_writer_sets_commas_and_escapes(void **state)
{
	AUTO_BUF struct buf out = BUF_INIT(4096);
	struct json_writer writer;

	(void)state;
	json_writer_init(&writer, &out);
	json_open(&writer, NULL, '{');
	json_put_text(&writer, "text", "\"\\/\b\f\n\r\t\x01\x1f\x7f\xc3\xa9");
	json_put_text_n(&writer, "nul", "a\0b", 3);
	json_put_text(&writer, "none", NULL);
	json_put_text(&writer, "k\"\n", "");
	json_open(&writer, "list", '[');
	json_put_int(&writer, NULL, INT64_MIN);
	json_put_int(&writer, NULL, INT64_MAX);
	json_open(&writer, NULL, '{');
	json_close(&writer, '}');
	json_put_bool(&writer, NULL, true);
	json_close(&writer, ']');
	json_put_bool(&writer, "no", false);
	json_put_time(&writer, "at", 1500000);
	json_put_time(&writer, "never", 0);
	json_put_raw(&writer, "raw", "[1]");
	json_close(&writer, '}');
	assert_string_equal(
		buf_text(&out),
		"{\"text\":\"\\\"\\\\/\\b\\f\\n\\r\\t\\u0001\\u001f\x7f\xc3\xa9\","
		"\"nul\":\"a\\u0000b\",\"none\":null,\"k\\\"\\n\":\"\","
		"\"list\":[-9223372036854775808,9223372036854775807,{},true],"
		"\"no\":false,\"at\":\"1970-01-01T00:00:01.500000Z\",\"never\":null,"
		"\"raw\":[1]}");
}

static void doubles_are_short_and_exact(void **state)
{
	static const struct {
		double value;
		const char *text;
	} rows[] = {
		{0.1, "0.1"},  {0, "0"},	   {1.5, "1.5"},
		{-2, "-2"},    {1e-7, "1e-07"},	   {0.1 + 0.2, "0.30000000000000004"},
		{NAN, "null"}, {INFINITY, "null"}, {-INFINITY, "null"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		AUTO_BUF struct buf out = BUF_INIT(64);
		struct json_writer writer;

		json_writer_init(&writer, &out);
		json_put_double(&writer, NULL, rows[i].value);
		assert_string_equal(buf_text(&out), rows[i].text);
	}
}

static void seconds_are_exact(void **state)
{
	static const struct {
		int64_t us;
		const char *text;
	} rows[] = {
		{0, "0"},
		{1, "0.000001"},
		{50, "0.00005"},
		{-1500000, "-1.5"},
		{90 * US_PER_S, "90"},
		{100000, "0.1"},
		{1000001, "1.000001"},
		{INT64_MAX, "9223372036854.775807"},
		{INT64_MIN, "-9223372036854.775808"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		AUTO_BUF struct buf out = BUF_INIT(64);
		struct json_writer writer;

		json_writer_init(&writer, &out);
		json_put_seconds(&writer, NULL, rows[i].us);
		assert_string_equal(buf_text(&out), rows[i].text);
	}
}

/* One odd byte among plain ones, at each place of texts of each length. */
static void every_byte_is_escaped_wherever_it_stands(void **state)
{
	(void)state;
	for (size_t length = 1; length <= 20; length++) {
		for (size_t at = 0; at < length; at++) {
			for (int c = 1; c < 256; c++) {
				AUTO_BUF struct buf out = BUF_INIT(256);
				struct json_writer writer;
				char text[21] = "", *back;
				cJSON *tree = NULL;

				memset(text, '~', length);
				text[at] = (char)c;
				json_writer_init(&writer, &out);
				json_put_text(&writer, NULL, text);
				assert_int_equal(json_parse(buf_text(&out), out.length,
							    NULL, &tree, NULL),
						 0);
				back = cJSON_GetStringValue(tree);
				if (c < 0x80)
					assert_string_equal(back, text);
				else
					assert_memory_equal(back + at, "\xef\xbf\xbd", 3);
				cJSON_Delete(tree);
			}
		}
	}
}

/* Whatever bytes come in, JSON goes out, and clean text is not changed. */
static void bad_bytes_become_replacement_characters(void **state)
{
	static const struct {
		const char *text, *json;
	} rows[] = {
		{"\xff", "\"\xef\xbf\xbd\""},
		{"a\xff\xfe"
		 "b",
		 "\"a\xef\xbf\xbd\xef\xbf\xbd"
		 "b\""},
		{"\xc3", "\"\xef\xbf\xbd\""},
		{"\xed\xa0\x80", "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\""},
		{"\xf0\x9f\x98\x80", "\"\xf0\x9f\x98\x80\""},
		{"\xc3\"", "\"\xef\xbf\xbd\\\"\""},
	};
	char every[256];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		AUTO_BUF struct buf out = BUF_INIT(64);
		struct json_writer writer;

		json_writer_init(&writer, &out);
		json_put_text(&writer, NULL, rows[i].text);
		assert_string_equal(buf_text(&out), rows[i].json);
	}
	for (int first = 1; first < 256; first++) {
		AUTO_BUF struct buf out = BUF_INIT(4096);
		struct json_writer writer;

		for (int i = 0; i < 255; i++)
			every[i] = (char)(1 + (i * first) % 255);
		every[255] = '\0';
		json_writer_init(&writer, &out);
		json_put_text(&writer, NULL, every);
		assert_int_equal(json_scan(out.data, out.length, NULL, NULL), 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_text_gets_its_verdict),
		cmocka_unit_test(no_object_survives_a_cut),
		cmocka_unit_test(members_and_elements_are_counted),
		cmocka_unit_test(all_values_are_counted),
		cmocka_unit_test(a_double_key_is_found_among_a_thousand),
		cmocka_unit_test(keys_are_remembered_across_inner_objects),
		cmocka_unit_test(comments_only_where_they_are_allowed),
		cmocka_unit_test(numbers_survive_printing),
		cmocka_unit_test(what_passes_is_parsed),
		cmocka_unit_test(get_knows_exact_names_only),
		cmocka_unit_test(members_are_located),
		cmocka_unit_test(the_writer_sets_commas_and_escapes),
		cmocka_unit_test(doubles_are_short_and_exact),
		cmocka_unit_test(seconds_are_exact),
		cmocka_unit_test(every_byte_is_escaped_wherever_it_stands),
		cmocka_unit_test(bad_bytes_become_replacement_characters),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
