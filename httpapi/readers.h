/* readers.h - reading connections to the database, lent to whoever asks something.
 *
 * A connection must not be used by two threads at once, and a request hops between none,
 * so a server thread borrows one for as long as a question takes. Twice as many as there
 * are processors are enough for any number of threads, since a question keeps a processor
 * busy: more are opened only when nobody gives one back for a while. None is held across
 * network I/O. Borrowing takes no lock while one is free. */
#ifndef REEVE_HTTPAPI_READERS_H
#define REEVE_HTTPAPI_READERS_H

#include "queue/queue.h"

struct readers;
struct readers *readers_open(const char *state_dir);
void readers_close(struct readers *readers);

/* A connection, opened when none is free; it may have to be waited for. Give it back with
 * readers_give. */
int readers_take(struct readers *readers, struct queue **ret, struct err *err);
void readers_give(struct readers *readers, struct queue *queue); /* NULL: nothing */

#endif
