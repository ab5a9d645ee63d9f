/* test_queue_ends.c - every way an attempt ends x everything that was recorded before x
 * whether such an end is tried again: which state the job has then, and why.
 *
 * What is expected stands in tables of words, by the first reason that was recorded; the
 * product of the tables is run against a real queue, and its size is checked, so that a
 * row that is lost is noticed. */
#include "tests/unit/queue_fixture.h"

#include "tests/unit/wall_clock.h"

#define S US_PER_S
#define ALL_CAUSES                                                                       \
	"[\"exit\",\"signal\",\"timeout\",\"oom\",\"output_limit\",\"start_failed\","    \
	"\"lost\"]"

/* --- what was recorded before the end, in its order --- */

enum step { NOTHING, CANCEL, FORCE, TIMEOUT, OUTPUT };
enum first { FIRST_NONE, FIRST_CANCEL, FIRST_TIMEOUT, FIRST_OUTPUT, FIRSTS };

struct past {
	enum step step[3];
	enum first first;
	bool is_asked; /* somebody wants the job's end */
};

/* clang-format off */
static const struct past PASTS[] = {
	{{NOTHING},                 FIRST_NONE,    false},
	{{CANCEL},                  FIRST_CANCEL,  true},
	{{FORCE},                   FIRST_CANCEL,  true},
	{{CANCEL, FORCE},           FIRST_CANCEL,  true},
	{{CANCEL, CANCEL},          FIRST_CANCEL,  true},
	{{TIMEOUT},                 FIRST_TIMEOUT, false},
	{{OUTPUT},                  FIRST_OUTPUT,  false},
	{{CANCEL, TIMEOUT},         FIRST_CANCEL,  true},
	{{CANCEL, OUTPUT},          FIRST_CANCEL,  true},
	{{FORCE, TIMEOUT},          FIRST_CANCEL,  true},
	{{TIMEOUT, CANCEL},         FIRST_TIMEOUT, true},
	{{TIMEOUT, FORCE},          FIRST_TIMEOUT, true},
	{{OUTPUT, CANCEL},          FIRST_OUTPUT,  true},
	{{TIMEOUT, OUTPUT},         FIRST_TIMEOUT, false},
	{{OUTPUT, TIMEOUT},         FIRST_OUTPUT,  false},
	{{TIMEOUT, CANCEL, OUTPUT}, FIRST_TIMEOUT, true},
	{{CANCEL, TIMEOUT, FORCE},  FIRST_CANCEL,  true},
};

/* --- how it ended, and what the job is then, by the first reason --- */

enum how { IMPORTED, REVOKED, LOST };

struct ending {
	const char *name;
	enum how how;
	struct attempt_end end;
	const char *then[FIRSTS];
};

static const struct ending ENDINGS[] = {
	{"exit 0", IMPORTED, {.has_exit_code = true},
	 {"succeeded", "cancelled cancel", "failed timeout", "failed output_limit"}},
	{"exit 3", IMPORTED, {.has_exit_code = true, .exit_code = 3},
	 {"failed exit", "cancelled cancel", "failed timeout", "failed output_limit"}},
	{"exit 255", IMPORTED, {.has_exit_code = true, .exit_code = 255},
	 {"failed exit", "cancelled cancel", "failed timeout", "failed output_limit"}},
	{"SIGTERM", IMPORTED, {.has_signal = true, .signal = 15},
	 {"failed signal", "cancelled cancel", "failed timeout", "failed output_limit"}},
	{"SIGKILL", IMPORTED, {.has_signal = true, .signal = 9},
	 {"failed signal", "cancelled cancel", "failed timeout", "failed output_limit"}},
	{"not started", IMPORTED, {.error = "exec: no such file"},
	 {"failed start_failed", "cancelled cancel", "failed timeout", "failed output_limit"}},
	{"reboot", LOST, {.error = "reboot"},
	 {"lost reboot", "lost reboot", "lost reboot", "lost reboot"}},
	{"shim died", LOST, {.error = "shim_died"},
	 {"lost shim_died", "lost shim_died", "lost shim_died", "lost shim_died"}},
	{"never ran", REVOKED, {.has_signal = false},
	 {"queued", "cancelled cancel", "queued", "queued"}},
};

/* What the shim says that it knew of: it counts only where nothing was recorded. */
static const struct { enum stop_reason reason; enum first first; } SHIMS[] = {
	{STOP_NONE, FIRST_NONE}, {STOP_CANCEL, FIRST_CANCEL},
	{STOP_TIMEOUT, FIRST_TIMEOUT}, {STOP_OUTPUT_LIMIT, FIRST_OUTPUT},
};
static const char *const RULES[] = {
	NULL,
	"{\"delay_s\":60,\"on\":" ALL_CAUSES "}",
};
/* clang-format on */

static const struct viewer OWNER = {.principal = "uid:1000"};

