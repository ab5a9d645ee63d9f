/* prune_events.c - letting go of the oldest events, with the chain unbroken.
 *
 * The chain itself says what was cut off: the event `pruned` with the hash of the last
 * row that goes is appended in the transaction that makes that hash the chain's head, and
 * only then rows are deleted. Whoever dies in between leaves rows before the head, which
 * the next run deletes. */
#include "queue/retention_run.h"

/* How many events one head cuts off at the most. */
#define SPAN_EVENTS 20000

int chain_head_load(struct queue *queue, struct chain_head *ret, struct err *err)
{
	sqlite3_stmt *stmt;
	*ret = (struct chain_head){.hash = event_hash_none()};
	if (db_start(queue, STATEMENT_CHAIN_HEAD, NO_BINDS, &stmt, err) != 0)
		return -1;
	const int found = db_step(queue, stmt, err);
	if (found == 1) {
		ret->id = sqlite3_column_int64(stmt, 0);
		(void)event_hash_read(stmt, 1, &ret->hash);
		ret->before = sqlite3_column_int64(stmt, 2);
	}
	db_end(stmt);
	return found;
}

bool chain_head_is_named(const struct chain_head *head, const char *kind,
			 const char *data)
{
	char hex[DIGEST_HEX_BYTES], before[CLOCK_TEXT_BYTES];
	cJSON *tree = NULL;
	if (!text_equal(kind, "pruned") || data == NULL ||
	    json_parse(data, strlen(data), NULL, &tree, NULL) < 0)
		return false;
	text_hex(head->hash.data, head->hash.bytes, hex);
	clock_format(head->before, before);
	const cJSON *through = json_get(tree, "through");
	const bool is_named =
		cJSON_IsNumber(through) && through->valuedouble == (double)head->id &&
		text_equal(cJSON_GetStringValue(json_get(tree, "hash")), hex) &&
		text_equal(cJSON_GetStringValue(json_get(tree, "before")), before);
	cJSON_Delete(tree);
	return is_named;
}

struct span {
	struct chain_head head; /* the last that goes */
	int64_t events;
	bool is_worth_it; /* something else goes than what earlier runs said of themselves
			   */
};

/* The oldest events, as far as all of them are older than `before`. 0 or -1. */
static int span_find(struct queue *queue, int64_t after, int64_t before, int64_t most,
		     struct span *ret, struct err *err)
{
	sqlite3_stmt *stmt;
	int more;
	*ret = (struct span){.head = {.id = after, .before = before}};
	if (db_start(queue, STATEMENT_EVENTS_OLDEST, BINDS(as_int(after), as_int(most)),
		     &stmt, err) != 0)
		return -1;
	while ((more = db_step(queue, stmt, err)) == 1) {
		if (sqlite3_column_int64(stmt, 1) >= before ||
		    !event_hash_read(stmt, 3, &ret->head.hash)) {
			more = 0;
			break;
		}
		ret->head.id = sqlite3_column_int64(stmt, 0);
		ret->events++;
		if (!text_equal((const char *)sqlite3_column_text(stmt, 2), "pruned"))
			ret->is_worth_it = true;
	}
	db_end(stmt);
	return more;
}

static int head_event(struct queue *queue, const struct retention *run,
		      const struct span *span, int64_t now, struct err *err)
{
	char hex[DIGEST_HEX_BYTES], before[CLOCK_TEXT_BYTES], data[256];
	text_hex(span->head.hash.data, span->head.hash.bytes, hex);
	clock_format(span->head.before, before);
	(void)snprintf(data, sizeof data,
		       "{\"through\":%lld,\"hash\":\"%s\",\"before\":\"%s\",\"events\":%"
		       "lld}",
		       (long long)span->head.id, hex, before, (long long)span->events);
	return event_append(queue,
			    &(const struct event_row){.at = now,
						      .kind = "pruned",
						      .principal = run->principal,
						      .data = data},
			    err);
}

/* Makes the end of the span the head of the chain, unless somebody else who prunes has
 * moved it since it was `from`. 0 or -1. */
static int head_move(struct queue *queue, struct retention *run, int64_t from,
		     const struct span *span, struct err *err)
{
	struct chain_head head;
	struct timed timed;
	const int64_t now = clock_now_us();
	if (timed_begin(queue, &timed, err) != 0)
		return -1;
	const int found = chain_head_load(queue, &head, err);
	if (found >= 0 && head.id != from) {
		queue_rollback(queue);
		return 0;
	}
	if (found < 0 || head_event(queue, run, span, now, err) != 0 ||
	    db_run(queue, STATEMENT_CHAIN_HEAD_INSERT,
		   BINDS(as_int(span->head.id),
			 as_blob(span->head.hash.data, span->head.hash.bytes),
			 as_int(span->head.before), as_int(now)),
		   err) < 0 ||
	    timed_commit(queue, &timed, run, err) != 0) {
		queue_rollback(queue);
		return -1;
	}
	return 0;
}

/* Deletes some of what lies before the head. How many, or -1. */
static int delete_some(struct queue *queue, struct retention *run, int64_t through,
		       struct err *err)
{
	struct timed timed;
	if (timed_begin(queue, &timed, err) != 0)
		return -1;
	const int gone = db_run(queue, STATEMENT_PRUNE_EVENTS,
				BINDS(as_int(through), as_int(run->policy->slice)), err);
	if (gone < 0 || timed_commit(queue, &timed, run, err) != 0) {
		queue_rollback(queue);
		return -1;
	}
	run->report.events += gone;
	return gone;
}

/* A preview counts span after span: its cursor is the walk's, which is over by now. */
static int preview_events(struct queue *queue, struct retention *run, int64_t after,
			  int64_t before, struct err *err)
{
	struct span span;
	if (run->report.events == 0)
		run->mark_row = after;
	if (span_find(queue, run->mark_row, before, SPAN_EVENTS, &span, err) != 0)
		return -1;
	run->mark_row = span.head.id;
	run->report.events += span.events;
	return span.events == SPAN_EVENTS;
}

int prune_old_events(struct queue *queue, struct retention *run, struct err *err)
{
	const int64_t before = run->now - run->policy->events_age_us;
	struct chain_head head;
	struct span left, span;
	if (chain_head_load(queue, &head, err) < 0)
		return -1;
	if (run->is_preview)
		return run->policy->events_age_us == 0
			       ? 0
			       : preview_events(queue, run, head.id, before, err);
	/* first what an earlier head cut off; `before` does not matter then */
	if (head.id > 0) {
		if (span_find(queue, 0, INT64_MAX, 1, &left, err) != 0)
			return -1;
		if (left.events > 0 && left.head.id <= head.id)
			return delete_some(queue, run, head.id, err) < 0 ? -1 : 1;
	}
	if (run->policy->events_age_us == 0)
		return 0;
	if (span_find(queue, head.id, before, SPAN_EVENTS, &span, err) != 0)
		return -1;
	if (!span.is_worth_it)
		return 0;
	return head_move(queue, run, head.id, &span, err) != 0 ? -1 : 1;
}
