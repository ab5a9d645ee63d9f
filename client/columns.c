/* columns.c - what is shown of jobs, attempts and events, and how one value is written:
 * one row per column, one function per kind of value. */
#include "client/columns.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "client/neutral.h"

/* clang-format off */
static const struct column JOB_ROWS[] = {
	{"id",          "id",                   COLUMN_ID,    IN_ALL},
	{"state",       "state",                COLUMN_STATE, IN_ALL},
	{"reason",      "reason",               COLUMN_TEXT,  IN_WIDE | IN_TSV | IN_RECORD},
	{"exit",        "",                     COLUMN_EXIT,  IN_TABLE | IN_WIDE},
	{"exit_code",   "exit_code",            COLUMN_INT,   IN_TSV | IN_RECORD},
	{"signal",      "signal",               COLUMN_INT,   IN_TSV | IN_RECORD},
	{"submitted",   "submitted_at",         COLUMN_TIME,  IN_ALL},
	{"started",     "started_at",           COLUMN_TIME,  IN_TSV | IN_RECORD},
	{"finished",    "finished_at",          COLUMN_TIME,  IN_TSV | IN_RECORD},
	{"took",        "started_at",           COLUMN_TOOK,  IN_TABLE | IN_WIDE | IN_RECORD},
	{"run_at",      "run_at",               COLUMN_TIME,  IN_WIDE | IN_RECORD},
	{"expires",     "expires_at",           COLUMN_TIME,  IN_RECORD},
	{"owner",       "owner",                COLUMN_TEXT,  IN_WIDE | IN_TSV | IN_RECORD},
	{"queue",       "queue",                COLUMN_TEXT,  IN_WIDE | IN_RECORD},
	{"priority",    "priority",             COLUMN_INT,   IN_WIDE | IN_TSV | IN_RECORD},
	{"attempt",     "attempt",              COLUMN_INT,   IN_WIDE | IN_TSV | IN_RECORD},
	{"max_attempts", "max_attempts",        COLUMN_INT,   IN_RECORD},
	{"retry",       "retry",                COLUMN_JSON,  IN_RECORD},
	{"after",       "depends_on",           COLUMN_DEPENDS, IN_RECORD},
	{"depends_rule", "depends_rule",        COLUMN_TEXT,  IN_RECORD},
	{"stdin_from",  "stdin_from",           COLUMN_TEXT,  IN_RECORD},
	{"dependants",  "dependants",           COLUMN_INT,   IN_RECORD},
	{"batch",       "batch",                COLUMN_TEXT,  IN_RECORD},
	{"rerun_of",    "rerun_of",             COLUMN_TEXT,  IN_RECORD},
	{"unique_key",  "unique_key",           COLUMN_TEXT,  IN_RECORD},
	{"keep",        "keep",                 COLUMN_JSON,  IN_RECORD},
	{"callback",    "callback",             COLUMN_JSON,  IN_RECORD},
	{"labels",      "labels",               COLUMN_JSON,  IN_WIDE | IN_TSV | IN_RECORD},
	{"deadline_s",  "deadline_s",           COLUMN_NUMBER, IN_RECORD},
	{"timeout_s",   "timeout_s",            COLUMN_NUMBER, IN_RECORD},
	{"directory",   "working_directory",    COLUMN_TEXT,  IN_RECORD},
	{"environment", "environment",          COLUMN_JSON,  IN_RECORD},
	{"pid",         "process.pid",          COLUMN_INT,   IN_RECORD},
	{"cpu_user_s",  "process.cpu_user_s",   COLUMN_NUMBER, IN_RECORD},
	{"cpu_system_s", "process.cpu_system_s", COLUMN_NUMBER, IN_RECORD},
	{"max_rss",     "process.max_rss_bytes", COLUMN_BYTES, IN_RECORD},
	{"stdout",      "output.stdout_bytes",  COLUMN_BYTES, IN_RECORD},
	{"stderr",      "output.stderr_bytes",  COLUMN_BYTES, IN_RECORD},
	{"dropped",     "output.dropped_bytes", COLUMN_BYTES, IN_RECORD},
	{"stored",      "output.stored",        COLUMN_TEXT,  IN_RECORD},
	{"error",       "error",                COLUMN_TEXT,  IN_RECORD},
	{"stopped_by",  "stop.by",              COLUMN_TEXT,  IN_RECORD},
	{"stop_text",   "stop.text",            COLUMN_TEXT,  IN_RECORD},
	{"task",        "task",                 COLUMN_TEXT,  IN_WIDE | IN_RECORD},
	{"parameters",  "parameters",           COLUMN_JSON,  IN_RECORD},
	{"name",        "name",                 COLUMN_TEXT,  IN_ALL},
	{"command",     "command",              COLUMN_ARGV,  IN_ALL},
};

