/* verdict.c - see verdict.h. */
#include "sender/verdict.h"

#define STATUS_GONE 410
#define STATUS_TOO_MANY 429
#define STATUS_UNAVAILABLE 503

/* Never words of the receiver: its answer is shown to nobody. */
static void describe(const struct seen *seen, char words[VERDICT_WORDS_BYTES])
{
	if (seen->status == 0)
		(void)snprintf(words, VERDICT_WORDS_BYTES, "%s",
			       seen->trouble != NULL ? seen->trouble
						     : "there was no answer");
	else if (seen->status == STATUS_GONE)
		(void)snprintf(words, VERDICT_WORDS_BYTES,
			       "the receiver is gone (answered 410)");
	else
		(void)snprintf(words, VERDICT_WORDS_BYTES, "answered %d%s", seen->status,
			       seen->status / 100 == 3
				       ? ", and redirects are not followed"
				       : "");
}

static int64_t wait_us(const struct seen *seen, int64_t least_us)
{
	int64_t asked_s = 0;
	if (seen->status == STATUS_TOO_MANY || seen->status == STATUS_UNAVAILABLE)
		asked_s = seen->retry_after_s < RETRY_AFTER_MAX_S ? seen->retry_after_s
								  : RETRY_AFTER_MAX_S;
	return asked_s * US_PER_S > least_us ? asked_s * US_PER_S : least_us;
}

void verdict_of(const struct callback *callback, const struct seen *seen, int64_t now,
		uint32_t random, char words[VERDICT_WORDS_BYTES],
		struct callback_try *ret)
{
	const int64_t least_us = callback_wait_us(callback->tries + 1, random);
	*ret = (struct callback_try){
		.row = callback->row,
		.tries = callback->tries,
		.due_at = callback->next_at,
		.outcome = CALLBACK_DELIVERED,
		.at = now,
		.status = seen->status,
	};
	if (seen->status / 100 == 2)
		return;
	describe(seen, words);
	ret->error = words;
	if (seen->status == STATUS_GONE || least_us < 0) {
		ret->outcome = CALLBACK_DEAD;
		return;
	}
	ret->outcome = CALLBACK_AGAIN;
	ret->next_at = now + wait_us(seen, least_us);
}
