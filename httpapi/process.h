/* process.h - what a running job's main process has used so far, from /proc. */
#ifndef REEVE_HTTPAPI_PROCESS_H
#define REEVE_HTTPAPI_PROCESS_H

#include "queue/queue.h"

/* Fills the usage fields of a living attempt. If the process is gone, or its number
 * belongs to another one by now (its start time tells), pid becomes 0. What may not be
 * read stays 0. */
void process_look(struct attempt *attempt);

#endif
