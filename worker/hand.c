/* hand.c - see hand.h. */
#include "worker/hand.h"

#include <stdlib.h>

#include "worker/supervise.h"

void hand_release(struct hand *hand)
{
	for (size_t i = 0; i < hand->owners; i++)
		free(hand->owner[i].owner);
	for (size_t i = 0; i < hand->queues; i++)
		free(hand->queue[i].name);
	free(hand->owner);
	free(hand->queue);
	free(hand->clock);
	free(hand->item);
	memset(hand, 0, sizeof(*hand));
}

/* --- turns --- */

static struct hand_clock *clock_of(struct hand *hand, int priority)
{
	for (size_t i = 0; i < hand->clocks; i++)
		if (hand->clock[i].priority == priority)
			return &hand->clock[i];
	hand->clock = mem_grow(hand->clock, (hand->clocks + 1) * sizeof(*hand->clock));
	hand->clock[hand->clocks] = (struct hand_clock){.priority = priority};
	return &hand->clock[hand->clocks++];
}

static struct hand_owner *owner_find(const struct hand *hand, const struct job *job)
{
	for (size_t i = 0; i < hand->owners; i++)
		if (hand->owner[i].priority == job->priority &&
		    text_equal(hand->owner[i].owner, job->owner))
			return &hand->owner[i];
	return NULL;
}

/* Those whose next turn is the present anyhow. With an empty hand, all: then whose turn
 * it is follows from the claims alone. */
static void forget_owners(struct hand *hand, const struct hand_clock *clock)
{
	for (size_t i = hand->owners; i > 0; i--) {
		struct hand_owner *owner = &hand->owner[i - 1];

		if (hand->count > 0 &&
		    (owner->priority != clock->priority || owner->next > clock->now))
			continue;
		free(owner->owner);
		*owner = hand->owner[--hand->owners];
	}
}

static struct hand_owner *owner_add(struct hand *hand, const struct job *job)
{
	struct hand_owner *owner;

	hand->owner = mem_grow(hand->owner, (hand->owners + 1) * sizeof(*hand->owner));
	owner = &hand->owner[hand->owners++];
	*owner = (struct hand_owner){.owner = mem_strdup(job->owner),
				     .priority = job->priority};
	return owner;
}

/* --- queues --- */

static void count_queue(struct hand *hand, const char *name)
{
	for (size_t i = 0; i < hand->queues; i++)
		if (text_equal(hand->queue[i].name, name)) {
			hand->queue[i].count++;
			return;
		}
	hand->queue = mem_grow(hand->queue, (hand->queues + 1) * sizeof(*hand->queue));
	hand->queue[hand->queues++] =
		(struct hand_queue){.name = mem_strdup(name), .count = 1};
}

static void discount_queue(struct hand *hand, const char *name)
{
	for (size_t i = 0; i < hand->queues; i++) {
		struct hand_queue *queue = &hand->queue[i];

		if (!text_equal(queue->name, name) || --queue->count > 0)
			continue;
		free(queue->name);
		*queue = hand->queue[--hand->queues];
		return;
	}
}

/* --- the list --- */

static bool goes_before(const struct work *a, const struct work *b)
{
	const int a_priority = a->claim.job.priority;
	const int b_priority = b->claim.job.priority;

	if (a_priority != b_priority)
		return a_priority > b_priority;
	return a->turn != b->turn ? a->turn < b->turn : a->sequence < b->sequence;
}

void hand_add(struct hand *hand, struct work *work)
{
	const struct hand_clock *clock = clock_of(hand, work->claim.job.priority);
	struct hand_owner *owner = owner_find(hand, &work->claim.job);
	size_t low = 0, high = hand->count;

	if (owner == NULL)
		owner = owner_add(hand, &work->claim.job);
	work->turn = owner->next > clock->now ? owner->next : clock->now;
	work->sequence = hand->sequence++;
	owner->next = work->turn + 1;
	if (hand->count == hand->capacity) {
		hand->capacity = hand->capacity > 0 ? 2 * hand->capacity : 16;
		hand->item = mem_grow(hand->item, hand->capacity * sizeof(*hand->item));
	}
	while (low < high) { /* all before `low` go after it */
		const size_t middle = (low + high) / 2;

		if (goes_before(work, hand->item[middle]))
			low = middle + 1;
		else
			high = middle;
	}
	memmove(hand->item + low + 1, hand->item + low,
		(hand->count - low) * sizeof(*hand->item));
	hand->item[low] = work;
	hand->count++;
	count_queue(hand, work->claim.job.queue);
}

static void take_out(struct hand *hand, const struct work *work)
{
	size_t i = hand->count;

	while (i > 0 && hand->item[i - 1] != work)
		i--;
	if (i == 0)
		return;
	memmove(hand->item + i - 1, hand->item + i,
		(hand->count - i) * sizeof(*hand->item));
	hand->count--;
	discount_queue(hand, work->claim.job.queue);
}

void hand_start(struct hand *hand, struct work *work)
{
	struct hand_clock *clock = clock_of(hand, work->claim.job.priority);

	take_out(hand, work);
	if (clock->now < work->turn)
		clock->now = work->turn;
	else if (hand->count > 0)
		return;
	forget_owners(hand, clock);
}

