/* list_walk.c - where a walk begins and ends, and its next job (see list_walk.h).
 *
 * Several values of the driver's filter are several streams, merged by sort key; each is
 * in order by itself, so that nothing is ever sorted. */
#include "queue/list_walk.h"

#define CHUNK_MIN 32
#define CHUNK_MAX 1024
#define TEXT_BYTES_MAX (4u << 20)

/* --- times as rows --- */

/* The first row accepted at or after `at`, by halving; one behind the last when there is
 * none. Jobs that were accepted while the clock stood elsewhere may fall out. */
static int row_at(struct queue *queue, int64_t at, int64_t *ret, struct err *err)
{
	int64_t low = 1, high = 0, submitted_at;
	if (db_ask(queue, STATEMENT_LIST_LAST, NO_BINDS, &high, err) < 0)
		return -1;
	for (high++; low < high;) {
		const int64_t middle = low + (high - low) / 2;
		const int found = db_ask(queue, STATEMENT_LIST_SUBMITTED_AT,
					 BINDS(as_int(middle)), &submitted_at, err);
		if (found < 0)
			return -1;
		if (found == 0 || submitted_at >= at)
			high = middle;
		else
			low = middle + 1;
	}
	*ret = low;
	return 0;
}

/* The lowest and the highest sort key that are asked for, as times or rows; the highest
 * is excluded. */
static int key_range(const struct list_walk *walk, int64_t *ret_low, int64_t *ret_high,
		     struct err *err)
{
	const struct job_filter *filter = &walk->filter;
	const bool is_finished = walk_is_by_finished(walk);
	const enum list_time after =
		is_finished ? TIME_FINISHED_AFTER : TIME_CREATED_AFTER;
	const enum list_time before =
		is_finished ? TIME_FINISHED_BEFORE : TIME_CREATED_BEFORE;
	*ret_low = filter->has_time[after] ? filter->time[after] : INT64_MIN;
	*ret_high = filter->has_time[before] ? filter->time[before] : INT64_MAX;
	if (is_finished)
		return 0;
	if (filter->has_time[after] && row_at(walk->queue, *ret_low, ret_low, err) != 0)
		return -1;
	if (filter->has_time[before] &&
	    row_at(walk->queue, *ret_high, ret_high, err) != 0)
		return -1;
	return 0;
}

/* Where the walk begins and ends. Rows are given to the statements with both ends
 * excluded; by finished_at it begins behind a pair of time and row. */
static int set_bounds(struct list_walk *walk, struct err *err)
{
	int64_t low, high;
	if (key_range(walk, &low, &high, err) != 0)
		return -1;
	if (!walk_is_by_finished(walk) && low > INT64_MIN)
		low--;
	const int64_t begin = walk_is_descending(walk) ? high : low;
	walk->end = walk_is_descending(walk) ? low : high;
	if (!walk->has_position)
		walk->position = (struct list_position){
			.key = begin,
			.row = walk_is_by_finished(walk) ? INT64_MIN : begin};
	return 0;
}

/* --- opening --- */

/* The filter with what the viewer may see, and with the living states, in it. */
static void narrow(struct list_walk *walk)
{
	struct filter_values *owners = &walk->filter.any[FILTER_OWNER];
	struct filter_values *states = &walk->filter.any[FILTER_STATE];
	if (walk->owner != NULL) {
		walk->is_empty = owners->count > 0 && !filter_has(owners, walk->owner);
		*owners = (struct filter_values){.value = {walk->owner}, .count = 1};
	}
	if (!walk->filter.is_living)
		return;
	if (states->count == 0) {
		*states = (struct filter_values){
			.value = {"running", "queued", "waiting"}, .count = 3};
		return;
	}
	size_t kept = 0;
	for (size_t i = 0; i < states->count; i++)
		if (!job_state_is_final(job_state_parse(states->value[i])))
			states->value[kept++] = states->value[i];
	states->count = kept;
	walk->is_empty |= kept == 0;
}

static void make_needles(struct list_walk *walk)
{
	const struct filter_values *texts = &walk->filter.any[FILTER_TEXT];
	for (size_t i = 0; i < texts->count; i++) {
		walk->needle[i] = mem_strdup(texts->value[i]);
		text_lower(walk->needle[i], strlen(walk->needle[i]));
	}
}

int walk_open(struct list_walk *walk, struct queue *queue, const struct viewer *viewer,
	      const struct job_filter *filter, const struct list_position *after,
	      size_t wanted, struct err *err)
{
	*walk = (struct list_walk){
		.queue = queue,
		.filter = *filter,
		.owner = viewer->sees_all ? NULL : viewer->principal,
		.sort = filter_sort(filter),
		.position = after != NULL ? *after : (struct list_position){0},
		.has_position = after != NULL,
		.looked_max = LIST_LOOKED_MAX,
	};
	buf_init(&walk->text, TEXT_BYTES_MAX);
	narrow(walk);
	if (filter_check_served(filter, viewer, err) != 0)
		return -1;
	if (walk->is_empty)
		return 0;
	make_needles(walk);
	if (set_bounds(walk, err) != 0)
		return -1;
	/* without anything to look up, exactly what is wanted is fetched */
	walk->chunk = wanted < CHUNK_MAX ? wanted : CHUNK_MAX;
	if (walk_set_driver(walk, err) != 0)
		return -1;
	if ((walk->residual != 0 || walk->needs_facts) && walk->chunk < CHUNK_MIN)
		walk->chunk = CHUNK_MIN;
	return 0;
}

void walk_close(struct list_walk *walk)
{
	streams_release(walk->stream, walk->streams);
	for (size_t i = 0; i < FILTER_VALUES_MAX; i++)
		free(walk->needle[i]);
	buf_release(&walk->text);
}

/* --- walking --- */

/* Does `a` come before `b` in the order of the walk? */
static bool is_before(const struct list_walk *walk, const struct list_position *a,
		      const struct list_position *b)
{
	if (a->key == b->key)
		return walk_is_descending(walk) ? a->row > b->row : a->row < b->row;
	return walk_is_descending(walk) ? a->key > b->key : a->key < b->key;
}

/* The next row of all streams: 1, 0 none, -1. */
static int pop(struct list_walk *walk, struct list_position *ret, struct err *err)
{
	struct list_stream *first = NULL;
	bool has_filled = false;
	for (size_t i = 0; i < walk->streams; i++) {
		struct list_stream *stream = &walk->stream[i];
		if (stream->next == stream->count && !stream->is_exhausted) {
			has_filled = true;
			if (stream_fill(walk, walk->driver, stream, walk->chunk, err) !=
			    0)
				return -1;
		}
		if (stream->next == stream->count)
			continue;
		if (first == NULL ||
		    is_before(walk, &stream->row[stream->next], &first->row[first->next]))
			first = stream;
	}
	if (has_filled && walk->chunk < CHUNK_MAX)
		walk->chunk *= 2;
	if (first == NULL)
		return 0;
	*ret = first->row[first->next++];
	return 1;
}

int walk_next(struct list_walk *walk, struct err *err)
{
	struct list_position at;
	bool is_first = walk->looked == 0;
	int found;
	while ((found = pop(walk, &at, err)) == 1) {
		/* one job with two of the labels asked for comes from two streams */
		if (!is_first && at.row == walk->position.row)
			continue;
		if (walk->looked >= walk->looked_max) {
			walk->is_cut = true;
			return 0;
		}
		is_first = false;
		walk->looked++;
		walk->position = at;
		const int fits = walk_fits(walk, at.row, err);
		if (fits != 0)
			return fits;
	}
	return found;
}
