/* dependency.c - the words of dependencies, and questions about them. */
#include "queue/db.h"

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

int queue_job_row(struct queue *queue, const struct viewer *viewer, const char *id,
		  int64_t *ret_row, char *ret_id, struct err *err)
{
	struct job job = {.row = 0};
	const int found = queue_job_get(queue, viewer, id, &job, err);
	if (found != 1)
		return found;
	*ret_row = job.row;
	(void)snprintf(ret_id, JOB_ID_BYTES, "%s", job.id);
	job_release(&job);
	return 1;
}
