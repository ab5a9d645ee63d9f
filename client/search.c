/* search.c - the lines of an output in which something stands, as grep(1) prints them.
 * The service searches; only what it finds travels. */
#include "client/api.h"

#include <stdlib.h>
#include <string.h>

#include "client/logs.h"
#include "client/neutral.h"
#include "client/output.h"

#define PAGE_MAX 1000
#define LINE_BYTES_MAX (1u << 20)

static const struct column HIT_ROWS[] = {
	{"LINE", "line", COLUMN_INT, IN_ALL},
	{"AT", "at", COLUMN_TIME, IN_WIDE | IN_TSV | IN_RECORD},
	{"STREAM", "stream", COLUMN_TEXT, IN_WIDE | IN_TSV | IN_RECORD},
	{"TEXT", "text", COLUMN_TEXT, IN_ALL},
};
static const struct columns HIT_COLUMNS = {HIT_ROWS, ARRAY_SIZE(HIT_ROWS)};

struct search {
	struct cli *cli;
	const struct output_request *request;
	const char *text; /* what is searched for */
	bool ignores_case;
	struct listing *listing; /* NULL: "<number>:<line>" */
	bool has_found;
};

static int print_line(const struct search *search, const cJSON *hit, struct err *err)
{
	const char *text = item_text(hit, "text");
	const char *at = item_text(hit, "at");
	AUTO_BUF struct buf line = BUF_INIT(LINE_BYTES_MAX);
	buf_printf(&line, "%lld:", (long long)item_int(hit, "line", 0));
	if (search->request->has_timestamps)
		buf_printf(&line, "%s ", at != NULL ? at : "-");
	if (search->cli->out_is_terminal && !search->request->is_raw)
		neutral_text(text != NULL ? text : "", true, &line);
	else
		buf_append_text(&line, text != NULL ? text : "");
	buf_append_char(&line, '\n');
	return out_write(search->cli, buf_text(&line), line.length, err);
}

static int print_page(struct search *search, const cJSON *page, struct err *err)
{
	const cJSON *hit = NULL;
	cJSON_ArrayForEach(hit, json_get(page, "items"))
	{
		search->has_found = true;
		if ((search->listing != NULL ? listing_add(search->listing, hit, err)
					     : print_line(search, hit, err)) < 0)
			return -1;
	}
	return 0;
}

/* `cursor` NULL: from the beginning. */
static int get_page(const struct search *search, const char *cursor, cJSON **ret,
		    struct err *err)
{
	const struct output_request *request = search->request;
	AUTO_FREE char *text = url_encode(search->text);
	AUTO_BUF struct buf query = BUF_INIT(1u << 16);
	buf_printf(&query, "?q=%s&limit=%d&stream=%s", text, PAGE_MAX, request->stream);
	if (search->ignores_case)
		buf_append_text(&query, "&ignore_case=1");
	if (request->attempt > 0)
		buf_printf(&query, "&attempt=%lld", (long long)request->attempt);
	if (cursor != NULL)
		buf_printf(&query, "&cursor=%s", cursor);
	return api_get(search->cli, ret, err, "/v1/jobs/%s/output/search%s", request->id,
		       buf_text(&query));
}

static int print_pages(struct search *search, struct err *err)
{
	AUTO_FREE char *cursor = NULL;
	bool has_more = true;
	int status = 0;
	while (has_more && status == 0) {
		cJSON *page = NULL;
		status = get_page(search, cursor, &page, err);
		if (status == 0)
			status = print_page(search, page, err);
		const char *next = item_text(page, "next_cursor");
		has_more = next != NULL;
		free(cursor);
		cursor = has_more ? url_encode(next) : NULL;
		cJSON_Delete(page);
	}
	return status;
}

int output_search(struct cli *cli, const struct output_request *request, const char *text,
		  bool ignores_case, struct err *err)
{
	struct search search = {.cli = cli,
				.request = request,
				.text = text,
				.ignores_case = ignores_case};
	if (cli->is_format_given)
		search.listing = listing_open(cli, &HIT_COLUMNS);
	int status = print_pages(&search, err);
	if (search.listing != NULL && status == 0)
		status = listing_end(search.listing, err);
	else if (search.listing != NULL)
		listing_drop(search.listing);
	return status < 0 ? -1 : search.has_found ? 0 : 1;
}
