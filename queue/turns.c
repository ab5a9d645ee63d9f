/* turns.c - see turns.h. */
#include "queue/turns.h"

/* In the turning of one priority. */
struct place {
	uint64_t round;
	char *owner; /* heap; "" before the first */
};

/* Where a priority is. */
struct order {
	int priority;
	struct place at;
};

/* Where a lane stood when it was shut, if the order has gone on since. */
struct stall {
	char *queue; /* heap */
	int priority;
	struct place at;
	bool is_seen; /* its queue has queued jobs still */
};

/* A queue with queued jobs, in its highest priority that has any. */
struct front {
	char *queue; /* heap */
	int priority;
	int64_t room;
	bool is_stale;		/* the rest is to be looked up */
	bool is_alone;		/* there is one owner only */
	struct place next;	/* whose turn it is here, */
	int64_t queued_at, row; /* and with which job */
};

struct turns {
	struct order *order;
	size_t orders;
	struct stall *stall;
	size_t stalls;
	struct front *front; /* of this call only */
	size_t fronts;
};

struct turns *turns_new(void)
{
	return mem_alloc(sizeof(struct turns));
}

/* Room for one more element at the end of a list that grows by doubling. */
#define GROW(list, count)                                                                \
	do {                                                                             \
		if (((count) & ((count)-1)) == 0)                                        \
			(list) = mem_grow((list), ((count) > 0 ? 2 * (count) : 1) *      \
							  sizeof *(list));               \
	} while (0)

/* --- places --- */

static int place_compare(const struct place *a, const struct place *b)
{
	if (a->round != b->round)
		return a->round < b->round ? -1 : 1;
	return strcmp(a->owner, b->owner);
}

static void place_set(struct place *place, const struct place *to)
{
	char *owner = mem_strdup(to->owner);
	free(place->owner);
	*place = (struct place){.round = to->round, .owner = owner};
}

static struct order *order_of(struct turns *turns, int priority)
{
	for (size_t i = 0; i < turns->orders; i++)
		if (turns->order[i].priority == priority)
			return &turns->order[i];
	GROW(turns->order, turns->orders);
	struct order *order = &turns->order[turns->orders++];
	*order = (struct order){.priority = priority,
				.at = {.round = 1, .owner = mem_strdup("")}};
	return order;
}

/* --- lanes that are behind --- */

static struct stall *stall_of(const struct turns *turns, const struct front *front)
{
	for (size_t i = 0; i < turns->stalls; i++)
		if (turns->stall[i].priority == front->priority &&
		    text_equal(turns->stall[i].queue, front->queue))
			return &turns->stall[i];
	return NULL;
}

static void stall_drop(struct turns *turns, struct stall *stall)
{
	free(stall->queue);
	free(stall->at.owner);
	*stall = turns->stall[--turns->stalls];
}

/* The lane is shut: it keeps its place while the others go on. */
static void stall_make(struct turns *turns, const struct front *front)
{
	if (stall_of(turns, front) != NULL)
		return;
	GROW(turns->stall, turns->stalls);
	struct stall *stall = &turns->stall[turns->stalls++];
	*stall = (struct stall){.queue = mem_strdup(front->queue),
				.priority = front->priority,
				.is_seen = true};
	place_set(&stall->at, &order_of(turns, front->priority)->at);
}

/* The same owner's place, less than a round behind the order. */
static void stall_catch_up(struct stall *stall, const struct order *order)
{
	const bool is_same_round = strcmp(stall->at.owner, order->at.owner) <= 0;
	stall->at.round = is_same_round ? order->at.round : order->at.round - 1;
}

static void stalls_seen(struct turns *turns, const char *queue)
{
	for (size_t i = 0; i < turns->stalls; i++)
		if (text_equal(turns->stall[i].queue, queue))
			turns->stall[i].is_seen = true;
}

/* --- whose turn it is in a queue --- */

