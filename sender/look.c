/* look.c - which message is next: the most overdue of each receiver, one receiver after
 * the other, so that none of them can take all the room for itself for long. */
#include "sender/sender.h"

static int count_for(const struct sender *sender, const char *host)
{
	int count = 0;
	for (size_t i = 0; i < sender->count; i++)
		count += text_equal(sender->delivery[i]->callback.host, host);
	return count;
}

static bool is_under_way(const struct sender *sender, int64_t row)
{
	for (size_t i = 0; i < sender->count; i++)
		if (sender->delivery[i]->callback.row == row)
			return true;
	return false;
}

static void begin(struct sender *sender, struct callback *callback)
{
	sender->delivery = mem_grow(sender->delivery,
				    (sender->count + 1) * sizeof *sender->delivery);
	sender->delivery[sender->count++] =
		delivery_begin(sender->courier, callback, sender->config, &sender->keys);
}

static int room_for(const struct sender *sender, const char *host)
{
	const int64_t room = sender->config->callbacks.parallel - (int64_t)sender->count;
	const int64_t own =
		sender->config->callbacks.parallel_per_host - count_for(sender, host);
	return (int)(room < own ? room : own);
}

/* What is under way to this receiver is due as well: it is passed over. */
static int look_at(struct sender *sender, const char *host, int64_t now, struct err *err)
{
	const int room = room_for(sender, host);
	struct callback_list due;
	int64_t next_at;
	int begun = 0;
	if (room <= 0) /* the end of one of them leads here again */
		return 0;
	if (queue_callbacks_due(sender->queue, host, now, room + count_for(sender, host),
				&due, &next_at, err) != 0)
		return -1;
	for (size_t i = 0; i < due.count && begun < room; i++) {
		if (is_under_way(sender, due.item[i].row))
			continue;
		begin(sender, &due.item[i]);
		begun++;
	}
	callback_list_release(&due);
	if (next_at > now && next_at < sender->due_at)
		sender->due_at = next_at;
	if (begun > 0)
		(void)snprintf(sender->turn, sizeof sender->turn, "%s", host);
	return 0;
}

/* All receivers once, beginning after the last one that had its turn. */
int look(struct sender *sender, struct err *err)
{
	const int64_t now = clock_now_us();
	char first[HOST_PORT_BYTES], host[HOST_PORT_BYTES], next[HOST_PORT_BYTES];
	bool has_wrapped = false;
	memcpy(first, sender->turn, sizeof first);
	memcpy(host, first, sizeof host);
	sender->due_at = INT64_MAX;
	for (;;) {
		const int found = queue_callback_host(sender->queue, host, next, err);
		if (found < 0)
			return -1;
		if (found == 0 && (has_wrapped || first[0] == '\0'))
			return 0;
		if (found == 0) {
			has_wrapped = true;
			host[0] = '\0';
			continue;
		}
		memcpy(host, next, sizeof host);
		if (has_wrapped && strcmp(host, first) > 0)
			return 0;
		if (look_at(sender, host, now, err) != 0)
			return -1;
	}
}
