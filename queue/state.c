/* state.c - the closed lists: states, moves, stop reasons.
 *
 * The same states and moves are rows in the database, where a trigger guards them; a test
 * compares the two lists. Knows nothing of SQLite: the shim links it. */
#include "queue/queue.h"

struct state_row {
	const char *word;
	bool is_final;
};

static const struct state_row STATES[JOB_STATE_COUNT_] = {
#define STATE_ROW_(state, state_word, final)                                             \
	[state] = {.word = (state_word), .is_final = (final)},
	JOB_STATES(STATE_ROW_)
#undef STATE_ROW_
};

#define TO(state) (1U << (state))

/* Per state, the states it may move to. */
static const unsigned MOVES[JOB_STATE_COUNT_] = {
	[JOB_WAITING] =
		TO(JOB_QUEUED) | TO(JOB_CANCELLED) | TO(JOB_SKIPPED) | TO(JOB_FAILED),
	[JOB_QUEUED] =
		TO(JOB_WAITING) | TO(JOB_RUNNING) | TO(JOB_CANCELLED) | TO(JOB_FAILED),
	[JOB_RUNNING] = TO(JOB_QUEUED) | TO(JOB_WAITING) | TO(JOB_SUCCEEDED) |
			TO(JOB_FAILED) | TO(JOB_CANCELLED) | TO(JOB_LOST),
};

static const char *const STOP_WORDS[] = {
	[STOP_NONE] = NULL,
	[STOP_CANCEL] = "cancel",
	[STOP_TIMEOUT] = "timeout",
	[STOP_OUTPUT_LIMIT] = "output_limit",
};

static bool state_is_known(enum job_state state)
{
	return state > JOB_STATE_NONE && state < JOB_STATE_COUNT_;
}

const char *job_state_word(enum job_state state)
{
	return state_is_known(state) ? STATES[state].word : "";
}

enum job_state job_state_parse(const char *word)
{
	for (unsigned i = 1; word != NULL && i < JOB_STATE_COUNT_; i++)
		if (strcmp(STATES[i].word, word) == 0)
			return (enum job_state)i;
	return JOB_STATE_NONE;
}

bool job_state_is_final(enum job_state state)
{
	return state_is_known(state) && STATES[state].is_final;
}

bool job_move_is_legal(enum job_state from, enum job_state to)
{
	return state_is_known(from) && state_is_known(to) && (MOVES[from] & TO(to)) != 0;
}

const char *stop_reason_word(enum stop_reason reason)
{
	return (size_t)reason < ARRAY_SIZE(STOP_WORDS) ? STOP_WORDS[reason] : NULL;
}

enum stop_reason stop_reason_parse(const char *word)
{
	for (size_t i = 1; word != NULL && i < ARRAY_SIZE(STOP_WORDS); i++)
		if (strcmp(STOP_WORDS[i], word) == 0)
			return (enum stop_reason)i;
	return STOP_NONE;
}
