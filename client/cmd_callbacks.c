/* cmd_callbacks.c - `reeve callbacks` and `reeve redeliver`. */
#include "client/api.h"

#include <stdlib.h>
#include <string.h>

#include "client/output.h"

#define PAGE_MAX 500
#define LIMIT_DEFAULT 50
#define QUERY_BYTES_MAX 4096
#define ID_PREFIX "msg_"

/* clang-format off */
static const struct column CALLBACK_ROWS[] = {
	{"id",          "id",           COLUMN_TEXT,  IN_ALL},
	{"job",         "job",          COLUMN_ID,    IN_ALL},
	{"kind",        "kind",         COLUMN_TEXT,  IN_ALL},
	{"state",       "state",        COLUMN_STATE, IN_ALL},
	{"attempt",     "attempt",      COLUMN_INT,   IN_WIDE | IN_TSV | IN_RECORD},
	{"tries",       "tries",        COLUMN_INT,   IN_ALL},
	{"status",      "last_status",  COLUMN_INT,   IN_ALL},
	{"created",     "created_at",   COLUMN_TIME,  IN_ALL},
	{"last_try",    "last_try_at",  COLUMN_TIME,  IN_WIDE | IN_TSV | IN_RECORD},
	{"next",        "next_at",      COLUMN_TIME,  IN_ALL},
	{"ended",       "ended_at",     COLUMN_TIME,  IN_TSV | IN_RECORD},
	{"owner",       "owner",        COLUMN_TEXT,  IN_WIDE | IN_TSV | IN_RECORD},
	{"url",         "url",          COLUMN_TEXT,  IN_ALL},
	{"error",       "last_error",   COLUMN_TEXT,  IN_ALL},
	{"body",        "body",         COLUMN_JSON,  IN_RECORD},
};
/* clang-format on */
static const struct columns CALLBACK_COLUMNS = {CALLBACK_ROWS, ARRAY_SIZE(CALLBACK_ROWS)};

/* --- pages --- */

/* One page; *cursor becomes the next one's, or NULL. The count or -1. */
static int64_t walk_page(struct cli *cli, const char *query, int64_t limit, char **cursor,
			 int (*add)(void *context, const cJSON *item, struct err *err),
			 void *context, struct err *err)
{
	cJSON *page = NULL;
	const cJSON *item = NULL;
	int64_t count = 0;
	const int status = api_get(
		cli, &page, err, "/v1/callbacks?limit=%lld%s%s%s", (long long)limit,
		query, *cursor != NULL ? "&cursor=" : "", *cursor != NULL ? *cursor : "");
	free(*cursor);
	*cursor = NULL;
	if (status < 0)
		return -1;
	cJSON_ArrayForEach(item, json_get(page, "items"))
	{
		if (add(context, item, err) < 0) {
			cJSON_Delete(page);
			return -1;
		}
		count++;
	}
	if (item_text(page, "next_cursor") != NULL)
		*cursor = url_encode(item_text(page, "next_cursor"));
	cJSON_Delete(page);
	return count;
}

/* Up to `limit` of them, newest first. *ret_has_more: there are others. */
static int walk(struct cli *cli, const char *query, int64_t limit,
		int (*add)(void *context, const cJSON *item, struct err *err),
		void *context, bool *ret_has_more, struct err *err)
{
	char *cursor = NULL;
	int64_t count = 0;
	do {
		count = walk_page(cli, query, limit < PAGE_MAX ? limit : PAGE_MAX,
				  &cursor, add, context, err);
		limit -= count;
	} while (count >= 0 && limit > 0 && cursor != NULL);
	*ret_has_more = cursor != NULL;
	free(cursor);
	return count < 0 ? -1 : 0;
}

/* --- callbacks --- */

static int put_query(struct cli *cli, struct buf *query, struct err *err)
{
	const char *state = args_text(&cli->args, "state");
	AUTO_FREE char *id = NULL;
	if (state != NULL)
		buf_printf(query, "&state=%s", state);
	if (cli->args.words == 0)
		return 0;
	if (api_job_id(cli, cli->args.word[0], &id, err) < 0)
		return -1;
	buf_printf(query, "&job=%s", id);
	return 0;
}

static int add_to_listing(void *context, const cJSON *item, struct err *err)
{
	return listing_add(context, item, err);
}

