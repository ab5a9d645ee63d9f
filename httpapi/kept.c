/* kept.c - jobs that have ended, as they are shown (see kept.h).
 *
 * Chains in several tables, each with a lock of its own, held for one copy. All in a
 * table is from one state of the database; what comes from another empties it. In a full
 * one most newcomers are turned away: who reads more jobs in turn than fit finds as many
 * as fit, where forgetting the oldest would find none; and the few that are let in make
 * it follow what is asked for. */
#include "httpapi/kept.h"

#include <pthread.h>

#define TABLES 16
#define CHAINS 512
#define TABLE_BYTES_MAX (KEPT_BYTES_MAX / TABLES)
#define LET_IN 8 /* one of so many, where it is full */

struct shown {
	struct shown *next;
	uint64_t settings;
	int64_t version;
	uint32_t bytes;
	char job[JOB_ID_BYTES];
	char text[]; /* who, NUL, what is shown */
};

struct table {
	pthread_mutex_t lock;
	struct queue_stamp stamp;
	size_t bytes;
	size_t hand;	/* the chain to be emptied next */
	size_t comings; /* while it was full */
	struct shown *chain[CHAINS];
};

struct kept {
	struct table table[TABLES];
};

struct kept *kept_open(void)
{
	struct kept *kept = mem_alloc(sizeof(*kept));
	for (size_t i = 0; i < TABLES; i++)
		pthread_mutex_init(&kept->table[i].lock, NULL);
	return kept;
}

static size_t bytes_of(const struct shown *shown)
{
	return sizeof(*shown) + strlen(shown->text) + 1 + shown->bytes;
}

/* What hangs here. The lock is held, or nobody is there any more. */
static void shown_drop(struct table *table, struct shown **link)
{
	struct shown *shown = *link;
	*link = shown->next;
	table->bytes -= bytes_of(shown);
	free(shown);
}

static void chain_empty(struct table *table, size_t chain)
{
	while (table->chain[chain])
		shown_drop(table, &table->chain[chain]);
}

static void table_empty(struct table *table)
{
	for (size_t i = 0; i < CHAINS && table->bytes > 0; i++)
		chain_empty(table, i);
}

void kept_close(struct kept *kept)
{
	if (!kept)
		return;
	for (size_t i = 0; i < TABLES; i++) {
		table_empty(&kept->table[i]);
		pthread_mutex_destroy(&kept->table[i].lock);
	}
	free(kept);
}

/* Who sees everything is not told apart; no principal is called so. */
static const char *who_of(const struct kept_key *key)
{
	return key->viewer.sees_all ? "*" : key->viewer.principal;
}

/* FNV-1a: ids are ours, nobody chooses them. */
static uint64_t hash_of(const char *job)
{
	uint64_t hash = UINT64_C(0xcbf29ce484222325);
	for (; *job; job++)
		hash = (hash ^ (uint8_t)*job) * UINT64_C(0x100000001b3);
	return hash ^ hash >> 32;
}

/* Where it hangs, or the end of its chain. */
static struct shown **find(struct table *table, size_t chain, const struct kept_key *key)
{
	struct shown **link = &table->chain[chain];
	while (*link && (strcmp((*link)->job, key->job) != 0 ||
			 strcmp((*link)->text, who_of(key)) != 0))
		link = &(*link)->next;
	return link;
}

bool kept_find(struct kept *kept, const struct kept_key *key,
	       const struct queue_stamp *stamp, struct buf *body, int64_t *ret_version)
{
	const uint64_t hash = hash_of(key->job);
	struct table *table = &kept->table[hash % TABLES];
	pthread_mutex_lock(&table->lock);
	const struct shown *shown = *find(table, hash / TABLES % CHAINS, key);
	const bool is_good = shown && shown->settings == key->settings &&
			     queue_stamp_equal(&table->stamp, stamp);
	if (is_good) {
		const char *text = shown->text + strlen(shown->text) + 1;
		buf_append(body, text, shown->bytes);
		*ret_version = shown->version;
	}
	pthread_mutex_unlock(&table->lock);
	return is_good;
}

static struct shown *shown_new(const struct kept_key *key, int64_t version,
			       const char *text, size_t length)
{
	const size_t who_bytes = strlen(who_of(key)) + 1;
	struct shown *shown = mem_alloc(sizeof(*shown) + who_bytes + length);
	shown->settings = key->settings;
	shown->version = version;
	shown->bytes = (uint32_t)length;
	snprintf(shown->job, sizeof(shown->job), "%s", key->job);
	memcpy(shown->text, who_of(key), who_bytes);
	memcpy(shown->text + who_bytes, text, length);
	return shown;
}

/* The row of a job that has ended and those of its attempts never change again. What
 * lives may show more than the database says. */
static bool is_lasting(const struct job_view *view)
{
	return job_state_is_final(view->job.state) &&
	       (!view->has_last || view->last.ended_at != 0);
}

/* Is there room for so many bytes, or is it made? */
static bool make_room(struct table *table, size_t bytes)
{
	if (table->bytes + bytes <= TABLE_BYTES_MAX)
		return true;
	if (++table->comings % LET_IN != 0)
		return false;
	while (table->bytes + bytes > TABLE_BYTES_MAX)
		chain_empty(table, table->hand++ % CHAINS);
	return true;
}

/* Takes it. */
static void table_put(struct table *table, size_t chain, const struct kept_key *key,
		      const struct queue_stamp *stamp, struct shown *shown)
{
	if (!queue_stamp_equal(&table->stamp, stamp)) {
		table_empty(table);
		table->stamp = *stamp;
	}
	struct shown **old = find(table, chain, key);
	if (*old)
		shown_drop(table, old);
	if (!make_room(table, bytes_of(shown))) {
		free(shown);
		return;
	}
	shown->next = table->chain[chain];
	table->chain[chain] = shown;
	table->bytes += bytes_of(shown);
}

void kept_put(struct kept *kept, const struct kept_key *key,
	      const struct queue_stamp *stamp, const struct job_view *view,
	      const char *text, size_t length)
{
	const uint64_t hash = hash_of(key->job);
	struct table *table = &kept->table[hash % TABLES];
	if (!is_lasting(view) || length == 0 || length > KEPT_TEXT_MAX)
		return;
	struct shown *shown = shown_new(key, view->job.version, text, length);
	pthread_mutex_lock(&table->lock);
	table_put(table, hash / TABLES % CHAINS, key, stamp, shown);
	pthread_mutex_unlock(&table->lock);
}