/* The turn was not taken: it is the owner's next one again. */
void hand_remove(struct hand *hand, const struct work *work)
{
	struct hand_owner *owner = owner_find(hand, &work->claim.job);

	take_out(hand, work);
	if (owner != NULL && owner->next > work->turn)
		owner->next = work->turn;
	if (hand->queued_turn > work->turn)
		hand->queued_turn = work->turn;
	if (hand->count == 0)
		forget_owners(hand, clock_of(hand, work->claim.job.priority));
}

struct work *hand_first(const struct hand *hand)
{
	return hand->count > 0 ? hand->item[hand->count - 1] : NULL;
}

/* --- news --- */

/* Those given back of which that is not recorded yet: the database counts them still. */
static int64_t count_leaving(const struct supervisor *supervisor, const char *queue)
{
	int64_t count = 0;

	for (size_t i = 0; i < supervisor->works.count; i++) {
		const struct work *work = supervisor->works.item[i];

		count += work->phase == WORK_CLOSING &&
			 text_equal(work->claim.job.queue, queue);
	}
	return count;
}

/* The last ones of a queue first, up to `over` of them. */
static void give_back(struct supervisor *supervisor, const char *queue, int64_t over)
{
	struct hand *hand = &supervisor->hand;

	for (size_t i = 0; i < hand->count && over > 0;) {
		struct work *work = hand->item[i];

		if (!text_equal(work->claim.job.queue, queue)) {
			i++;
			continue;
		}
		work_give_back(supervisor, work);
		over--;
	}
}

/* What cannot be asked now is asked again when the database has changed the next time.
 */
static void look_at_queues(struct supervisor *supervisor)
{
	struct hand *hand = &supervisor->hand;

	for (size_t i = hand->queues; i > 0; i--) {
		AUTO_FREE char *name = mem_strdup(hand->queue[i - 1].name);
		int64_t over = 0;

		if (queue_claims_over(supervisor->queue, name, &over, NULL) == 0 &&
		    over > 0)
			give_back(supervisor, name,
				  over - count_leaving(supervisor, name));
	}
}

/* Owners of this priority who are not before the first one at hand: it is their turn
 * already, or later. `ret_until` is the first of their next turns: when it is over, the
 * one who has it would come first. */
static size_t owners_behind(const struct hand *hand, const struct work *first,
			    const char **ret, uint64_t *ret_until)
{
	size_t count = 0;

	*ret_until = UINT64_MAX;
	for (size_t i = 0; i < hand->owners; i++) {
		const struct hand_owner *owner = &hand->owner[i];

		if (owner->priority != first->claim.job.priority ||
		    owner->next < first->turn)
			continue;
		ret[count++] = owner->owner;
		if (owner->next < *ret_until)
			*ret_until = owner->next;
	}
	return count;
}

static void look_at_queued(struct supervisor *supervisor, int64_t version)
{
	struct hand *hand = &supervisor->hand;
	const struct work *first = hand_first(hand);
	const char **owners = NULL;
	uint64_t until;
	size_t count = 0;
	int found;

	if (first == NULL)
		return;
	/* if its turn is the present, only a higher priority is before it */
	until = clock_of(hand, first->claim.job.priority)->now;
	if (first->turn > until) {
		owners = mem_array(hand->owners, sizeof(*owners));
		count = owners_behind(hand, first, owners, &until);
	}
	found = queue_claim_rather(supervisor->queue, first->claim.job.priority, owners,
				   count, NULL);
	free(owners);
	/* of several who come first, the round that claims may leave some: asked again */
	supervisor->is_urgent = found == 1;
	if (found != 0)
		return;
	hand->queued_version = version;
	hand->queued_priority = first->claim.job.priority;
	hand->queued_turn = until;
}

bool hand_is_looked_at(const struct hand *hand)
{
	const struct work *first = hand_first(hand);

	return first == NULL || (first->claim.job.priority == hand->queued_priority &&
				 first->turn <= hand->queued_turn);
}

bool hand_is_current(struct supervisor *supervisor)
{
	const struct hand *hand = &supervisor->hand;
	int64_t version = 0;

	return hand_is_looked_at(hand) &&
	       queue_data_version(supervisor->queue, &version, NULL) == 0 &&
	       version == hand->queues_version && version == hand->queued_version;
}

static void look(struct supervisor *supervisor)
{
	struct hand *hand = &supervisor->hand;
	int64_t version = 0;

	if (queue_data_version(supervisor->queue, &version, NULL) != 0)
		return;
	if (version != hand->queues_version) {
		hand->queues_version = version;
		look_at_queues(supervisor);
	}
	/* what has just been claimed is to be started before anybody is looked for again
	 */
	if ((version != hand->queued_version || !hand_is_looked_at(hand)) &&
	    !supervisor->was_urgent)
		look_at_queued(supervisor, version);
}

void hand_look(struct supervisor *supervisor)
{
	if (supervisor->hand.count == 0)
		return;
	/* One moment, and SQLite's locks are taken once for all the questions. */
	(void)queue_snapshot_begin(supervisor->queue, NULL);
	look(supervisor);
	queue_snapshot_end(supervisor->queue);
}
