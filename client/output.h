/* output.h - jobs, attempts and events as people and programs want them.
 *
 * What a listing shows is a table of columns; each format of -o is one way to print the
 * same items. On a terminal: aligned, coloured, times relative, everything made harmless
 * and cut to the window. Elsewhere: whole values, one item a line, parted by tabs, with
 * \t \n \\ for those characters, and no header, so that cut(1) and awk(1) can go on. */
#ifndef REEVE_CLIENT_OUTPUT_H
#define REEVE_CLIENT_OUTPUT_H

#include "client/cli.h"

enum column_kind {
	COLUMN_TEXT,
	COLUMN_ID,    /* shortened in a table */
	COLUMN_STATE, /* coloured */
	COLUMN_TIME,  /* "3m ago" in a table */
	COLUMN_INT,
	COLUMN_NUMBER,	/* with a fraction */
	COLUMN_BYTES,	/* "1.5 MiB" in a table */
	COLUMN_ARGV,	/* quoted as for a shell */
	COLUMN_EXIT,	/* exit code or name of the signal */
	COLUMN_DEPENDS, /* "success of ID (met)", for each of depends_on */
	COLUMN_TOOK,	/* from started_at to finished_at or ended_at */
	COLUMN_JSON,	/* whatever it is */
	COLUMN_KIND_COUNT_
};

#define IN_TABLE 1u
#define IN_WIDE 2u
#define IN_TSV 4u
#define IN_RECORD 8u /* the long form of one item */
#define IN_ALL (IN_TABLE | IN_WIDE | IN_TSV | IN_RECORD)

/* One thing to show of an item. */
struct column {
	const char *title;
	const char *path; /* member, or "output.stdout_bytes" */
	enum column_kind kind;
	unsigned where;
};

struct columns {
	const struct column *row;
	size_t count;
};

extern const struct columns JOB_COLUMNS, ATTEMPT_COLUMNS, EVENT_COLUMNS;

/* Many items. Tables come out at the end (their widths are known then), everything else
 * at once, so that a long listing needs no memory. */
struct listing;
struct listing *listing_open(struct cli *cli, const struct columns *columns);
int listing_add(struct listing *listing, const cJSON *item, struct err *err);
int listing_end(struct listing *listing, struct err *err); /* frees it in any case */
void listing_drop(struct listing *listing); /* frees it; what is out is out */

/* Instead of listing_end, when the format is a table: appends it to `out`. Frees it. */
void listing_put(struct listing *listing, struct buf *out);

/* One item: a line for each column, or JSON. */
int record_print(struct cli *cli, const struct columns *columns, const cJSON *item,
		 struct err *err);

/* A JSON value as -o json and jsonl want it. */
int json_print(struct cli *cli, const cJSON *value, bool is_compact, struct err *err);

/* Member by path ("process.pid"), or NULL when absent or null; its text or NULL; its
 * number or `fallback`. */
const cJSON *item_at(const cJSON *item, const char *path);
const char *item_text(const cJSON *item, const char *path);
int64_t item_int(const cJSON *item, const char *path, int64_t fallback);

/* "failed (timeout), signal 15": how a job stands, in words, appended. */
void job_describe(const cJSON *job, struct buf *out);
bool job_is_final(const cJSON *job);

/* What `wait` returns for a final job: its exit code, 128 + n for a signal, 1 when it
 * ended without either or when it did not succeed in spite of exit code 0. */
int job_exit_code(const cJSON *job);

#endif