/* The first owner behind `after` with a queued job there: 1, 0 none, -1. */
static int owner_behind(struct queue *queue, struct front *front, const char *after,
			uint64_t round, struct err *err)
{
	sqlite3_stmt *stmt;
	if (db_start(
		    queue, STATEMENT_TURN_OWNER,
		    BINDS(as_text(front->queue), as_int(front->priority), as_text(after)),
		    &stmt, err) != 0)
		return -1;
	const int found = db_step(queue, stmt, err);
	if (found == 1) {
		free(front->next.owner);
		front->next =
			(struct place){.round = round, .owner = column_text(stmt, 0)};
		front->queued_at = sqlite3_column_int64(stmt, 1);
		front->row = sqlite3_column_int64(stmt, 2);
	}
	db_end(stmt);
	return found;
}

/* The first owner behind a place, round the circle. While we hold the writers' lock
 * nobody joins a lane, so that one with a single owner needs no search for others. */
static int circle_look(struct queue *queue, struct front *front, const struct place *from,
		       struct err *err)
{
	int found = 0;
	if (!front->is_alone)
		found = owner_behind(queue, front, from->owner, from->round, err);
	if (found != 0)
		return found;
	found = owner_behind(queue, front, "", from->round + 1, err);
	if (found == 1 && front->is_alone && strcmp(front->next.owner, from->owner) > 0)
		front->next.round = from->round;
	front->is_alone = found == 1 && (front->is_alone ||
					 strcmp(front->next.owner, from->owner) == 0);
	return found;
}

/* The next one in the lane's circle: 1, 0 its priority has none, -1. */
static int lane_look(struct queue *queue, struct turns *turns, struct front *front,
		     struct err *err)
{
	const struct order *order = order_of(turns, front->priority);
	struct stall *stall = stall_of(turns, front);
	if (stall != NULL)
		stall_catch_up(stall, order);
	const struct place *from = stall != NULL ? &stall->at : &order->at;
	int found = circle_look(queue, front, from, err);
	/* nobody was passed over here, or all have been served since */
	if (found == 1 && stall != NULL && place_compare(&front->next, &order->at) > 0)
		stall_drop(turns, stall);
	return found;
}

/* Brings a front up to date; one without queued jobs has no room any more. */
static int front_look(struct queue *queue, struct turns *turns, struct front *front,
		      struct err *err)
{
	int found;
	while ((found = lane_look(queue, turns, front, err)) == 0) {
		int64_t below;
		found = db_ask(queue, STATEMENT_TURN_BELOW,
			       BINDS(as_text(front->queue), as_int(front->priority)),
			       &below, err);
		if (found != 1)
			break;
		front->priority = (int)below;
		front->is_alone = false;
	}
	if (found == 0)
		front->room = 0;
	front->is_stale = false;
	return found < 0 ? -1 : 0;
}

/* --- one claim's worth --- */

int lane_gate(struct queue *queue, const char *name, int64_t *ret_limit,
	      bool *ret_is_paused, struct err *err)
{
	sqlite3_stmt *stmt;
	if (db_start(queue, STATEMENT_LANE_GATE, BINDS(as_text(name)), &stmt, err) != 0)
		return -1;
	const int found = db_step(queue, stmt, err);
	*ret_limit = found == 1 ? sqlite3_column_int64(stmt, 0) : -1;
	*ret_is_paused = found == 1 && sqlite3_column_int(stmt, 1) != 0;
	db_end(stmt);
	return found < 0 ? -1 : 0;
}

int lane_is_paused(struct queue *queue, const char *name, struct err *err)
{
	int64_t limit;
	bool is_paused;
	return lane_gate(queue, name, &limit, &is_paused, err) != 0 ? -1 : is_paused;
}

int lane_room(struct queue *queue, const char *name, int64_t *ret, struct err *err)
{
	int64_t limit, running = 0;
	bool is_paused;
	if (lane_gate(queue, name, &limit, &is_paused, err) != 0)
		return -1;
	if (!is_paused && limit > 0 &&
	    db_ask(queue, STATEMENT_LANE_RUNNING, BINDS(as_text(name), as_int(limit)),
		   &running, err) < 0)
		return -1;
	*ret = is_paused ? 0 : limit < 0 ? INT64_MAX : limit - running;
	return 0;
}

static void fronts_release(struct turns *turns)
{
	for (size_t i = 0; i < turns->fronts; i++) {
		free(turns->front[i].queue);
		free(turns->front[i].next.owner);
	}
	free(turns->front);
	turns->front = NULL;
	turns->fronts = 0;
}

