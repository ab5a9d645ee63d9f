/* ahead.c - how many queued jobs may be started before a certain one: the rules of
 * turns.c from the other side, by ranges of the same index and without a memory of whose
 * turn it is. */
#include "queue/turns.h"

/* A queue whose jobs may be started before the job, and the next owner there. */
struct rival {
	char *queue, *owner; /* heap; owner NULL: no more */
};
struct race {
	struct queue *queue;
	const struct job *job;
	struct rival *rival;
	size_t rivals;
	int64_t ahead, max; /* counted so far, and at most */
};

static int64_t room_left(const struct race *race)
{
	return race->max - race->ahead;
}

static int owner_next(struct race *race, struct rival *rival, const char *after,
		      struct err *err)
{
	sqlite3_stmt *stmt;
	if (db_start(race->queue, STATEMENT_TURN_OWNER,
		     BINDS(as_text(rival->queue), as_int(race->job->priority),
			   as_text(after)),
		     &stmt, err) != 0)
		return -1;
	const int found = db_step(race->queue, stmt, err);
	char *owner = found == 1 ? column_text(stmt, 0) : NULL;
	db_end(stmt);
	free(rival->owner);
	rival->owner = owner;
	return found < 0 ? -1 : 0;
}

/* What is above the job in this queue is ahead in any case; the rest by turns. */
static int rival_add(struct race *race, const char *name, struct err *err)
{
	const int64_t priority = race->job->priority;
	int64_t above = 0;
	if (db_ask(race->queue, STATEMENT_EXPLAIN_ABOVE,
		   BINDS(as_text(name), as_int(priority), as_int(room_left(race))),
		   &above, err) < 0)
		return -1;
	race->ahead += above;
	race->rival = mem_grow(race->rival, (race->rivals + 1) * sizeof *race->rival);
	struct rival *rival = &race->rival[race->rivals++];
	*rival = (struct rival){.queue = mem_strdup(name)};
	return owner_next(race, rival, "", err);
}

static int rivals_load(struct race *race, struct err *err)
{
	struct queue *queue = race->queue;
	const char *own = race->job->queue;
	AUTO_FREE char *name = mem_strdup("");
	int found;
	while ((found = lane_after(queue, &name, NULL, err)) == 1) {
		const int shut =
			text_equal(name, own) ? 0 : lane_is_paused(queue, name, err);
		if (shut < 0 || (!shut && rival_add(race, name, err) != 0))
			return -1;
	}
	return found;
}

/* How many jobs its owner has to get through before: the turns it needs are one more. */
static int count_own(struct race *race, int64_t *ret, struct err *err)
{
	const struct job *job = race->job;
	const bool is_queued = job->state == JOB_QUEUED;
	int64_t own = 0, count = 0;
	for (size_t i = 0; i < race->rivals && own < room_left(race); i++) {
		if (db_ask(race->queue, STATEMENT_EXPLAIN_LONGER,
			   BINDS(as_text(race->rival[i].queue), as_int(job->priority),
				 as_text(job->owner),
				 as_int(is_queued ? job->queued_at : INT64_MAX),
				 as_int(is_queued ? job->row : INT64_MAX),
				 as_int(room_left(race) - own)),
			   &count, err) < 0)
			return -1;
		own += count;
	}
	race->ahead += own;
	*ret = own;
	return 0;
}

/* The first of the next owners; NULL: there are no more. */
static const char *first_owner(const struct race *race)
{
	const char *first = NULL;
	for (size_t i = 0; i < race->rivals; i++) {
		const char *owner = race->rival[i].owner;
		if (owner != NULL && (first == NULL || strcmp(owner, first) < 0))
			first = owner;
	}
	return first;
}

/* Counts up to `turns` jobs of one owner, wherever it is next, and goes on behind it. */
static int count_other(struct race *race, const char *owner, int64_t turns,
		       struct err *err)
{
	const int64_t max = turns < room_left(race) ? turns : room_left(race);
	int64_t total = 0;
	for (size_t i = 0; i < race->rivals; i++) {
		struct rival *rival = &race->rival[i];
		int64_t count = 0;
		if (!text_equal(rival->owner, owner))
			continue;
		if (total < max &&
		    db_ask(race->queue, STATEMENT_EXPLAIN_OWNER,
			   BINDS(as_text(rival->queue), as_int(race->job->priority),
				 as_text(owner), as_int(max - total)),
			   &count, err) < 0)
			return -1;
		total += count;
		if (owner_next(race, rival, owner, err) != 0)
			return -1;
	}
	race->ahead += total;
	return 0;
}

static int count_ahead(struct race *race, struct err *err)
{
	const char *first;
	int64_t own;
	if (rivals_load(race, err) != 0 || count_own(race, &own, err) != 0)
		return -1;
	while (room_left(race) > 0 && (first = first_owner(race)) != NULL) {
		AUTO_FREE char *owner = mem_strdup(first);
		const bool is_own = text_equal(owner, race->job->owner);
		if (count_other(race, owner, is_own ? 0 : own + 1, err) != 0)
			return -1;
	}
	return 0;
}

int turns_ahead(struct queue *queue, const struct job *job, int64_t max, int64_t *ret,
		struct err *err)
{
	struct race race = {.queue = queue, .job = job, .max = max};
	const int result = count_ahead(&race, err);
	*ret = race.ahead;
	for (size_t i = 0; i < race.rivals; i++) {
		free(race.rival[i].queue);
		free(race.rival[i].owner);
	}
	free(race.rival);
	return result;
}
