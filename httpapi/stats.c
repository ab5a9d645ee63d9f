/* stats.c - GET /v1/stats. */
#include "httpapi/answer.h"
#include "httpapi/handlers.h"
#include "httpapi/health.h"
#include "httpapi/readers.h"

#define STATS_JSON_MAX (16u << 20)

/* The final states only, or all of them. */
static void put_states(struct json_writer *json, const int64_t *counts,
		       bool is_final_only)
{
	for (unsigned i = 1; i < JOB_STATE_COUNT_; i++)
		if (!is_final_only || job_state_is_final((enum job_state)i))
			json_put_int(json, job_state_word((enum job_state)i), counts[i]);
}

/* null where there is nothing to take the mean of. */
static void put_mean(struct json_writer *json, const char *key, int64_t sum_us,
		     int64_t count)
{
	if (count > 0)
		json_put_double(json, key, (double)sum_us / (double)count / 1e6);
	else
		json_put_null(json, key);
}

static void put_flow(struct json_writer *json, const struct stats *stats,
		     enum stats_span span, const struct stats_flow *flow)
{
	json_open(json, stats_span_word(span), '{');
	json_put_time(json, "since", stats->since[span]);
	json_put_double(json, "seconds", (double)(stats->at - stats->since[span]) / 1e6);
	json_put_int(json, "submitted", flow->submitted);
	json_put_int(json, "started", flow->started);
	put_states(json, flow->ended, true);
	put_mean(json, "mean_wait_s", flow->wait_us, flow->started);
	put_mean(json, "mean_run_s", flow->run_us, flow->ran);
	json_close(json, '}');
}

/* The same of all queues and of one. */
static void put_lane(struct json_writer *json, const struct stats *stats,
		     const struct stats_lane *lane)
{
	json_open(json, "jobs", '{');
	put_states(json, lane->jobs, false);
	json_close(json, '}');
	json_open(json, "last", '{');
	for (unsigned i = 0; i < STATS_SPAN_COUNT_; i++)
		put_flow(json, stats, (enum stats_span)i, &lane->flow[i]);
	json_close(json, '}');
}

static void put_worker(struct json_writer *json, bool is_found,
		       const struct worker_info *worker)
{
	if (!is_found) {
		json_put_null(json, "worker");
		return;
	}
	json_open(json, "worker", '{');
	json_put_bool(json, "alive", worker_is_alive(worker));
	json_put_int(json, "slots", worker->slots);
	json_put_time(json, "started_at", worker->started_at);
	json_put_time(json, "heartbeat_at", worker->heartbeat_at);
	json_close(json, '}');
}

static void put_sizes(struct json_writer *json, const struct stats *stats,
		      int64_t free_bytes)
{
	json_open(json, "sizes", '{');
	json_put_int(json, "database_bytes", stats->database_bytes);
	json_put_int(json, "wal_bytes", stats->wal_bytes);
	if (free_bytes >= 0)
		json_put_int(json, "free_bytes", free_bytes);
	else
		json_put_null(json, "free_bytes");
	json_close(json, '}');
}

static void put_stats(struct buf *body, const struct config *config,
		      const struct stats *stats, bool is_worker,
		      const struct worker_info *worker)
{
	struct json_writer json;
	json_writer_init(&json, body);
	json_open(&json, NULL, '{');
	json_put_time(&json, "at", stats->at);
	put_lane(&json, stats, &stats->all);
	json_open(&json, "queues", '[');
	for (size_t i = 0; i < stats->lanes; i++) {
		json_open(&json, NULL, '{');
		json_put_text(&json, "name", stats->lane[i].name);
		put_lane(&json, stats, &stats->lane[i]);
		json_close(&json, '}');
	}
	json_close(&json, ']');
	put_worker(&json, is_worker, worker);
	put_sizes(&json, stats, state_dir_free_bytes(config));
	json_close(&json, '}');
}

enum MHD_Result handle_stats(struct request *request)
{
	struct readers *readers = request->server->readers;
	struct queue *queue = NULL;
	struct err err = ERR_INIT;
	struct stats stats = {0};
	struct worker_info worker = {0};
	int found = -1;
	if (readers_take(readers, &queue, &err) < 0)
		return answer_error(request, &err);
	if (queue_stats(queue, &stats, &err) == 0)
		found = queue_worker_last(queue, &worker, &err);
	readers_give(readers, queue);
	if (found < 0) {
		stats_release(&stats);
		return answer_error(request, &err);
	}
	struct buf body = BUF_INIT(STATS_JSON_MAX);
	put_stats(&body, &request->settings->config, &stats, found == 1, &worker);
	stats_release(&stats);
	return answer_send(request, MHD_HTTP_OK, answer_json(&body));
}
