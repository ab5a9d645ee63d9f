/* test_httpapi_kept.c - what is kept of jobs that have ended, and for whom. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "httpapi/kept.h"

static const struct viewer ADMIN = {.principal = "uid:0", .sees_all = true};
static const struct viewer ALICE = {.principal = "uid:1000"};
static const struct viewer BOB = {.principal = "uid:2000"};
static const struct queue_stamp NOW = {.header = {1}}, LATER = {.header = {2}};

static struct kept_key key_of(const struct viewer *viewer, uint64_t settings,
			      const char *job)
{
	return (struct kept_key){.viewer = *viewer, .settings = settings, .job = job};
}

static void put(struct kept *kept, const struct kept_key *key,
		const struct queue_stamp *stamp, const char *text)
{
	const struct job_view view = {.job = {.state = JOB_SUCCEEDED, .version = 3}};
	kept_put(kept, key, stamp, &view, text, strlen(text));
}

/* NULL: it is not there. */
static void assert_found(struct kept *kept, const struct kept_key *key,
			 const struct queue_stamp *stamp, const char *text)
{
	AUTO_BUF struct buf body = BUF_INIT(KEPT_TEXT_MAX);
	int64_t version = 0;
	assert_int_equal(kept_find(kept, key, stamp, &body, &version), text != NULL);
	assert_string_equal(buf_text(&body), text != NULL ? text : "");
	assert_int_equal(version, text != NULL ? 3 : 0);
}

static void test_it_is_for_one_viewer_and_the_settings(void **state)
{
	struct kept *kept = kept_open();
	const struct kept_key alices = key_of(&ALICE, 1, "j"),
			      bobs = key_of(&BOB, 1, "j");
	const struct kept_key admins = key_of(&ADMIN, 1, "j");
	const struct kept_key others = key_of(&ALICE, 1, "k"),
			      newer = key_of(&ALICE, 2, "j");
	(void)state;
	put(kept, &alices, &NOW, "for alice");
	assert_found(kept, &alices, &NOW, "for alice");
	assert_found(kept, &bobs, &NOW, NULL);
	assert_found(kept, &admins, &NOW, NULL);
	assert_found(kept, &others, &NOW, NULL);
	assert_found(kept, &newer, &NOW, NULL);
	put(kept, &admins, &NOW, "for all eyes");
	assert_found(kept, &alices, &NOW, "for alice");
	assert_found(kept, &admins, &NOW, "for all eyes");
	put(kept, &newer, &NOW, "by other settings");
	assert_found(kept, &newer, &NOW, "by other settings");
	assert_found(kept, &alices, &NOW, NULL);
	kept_close(kept);
}

static void test_it_is_good_for_one_state_of_the_database(void **state)
{
	struct kept *kept = kept_open();
	const struct kept_key key = key_of(&ALICE, 1, "j"),
			      other = key_of(&ALICE, 1, "k");
	(void)state;
	put(kept, &key, &NOW, "now");
	assert_found(kept, &key, &LATER, NULL);
	put(kept, &key, &LATER, "later");
	assert_found(kept, &key, &LATER, "later");
	assert_found(kept, &key, &NOW, NULL);
	/* one that was slow to read the older state brings back nothing else of it */
	put(kept, &other, &NOW, "now");
	assert_found(kept, &key, &NOW, NULL);
	assert_found(kept, &other, &LATER, NULL);
	kept_close(kept);
}

static void test_only_what_cannot_change_by_itself_is_kept(void **state)
{
	struct kept *kept = kept_open();
	const struct kept_key key = key_of(&ALICE, 1, "j");
	(void)state;
	for (int i = JOB_STATE_NONE + 1; i < JOB_STATE_COUNT_; i++) {
		const struct job_view view = {
			.job = {.state = (enum job_state)i, .version = 3}};
		const struct queue_stamp stamp = {.header = {(uint8_t)(10 + i)}};
		kept_put(kept, &key, &stamp, &view, "x", 1);
		assert_found(kept, &key, &stamp,
			     job_state_is_final((enum job_state)i) ? "x" : NULL);
	}
	const struct job_view alive = {.job = {.state = JOB_LOST, .version = 3},
				       .has_last = true};
	kept_put(kept, &key, &NOW, &alive, "x", 1);
	assert_found(kept, &key, &NOW, NULL);
	kept_close(kept);
}

/* However many come, however long they are: no more are kept than fit, and of those that
 * are asked for in turn about as many are still there. */
static void test_it_is_bounded(void **state)
{
	enum { JOBS = 4 * KEPT_BYTES_MAX / KEPT_TEXT_MAX };
	struct kept *kept = kept_open();
	char *text = mem_alloc(KEPT_TEXT_MAX + 2);
	size_t found = 0;
	(void)state;
	memset(text, 'x', KEPT_TEXT_MAX + 1);
	const struct kept_key key = key_of(&ALICE, 1, "too long");
	put(kept, &key, &NOW, text);
	assert_found(kept, &key, &NOW, NULL);
	text[KEPT_TEXT_MAX] = '\0';
	for (int turn = 0; turn < 2; turn++) {
		for (int i = 0; i < JOBS; i++) {
			AUTO_FREE char *job = mem_printf("%d", i);
			const struct kept_key one = key_of(&ALICE, 1, job);
			AUTO_BUF struct buf body = BUF_INIT(KEPT_TEXT_MAX);
			int64_t version;
			if (kept_find(kept, &one, &NOW, &body, &version))
				found++;
			else
				put(kept, &one, &NOW, text);
		}
	}
	assert_in_range(found, JOBS / 8, KEPT_BYTES_MAX / KEPT_TEXT_MAX);
	free(text);
	kept_close(kept);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_it_is_for_one_viewer_and_the_settings),
		cmocka_unit_test(test_it_is_good_for_one_state_of_the_database),
		cmocka_unit_test(test_only_what_cannot_change_by_itself_is_kept),
		cmocka_unit_test(test_it_is_bounded),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
