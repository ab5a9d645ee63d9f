/* list_driver.c - which index drives a list, and its rows in chunks (see list_walk.h). */
#include "queue/list_walk.h"

#define STREAMS_MAX (FILTER_VALUES_MAX * JOB_STATE_COUNT_) /* owners times states */
/* An index with fewer rows than this to walk is taken at once. */
#define PROBE_ROWS 1000

struct list_driver {
	unsigned serves;	   /* bits of the filters whose values are in its key */
	enum list_filter value[2]; /* the first and the second part of the key */
	int values;
	bool is_for_living; /* only where all states asked for are those of living jobs */
	bool is_any_state;  /* all states are walked, whichever are asked for */
	bool is_finished;   /* by finished_at, else by id */
	enum statement desc, asc;
};

#define BIT(filter) (1u << (filter))
#define BY(name) .desc = STATEMENT_LIST_##name##_DESC, .asc = STATEMENT_LIST_##name##_ASC

/* Those that keep apart the fewest, as a rule, first. Living jobs are few beside the
 * history, final states are not. */
/* clang-format off */
static const struct list_driver DRIVERS[] = {
	{BY(BATCH), .serves = BIT(FILTER_BATCH), .values = 1, .value = {FILTER_BATCH}},
	{BY(OWNER_STATE), .serves = BIT(FILTER_OWNER) | BIT(FILTER_STATE), .values = 2,
	 .value = {FILTER_OWNER, FILTER_STATE}, .is_for_living = true},
	{BY(STATE), .serves = BIT(FILTER_STATE), .values = 1, .value = {FILTER_STATE},
	 .is_for_living = true},
	{BY(LABEL), .serves = BIT(FILTER_LABEL), .values = 1, .value = {FILTER_LABEL}},
	{BY(TASK), .serves = BIT(FILTER_TASK), .values = 1, .value = {FILTER_TASK}},
	{BY(OWNER_STATE), .serves = BIT(FILTER_OWNER) | BIT(FILTER_STATE), .values = 2,
	 .value = {FILTER_OWNER, FILTER_STATE}},
	{BY(QUEUE), .serves = BIT(FILTER_QUEUE), .values = 1, .value = {FILTER_QUEUE}},
	{BY(STATE), .serves = BIT(FILTER_STATE), .values = 1, .value = {FILTER_STATE}},
	{BY(OWNER_STATE), .serves = BIT(FILTER_OWNER), .values = 2,
	 .value = {FILTER_OWNER, FILTER_STATE}, .is_any_state = true},
	{BY(ALL)},
};
static const struct list_driver FINISHED_DRIVER = {BY(FINISHED), .is_finished = true};

#define STATE_WORD_(state, word, is_final) word,
static const struct filter_values ANY_STATE = {
	.value = {JOB_STATES(STATE_WORD_)}, .count = JOB_STATE_COUNT_ - 1};
#undef STATE_WORD_
/* clang-format on */

/* The values of a part of a driver's key that are walked. */
static const struct filter_values *key_values(const struct list_walk *walk,
					      const struct list_driver *driver, int part)
{
	const enum list_filter filter = driver->value[part];
	return driver->is_any_state && filter == FILTER_STATE ? &ANY_STATE
							      : &walk->filter.any[filter];
}

bool walk_is_descending(const struct list_walk *walk)
{
	return walk->sort == SORT_SUBMITTED_DESC || walk->sort == SORT_FINISHED_DESC;
}

bool walk_is_by_finished(const struct list_walk *walk)
{
	return walk->sort == SORT_FINISHED_DESC || walk->sort == SORT_FINISHED_ASC;
}

/* --- streams --- */

void streams_release(struct list_stream *stream, size_t count)
{
	for (size_t i = 0; i < count; i++)
		free(stream[i].row);
	free(stream);
}

/* Fetches the next rows of a stream, which has none left. */
int stream_fill(struct list_walk *walk, const struct list_driver *driver,
		struct list_stream *stream, size_t rows, struct err *err)
{
	sqlite3_stmt *stmt;
	int more;
	const struct bind binds[] = {
		as_int(stream->from.row),
		as_int(walk->end),
		as_int((int64_t)rows),
		driver->is_finished ? as_int(stream->from.key) : stream->value[0],
		stream->value[1],
	};
	const size_t count = driver->is_finished ? 4 : 3 + (size_t)driver->values;
	if (db_start(walk->queue, walk_is_descending(walk) ? driver->desc : driver->asc,
		     binds, count, &stmt, err) != 0)
		return -1;
	if (rows > stream->capacity) {
		stream->row = mem_grow(stream->row, rows * sizeof *stream->row);
		stream->capacity = rows;
	}
	stream->count = stream->next = 0;
	while ((more = db_step(walk->queue, stmt, err)) == 1) {
		const int64_t row = sqlite3_column_int64(stmt, 0);
		stream->row[stream->count++] = (struct list_position){
			.key = driver->is_finished ? sqlite3_column_int64(stmt, 1) : row,
			.row = row,
		};
	}
	db_end(stmt);
	if (more < 0)
		return -1;
	stream->is_exhausted = stream->count < rows;
	if (stream->count > 0)
		stream->from = stream->row[stream->count - 1];
	return 0;
}

