/* test_queue_plans.c - every statement prepares, and runs by the index it is meant to.
 *
 * The plans stand in tests/unit/plans.txt; a change of schema or statement that changes a
 * plan shows there. `test_queue_plans --rewrite` writes the file anew, to be looked at
 * before it is committed. */
#include <fcntl.h>
#include <sqlite3.h>

#include "queue/db.h"
#include "tests/unit/queue_fixture.h"

#define PLANS "tests/unit/plans.txt"

/* Whole tables may be read only here, and why. */
static const struct {
	enum statement id;
	const char *reason;
} MAY_SCAN[] = {
	{STATEMENT_OUTPUT_ALL, "verify reads every output"},
	{STATEMENT_JOBS_UNLIKE_EVENTS, "db check reads every job"},
	{STATEMENT_TOTALS_TOO_LOW, "db check counts every job"},
	{STATEMENT_STATS_COUNTS, "living jobs only, and a row a queue and state"},
	{STATEMENT_LABELS_FORGET, "the labels of one job"},
	{STATEMENT_PRUNE_SIGNALS, "hardly ever holds a row"},
	{STATEMENT_PRUNE_JOB, "the same, as its foreign key"},
	{STATEMENT_DEFINITIONS_UNUSED, "as many rows as there were tasks"},
	{STATEMENT_PRUNE_DEFINITIONS, "as many rows as there were tasks"},
	{STATEMENT_CHAIN_HEAD, "from the end, one row"},
	{STATEMENT_JOBS_VANISHED, "db check reads every event"},
	{STATEMENT_STATE_ROWS, "eight rows"},
	{STATEMENT_MOVE_ROWS, "fourteen rows"},
	{STATEMENT_SCHEMA_ROWS, "the schema"},
	{STATEMENT_SCHEMA_ANY, "the schema, at open"},
	{STATEMENT_EVENT_SEQUENCE, "one row for each counting table"},
	{STATEMENT_EVENT_TAIL, "from the end, one row"},
	{STATEMENT_EVENT_FEED, "what was asked for, of the events by their ids"},
	{STATEMENT_EVENT_JOBS_LIVING, "the jobs that were asked for"},
	{STATEMENT_WORKER_LAST, "from the end, one row"},
	{STATEMENT_UNRESOLVED_FIRST, "from the start, one row"},
	{STATEMENT_JOB_LABELS_INSERT, "the labels of one job"},
	{STATEMENT_LANE_RUNNING, "what a search found, LIMIT"},
	{STATEMENT_LANE_NEXT, "what four searches found"},
	{STATEMENT_LANE_IS_KNOWN, "what four searches found"},
	{STATEMENT_EXPLAIN_RUNNING, "the index holds running jobs only, LIMIT"},
	{STATEMENT_EXPLAIN_ABOVE, "what a search found, LIMIT"},
	{STATEMENT_EXPLAIN_OWNER, "what a search found, LIMIT"},
	{STATEMENT_EXPLAIN_LONGER, "what a search found, LIMIT"},
	{STATEMENT_LANE_DUE, "as many rows as there are queues"},
	{STATEMENT_DRAIN_IS, "one row at most"},
	{STATEMENT_DRAIN_GET, "one row at most"},
	{STATEMENT_GRAPH_JOB, "a row of its own"},
	{STATEMENT_JOB_INSERT,
	 "signal_requests, nearly always empty, for its foreign key"},
	{STATEMENT_JOB_RERUN,
	 "signal_requests, nearly always empty, for its foreign key"},
	{STATEMENT_CALLBACK_WANTED_FINAL, "the words of one job"},
	{STATEMENT_CALLBACK_WANTED_STARTED, "the words of one job"},
	{STATEMENT_ATTEMPTS_LIVE, "the index holds living attempts only"},
};

static bool may_scan(enum statement id)
{
	for (size_t i = 0; i < ARRAY_SIZE(MAY_SCAN); i++)
		if (MAY_SCAN[i].id == id)
			return true;
	return false;
}

/* Appends "name\n    step\n    step\n"; true when a step scans. */
static bool plan_of(struct queue *queue, enum statement id, struct buf *ret)
{
	AUTO_FREE char *sql = mem_printf("EXPLAIN QUERY PLAN %s", statement_sql(id));
	sqlite3_stmt *stmt = NULL;
	bool scans = false;
	if (sqlite3_prepare_v2(queue->db, sql, -1, &stmt, NULL) != SQLITE_OK)
		fail_msg("%s: %s", statement_name(id), sqlite3_errmsg(queue->db));
	(void)buf_printf(ret, "%s\n", statement_name(id));
	while (sqlite3_step(stmt) == SQLITE_ROW) {
		const char *step = (const char *)sqlite3_column_text(stmt, 3);
		scans = scans || strstr(step, "SCAN") != NULL;
		(void)buf_printf(ret, "    %s\n", step);
	}
	(void)sqlite3_finalize(stmt);
	return scans;
}

