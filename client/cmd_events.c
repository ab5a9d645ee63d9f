/* cmd_events.c - `reeve events`: what happened, and with --follow what happens.
 *
 * One page after the other, each going on after the last, also when the service was away
 * in between: ids of events have no gaps, so nothing is missed and nothing comes twice.
 * While there is nothing new the service holds the question back. */
#include "client/api.h"

#include <stdlib.h>
#include <string.h>

#include "client/neutral.h"
#include "client/output.h"

#define PAGE_MAX 500
#define WAIT_S 30
#define PAUSE_US (200 * US_PER_MS)
#define ID_LENGTH 36
#define LINE_BYTES_MAX (64u << 20)

struct feed {
	struct cli *cli;
	struct buf query;	 /* "&kind=ended..." */
	struct listing *listing; /* NULL: a line for each */
	char after[24];		 /* "now", or an id; "": from the oldest */
	bool has_jobs;		 /* the query names some, at its end */
	bool is_followed;
	bool has_found;
	bool is_over; /* the jobs have ended, or there is no more */
	int64_t lost_since_us;
};

/* --- what is asked for --- */

/* In one parameter: a query may not have very many, and must fit into one address. */
static void put_id(struct feed *feed, const char *id)
{
	buf_printf(&feed->query, "%s%s", feed->has_jobs ? "," : "&jobs=", id);
	feed->has_jobs = true;
}

/* A whole id is taken as it is: the events of a job outlive it. */
static int put_job(struct feed *feed, const char *word, struct err *err)
{
	AUTO_FREE char *id = NULL;
	cJSON *job = NULL;
	if (api_job_id(feed->cli, word, &id, err) < 0)
		return -1;
	if (strlen(id) == ID_LENGTH) {
		put_id(feed, id);
		return 0;
	}
	if (api_get(feed->cli, &job, err, "/v1/jobs/%s", id) < 0)
		return -1;
	const char *whole = item_text(job, "id");
	put_id(feed, whole != NULL ? whole : id);
	cJSON_Delete(job);
	return 0;
}

static void put_options(struct feed *feed, const char *name)
{
	const struct args *args = &feed->cli->args;
	for (size_t i = 0; i < args->count; i++) {
		if (strcmp(args->given[i].name, name) != 0)
			continue;
		AUTO_FREE char *encoded = url_encode(args->given[i].text);
		buf_printf(&feed->query, "&%s=%s", name, encoded);
	}
}

static int read_asked(struct feed *feed, struct err *err)
{
	const struct args *args = &feed->cli->args;
	const char *after = args_text(args, "after");
	int64_t id;
	for (size_t i = 0; i < args->words; i++)
		if (put_job(feed, args->word[i], err) < 0)
			return -1;
	put_options(feed, "queue");
	put_options(feed, "label");
	put_options(feed, "kind");
	if (args->words > 0 && !args_has(args, "queue") && !args_has(args, "label"))
		buf_append_text(&feed->query, "&until=final");
	if (after == NULL)
		after = feed->is_followed && args->words == 0 ? "now" : "";
	else if (strcmp(after, "now") != 0 &&
		 text_parse_int(after, 0, JSON_INTEGER_MAX, &id) < 0)
		return err_set(err, ERR_INVALID,
			       "--after wants the id of an event, or now, not \"%s\"",
			       after);
	snprintf(feed->after, sizeof(feed->after), "%s", after);
	return 0;
}

/* --- what is shown --- */

static void put_cell(struct buf *line, const char *text, int width)
{
	AUTO_BUF struct buf shown = BUF_INIT(LINE_BYTES_MAX);
	neutral_text(text != NULL ? text : "", true, &shown);
	buf_printf(line, "%-*s ", width, buf_text(&shown));
}

/* For a person who watches: no table, since that would have to wait for its end. */
static int print_line(struct feed *feed, const cJSON *event, struct err *err)
{
	static const struct {
		const char *path;
		int width;
	} cells[] = {{"at", 27}, {"kind", 13}, {"state", 9}, {"job", ID_LENGTH}};
	AUTO_BUF struct buf line = BUF_INIT(LINE_BYTES_MAX);
	buf_printf(&line, "%8lld ", (long long)item_int(event, "id", 0));
	for (size_t i = 0; i < ARRAY_SIZE(cells); i++)
		put_cell(&line, item_text(event, cells[i].path), cells[i].width);
	const cJSON *data = item_at(event, "data");
	AUTO_FREE char *text = data != NULL ? cJSON_PrintUnformatted(data) : NULL;
	put_cell(&line, item_text(event, "principal"), text != NULL ? 10 : 0);
	put_cell(&line, text, 0);
	while (line.length > 0 && line.data[line.length - 1] == ' ')
		line.length--;
	buf_seal(&line);
	buf_append_char(&line, '\n');
	return out_write(feed->cli, buf_text(&line), line.length, err);
}

