/* hand.h - what was claimed and not yet started, in the order in which it is to start.
 *
 * Claims come in turns (queue/lanes.h), but the hand is refilled from time to time only:
 * somebody who comes while it is full of another's jobs would wait for all of them. So
 * turns are taken here once more, between what is at hand: by priority, and in a
 * priority each job has a number, its turn, one more than its owner's last one, but never
 * less than the turn that was started last. The lowest goes first. (Start-time fair
 * queueing; Goyal, Vin, Cheng 1997.) */
#ifndef REEVE_WORKER_HAND_H
#define REEVE_WORKER_HAND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct supervisor;
struct work;

/* The next turn of an owner in a priority. Without one it is the priority's present. */
struct hand_owner {
	char *owner; /* heap */
	int priority;
	uint64_t next;
};

/* Where a priority is: the turn that was started last. */
struct hand_clock {
	int priority;
	uint64_t now;
};

/* A queue that something at hand is of. */
struct hand_queue {
	char *name; /* heap */
	size_t count;
};

struct hand {
	struct work **item; /* borrowed; the last one goes first */
	size_t count, capacity;
	struct hand_owner *owner;
	size_t owners;
	struct hand_clock *clock;
	size_t clocks;
	struct hand_queue *queue;
	size_t queues;
	uint64_t sequence; /* of works that were added */
	/* of the database when what has changed was last looked at */
	int64_t queues_version, queued_version;
	/* The latter holds for a first one of this priority, up to this turn. */
	int queued_priority;
	uint64_t queued_turn;
};

/* For either: whatever the database says, it has changed. */
#define HAND_NOT_LOOKED_AT INT64_C(-1)

void hand_release(struct hand *hand);

/* Adds a claimed work; takes one out, as it is started or because it goes back. */
void hand_add(struct hand *hand, struct work *work);
void hand_start(struct hand *hand, struct work *work);
void hand_remove(struct hand *hand, const struct work *work);

/* The one to be started next; NULL: the hand is empty. */
struct work *hand_first(const struct hand *hand);

/* Is the first one within what the last look at those who are queued was about? Behind
 * it, somebody may come before who did not then. */
bool hand_is_looked_at(const struct hand *hand);

/* Is it, and has nobody else written since? */
bool hand_is_current(struct supervisor *supervisor);

/* If others have written since the last time, or it is a later turn: gives back what may
 * not be started any more (a paused queue, a lowered limit, draining), and sees whether
 * somebody is queued who comes before all that is at hand (supervisor->is_urgent). */
void hand_look(struct supervisor *supervisor);

#endif