static int list_callbacks(struct cli *cli, struct err *err)
{
	AUTO_BUF struct buf query = BUF_INIT(QUERY_BYTES_MAX);
	const int64_t limit = args_has(&cli->args, "all")
				      ? INT64_MAX
				      : args_number(&cli->args, "limit", LIMIT_DEFAULT);
	bool has_more = false;
	if (put_query(cli, &query, err) < 0)
		return -1;
	struct listing *listing = listing_open(cli, &CALLBACK_COLUMNS);
	if (walk(cli, buf_text(&query), limit, add_to_listing, listing, &has_more, err) <
	    0) {
		listing_drop(listing);
		return -1;
	}
	if (listing_end(listing, err) < 0)
		return -1;
	if (has_more && cli->out_is_terminal)
		say(cli, "there are more; --limit %lld or --all shows them",
		    (long long)limit * 10);
	return 0;
}

static int show_callback(struct cli *cli, struct err *err)
{
	AUTO_FREE char *id = url_encode(cli->args.word[0]);
	cJSON *callback = NULL;
	if (api_get(cli, &callback, err, "/v1/callbacks/%s", id) < 0)
		return -1;
	const int status = record_print(cli, &CALLBACK_COLUMNS, callback, err);
	cJSON_Delete(callback);
	return status;
}

int cmd_callbacks(struct cli *cli, struct err *err)
{
	const bool is_one =
		cli->args.words > 0 && text_has_prefix(cli->args.word[0], ID_PREFIX);
	if (!is_one)
		return list_callbacks(cli, err);
	if (args_has(&cli->args, "state"))
		return err_set(err, ERR_INVALID, "--state is for lists, %s is one",
			       cli->args.word[0]);
	return show_callback(cli, err);
}

/* --- redeliver --- */

struct ids {
	char **id;
	size_t count, room;
};

static int add_id(void *context, const cJSON *item, struct err *err)
{
	struct ids *ids = context;
	const char *id = item_text(item, "id");
	if (id == NULL)
		return err_set(err, ERR_INTERNAL,
			       "the service did not name the callback");
	if (ids->count == ids->room) {
		ids->room = ids->room * 2 + 16;
		ids->id = mem_grow(ids->id, ids->room * sizeof(*ids->id));
	}
	ids->id[ids->count++] = mem_strdup(id);
	return 0;
}

static int redeliver(struct cli *cli, const char *id, struct listing *listing,
		     struct err *err)
{
	AUTO_FREE char *name = url_encode(id);
	cJSON *callback = NULL;
	int status = api_send(cli, &callback, err, "POST", "{}",
			      "/v1/callbacks/%s/redeliver", name);
	if (status == 0)
		status = listing_add(listing, callback, err);
	cJSON_Delete(callback);
	return status;
}

/* One that cannot be sent again does not keep the others from it; the exit code is that
 * of the first failure. */
static int redeliver_all(struct cli *cli, char *const *id, size_t count, struct err *err)
{
	struct listing *listing = listing_open(cli, &CALLBACK_COLUMNS);
	struct err first = ERR_INIT, ended = ERR_INIT;
	for (size_t i = 0; i < count; i++) {
		struct err one = ERR_INIT;
		if (redeliver(cli, id[i], listing, &one) == 0)
			continue;
		if (count > 1)
			say(cli, "%s: %s", id[i], one.text);
		if (first.code == ERR_NONE)
			first = one;
		if (one.code == ERR_UNAVAILABLE || cli->is_out_closed)
			break;
	}
	if (listing_end(listing, &ended) < 0 && first.code == ERR_NONE)
		first = ended;
	if (first.code == ERR_NONE)
		return 0;
	*err = first;
	return count > 1 ? err_set(err, first.code, "not all could be sent again") : -1;
}

/* All are collected first: what was sent again is dead no more, and the pages move. */
static int redeliver_dead(struct cli *cli, struct err *err)
{
	struct ids ids = {.id = NULL};
	bool has_more = false;
	int status = walk(cli, "&state=dead", INT64_MAX, add_id, &ids, &has_more, err);
	if (status == 0 && ids.count == 0)
		say(cli, "none is dead");
	if (status == 0)
		status = redeliver_all(cli, ids.id, ids.count, err);
	for (size_t i = 0; i < ids.count; i++)
		free(ids.id[i]);
	free(ids.id);
	return status;
}

int cmd_redeliver(struct cli *cli, struct err *err)
{
	const bool is_dead = args_has(&cli->args, "dead");
	if (is_dead == (cli->args.words > 0))
		return err_set(err, ERR_INVALID,
			       "redeliver wants the ids of callbacks, or --dead for all "
			       "that are");
	return is_dead ? redeliver_dead(cli, err)
		       : redeliver_all(cli, cli->args.word, cli->args.words, err);
}
