/* list_filter.c - filters by their names: read, checked, told apart (see list.h). */
#include "queue/db.h"
#include "queue/list_walk.h"

#define WORD_(value, word) word,
static const char *const FILTER_WORDS[] = {LIST_FILTERS(WORD_)};
static const char *const TIME_WORDS[] = {LIST_TIMES(WORD_)};
static const char *const SORT_WORDS[] = {LIST_SORTS(WORD_)};
#undef WORD_

static int word_index(const char *const *words, size_t count, const char *word)
{
	for (size_t i = 0; i < count; i++)
		if (strcmp(words[i], word) == 0)
			return (int)i;
	return -1;
}

bool job_filter_knows(const char *name)
{
	return job_filter_repeats(name) || word_index(TIME_WORDS, TIME_COUNT_, name) >= 0;
}

bool job_filter_repeats(const char *name)
{
	return word_index(FILTER_WORDS, FILTER_COUNT_, name) >= 0;
}

/* --- values --- */

static int check_any(const char *value, struct err *err)
{
	if (value[0] == '\0')
		return err_set(err, ERR_INVALID, "must not be empty");
	return 0;
}

static int check_state(const char *value, struct err *err)
{
	static const char *const words[] = {
#define STATE_WORD_(state, word, is_final) word,
		JOB_STATES(STATE_WORD_)
#undef STATE_WORD_
	};
	if (job_state_parse(value) != JOB_STATE_NONE)
		return 0;
	const char *nearest = text_nearest(value, words, ARRAY_SIZE(words));
	if (nearest != NULL)
		return err_set(err, ERR_INVALID,
			       "no job has the state \"%.64s\"; did you mean \"%s\"?",
			       value, nearest);
	return err_set(err, ERR_INVALID,
		       "no job has the state \"%.64s\"; the states are waiting, queued, "
		       "running, succeeded, failed, cancelled, skipped, lost",
		       value);
}

static int check_label(const char *value, struct err *err)
{
	const char *equals = strchr(value, '=');
	if (equals == NULL || equals == value)
		return err_set(err, ERR_INVALID,
			       "must be name=value, as in label=app=library");
	return 0;
}

static int check_batch(const char *value, struct err *err)
{
	if (!job_id_is_valid(value))
		return err_set(err, ERR_INVALID, "must be the whole id of a batch");
	return 0;
}

static int (*const CHECK[FILTER_COUNT_])(const char *, struct err *) = {
	[FILTER_STATE] = check_state, [FILTER_QUEUE] = check_any,
	[FILTER_TASK] = check_any,    [FILTER_OWNER] = check_any,
	[FILTER_LABEL] = check_label, [FILTER_BATCH] = check_batch,
	[FILTER_TEXT] = check_any,
};

/* A value that stands there already adds nothing, and would be walked twice. */
static int add_value(struct filter_values *values, const char *value, struct err *err)
{
	for (size_t i = 0; i < values->count; i++)
		if (strcmp(values->value[i], value) == 0)
			return 0;
	if (values->count == FILTER_VALUES_MAX)
		return err_set(err, ERR_INVALID, "has more than %d values",
			       FILTER_VALUES_MAX);
	values->value[values->count++] = value;
	return 0;
}

static int unknown_name(const char *name, struct err *err)
{
	const char *names[FILTER_COUNT_ + TIME_COUNT_];
	memcpy(names, FILTER_WORDS, sizeof FILTER_WORDS);
	memcpy(names + FILTER_COUNT_, TIME_WORDS, sizeof TIME_WORDS);
	const char *nearest = text_nearest(name, names, ARRAY_SIZE(names));
	return err_set(err, ERR_INVALID, "is no filter%s%s%s",
		       nearest != NULL ? "; did you mean \"" : "",
		       nearest != NULL ? nearest : "", nearest != NULL ? "\"?" : "");
}

int job_filter_add(struct job_filter *filter, const char *name, const char *value,
		   struct err *err)
{
	const int any = word_index(FILTER_WORDS, FILTER_COUNT_, name);
	if (any >= 0)
		return CHECK[any](value, err) != 0
			       ? -1
			       : add_value(&filter->any[any], value, err);
	const int time = word_index(TIME_WORDS, TIME_COUNT_, name);
	if (time < 0)
		return unknown_name(name, err);
	if (clock_parse(value, &filter->time[time]) != 0)
		return err_set(err, ERR_INVALID,
			       "must be a time like 2026-11-21T06:00:00+01:00");
	filter->has_time[time] = true;
	return 0;
}