static const struct column ATTEMPT_ROWS[] = {
	{"number",      "number",               COLUMN_INT,   IN_ALL},
	{"state",       "state",                COLUMN_STATE, IN_ALL},
	{"outcome",     "outcome",              COLUMN_TEXT,  IN_ALL},
	{"exit",        "",                     COLUMN_EXIT,  IN_TABLE | IN_WIDE},
	{"exit_code",   "exit_code",            COLUMN_INT,   IN_TSV},
	{"signal",      "signal",               COLUMN_INT,   IN_TSV},
	{"pid",         "process.pid",          COLUMN_INT,   IN_ALL},
	{"started",     "started_at",           COLUMN_TIME,  IN_ALL},
	{"ended",       "ended_at",             COLUMN_TIME,  IN_TSV},
	{"took",        "started_at",           COLUMN_TOOK,  IN_TABLE | IN_WIDE},
	{"cpu_user_s",  "process.cpu_user_s",   COLUMN_NUMBER, IN_WIDE | IN_TSV},
	{"cpu_system_s", "process.cpu_system_s", COLUMN_NUMBER, IN_WIDE | IN_TSV},
	{"max_rss",     "process.max_rss_bytes", COLUMN_BYTES, IN_WIDE | IN_TSV},
	{"stdout",      "output.stdout_bytes",  COLUMN_BYTES, IN_ALL},
	{"stderr",      "output.stderr_bytes",  COLUMN_BYTES, IN_ALL},
	{"dropped",     "output.dropped_bytes", COLUMN_BYTES, IN_WIDE | IN_TSV},
	{"error",       "error",                COLUMN_TEXT,  IN_ALL},
};

static const struct column EVENT_ROWS[] = {
	{"id",          "id",                   COLUMN_INT,   IN_ALL},
	{"at",          "at",                   COLUMN_TIME,  IN_ALL},
	{"kind",        "kind",                 COLUMN_TEXT,  IN_ALL},
	{"state",       "state",                COLUMN_STATE, IN_ALL},
	{"principal",   "principal",            COLUMN_TEXT,  IN_ALL},
	{"data",        "data",                 COLUMN_JSON,  IN_ALL},
	{"job",         "job",                  COLUMN_ID,    IN_WIDE | IN_TSV},
	{"queue",       "queue",                COLUMN_TEXT,  IN_WIDE | IN_TSV},
	{"owner",       "owner",                COLUMN_TEXT,  IN_WIDE | IN_TSV},
};
/* clang-format on */

const struct columns JOB_COLUMNS = {JOB_ROWS, ARRAY_SIZE(JOB_ROWS)};
const struct columns ATTEMPT_COLUMNS = {ATTEMPT_ROWS, ARRAY_SIZE(ATTEMPT_ROWS)};
const struct columns EVENT_COLUMNS = {EVENT_ROWS, ARRAY_SIZE(EVENT_ROWS)};

/* --- values of an item --- */

/* null counts as absent: the service writes every member, known or not. */
const cJSON *item_at(const cJSON *item, const char *path)
{
	char key[64];
	while (item != NULL && *path != '\0') {
		const size_t length = strcspn(path, ".");
		if (length >= sizeof(key))
			return NULL;
		memcpy(key, path, length);
		key[length] = '\0';
		item = json_get(item, key);
		path += length + (path[length] == '.');
	}
	return item;
}

const char *item_text(const cJSON *item, const char *path)
{
	return cJSON_GetStringValue(item_at(item, path));
}

