/* kept.c - answers about jobs that have ended (see kept.h).
 *
 * Chains in several tables, each with a lock of its own, held for one copy. When a table
 * is full a hand goes round its chains and empties what it comes to: who reads more jobs
 * in turn than fit finds as many of them as fit, where forgetting the longest unused
 * would find none. */
#include "httpapi/kept.h"

#include <pthread.h>

#define TABLES 16
#define CHAINS 512
#define TABLE_BYTES_MAX (KEPT_BYTES_MAX / TABLES)

struct answer {
	struct answer *next;
	uint64_t settings;
	int64_t version;
	uint32_t state; /* the table's, when it was kept */
	uint32_t body_bytes;
	char job_id[JOB_ID_BYTES];
	char text[]; /* who, NUL, body */
};

struct table {
	pthread_mutex_t lock;
	struct queue_stamp stamp; /* of `state` */
	uint32_t state;		  /* counts what the database became */
	size_t hand, bytes;
	struct answer *chain[CHAINS];
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

static size_t bytes_of(const struct answer *answer)
{
	return sizeof(*answer) + strlen(answer->text) + 1 + answer->body_bytes;
}

/* What hangs here. The lock is held, or nobody is there any more. */
static void answer_drop(struct table *table, struct answer **link)
{
	struct answer *answer = *link;
	*link = answer->next;
	table->bytes -= bytes_of(answer);
	free(answer);
}

static void chain_empty(struct table *table, size_t chain)
{
	while (table->chain[chain])
		answer_drop(table, &table->chain[chain]);
}

void kept_close(struct kept *kept)
{
	if (!kept)
		return;
	for (size_t i = 0; i < TABLES; i++) {
		for (size_t k = 0; k < CHAINS; k++)
			chain_empty(&kept->table[i], k);
		pthread_mutex_destroy(&kept->table[i].lock);
	}
	free(kept);
}

/* Who sees everything is not told apart; no principal is called so. */
static const char *who_of(const struct kept_key *key)
{
	return key->viewer.sees_all ? "*" : key->viewer.principal;
}

/* FNV-1a over the id: ids are ours, nobody chooses them. */
static uint64_t hash_of(const char *job_id)
{
	uint64_t hash = UINT64_C(0xcbf29ce484222325);
	for (; *job_id; job_id++)
		hash = (hash ^ (uint8_t)*job_id) * UINT64_C(0x100000001b3);
	return hash ^ hash >> 32;
}

/* Where the answer hangs, or the end of its chain. */
static struct answer **find(struct table *table, size_t chain, const struct kept_key *key)
{
	struct answer **link = &table->chain[chain];
	while (*link && (strcmp((*link)->job_id, key->job_id) != 0 ||
			 strcmp((*link)->text, who_of(key)) != 0))
		link = &(*link)->next;
	return link;
}

bool kept_find(struct kept *kept, const struct kept_key *key,
	       const struct queue_stamp *stamp, struct buf *body, int64_t *ret_version)
{
	const uint64_t hash = hash_of(key->job_id);
	struct table *table = &kept->table[hash % TABLES];
	pthread_mutex_lock(&table->lock);
	const struct answer *answer = *find(table, hash / TABLES % CHAINS, key);
	const bool is_good = answer && answer->state == table->state &&
			     answer->settings == key->settings &&
			     queue_stamp_equal(&table->stamp, stamp);
	if (is_good) {
		const char *text = answer->text + strlen(answer->text) + 1;
		buf_append(body, text, answer->body_bytes);
		*ret_version = answer->version;
	}
	pthread_mutex_unlock(&table->lock);
	return is_good;
}

static struct answer *answer_new(const struct kept_key *key, const struct buf *body,
				 int64_t version)
{
	const size_t who_bytes = strlen(who_of(key)) + 1;
	struct answer *answer =
		mem_alloc(sizeof(*answer) + who_bytes + body->length);
	answer->settings = key->settings;
	answer->version = version;
	answer->body_bytes = (uint32_t)body->length;
	snprintf(answer->job_id, sizeof(answer->job_id), "%s", key->job_id);
	memcpy(answer->text, who_of(key), who_bytes);
	memcpy(answer->text + who_bytes, body->data, body->length);
	return answer;
}

void kept_put(struct kept *kept, const struct kept_key *key,
	      const struct queue_stamp *stamp, const struct buf *body, int64_t version)
{
	const uint64_t hash = hash_of(key->job_id);
	const size_t chain = hash / TABLES % CHAINS;
	struct table *table = &kept->table[hash % TABLES];
	if (body->length == 0 || body->length > KEPT_ANSWER_MAX)
		return;
	struct answer *answer = answer_new(key, body, version);
	pthread_mutex_lock(&table->lock);
	if (!queue_stamp_equal(&table->stamp, stamp)) {
		table->stamp = *stamp;
		table->state++;
	}
	answer->state = table->state;
	struct answer **old = find(table, chain, key);
	if (*old)
		answer_drop(table, old);
	while (table->bytes + bytes_of(answer) > TABLE_BYTES_MAX)
		chain_empty(table, table->hand++ % CHAINS);
	answer->next = table->chain[chain];
	table->chain[chain] = answer;
	table->bytes += bytes_of(answer);
	pthread_mutex_unlock(&table->lock);
}
