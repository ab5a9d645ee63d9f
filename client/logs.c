/* logs.c - see logs.h. */
#include "client/logs.h"

#include "client/api.h"

#define PAUSE_FIRST_US (100 * US_PER_MS)
#define PAUSE_MAX_US (2 * US_PER_S)
#define TIMEOUTS_OUT_OF_REACH 6 /* with the default of --timeout: a minute */

void output_exchange(const struct output_request *request, const char *below,
		     struct exchange *exchange)
{
	AUTO_BUF struct buf query = BUF_INIT(512);
	buf_printf(&query, "?stream=%s", request->stream);
	if (request->attempt > 0)
		buf_printf(&query, "&attempt=%lld", (long long)request->attempt);
	if (request->tail_lines >= 0)
		buf_printf(&query, "&tail_lines=%lld", (long long)request->tail_lines);
	if (request->has_timestamps)
		buf_append_text(&query, "&timestamps=1");
	exchange_init(exchange, "GET", "/v1/jobs/%s/output%s%s", request->id, below,
		      buf_text(&query));
}

void patience_renew(struct patience *patience)
{
	*patience = (struct patience){0};
}

int patience_wait(struct patience *patience, struct cli *cli,
		  const struct exchange *exchange, int64_t offset, struct err *err)
{
	const int64_t now = clock_boot_us();
	if (!http_may_return(cli, exchange))
		return api_answer(cli, exchange, NULL, err);
	if (patience->lost_since_us == 0) {
		*patience = (struct patience){.lost_since_us = now,
					      .pause_us = PAUSE_FIRST_US};
		say(cli, "%s; resuming at byte %lld",
		    exchange->failure.code != ERR_NONE ? exchange->failure.text
						       : "the stream broke off",
		    (long long)offset);
	}
	if (now - patience->lost_since_us >= TIMEOUTS_OUT_OF_REACH * cli->timeout_us) {
		if (exchange->failure.code == ERR_NONE && exchange->status < 500)
			return err_set(err, ERR_UNAVAILABLE,
				       "%s breaks the stream off each time",
				       http_where(cli->http));
		(void)api_answer(cli, exchange, NULL, err);
		return err_wrap(err, "gave up after %lld s",
				(long long)((now - patience->lost_since_us) / US_PER_S));
	}
	if (http_pause(cli, patience->pause_us, err) < 0)
		return -1;
	patience->pause_us *= 2;
	if (patience->pause_us > PAUSE_MAX_US)
		patience->pause_us = PAUSE_MAX_US;
	return 0;
}