/* The next queue after `after` with queued jobs, added to the fronts: 1, 0 none, -1. */
static int front_add(struct queue *queue, struct turns *turns, const char *after,
		     struct err *err)
{
	sqlite3_stmt *stmt;
	if (db_start(queue, STATEMENT_TURN_QUEUE, BINDS(as_text(after)), &stmt, err) != 0)
		return -1;
	const int found = db_step(queue, stmt, err);
	if (found == 1) {
		GROW(turns->front, turns->fronts);
		turns->front[turns->fronts++] =
			(struct front){.queue = column_text(stmt, 0),
				       .priority = sqlite3_column_int(stmt, 1),
				       .is_stale = true};
	}
	db_end(stmt);
	return found;
}

int turns_begin(struct queue *queue, struct turns *turns, struct err *err)
{
	const char *after = "";
	int found;
	fronts_release(turns);
	for (size_t i = 0; i < turns->stalls; i++)
		turns->stall[i].is_seen = false;
	while ((found = front_add(queue, turns, after, err)) == 1) {
		struct front *front = &turns->front[turns->fronts - 1];
		after = front->queue;
		if (lane_room(queue, front->queue, &front->room, err) != 0)
			return -1;
		stalls_seen(turns, front->queue);
		if (front->room <= 0)
			stall_make(turns, front);
	}
	/* a lane that was empty begins where the others are */
	for (size_t i = turns->stalls; i > 0; i--)
		if (!turns->stall[i - 1].is_seen)
			stall_drop(turns, &turns->stall[i - 1]);
	return found < 0 ? -1 : 0;
}

static bool is_before(const struct front *a, const struct front *b)
{
	if (a->priority != b->priority)
		return a->priority > b->priority;
	const int places = place_compare(&a->next, &b->next);
	if (places != 0)
		return places < 0;
	return a->queued_at != b->queued_at ? a->queued_at < b->queued_at
					    : a->row < b->row;
}

/* What it means for a lane that an owner was served at this place. */
static void lane_served(struct turns *turns, struct front *lane,
			const struct front *front, const struct place *place,
			bool is_behind)
{
	const bool is_same = place_compare(&lane->next, place) == 0;
	struct stall *stall = stall_of(turns, lane);
	if (stall != NULL && !is_behind)
		stall_drop(turns, stall);
	else if (stall != NULL && is_same)
		place_set(&stall->at, place);
	/* where nobody else is queued, nothing has changed but the round */
	if (is_same && lane != front && lane->is_alone && stall == NULL)
		lane->next.round++;
	else if (is_same)
		lane->is_stale = true;
}

/* The owner has had its turn, wherever it is queued; the lanes stand where it was. */
static void serve(struct turns *turns, struct front *front)
{
	struct order *order = order_of(turns, front->priority);
	const struct place place = {.round = front->next.round,
				    .owner = mem_strdup(front->next.owner)};
	const bool is_behind = place_compare(&place, &order->at) <= 0;
	if (!is_behind)
		place_set(&order->at, &place);
	for (size_t i = 0; i < turns->fronts; i++) {
		struct front *lane = &turns->front[i];
		if (lane->room > 0 && lane->priority == front->priority)
			lane_served(turns, lane, front, &place, is_behind);
	}
	free(place.owner);
	if (front->room != INT64_MAX)
		front->room--;
	if (front->room == 0)
		stall_make(turns, front);
}

int turns_next(struct queue *queue, struct turns *turns, int64_t *ret_row,
	       struct err *err)
{
	struct front *best = NULL;
	for (size_t i = 0; i < turns->fronts; i++) {
		struct front *front = &turns->front[i];
		if (front->room > 0 && front->is_stale &&
		    front_look(queue, turns, front, err) != 0)
			return -1;
		if (front->room > 0 && (best == NULL || is_before(front, best)))
			best = front;
	}
	if (best == NULL)
		return 0;
	*ret_row = best->row;
	serve(turns, best);
	return 1;
}

void turns_free(struct turns *turns)
{
	if (turns == NULL)
		return;
	fronts_release(turns);
	while (turns->stalls > 0)
		stall_drop(turns, &turns->stall[turns->stalls - 1]);
	for (size_t i = 0; i < turns->orders; i++)
		free(turns->order[i].at.owner);
	free(turns->stall);
	free(turns->order);
	free(turns);
}
