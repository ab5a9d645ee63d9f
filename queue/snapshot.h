/* snapshot.h - read transactions, and whether the database is still what it was.
 *
 * Part of queue.h. A stamp names what is committed, so that what was read can be kept in
 * memory and given again for exactly as long as reading it again would find the same:
 * nothing is forgotten and nothing guessed, whoever writes, by whatever program. It costs
 * no system call. */
#ifndef REEVE_QUEUE_SNAPSHOT_H
#define REEVE_QUEUE_SNAPSHOT_H

#include <stdbool.h>
#include <stdint.h>

#include "common/common.h"

struct queue;

/* A read transaction, so that several questions see one moment. Keep it short. */
int queue_snapshot_begin(struct queue *queue, struct err *err);
void queue_snapshot_end(struct queue *queue);

/* The header of the write-ahead log's index, which SQLite itself compares to see whether
 * a reader must look again (https://www.sqlite.org/walformat.html, section 2.1). */
struct queue_stamp {
	uint8_t header[48];
};

/* What is committed now: what a read transaction would see that began now, not what one
 * that is open sees. False: that cannot be said (somebody is just writing it). What was
 * read in a transaction belongs to a stamp that was taken both before it began and after
 * its first question. */
bool queue_stamp_take(struct queue *queue, struct queue_stamp *ret);

bool queue_stamp_equal(const struct queue_stamp *a, const struct queue_stamp *b);

#endif