/* PRAGMA, and what begins and ends transactions, have no plan; they must prepare. */
static bool has_plan(enum statement id)
{
	static const char *const words[] = {"PRAGMA",	 "BEGIN",    "COMMIT",
					    "SAVEPOINT", "ROLLBACK", "RELEASE"};
	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		if (text_has_prefix(statement_sql(id), words[i]))
			return false;
	return true;
}

static void plans_print(struct queue *queue, struct buf *ret)
{
	for (int i = 0; i < STATEMENT_COUNT_; i++)
		if (has_plan((enum statement)i))
			(void)plan_of(queue, (enum statement)i, ret);
	assert_false(ret->is_full);
}

static void test_every_statement_prepares(void **state)
{
	struct fixture *f = *state;
	for (int i = 0; i < STATEMENT_COUNT_; i++) {
		sqlite3_stmt *stmt;
		assert_done(
			db_start(f->queue, (enum statement)i, NO_BINDS, &stmt, &f->err),
			&f->err);
		db_end(stmt);
	}
}

static void test_plans_are_the_expected_ones(void **state)
{
	struct fixture *f = *state;
	AUTO_BUF struct buf now = BUF_INIT(1 << 20);
	AUTO_BUF struct buf expected = BUF_INIT(1 << 20);
	plans_print(f->queue, &now);
	assert_done(file_read(AT_FDCWD, PLANS, &expected, &f->err), &f->err);
	assert_string_equal(buf_text(&now), buf_text(&expected));
}

static void test_nothing_scans_but_what_must(void **state)
{
	struct fixture *f = *state;
	AUTO_BUF struct buf plan = BUF_INIT(1 << 20);
	for (int i = 0; i < STATEMENT_COUNT_; i++) {
		const enum statement id = (enum statement)i;
		buf_reset(&plan);
		if (!has_plan(id))
			continue;
		const bool scans = plan_of(f->queue, id, &plan);
		if (scans && !may_scan(id))
			fail_msg("%s", buf_text(&plan));
		if (!scans && may_scan(id))
			fail_msg("%s needs no leave to scan", statement_name(id));
	}
}

/* A temporary B-tree for each row that is written halves the rate of submissions: a CHECK
 * with an IN of three words was enough for that. */
static void test_the_hot_statements_build_no_tables(void **state)
{
	static const enum statement hot[] = {
		STATEMENT_JOB_INSERT,  STATEMENT_EVENT_INSERT,
		STATEMENT_TURN_OWNER,  STATEMENT_CLAIM_MOVE,
		STATEMENT_JOB_ROW,     STATEMENT_ATTEMPT_INSERT,
		STATEMENT_JOB_STARTED, STATEMENT_ATTEMPT_FIND,
		STATEMENT_ATTEMPT_END, STATEMENT_ATTEMPT_STARTED,
		STATEMENT_JOB_END,     STATEMENT_OUTPUT_INSERT,
	};
	struct fixture *f = *state;
	for (size_t i = 0; i < ARRAY_SIZE(hot); i++) {
		AUTO_FREE char *sql = mem_printf("EXPLAIN %s", statement_sql(hot[i]));
		sqlite3_stmt *stmt = NULL;
		assert_int_equal(sqlite3_prepare_v2(f->queue->db, sql, -1, &stmt, NULL),
				 SQLITE_OK);
		while (sqlite3_step(stmt) == SQLITE_ROW) {
			const char *opcode = (const char *)sqlite3_column_text(stmt, 1);
			if (strcmp(opcode, "OpenEphemeral") == 0 ||
			    strcmp(opcode, "SorterOpen") == 0)
				fail_msg("%s: %s", statement_name(hot[i]), opcode);
		}
		(void)sqlite3_finalize(stmt);
	}
}

static int rewrite(void)
{
	struct err err = ERR_INIT;
	void *state = NULL;
	AUTO_BUF struct buf now = BUF_INIT(1 << 20);
	(void)fixture_setup(&state);
	plans_print(((struct fixture *)state)->queue, &now);
	(void)fixture_teardown(&state);
	assert_done(file_write_atomic(AT_FDCWD, PLANS, now.data, now.length, 0644, &err),
		    &err);
	return 0;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		TEST(test_every_statement_prepares),
		TEST(test_plans_are_the_expected_ones),
		TEST(test_nothing_scans_but_what_must),
		TEST(test_the_hot_statements_build_no_tables),
	};
	if (argc > 1 && strcmp(argv[1], "--rewrite") == 0)
		return rewrite();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