static void begin(struct fixture *f)
{
	assert_done(queue_begin(f->queue, &f->err), &f->err);
}

static void commit(struct fixture *f)
{
	assert_done(queue_commit(f->queue, &f->err), &f->err);
}

/* What follows stands between begin and commit: a case is one transaction. */

static void take_step(struct fixture *f, const struct claim *claim, enum step step)
{
	enum cancel_result result;
	if (step == CANCEL || step == FORCE) {
		const struct cancel_wish wish = {.text = "why",
						 .is_forced = step == FORCE};
		assert_done(queue_cancel(f->queue, &OWNER, claim->job.id, &wish, &result,
					 &f->err),
			    &f->err);
		assert_int_equal(result, CANCEL_STOPPING);
	} else if (step != NOTHING) {
		assert_done(queue_attempt_stopping(
				    f->queue, claim->job.row, claim->number,
				    step == TIMEOUT ? STOP_TIMEOUT : STOP_OUTPUT_LIMIT,
				    &f->err),
			    &f->err);
	}
}

static void end_so(struct fixture *f, const struct claim *claim,
		   const struct ending *ending, enum stop_reason shim)
{
	struct attempt_end end = ending->end;
	int result = -1;
	end.stop_reason = shim;
	if (ending->how == IMPORTED)
		result = queue_attempt_import(f->queue, claim->job.row, claim->number,
					      &end, &f->err);
	else if (ending->how == LOST)
		result = queue_attempt_lost(f->queue, claim->job.row, claim->number,
					    ending->end.error, &f->err);
	else
		result = queue_attempt_revoke(f->queue, claim->job.row, claim->number,
					      &f->err);
	assert_done(result, &f->err);
}

static void claim_one(struct fixture *f, const struct submission *submission,
		      struct claim_list *ret)
{
	struct submitted submitted;
	assert_done(queue_submit(f->queue, submission, &submitted, &f->err), &f->err);
	if (f->epoch == 0)
		assert_done(queue_worker_register(f->queue, 4, &f->epoch, &f->err),
			    &f->err);
	assert_done(queue_claim(f->queue, f->turns, f->epoch, 1, ret, &f->err), &f->err);
	assert_int_equal(ret->count, 1);
	assert_string_equal(ret->item[0].job.id, submitted.id);
}

/* Out of the way of the next case. */
static void put_away(struct fixture *f, const char *id)
{
	const struct cancel_wish wish = {.text = NULL};
	enum cancel_result ignored;
	(void)queue_cancel(f->queue, &OWNER, id, &wish, &ignored, &f->err);
}

/* Whoever asked for the end wants no other attempt; a success needs none. */
static const char *expected_of(const struct past *past, const struct ending *ending,
			       enum first shim, bool has_rule)
{
	const enum first first = past->first != FIRST_NONE ? past->first : shim;
	if (ending->how == REVOKED && past->is_asked)
		return ending->then[FIRST_CANCEL]; /* it never ran, so that nothing else
						      happened to it */
	const char *then = ending->then[first];
	const bool is_bad =
		text_has_prefix(then, "failed") || text_has_prefix(then, "lost");
	return is_bad && has_rule && !past->is_asked ? "waiting retry" : then;
}

static void check_one(struct fixture *f, size_t past, size_t ending, size_t shim,
		      size_t rule)
{
	const struct ending *end = &ENDINGS[ending];
	struct submission submission = fixture_submission();
	struct claim_list list;
	struct job job;
	char is[64];
	submission.retry = RULES[rule];
	submission.max_attempts = RULES[rule] != NULL ? 2 : 1;
	begin(f);
	claim_one(f, &submission, &list);
	for (size_t i = 0; i < ARRAY_SIZE(PASTS[past].step); i++)
		take_step(f, &list.item[0], PASTS[past].step[i]);
	end_so(f, &list.item[0], end, SHIMS[shim].reason);
	fixture_get(f, list.item[0].job.id, &job);
	(void)snprintf(is, sizeof is, "%s%s%s", job_state_word(job.state),
		       job.reason != NULL ? " " : "", job.reason ? job.reason : "");
	const char *expected =
		expected_of(&PASTS[past], end, SHIMS[shim].first, RULES[rule] != NULL);
	if (!text_equal(is, expected))
		fail_msg("past %zu, %s, shim %zu, rule %zu: %s instead of %s", past,
			 end->name, shim, rule, is, expected);
	/* honest: the code or the signal stands there whatever the verdict */
	assert_int_equal(job.has_exit_code, end->end.has_exit_code);
	assert_int_equal(job.exit_code, end->end.exit_code);
	assert_int_equal(job.has_signal, end->end.has_signal);
	assert_int_equal(job.signal, end->end.signal);
	put_away(f, job.id);
	commit(f);
	job_release(&job);
	claim_list_release(&list);
}

