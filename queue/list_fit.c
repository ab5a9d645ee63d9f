/* list_fit.c - does one job fit the filters that its driver does not know? (list_walk.h)
 */
#include <strings.h>

#include "queue/list_walk.h"

/* Text of this length costs as much as a job that is looked at. */
#define TEXT_WEIGHT_BYTES 4096

/* Columns of list_facts behind those of the filters. */
enum { FACT_SUBMITTED_AT = FILTER_COUNT_, FACT_FINISHED_AT };

static bool is_any(const char *text, const struct filter_values *values)
{
	for (size_t i = 0; text != NULL && i < values->count; i++)
		if (strcasecmp(values->value[i], text) == 0)
			return true;
	return false;
}

static bool column_fits(sqlite3_stmt *stmt, int filter,
			const struct filter_values *values)
{
	char id[JOB_ID_BYTES];
	if (filter == FILTER_BATCH) {
		column_id(stmt, filter, id);
		return is_any(id, values); /* hexadecimal digits of any case */
	}
	const char *text = (const char *)sqlite3_column_text(stmt, filter);
	return text != NULL && filter_has(values, text);
}

static bool time_fits(sqlite3_stmt *stmt, const struct job_filter *filter, int column,
		      enum list_time after, enum list_time before)
{
	if (!filter->has_time[after] && !filter->has_time[before])
		return true;
	if (sqlite3_column_type(stmt, column) == SQLITE_NULL)
		return false;
	const int64_t at = sqlite3_column_int64(stmt, column);
	return (!filter->has_time[after] || at >= filter->time[after]) &&
	       (!filter->has_time[before] || at < filter->time[before]);
}

/* The row with its owner's rights: whoever may not see it finds none. */
static int facts_fit(struct list_walk *walk, int64_t row, struct err *err)
{
	sqlite3_stmt *stmt;
	const struct job_filter *filter = &walk->filter;
	if (db_start(walk->queue, STATEMENT_LIST_FACTS,
		     BINDS(as_int(row), as_text(walk->owner)), &stmt, err) != 0)
		return -1;
	int fits = db_step(walk->queue, stmt, err);
	for (int i = 0; i < FILTER_COUNT_ && fits == 1; i++)
		if ((walk->residual & 1u << i) != 0 && i != FILTER_LABEL &&
		    i != FILTER_TEXT)
			fits = column_fits(stmt, i, &filter->any[i]);
	if (fits == 1)
		fits = time_fits(stmt, filter, FACT_SUBMITTED_AT, TIME_CREATED_AFTER,
				 TIME_CREATED_BEFORE) &&
		       time_fits(stmt, filter, FACT_FINISHED_AT, TIME_FINISHED_AFTER,
				 TIME_FINISHED_BEFORE);
	db_end(stmt);
	return fits;
}

static int label_fits(struct list_walk *walk, int64_t row, struct err *err)
{
	const struct filter_values *values = &walk->filter.any[FILTER_LABEL];
	int found = 0;
	int64_t one;
	for (size_t i = 0; i < values->count && found == 0; i++)
		found = db_ask(walk->queue, STATEMENT_LIST_HAS_LABEL,
			       BINDS(as_text(values->value[i]), as_int(row)), &one, err);
	return found;
}

/* --- q --- */

/* The strings of an array, parted by blanks. What is escaped is rare and takes the long
 * way. */
static void put_command(struct buf *out, const char *json)
{
	bool is_inside = false;
	cJSON *tree = NULL;
	if (strchr(json, '\\') != NULL) {
		const cJSON *word = NULL;
		if (json_parse(json, strlen(json), NULL, &tree, NULL) != 0)
			return;
		cJSON_ArrayForEach(word, tree)
		{
			const char *text = cJSON_GetStringValue(word);
			(void)buf_append_text(out, text != NULL ? text : "");
			(void)buf_append_char(out, ' ');
		}
		cJSON_Delete(tree);
	} else {
		for (const char *at = json; *at != '\0'; at++) {
			if (*at == '"')
				is_inside = !is_inside;
			if (is_inside && *at != '"')
				(void)buf_append_char(out, *at);
			else if (*at == '"' && !is_inside)
				(void)buf_append_char(out, ' ');
		}
	}
	if (out->length > 0 && out->data[out->length - 1] == ' ') {
		out->length--;
		buf_seal(out);
	}
}

void text_lower(char *text, size_t length)
{
	for (size_t i = 0; i < length; i++)
		if (text[i] >= 'A' && text[i] <= 'Z')
			text[i] = (char)(text[i] - 'A' + 'a');
}

static bool has_needle(const struct list_walk *walk)
{
	for (size_t i = 0; i < walk->filter.any[FILTER_TEXT].count; i++)
		if (strstr(buf_text(&walk->text), walk->needle[i]) != NULL)
			return true;
	return false;
}

static int text_fits(struct list_walk *walk, int64_t row, struct err *err)
{
	sqlite3_stmt *stmt;
	if (db_start(walk->queue, STATEMENT_LIST_TEXT, BINDS(as_int(row)), &stmt, err) !=
	    0)
		return -1;
	const int found = db_step(walk->queue, stmt, err);
	bool fits = false;
	for (int column = 0; column < 2 && found == 1 && !fits; column++) {
		const char *text = (const char *)sqlite3_column_text(stmt, column);
		buf_reset(&walk->text);
		if (text != NULL && column == 0)
			(void)buf_append_text(&walk->text, text);
		else if (text != NULL)
			put_command(&walk->text, text);
		text_lower(walk->text.data, walk->text.length);
		walk->looked += (int)(walk->text.length / TEXT_WEIGHT_BYTES);
		fits = has_needle(walk);
	}
	db_end(stmt);
	return found < 0 ? -1 : fits;
}

int walk_fits(struct list_walk *walk, int64_t row, struct err *err)
{
	int fits = walk->needs_facts ? facts_fit(walk, row, err) : 1;
	if (fits == 1 && (walk->residual & 1u << FILTER_LABEL) != 0)
		fits = label_fits(walk, row, err);
	if (fits == 1 && (walk->residual & 1u << FILTER_TEXT) != 0)
		fits = text_fits(walk, row, err);
	return fits;
}
