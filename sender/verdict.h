/* verdict.h - what one try means for the message. */
#ifndef REEVE_SENDER_VERDICT_H
#define REEVE_SENDER_VERDICT_H

#include "queue/queue.h"

#define RETRY_AFTER_MAX_S (24 * 3600)

/* What was seen of it. */
struct seen {
	int status;	       /* HTTP status; 0: there was no whole answer */
	const char *trouble;   /* why not, in words of ours; NULL */
	int64_t retry_after_s; /* what the receiver asked for; 0: nothing */
};

/* 2xx is success and nothing else is; 410 ends the matter; after any other end it is
 * tried again as CALLBACK_DELAYS_US says, and not before a Retry-After of 429 or 503 (up
 * to RETRY_AFTER_MAX_S). `now` is when the try ended; `random` any number, for jitter.
 * ret->error lies in `words`. */
#define VERDICT_WORDS_BYTES 160
void verdict_of(const struct callback *callback, const struct seen *seen, int64_t now,
		uint32_t random, char words[VERDICT_WORDS_BYTES],
		struct callback_try *ret);

#endif