static void test_every_end_after_every_past(void **state)
{
	struct fixture *f = *state;
	size_t cases = 0;
	for (size_t past = 0; past < ARRAY_SIZE(PASTS); past++)
		for (size_t end = 0; end < ARRAY_SIZE(ENDINGS); end++)
			for (size_t shim = 0; shim < ARRAY_SIZE(SHIMS); shim++)
				for (size_t rule = 0; rule < ARRAY_SIZE(RULES); rule++) {
					/* without a record the shim says nothing */
					if (ENDINGS[end].how != IMPORTED && shim > 0)
						continue;
					check_one(f, past, end, shim, rule);
					cases++;
				}
	assert_int_equal(cases, 17 * (6 * 4 + 3) * 2);
}

/* --- success is what the job's list says, but never against a recorded reason --- */

static void test_the_list_of_successes(void **state)
{
	static const struct {
		const char *codes;
		int code;
		enum step step;
		enum job_state state;
	} rows[] = {
		{NULL, 0, NOTHING, JOB_SUCCEEDED},
		{NULL, 1, NOTHING, JOB_FAILED},
		{"[0]", 0, NOTHING, JOB_SUCCEEDED},
		{"[3]", 3, NOTHING, JOB_SUCCEEDED},
		{"[3]", 0, NOTHING, JOB_FAILED},
		{"[0,3]", 0, NOTHING, JOB_SUCCEEDED},
		{"[0,3]", 3, NOTHING, JOB_SUCCEEDED},
		{"[0,3]", 4, NOTHING, JOB_FAILED},
		{"[0,255]", 255, NOTHING, JOB_SUCCEEDED},
		{"[3]", 3, CANCEL, JOB_CANCELLED},
		{"[3]", 3, TIMEOUT, JOB_FAILED},
		{"[3]", 3, OUTPUT, JOB_FAILED},
	};
	struct fixture *f = *state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct submission submission = fixture_submission();
		const struct ending end = {
			.end = {.has_exit_code = true, .exit_code = rows[i].code}};
		struct claim_list list;
		struct job job;
		submission.success_exit_codes = rows[i].codes;
		begin(f);
		claim_one(f, &submission, &list);
		take_step(f, &list.item[0], rows[i].step);
		end_so(f, &list.item[0], &end, STOP_NONE);
		commit(f);
		fixture_get(f, list.item[0].job.id, &job);
		if (job.state != rows[i].state)
			fail_msg("row %zu: %s", i, job_state_word(job.state));
		job_release(&job);
		claim_list_release(&list);
	}
}

/* --- latest start and deadline, wherever a job waits --- */

enum waiting { HELD, EARLY, QUEUED, RETRYING, WAITINGS };

/* The job's id, which the caller frees. */
static char *make_waiting(struct fixture *f, enum waiting where, bool is_deadline)
{
	struct submission submission = fixture_submission();
	struct submitted submitted;
	struct claim_list list;
	submission.is_held = where == HELD;
	submission.run_at = where == EARLY ? wall_now_us() + 50 * S : 0;
	submission.max_attempts = 2;
	submission.retry = "{\"delay_s\":50,\"jitter\":0}";
	if (is_deadline)
		submission.deadline_us = 100 * S;
	else
		submission.expires_at = wall_now_us() + 100 * S;
	if (where != RETRYING) {
		assert_done(queue_submit(f->queue, &submission, &submitted, &f->err),
			    &f->err);
		return mem_strdup(submitted.id);
	}
	claim_one(f, &submission, &list);
	end_so(f, &list.item[0], &ENDINGS[1], STOP_NONE);
	char *id = mem_strdup(list.item[0].job.id);
	claim_list_release(&list);
	return id;
}

/* What is in time is queued once its own time has come. */
struct moment {
	int64_t after_us;
	bool is_over;
};

static const char *state_at(enum waiting where, const struct moment *moment)
{
	if (moment->is_over)
		return "failed";
	const bool is_waiting =
		where == HELD || (where != QUEUED && moment->after_us < 0);
	return is_waiting ? "waiting" : "queued";
}

static void check_limit(struct fixture *f, enum waiting where, bool is_deadline,
			const struct moment *moment)
{
	struct job job;
	wall_set(WALL_START_US);
	begin(f);
	AUTO_FREE char *id = make_waiting(f, where, is_deadline);
	wall_go_on(moment->after_us);
	assert_true(queue_due(f->queue, &f->err) >= 0);
	fixture_get(f, id, &job);
	if (!text_equal(job_state_word(job.state), state_at(where, moment)))
		fail_msg("%d %d %lld: %s", where, is_deadline,
			 (long long)moment->after_us, job_state_word(job.state));
	if (moment->is_over)
		assert_string_equal(job.reason, "expired");
	job_release(&job);
	put_away(f, id);
	commit(f);
}

