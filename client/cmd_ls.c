/* cmd_ls.c - `reeve ls`: the jobs that fit, or how many they are. */
#include "client/api.h"

#include <stdlib.h>
#include <string.h>

#include "client/filter.h"
#include "client/output.h"

#define PAGE_MAX 500
#define QUERY_BYTES_MAX 65536

/* One page into the listing; *cursor becomes the next page's, or NULL. The count or -1.
 */
static int64_t add_page(struct cli *cli, struct listing *listing, const char *query,
			int64_t limit, char **cursor, struct err *err)
{
	cJSON *page = NULL;
	AUTO_FREE char *after = *cursor != NULL ? url_encode(*cursor) : NULL;
	free(*cursor);
	*cursor = NULL;
	if (api_get(cli, &page, err, "/v1/jobs?limit=%lld%s%s%s", (long long)limit, query,
		    after != NULL ? "&cursor=" : "", after != NULL ? after : "") < 0)
		return -1;
	int64_t count = 0;
	const cJSON *job = NULL;
	cJSON_ArrayForEach(job, json_get(page, "items"))
	{
		if (listing_add(listing, job, err) < 0) {
			count = -1;
			break;
		}
		count++;
	}
	*cursor = mem_strdup(item_text(page, "next_cursor"));
	cJSON_Delete(page);
	return count;
}

/* Pages are fetched as long as the limit is not reached, also when one was empty: where
 * few fit, the service looks only so far at a time. All formats but the table print each
 * page as it comes. */
static int list_jobs(struct cli *cli, const struct filters *filters, const char *query,
		     struct err *err)
{
	struct listing *listing = listing_open(cli, &JOB_COLUMNS);
	char *cursor = NULL;
	int64_t left = filters->limit;
	int status = 0;
	do {
		const int64_t limit = left < PAGE_MAX ? left : PAGE_MAX;
		const int64_t count = add_page(cli, listing, query, limit, &cursor, err);
		status = count < 0 ? -1 : 0;
		left -= count > 0 ? count : 0;
	} while (status == 0 && left > 0 && cursor != NULL);
	if (status < 0)
		listing_drop(listing);
	else
		status = listing_end(listing, err);
	if (status == 0 && cursor != NULL && cli->out_is_terminal)
		say(cli, "there are more; limit:%lld or --all shows them",
		    (long long)filters->limit * 10);
	free(cursor);
	return status;
}

static int count_jobs(struct cli *cli, const char *query, struct err *err)
{
	cJSON *page = NULL;
	if (api_get(cli, &page, err, "/v1/jobs?limit=1&count=capped%s", query) < 0)
		return -1;
	AUTO_FREE char *line =
		mem_printf("%lld%s\n", (long long)item_int(page, "count", 0),
			   cJSON_IsTrue(json_get(page, "count_capped")) ? "+" : "");
	cJSON_Delete(page);
	return out_write(cli, line, strlen(line), err);
}

int cmd_ls(struct cli *cli, struct err *err)
{
	struct filters filters;
	AUTO_BUF struct buf query = BUF_INIT(QUERY_BYTES_MAX);
	if (filters_read(&filters, cli, err) < 0)
		return -1;
	filters_put_query(&filters, &query);
	const int status = args_has(&cli->args, "count")
				   ? count_jobs(cli, buf_text(&query), err)
				   : list_jobs(cli, &filters, buf_text(&query), err);
	filters_release(&filters);
	return status;
}
