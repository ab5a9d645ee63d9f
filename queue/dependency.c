/* dependency.c - the words of dependencies, and questions about them. */
#include "queue/birth.h"

static const char *const CONDITION_WORDS[] = {
#define DEPENDENCY_CONDITION_WORD_(value, word) [value] = (word),
	DEPENDENCY_CONDITIONS(DEPENDENCY_CONDITION_WORD_)
#undef DEPENDENCY_CONDITION_WORD_
};

static const char *const STATE_WORDS[] = {
#define DEPENDENCY_STATE_WORD_(value, word) [value] = (word),
	DEPENDENCY_STATES(DEPENDENCY_STATE_WORD_)
#undef DEPENDENCY_STATE_WORD_
};

const char *dependency_condition_word(enum dependency_condition condition)
{
	return (size_t)condition < ARRAY_SIZE(CONDITION_WORDS)
		       ? CONDITION_WORDS[condition]
		       : NULL;
}

enum dependency_condition dependency_condition_parse(const char *word)
{
	for (size_t i = 1; i < ARRAY_SIZE(CONDITION_WORDS); i++)
		if (text_equal(word, CONDITION_WORDS[i]))
			return (enum dependency_condition)i;
	return DEPENDS_NONE;
}

const char *dependency_state_word(enum dependency_state state)
{
	return (size_t)state < ARRAY_SIZE(STATE_WORDS) ? STATE_WORDS[state] : NULL;
}

void dependency_list_release(struct dependency_list *list)
{
	free(list->item);
	*list = (struct dependency_list){.item = NULL};
}

static enum dependency_state state_parse(const char *word)
{
	for (size_t i = 0; i < ARRAY_SIZE(STATE_WORDS); i++)
		if (text_equal(word, STATE_WORDS[i]))
			return (enum dependency_state)i;
	return DEPENDENCY_PENDING;
}

int dependency_list_load(struct queue *queue, const struct viewer *viewer,
			 int64_t job_row, struct dependency_list *list, struct err *err)
{
	sqlite3_stmt *stmt;
	size_t capacity = 0;
	int more;
	list->count = 0;
	if (db_start(queue, STATEMENT_DEPENDENCY_LIST,
		     BINDS(as_int(job_row), viewer_owner(viewer)), &stmt, err) != 0)
		return -1;
	while ((more = db_step(queue, stmt, err)) == 1) {
		if (list->count == capacity) {
			capacity = capacity == 0 ? 8 : capacity * 2;
			list->item = mem_grow(list->item, capacity * sizeof *list->item);
		}
		struct dependency *item = &list->item[list->count++];
		*item = (struct dependency){
			.parent_row = sqlite3_column_int64(stmt, 0),
			.condition = dependency_condition_parse(
				(const char *)sqlite3_column_text(stmt, 2)),
			.state = state_parse((const char *)sqlite3_column_text(stmt, 3)),
			.is_pruned = sqlite3_column_int(stmt, 4) == 0,
		};
		column_id(stmt, 1, item->parent_id);
	}
	db_end(stmt);
	return more;
}

int queue_dependencies(struct queue *queue, const struct viewer *viewer, int64_t job_row,
		       struct dependency_list *ret, struct err *err)
{
	struct dependency_list list = {.item = NULL};
	bool is_own;
	if (snapshot_join(queue, &is_own, err) != 0)
		return -1;
	int result = dependency_list_load(queue, viewer, job_row, &list, err);
	if (result == 0 && db_ask(queue, STATEMENT_DEPENDANTS_COUNT,
				  BINDS(as_int(job_row), viewer_owner(viewer)),
				  &list.dependants, err) < 0)
		result = -1;
	snapshot_leave(queue, is_own);
	if (result != 0)
		dependency_list_release(&list);
	else
		*ret = list;
	return result;
}