static int take_page(struct feed *feed, const cJSON *page, struct err *err)
{
	const cJSON *event = NULL;
	const char *reason = item_text(page, "reset.reason");
	if (reason != NULL)
		say(feed->cli,
		    strcmp(reason, "pruned") == 0
			    ? "the events after %lld were removed; going on after %lld"
			    : "there is no event %lld, as if an older backup were in "
			      "place; going on after %lld",
		    (long long)item_int(page, "reset.asked", 0),
		    (long long)item_int(page, "reset.after", 0));
	cJSON_ArrayForEach(event, json_get(page, "items"))
	{
		feed->has_found = true;
		if ((feed->listing != NULL ? listing_add(feed->listing, event, err)
					   : print_line(feed, event, err)) < 0)
			return -1;
	}
	snprintf(feed->after, sizeof(feed->after), "%lld",
		 (long long)item_int(page, "next_after", 0));
	const bool has_more = cJSON_IsTrue(json_get(page, "has_more"));
	feed->is_over =
		cJSON_IsTrue(json_get(page, "end")) || (!feed->is_followed && !has_more);
	return 0;
}

/* --- page after page --- */

/* Said once for each loss, not for each try. 0 to ask again, -1. */
static int lost(struct feed *feed, const struct exchange *exchange, struct err *err)
{
	const int64_t now = clock_boot_us();
	/* Before the first answer it has no id, only where to begin. */
	const bool has_id = feed->after[0] >= '0' && feed->after[0] <= '9';
	if (!http_may_return(feed->cli, exchange))
		return api_answer(feed->cli, exchange, NULL, err);
	if (feed->lost_since_us == 0) {
		feed->lost_since_us = now;
		say(feed->cli, "%s; %s%s",
		    exchange->failure.code != ERR_NONE ? exchange->failure.text
						       : "the service is away",
		    has_id ? "going on after event " : "asking again",
		    has_id ? feed->after : "");
	}
	if (now - feed->lost_since_us >= OUT_OF_REACH_US)
		return api_answer(feed->cli, exchange, NULL, err);
	return http_pause(feed->cli, PAUSE_US, err);
}

static int ask(struct feed *feed, struct err *err)
{
	struct exchange exchange;
	cJSON *page = NULL;
	const bool is_held = feed->is_followed && feed->after[0] != '\0';
	exchange_init(&exchange, "GET", "/v1/events?limit=%d%s%s%s", PAGE_MAX,
		      feed->after[0] != '\0' ? "&after=" : "", feed->after,
		      buf_text(&feed->query));
	/* the first answer comes at once, so that "now" is a number from then on */
	exchange.wait_s = is_held && strcmp(feed->after, "now") != 0 ? WAIT_S : 0;
	exchange.timeout_us = feed->cli->timeout_us + exchange.wait_s * US_PER_S;
	struct exchange *const list[] = {&exchange};
	int status = http_perform(feed->cli, list, 1, false, err);
	if (status == 0 && (!exchange.is_finished || exchange.status >= 500)) {
		status = lost(feed, &exchange, err);
	} else if (status == 0) {
		feed->lost_since_us = 0;
		status = api_answer(feed->cli, &exchange, &page, err);
		if (status == 0)
			status = take_page(feed, page, err);
	}
	cJSON_Delete(page);
	exchange_release(&exchange);
	return status;
}

/* Of a job there is at least that it was submitted, as long as there is anything. */
static void say_if_removed(const struct feed *feed)
{
	const struct args *args = &feed->cli->args;
	if (!feed->has_found && feed->has_jobs && !args_has(args, "kind") &&
	    !args_has(args, "after"))
		say(feed->cli, "there are no events any more: retention removed them");
}

/* Ctrl-C is how following everything ends, and no failure. */
static int finish(struct feed *feed, int status, struct err *err)
{
	if (status < 0 && feed->is_followed && feed->cli->is_interrupted)
		status = 0;
	if (feed->listing == NULL)
		return status;
	if (status == 0)
		return listing_end(feed->listing, err);
	listing_drop(feed->listing);
	return status;
}

int cmd_events(struct cli *cli, struct err *err)
{
	struct feed feed = {.cli = cli,
			    .query = BUF_INIT(1u << 20),
			    .is_followed = args_has(&cli->args, "follow")};
	const bool is_table = cli->format == FORMAT_TABLE || cli->format == FORMAT_WIDE;
	int status = 0;
	if (feed.is_followed)
		status = http_listen_for_interrupt(cli, err);
	if (status == 0)
		status = read_asked(&feed, err);
	/* the life of a job fits into a table */
	if (!is_table || (!feed.is_followed && cli->args.words > 0))
		feed.listing = listing_open(cli, &EVENT_COLUMNS);
	while (status == 0 && !feed.is_over)
		status = ask(&feed, err);
	if (status == 0)
		say_if_removed(&feed);
	status = finish(&feed, status, err);
	buf_release(&feed.query);
	return status;
}
