/* strips.h - what followers of one output were sent lately, for those behind them.
 *
 * Making events of an output takes many times longer than copying them, and nearly all
 * who follow it get the same ones. So whoever is ahead keeps what it made, in strips of
 * consecutive events, and the others take it from there. Who is at a place that nobody
 * kept, or that is no boundary between events, makes its own: what is taken is never
 * anything else than what it would have made. The memory follows the number of followers,
 * and is little for any. */
#ifndef REEVE_HTTPAPI_STRIPS_H
#define REEVE_HTTPAPI_STRIPS_H

#include "queue/queue.h"

struct strips;

struct strips *strips_open(void);
void strips_close(struct strips *strips); /* NULL is fine */

/* There are so many followers now: what is too much for them is forgotten. */
void strips_suit(struct strips *strips, size_t followers);

/* Appends the kept events from byte *offset of the stream on, until `out` has `max` bytes
 * or there are no more, and moves *offset behind them. False: none is kept. */
bool strips_take(struct strips *strips, enum output_stream stream, int64_t *offset,
		 struct buf *out, size_t max);

/* Keeps one event: `text` is what bytes `from` to `to` of the stream are sent as. */
void strips_keep(struct strips *strips, enum output_stream stream, int64_t from,
		 int64_t to, const char *text, size_t bytes);

#endif
