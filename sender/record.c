/* record.c - how it went: into the database, then into the log. */
#include "sender/sender.h"

static const struct {
	enum log_level level;
	const char *event;
} OUTCOMES[] = {
	[CALLBACK_DELIVERED] = {LOG_INFO, "callback_delivered"},
	[CALLBACK_AGAIN] = {LOG_WARN, "callback_failed"},
	[CALLBACK_DEAD] = {LOG_ERROR, "callback_dead"},
};

/* Of the URL only who the receiver is: the rest may hold a secret. */
static void say(const struct delivery *delivery)
{
	const struct callback *callback = &delivery->callback;
	const struct callback_try *result = &delivery->result;
	const int tries = callback->tries + 1;
	if (result->outcome == CALLBACK_DELIVERED)
		log_event(OUTCOMES[result->outcome].level,
			  OUTCOMES[result->outcome].event,
			  LOG_TEXT("webhook", callback->webhook_id),
			  LOG_TEXT("job", callback->job_id),
			  LOG_TEXT("host", callback->host),
			  LOG_INT("status", result->status), LOG_INT("tries", tries),
			  LOG_END);
	else
		log_event(OUTCOMES[result->outcome].level,
			  OUTCOMES[result->outcome].event,
			  LOG_TEXT("webhook", callback->webhook_id),
			  LOG_TEXT("job", callback->job_id),
			  LOG_TEXT("host", callback->host),
			  LOG_INT("status", result->status), LOG_INT("tries", tries),
			  LOG_TEXT("error", result->error), LOG_END);
}

static size_t count_over(const struct sender *sender)
{
	size_t count = 0;
	for (size_t i = 0; i < sender->count; i++)
		count += sender->delivery[i]->is_over;
	return count;
}

static int write_all(struct sender *sender, struct err *err)
{
	if (queue_begin(sender->queue, err) != 0)
		return -1;
	for (size_t i = 0; i < sender->count; i++)
		if (sender->delivery[i]->is_over &&
		    queue_callback_tried(sender->queue, &sender->delivery[i]->result,
					 err) != 0) {
			queue_rollback(sender->queue);
			return -1;
		}
	return queue_commit(sender->queue, err);
}

static void let_go(struct sender *sender)
{
	size_t kept = 0;
	for (size_t i = 0; i < sender->count; i++) {
		struct delivery *delivery = sender->delivery[i];
		if (!delivery->is_over) {
			sender->delivery[kept++] = delivery;
			continue;
		}
		say(delivery);
		delivery_free(sender->courier, delivery);
	}
	sender->count = kept;
}

/* Nothing is lost by it: what is under way stays so until it is written down. */
static void fail(struct sender *sender, const struct err *err)
{
	if (!sender->is_unrecorded_logged)
		log_event(LOG_ERROR, "callbacks_unrecorded", LOG_TEXT("error", err->text),
			  LOG_END);
	sender->is_unrecorded_logged = true;
	sender->again_us = clock_boot_us() + SENDER_AGAIN_US;
	if (err_is_retryable(err->code))
		return;
	sender->is_over = true;
	sender->exit_code = EXIT_TEMPORARY;
}

void record(struct sender *sender)
{
	struct err err = ERR_INIT;
	if (count_over(sender) == 0 || clock_boot_us() < sender->again_us)
		return;
	if (write_all(sender, &err) != 0) {
		fail(sender, &err);
		return;
	}
	sender->is_unrecorded_logged = false;
	sender->wants_look = true;
	let_go(sender);
	bell_ring(sender->ringer, SENDER_BELL);
}
