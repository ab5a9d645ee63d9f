/* stats.c - asking for the counts (see stats.h). */
#include "queue/stats.h"

#include <stdlib.h>
#include <sys/stat.h>

#include "queue/db.h"

#define US_PER_MINUTE (60 * US_PER_S)

_Static_assert(STATS_STATES == JOB_STATE_COUNT_, "one count for each state");

struct span_row {
	const char *word;
	int minutes;
};
static const struct span_row SPANS[STATS_SPAN_COUNT_] = {
#define SPAN_ROW_(value, span_word, span_minutes)                                        \
	[value] = {.word = (span_word), .minutes = (span_minutes)},
	STATS_SPANS(SPAN_ROW_)
#undef SPAN_ROW_
};

const char *stats_span_word(enum stats_span span)
{
	return SPANS[span].word;
}

/* The lane of this name, made when it is new. Pointers to others end with it. */
static struct stats_lane *lane_of(struct stats *stats, const char *name)
{
	for (size_t i = 0; i < stats->lanes; i++)
		if (text_equal(stats->lane[i].name, name))
			return &stats->lane[i];
	stats->lane = mem_grow(stats->lane, (stats->lanes + 1) * sizeof(*stats->lane));
	struct stats_lane *lane = &stats->lane[stats->lanes++];
	*lane = (struct stats_lane){.name = mem_strdup(name)};
	return lane;
}

static int counts_load(struct queue *queue, struct stats *stats, struct err *err)
{
	sqlite3_stmt *stmt;
	int more;
	if (db_start(queue, STATEMENT_STATS_COUNTS, NO_BINDS, &stmt, err) != 0)
		return -1;
	while ((more = db_step(queue, stmt, err)) == 1) {
		struct stats_lane *lane =
			lane_of(stats, (const char *)sqlite3_column_text(stmt, 0));
		const enum job_state state =
			job_state_parse((const char *)sqlite3_column_text(stmt, 1));
		const int64_t count = sqlite3_column_int64(stmt, 2);
		lane->jobs[state] += count;
		stats->all.jobs[state] += count;
	}
	db_end(stmt);
	return more;
}

static void flow_add(struct stats_flow *flow, sqlite3_stmt *stmt)
{
	/* in the order of the statement's columns, behind the queue */
	int64_t *const into[] = {
		&flow->submitted,
		&flow->started,
		&flow->wait_us,
		&flow->ended[JOB_SUCCEEDED],
		&flow->ended[JOB_FAILED],
		&flow->ended[JOB_CANCELLED],
		&flow->ended[JOB_SKIPPED],
		&flow->ended[JOB_LOST],
		&flow->ran,
		&flow->run_us,
	};
	for (size_t i = 0; i < ARRAY_SIZE(into); i++)
		*into[i] += sqlite3_column_int64(stmt, (int)i + 1);
}

static int span_load(struct queue *queue, struct stats *stats, enum stats_span span,
		     struct err *err)
{
	const int64_t minute = stats->at / US_PER_MINUTE;
	const int64_t first = minute - SPANS[span].minutes;
	sqlite3_stmt *stmt;
	int more;
	stats->since[span] = first * US_PER_MINUTE;
	if (db_start(queue, STATEMENT_STATS_SPAN, BINDS(as_int(first), as_int(minute)),
		     &stmt, err) != 0)
		return -1;
	while ((more = db_step(queue, stmt, err)) == 1) {
		const char *name = (const char *)sqlite3_column_text(stmt, 0);
		flow_add(&lane_of(stats, name)->flow[span], stmt);
		flow_add(&stats->all.flow[span], stmt);
	}
	db_end(stmt);
	return more;
}

static int lane_order(const void *a, const void *b)
{
	return strcmp(((const struct stats_lane *)a)->name,
		      ((const struct stats_lane *)b)->name);
}

static int64_t file_bytes(const char *path, const char *suffix)
{
	AUTO_FREE char *name = mem_printf("%s%s", path, suffix);
	struct stat st;
	return stat(name, &st) == 0 ? st.st_size : 0;
}

static int load(struct queue *queue, struct stats *stats, struct err *err)
{
	bool is_own;
	if (snapshot_join(queue, &is_own, err) != 0)
		return -1;
	int result = counts_load(queue, stats, err);
	for (unsigned i = 0; i < STATS_SPAN_COUNT_ && result == 0; i++)
		result = span_load(queue, stats, (enum stats_span)i, err);
	snapshot_leave(queue, is_own);
	return result;
}

int queue_stats(struct queue *queue, struct stats *ret, struct err *err)
{
	struct stats stats = {.at = clock_now_us()};
	if (load(queue, &stats, err) != 0) {
		stats_release(&stats);
		return -1;
	}
	if (stats.lanes > 0)
		qsort(stats.lane, stats.lanes, sizeof(*stats.lane), lane_order);
	stats.database_bytes = file_bytes(queue->path, "");
	stats.wal_bytes = file_bytes(queue->path, "-wal");
	*ret = stats;
	return 0;
}

void stats_release(struct stats *stats)
{
	for (size_t i = 0; i < stats->lanes; i++)
		free(stats->lane[i].name);
	free(stats->lane);
	*stats = (struct stats){.lanes = 0};
}

int queue_stats_forget(struct queue *queue, struct err *err)
{
	return db_run(queue, STATEMENT_MINUTES_FORGET,
		      BINDS(as_int(clock_now_us() / US_PER_MINUTE - STATS_KEEP_MINUTES)),
		      err);
}