/* Numbers past 2^53 are not exact in a double and are treated as absent. */
int64_t item_int(const cJSON *item, const char *path, int64_t fallback)
{
	const cJSON *value = item_at(item, path);
	if (value == NULL || !cJSON_IsNumber(value) || fabs(value->valuedouble) > 9.1e15)
		return fallback;
	return (int64_t)value->valuedouble;
}

static int64_t item_time(const cJSON *item, const char *path)
{
	const char *text = item_text(item, path);
	int64_t at = 0;
	if (text == NULL || clock_parse(text, &at) < 0)
		return 0;
	return at;
}

/* --- one function per kind --- */

/* "12s", "3m 5s", "2h 10m", "4d 3h": two units at most, for people. */
static void put_span(int64_t span_us, struct buf *out)
{
	static const struct {
		int64_t seconds;
		char letter;
	} UNITS[] = {{86400, 'd'}, {3600, 'h'}, {60, 'm'}, {1, 's'}};
	const int64_t total = span_us / US_PER_S;
	if (total < 10) {
		buf_printf(out, "%.*fs", total < 1 ? 3 : 1, (double)span_us / 1e6);
		return;
	}
	for (size_t i = 0; i < ARRAY_SIZE(UNITS); i++) {
		if (total < UNITS[i].seconds)
			continue;
		buf_printf(out, "%lld%c", (long long)(total / UNITS[i].seconds),
			   UNITS[i].letter);
		const int64_t rest = total % UNITS[i].seconds;
		if (i + 1 < ARRAY_SIZE(UNITS) && rest >= UNITS[i + 1].seconds)
			buf_printf(out, " %lld%c",
				   (long long)(rest / UNITS[i + 1].seconds),
				   UNITS[i + 1].letter);
		return;
	}
}

/* Clocks of two machines differ: a time just ahead of ours is now. */
static void put_ago(int64_t at_us, struct buf *out)
{
	const int64_t span = clock_now_us() - at_us;
	if (span < -US_PER_S) {
		buf_append_text(out, "in ");
		put_span(-span, out);
		return;
	}
	if (span < US_PER_S) {
		buf_append_text(out, "now");
		return;
	}
	put_span(span - span % US_PER_S >= 10 * US_PER_S ? span : span - span % US_PER_S,
		 out);
	buf_append_text(out, " ago");
}

static void put_text(const cJSON *item, const struct column *column, bool is_plain,
		     struct buf *out)
{
	(void)is_plain;
	const char *text = item_text(item, column->path);
	if (text != NULL)
		buf_append_text(out, text);
}

static void put_time(const cJSON *item, const struct column *column, bool is_plain,
		     struct buf *out)
{
	const int64_t at = item_time(item, column->path);
	if (is_plain || at == 0)
		put_text(item, column, is_plain, out);
	else
		put_ago(at, out);
}

static void put_int(const cJSON *item, const struct column *column, bool is_plain,
		    struct buf *out)
{
	(void)is_plain;
	if (cJSON_IsNumber(item_at(item, column->path)))
		buf_printf(out, "%lld", (long long)item_int(item, column->path, 0));
}

static void put_number(const cJSON *item, const struct column *column, bool is_plain,
		       struct buf *out)
{
	const cJSON *value = item_at(item, column->path);
	if (value == NULL || !cJSON_IsNumber(value))
		return;
	if (is_plain)
		buf_printf(out, "%.15g", value->valuedouble);
	else
		buf_printf(out, "%.3g", value->valuedouble);
}

static void put_bytes(const cJSON *item, const struct column *column, bool is_plain,
		      struct buf *out)
{
	static const char *const UNITS[] = {"KiB", "MiB", "GiB", "TiB"};
	const int64_t bytes = item_int(item, column->path, -1);
	if (bytes < 0)
		return;
	if (is_plain || bytes < 1024) {
		buf_printf(out, "%lld", (long long)bytes);
		return;
	}
	double size = (double)bytes / 1024;
	size_t unit = 0;
	for (; size >= 1024 && unit + 1 < ARRAY_SIZE(UNITS); unit++)
		size /= 1024;
	buf_printf(out, "%.1f %s", size, UNITS[unit]);
}