static struct bind value_bind(struct list_stream *stream, enum list_filter filter,
			      const char *value)
{
	uint8_t high[DB_UUID_BYTES];
	if (filter != FILTER_BATCH)
		return as_text(value);
	(void)id_range(value, stream->uuid, high);
	return as_blob(stream->uuid, DB_UUID_BYTES);
}

/* One stream for each value, or pair of values, that the driver's index is asked for. */
static struct list_stream *streams_make(const struct list_walk *walk,
					const struct list_driver *driver,
					size_t *ret_count)
{
	const struct filter_values *first = key_values(walk, driver, 0);
	const struct filter_values *second = key_values(walk, driver, 1);
	const size_t firsts = driver->values > 0 ? first->count : 1;
	const size_t seconds = driver->values > 1 ? second->count : 1;
	struct list_stream *stream = mem_array(firsts * seconds, sizeof *stream);
	*ret_count = firsts * seconds;
	for (size_t i = 0; i < firsts * seconds; i++) {
		stream[i].from = walk->position;
		if (driver->values > 0)
			stream[i].value[0] = value_bind(&stream[i], driver->value[0],
							first->value[i / seconds]);
		if (driver->values > 1)
			stream[i].value[1] = as_text(second->value[i % seconds]);
	}
	return stream;
}

/* --- the driver --- */

static bool is_living(const char *state)
{
	return !job_state_is_final(job_state_parse(state));
}

static bool may_drive(const struct list_walk *walk, const struct list_driver *driver)
{
	size_t streams = 1;
	for (int i = 0; i < driver->values; i++)
		streams *= key_values(walk, driver, i)->count;
	if (streams == 0 || streams > STREAMS_MAX)
		return false;
	if (driver->serves == BIT(FILTER_QUEUE))
		return !filter_has(&walk->filter.any[FILTER_QUEUE], "default");
	const struct filter_values *states = &walk->filter.any[FILTER_STATE];
	for (size_t i = 0; driver->is_for_living && i < states->count; i++)
		if (!is_living(states->value[i]))
			return false;
	return true;
}

static void take_driver(struct list_walk *walk, const struct list_driver *driver,
			struct list_stream *stream, size_t streams)
{
	unsigned given = 0;
	for (int i = 0; i < FILTER_COUNT_; i++)
		given |= walk->filter.any[i].count > 0 ? BIT(i) : 0;
	walk->driver = driver;
	walk->stream = stream;
	walk->streams = streams;
	walk->residual = given & ~driver->serves;
	walk->needs_facts =
		(walk->residual & ~(BIT(FILTER_LABEL) | BIT(FILTER_TEXT))) != 0 ||
		(walk->owner != NULL && (driver->serves & BIT(FILTER_OWNER)) == 0);
	for (int i = 0; i < TIME_COUNT_; i++)
		walk->needs_facts |= walk->filter.has_time[i];
}

/* Fills the streams of a driver with what a probe may see. 1: that was all there is, 0,
 * -1. */
static int probe(struct list_walk *walk, const struct list_driver *driver,
		 struct list_stream *stream, size_t streams, struct err *err)
{
	bool is_all = true;
	for (size_t i = 0; i < streams && is_all; i++) {
		if (stream_fill(walk, driver, &stream[i], PROBE_ROWS / streams + 1,
				err) != 0)
			return -1;
		is_all = stream[i].is_exhausted;
	}
	return is_all;
}

static bool has_rest(const struct list_walk *walk, const struct list_driver *driver)
{
	for (int i = 0; i < FILTER_COUNT_; i++)
		if (walk->filter.any[i].count > 0 && (driver->serves & BIT(i)) == 0)
			return true;
	return false;
}

/* One that leaves nothing to look up; else the first that has little to walk; else the
 * first. The order is the same whichever drives, so that each page may choose anew. */
static int choose_driver(struct list_walk *walk, struct err *err)
{
	const struct list_driver *may[ARRAY_SIZE(DRIVERS)];
	struct list_stream *stream;
	size_t count = 0, streams;
	for (size_t i = 0; i < ARRAY_SIZE(DRIVERS); i++)
		if (may_drive(walk, &DRIVERS[i]))
			may[count++] = &DRIVERS[i];
	for (size_t i = 0; i < count; i++) {
		if (!has_rest(walk, may[i])) {
			stream = streams_make(walk, may[i], &streams);
			take_driver(walk, may[i], stream, streams);
			return 0;
		}
	}
	for (size_t i = 0; i < count && count > 1; i++) {
		stream = streams_make(walk, may[i], &streams);
		const int is_small = probe(walk, may[i], stream, streams, err);
		if (is_small == 1) {
			take_driver(walk, may[i], stream, streams);
			return 0;
		}
		streams_release(stream, streams);
		if (is_small < 0)
			return -1;
	}
	stream = streams_make(walk, may[0], &streams);
	take_driver(walk, may[0], stream, streams);
	return 0;
}

int walk_set_driver(struct list_walk *walk, struct err *err)
{
	size_t streams;
	struct list_stream *stream;
	if (!walk_is_by_finished(walk))
		return choose_driver(walk, err);
	stream = streams_make(walk, &FINISHED_DRIVER, &streams);
	take_driver(walk, &FINISHED_DRIVER, stream, streams);
	return 0;
}