static void test_each_limit_wherever_a_job_waits(void **state)
{
	static const struct moment moments[] = {{100 * S - 1, false},
						{100 * S, true},
						{100 * S + 1, true},
						{-100 * S, false}};
	struct fixture *f = *state;
	for (int where = 0; where < WAITINGS; where++)
		for (size_t i = 0; i < ARRAY_SIZE(moments); i++) {
			check_limit(f, (enum waiting)where, false, &moments[i]);
			check_limit(f, (enum waiting)where, true, &moments[i]);
		}
}

/* --- the rule of retries alone --- */

static void test_every_list_of_causes(void **state)
{
	static const struct {
		bool has_codes;
		int code; /* the one in the list */
	} lists[] = {{false, 0}, {true, 3}, {true, 4}};
	size_t cases = 0, covered = 0;
	(void)state;
	for (unsigned on = 0; on < 1U << RETRY_CAUSE_COUNT_; on++)
		for (size_t list = 0; list < ARRAY_SIZE(lists); list++)
			for (unsigned i = 0; i < RETRY_CAUSE_COUNT_; i++) {
				const enum retry_cause cause = (enum retry_cause)i;
				struct retry rule;
				retry_init(&rule);
				rule.on = on;
				rule.has_exit_codes = lists[list].has_codes;
				rule.exit_code[lists[list].code] = true;
				const bool is_named = (on >> i & 1U) != 0;
				const bool is_excepted = cause == RETRY_EXIT && list == 2;
				const bool covers = retry_covers(&rule, cause, 3);
				assert_int_equal(covers, is_named && !is_excepted);
				covered += covers;
				cases++;
			}
	assert_int_equal(cases, 128 * 3 * 7);
	assert_int_equal(covered, 64 * (3 * 7 - 1)); /* each cause is in half of them */
}

static long double power(long double base, int exponent)
{
	const long double half = exponent > 1 ? power(base, exponent / 2) : 1;
	return exponent == 0 ? 1 : half * half * (exponent % 2 == 1 ? base : 1);
}

static long double at_most(long double value, int64_t most)
{
	return value < (long double)most ? value : (long double)most;
}

/* The formula, in the words of the documents and with another arithmetic. */
static long double delay_by_the_book(const struct retry *rule, int used, double sample)
{
	const long double grown =
		(long double)rule->delay_us * power((long double)rule->factor, used - 1);
	const long double swing = 2 * (long double)sample - 1;
	return at_most(at_most(grown, rule->max_delay_us) *
			       (1 + (long double)rule->jitter * swing),
		       RETRY_DELAY_MAX_US);
}

static long double difference(long double a, long double b)
{
	return a > b ? a - b : b - a;
}

/* One digit of a number whose digits count through lists of these lengths. */
static size_t digit(size_t *number, size_t length)
{
	const size_t rest = *number % length;
	*number /= length;
	return rest;
}

static void test_every_delay(void **state)
{
	static const int64_t delays[] = {0,	 1,	   S / 2,
					 10 * S, 3600 * S, RETRY_DELAY_MAX_US};
	static const int64_t maxima[] = {0, S, 3600 * S, RETRY_DELAY_MAX_US};
	static const double factors[] = {1, 1.5, 2, RETRY_FACTOR_MAX};
	static const double jitters[] = {0, 0.1, 0.5, 1};
	static const double samples[] = {0, 0.25, 0.5, 0.75, 1};
	static const int used[] = {1, 2, 3, 10, 100, 1000};
	size_t number = 0, cases = 0;
	(void)state;
	do {
		number = cases++;
		const struct retry rule = {
			.delay_us = delays[digit(&number, ARRAY_SIZE(delays))],
			.max_delay_us = maxima[digit(&number, ARRAY_SIZE(maxima))],
			.factor = factors[digit(&number, ARRAY_SIZE(factors))],
			.jitter = jitters[digit(&number, ARRAY_SIZE(jitters))]};
		const double sample = samples[digit(&number, ARRAY_SIZE(samples))];
		const int n = used[digit(&number, ARRAY_SIZE(used))];
		const long double book = delay_by_the_book(&rule, n, sample);
		const int64_t is = retry_delay_us(&rule, n, sample);
		assert_true(is >= 0 && is <= RETRY_DELAY_MAX_US);
		if (difference((long double)is, book) > 2 + book * 1e-12L)
			fail_msg("case %zu: %lld, not %Lf", cases, (long long)is, book);
	} while (number == 0);
	assert_int_equal(cases - 1, 6 * 4 * 4 * 4 * 5 * 6);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, wall_setup, wall_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_every_end_after_every_past),
		TEST(test_the_list_of_successes),
		TEST(test_each_limit_wherever_a_job_waits),
		TEST(test_every_list_of_causes),
		TEST(test_every_delay),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