/* One word as a shell would need it: bare when it is harmless, else in single quotes. */
static void put_word(const char *word, struct buf *out)
{
	static const char BARE[] =
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
		"_-./=:,@%+";
	if (word[0] != '\0' && word[strspn(word, BARE)] == '\0') {
		buf_append_text(out, word);
		return;
	}
	buf_append_char(out, '\'');
	for (const char *at = word; *at != '\0'; at++) {
		if (*at == '\'')
			buf_append_text(out, "'\\''");
		else
			buf_append_char(out, *at);
	}
	buf_append_char(out, '\'');
}

static void put_argv(const cJSON *item, const struct column *column, bool is_plain,
		     struct buf *out)
{
	(void)is_plain;
	const cJSON *argv = item_at(item, column->path);
	const cJSON *word = NULL;
	bool is_first = true;
	cJSON_ArrayForEach(word, argv)
	{
		if (!is_first)
			buf_append_char(out, ' ');
		is_first = false;
		if (cJSON_IsString(word))
			put_word(word->valuestring, out);
	}
}

/* Never both: a job ends by itself or by a signal. */
static void put_exit(const cJSON *item, const struct column *column, bool is_plain,
		     struct buf *out)
{
	(void)column;
	(void)is_plain;
	const int64_t code = item_int(item, "exit_code", -1);
	const int64_t number = item_int(item, "signal", -1);
	const char *name = number > 0 ? signal_name((int)number) : NULL;
	if (name != NULL)
		buf_printf(out, "SIG%s", name);
	else if (number > 0)
		buf_printf(out, "signal %lld", (long long)number);
	else if (code >= 0)
		buf_printf(out, "%lld", (long long)code);
}

/* While it runs: until now. */
static void put_took(const cJSON *item, const struct column *column, bool is_plain,
		     struct buf *out)
{
	const int64_t from = item_time(item, column->path);
	int64_t to = item_time(item, "finished_at");
	if (to == 0)
		to = item_time(item, "ended_at");
	if (to == 0)
		to = clock_now_us();
	if (from == 0 || to < from)
		return;
	if (is_plain)
		buf_printf(out, "%.6f", (double)(to - from) / 1e6);
	else
		put_span(to - from, out);
}

/* A parent that is not ours to see has no id. */
static void put_depends(const cJSON *item, const struct column *column, bool is_plain,
			struct buf *out)
{
	(void)is_plain;
	const cJSON *one = NULL;
	bool is_first = true;
	cJSON_ArrayForEach(one, item_at(item, column->path))
	{
		const char *on = item_text(one, "on"), *id = item_text(one, "job");
		const char *state = item_text(one, "state");
		buf_printf(out, "%s%s of %s (%s)", is_first ? "" : ", ",
			   on != NULL ? on : "?", id != NULL ? id : "another's job",
			   state != NULL ? state : "?");
		is_first = false;
	}
}

static void put_json(const cJSON *item, const struct column *column, bool is_plain,
		     struct buf *out)
{
	(void)is_plain;
	const cJSON *value = item_at(item, column->path);
	if (value == NULL || (cJSON_IsObject(value) && value->child == NULL))
		return;
	if (cJSON_IsString(value)) {
		buf_append_text(out, value->valuestring);
		return;
	}
	AUTO_FREE char *text = cJSON_PrintUnformatted(value);
	if (text != NULL)
		buf_append_text(out, text);
}

typedef void put_function(const cJSON *item, const struct column *column, bool is_plain,
			  struct buf *out);

void column_put(const cJSON *item, const struct column *column, bool is_plain,
		struct buf *out)
{
	static put_function *const PUT[COLUMN_KIND_COUNT_] = {
		[COLUMN_TEXT] = put_text,	[COLUMN_ID] = put_text,
		[COLUMN_STATE] = put_text,	[COLUMN_TIME] = put_time,
		[COLUMN_INT] = put_int,		[COLUMN_NUMBER] = put_number,
		[COLUMN_BYTES] = put_bytes,	[COLUMN_ARGV] = put_argv,
		[COLUMN_EXIT] = put_exit,	[COLUMN_TOOK] = put_took,
		[COLUMN_DEPENDS] = put_depends, [COLUMN_JSON] = put_json,
	};
	PUT[column->kind](item, column, is_plain, out);
}
