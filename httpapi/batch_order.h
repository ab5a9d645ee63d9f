/* batch_order.h - the order in which the jobs of a batch are stored: parents first. */
#ifndef REEVE_HTTPAPI_BATCH_ORDER_H
#define REEVE_HTTPAPI_BATCH_ORDER_H

#include "httpapi/submission.h"

/* Sorts `count` jobs whose wishes were resolved (depends.h) so that each comes after
 * those of the batch that it waits for, and no further from its place in the request than
 * that needs. ret_order[place] is the index in the request. In linear time, without
 * recursion (depth-first search, Tarjan 1976). A circle is a problem that names its jobs
 * in order, with the pointer of one of its dependencies; then ret_order is not whole. */
void batch_order(const struct intake *intake, size_t count, size_t *ret_order,
		 struct problems *problems);

#endif
