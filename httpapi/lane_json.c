/* lane_json.c - queues and draining as the API shows them (see lane_json.h). */
#include "httpapi/lane_json.h"

static void put_limit(struct json_writer *json, const char *key, int64_t limit)
{
	if (limit < 0)
		json_put_null(json, key);
	else
		json_put_int(json, key, limit);
}

static void put_pause(struct json_writer *json, const struct lane *lane)
{
	if (lane->paused_at == 0) {
		json_put_null(json, "pause");
		return;
	}
	json_open(json, "pause", '{');
	json_put_time(json, "since", lane->paused_at);
	json_put_time(json, "until", lane->paused_until);
	json_put_text(json, "by", lane->paused_by);
	json_put_text(json, "reason", lane->pause_reason);
	json_close(json, '}');
}

/* How long the first in line has been there; a clock that was set back gives no age. */
static void put_oldest(struct json_writer *json, int64_t queued_at)
{
	int64_t age_us = clock_now_us() - queued_at;
	json_put_time(json, "oldest_queued_at", queued_at);
	if (queued_at == 0)
		json_put_null(json, "oldest_queued_s");
	else
		json_put_double(json, "oldest_queued_s",
				age_us > 0 ? (double)age_us / 1e6 : 0);
}

void lane_put(struct json_writer *json, const char *key, const struct config *config,
	      const struct lane *lane)
{
	int64_t timeout_us = queue_timeout_us(&config->queues, lane->name);
	json_open(json, key, '{');
	json_put_text(json, "name", lane->name);
	json_put_bool(json, "configured", lane->is_configured);
	json_put_int(json, "waiting", lane->waiting);
	json_put_int(json, "queued", lane->queued);
	json_put_int(json, "running", lane->running);
	put_limit(json, "max_running", lane->max_running);
	put_limit(json, "configured_max_running", lane->configured_max_running);
	json_put_bool(json, "limit_set", lane->is_limit_set);
	if (timeout_us > 0)
		json_put_double(json, "default_timeout_s", (double)timeout_us / 1e6);
	else
		json_put_null(json, "default_timeout_s");
	put_oldest(json, lane->oldest_queued_at);
	put_pause(json, lane);
	json_close(json, '}');
}

void drain_put(struct json_writer *json, const char *key, const struct drain *drain,
	       int64_t running)
{
	json_open(json, key, '{');
	json_put_bool(json, "draining", drain != NULL);
	json_put_time(json, "since", drain ? drain->since : 0);
	json_put_text(json, "by", drain ? drain->by : NULL);
	json_put_text(json, "reason", drain ? drain->reason : NULL);
	json_put_int(json, "running", running);
	json_close(json, '}');
}
