/* waiting.c - until a job is final, across restarts of the service.
 *
 * The service holds each question back (Prefer: wait) until the job is final or half a
 * minute is over, so nothing here polls. When it cannot be reached in between, it is
 * asked again for a minute: the job does not mind, and neither should whoever waits for
 * it. */
#include "client/api.h"

#include <stdlib.h>
#include <string.h>

#include "client/output.h"

#define WAIT_S 30
#define PAUSE_US (200 * US_PER_MS)

/* One job that is waited for. */
struct watch {
	struct exchange exchange;
	cJSON *job; /* the last answer */
};

/* One round of waiting for all in `watch`. */
struct round {
	struct cli *cli;
	int64_t deadline_us;
	int64_t lost_since_us; /* 0: the last round got an answer */
};

/* How long this round may ask the service to wait; 0: do not wait, only look. */
static int64_t round_wait_s(const struct round *round)
{
	if (round->deadline_us == 0)
		return WAIT_S;
	const int64_t left = round->deadline_us - clock_boot_us();
	if (left <= 0)
		return 0;
	const int64_t left_s = (left + US_PER_S - 1) / US_PER_S;
	return left_s < WAIT_S ? left_s : WAIT_S;
}

/* Never longer than the deadline: the request ends when the time is over, whatever the
 * service does. */
static void prepare(const struct round *round, const char *id, struct watch *watch)
{
	const int64_t wait_s = round_wait_s(round);
	exchange_init(&watch->exchange, "GET", "/v1/jobs/%s", id);
	watch->exchange.wait_s = wait_s;
	watch->exchange.timeout_us = round->cli->timeout_us + wait_s * US_PER_S;
	if (wait_s > 0 && round->deadline_us > 0) {
		const int64_t left = round->deadline_us - clock_boot_us() + 1000;
		if (left < watch->exchange.timeout_us)
			watch->exchange.timeout_us = left > 1000 ? left : 1000;
	}
}

/* Does it make sense to ask once more? */
static bool may_ask_again(struct round *round, const struct exchange *exchange)
{
	if (!http_may_return(round->cli, exchange))
		return false;
	const int64_t now = clock_boot_us();
	if (round->lost_since_us == 0)
		round->lost_since_us = now;
	return now - round->lost_since_us < OUT_OF_REACH_US;
}

/* Reads the answer of one: 1 final, 0 not yet, -1. */
static int judge(struct round *round, struct watch *watch, struct err *err)
{
	const struct exchange *exchange = &watch->exchange;
	if (!exchange->is_finished && exchange->failure.code == ERR_NONE)
		return 0; /* cancelled because another one finished first */
	const bool is_answer = exchange->is_finished && exchange->status >= 200 &&
			       exchange->status < 300;
	const bool is_late =
		round->deadline_us > 0 && clock_boot_us() >= round->deadline_us;
	if (!is_answer && exchange->was_sent && !exchange->is_finished && is_late)
		return 0;
	if (!is_answer && may_ask_again(round, exchange))
		return http_pause(round->cli, PAUSE_US, err);
	cJSON *job = NULL;
	if (api_answer(round->cli, exchange, &job, err) < 0)
		return -1;
	round->lost_since_us = 0;
	cJSON_Delete(watch->job);
	watch->job = job;
	return job_is_final(job) ? 1 : 0;
}

/* Asks about all of them once: the index of the first that is final, `count` when none
 * is, -1. */
static int64_t run_round(struct round *round, char *const *id, struct watch *watch,
			 size_t count, struct err *err)
{
	struct exchange **list = mem_array(count, sizeof(struct exchange *));
	for (size_t i = 0; i < count; i++) {
		prepare(round, id[i], &watch[i]);
		list[i] = &watch[i].exchange;
	}
	int64_t found = http_perform(round->cli, list, count, true, err) < 0
				? -1
				: (int64_t)count;
	for (size_t i = 0; i < count && found == (int64_t)count; i++) {
		const int status = judge(round, &watch[i], err);
		if (status != 0)
			found = status > 0 ? (int64_t)i : -1;
	}
	for (size_t i = 0; i < count; i++)
		exchange_release(&watch[i].exchange);
	free(list);
	return found;
}

/* When the time is over already, one look is taken all the same: the job may have ended.
 */
int api_wait_any(struct cli *cli, char *const *id, size_t count, int64_t deadline_us,
		 cJSON **ret_job, size_t *ret_index, struct err *err)
{
	struct round round = {.cli = cli, .deadline_us = deadline_us};
	struct watch *watch = mem_array(count, sizeof(*watch));
	int64_t found = (int64_t)count;
	bool is_over = false;
	while (found == (int64_t)count && !is_over) {
		const int64_t began = clock_boot_us();
		is_over = deadline_us > 0 && began >= deadline_us;
		found = run_round(&round, id, watch, count, err);
		/* a service that holds nothing back must not be asked without end */
		if (found == (int64_t)count && clock_boot_us() - began < PAUSE_US &&
		    http_pause(cli, is_over ? 0 : PAUSE_US, err) < 0)
			found = -1;
	}
	int status = found < 0 ? -1 : found < (int64_t)count ? 1 : 0;
	if (status > 0) {
		*ret_job = watch[found].job;
		watch[found].job = NULL;
		if (ret_index != NULL)
			*ret_index = (size_t)found;
	}
	for (size_t i = 0; i < count; i++)
		cJSON_Delete(watch[i].job);
	free(watch);
	return status;
}

int api_wait(struct cli *cli, const char *id, int64_t deadline_us, cJSON **ret_job,
	     struct err *err)
{
	AUTO_FREE char *copy = mem_strdup(id);
	return api_wait_any(cli, &copy, 1, deadline_us, ret_job, NULL, err);
}