int job_filter_sort(struct job_filter *filter, const char *word, struct err *err)
{
	const int sort = word_index(SORT_WORDS, ARRAY_SIZE(SORT_WORDS), word);
	if (sort < 0)
		return err_set(err, ERR_INVALID,
			       "must be submitted_at or finished_at, with a - in front "
			       "for the newest first");
	filter->sort = (enum job_sort)(sort + 1);
	return 0;
}

/* --- the whole --- */

static bool has_finished_time(const struct job_filter *filter)
{
	return filter->has_time[TIME_FINISHED_AFTER] ||
	       filter->has_time[TIME_FINISHED_BEFORE];
}

static bool has_created_time(const struct job_filter *filter)
{
	return filter->has_time[TIME_CREATED_AFTER] ||
	       filter->has_time[TIME_CREATED_BEFORE];
}

enum job_sort filter_sort(const struct job_filter *filter)
{
	if (filter->sort != SORT_DEFAULT)
		return filter->sort;
	return has_finished_time(filter) ? SORT_FINISHED_DESC : SORT_SUBMITTED_DESC;
}

bool job_filter_narrows(const struct job_filter *filter)
{
	for (int i = 0; i < FILTER_COUNT_; i++)
		if (i != FILTER_TEXT && filter->any[i].count > 0)
			return true;
	return has_created_time(filter) || has_finished_time(filter);
}

/* Does an index keep apart what fits? Nearly every job is in the default queue, which is
 * why no index has it. */
static bool has_indexed(const struct job_filter *filter)
{
	for (int i = 0; i < FILTER_COUNT_; i++)
		if (i != FILTER_TEXT && filter->any[i].count > 0 &&
		    !(i == FILTER_QUEUE && filter_has(&filter->any[i], "default")))
			return true;
	return filter->is_living || has_created_time(filter);
}

bool filter_has(const struct filter_values *values, const char *value)
{
	for (size_t i = 0; i < values->count; i++)
		if (strcmp(values->value[i], value) == 0)
			return true;
	return false;
}

int filter_check_served(const struct job_filter *filter, const struct viewer *viewer,
			struct err *err)
{
	const enum job_sort sort = filter_sort(filter);
	if (sort == SORT_FINISHED_DESC || sort == SORT_FINISHED_ASC) {
		bool is_alone = !has_created_time(filter);
		for (int i = 0; i < FILTER_COUNT_; i++)
			is_alone = is_alone && filter->any[i].count == 0;
		if (is_alone || has_finished_time(filter))
			return 0;
		return err_set(
			err, ERR_INVALID,
			"with other filters, sort=finished_at needs finished_after "
			"or finished_before: no index serves this");
	}
	if (!viewer->sees_all || has_indexed(filter))
		return 0;
	if (has_finished_time(filter))
		return err_set(
			err, ERR_INVALID,
			"finished_after and finished_before need "
			"sort=-finished_at here, or one of state, owner, task, "
			"queue, label, batch, created_after: no index serves this");
	if (filter->any[FILTER_TEXT].count > 0)
		return err_set(err, ERR_INVALID,
			       "q needs another filter beside it, one of state, owner, "
			       "task, queue (not default), label, batch, created_after, "
			       "finished_after: no index serves it alone");
	return 0;
}

void job_filter_digest(const struct job_filter *filter, const struct viewer *viewer,
		       uint8_t ret[DIGEST_BYTES])
{
	struct digest digest;
	const int64_t head[] = {filter_sort(filter), filter->is_living, viewer->sees_all};
	digest_init(&digest);
	digest_add(&digest, head, sizeof head);
	digest_add(&digest, viewer->principal, strlen(viewer->principal) + 1);
	for (int i = 0; i < FILTER_COUNT_; i++) {
		const struct filter_values *any = &filter->any[i];
		digest_add(&digest, &any->count, sizeof any->count);
		for (size_t k = 0; k < any->count; k++)
			digest_add(&digest, any->value[k], strlen(any->value[k]) + 1);
	}
	for (int i = 0; i < TIME_COUNT_; i++) {
		const int64_t time[] = {filter->has_time[i],
					filter->has_time[i] ? filter->time[i] : 0};
		digest_add(&digest, time, sizeof time);
	}
	digest_end(&digest, ret);
}
