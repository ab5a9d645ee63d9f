/* events.c - GET /v1/events and /v1/jobs/{id}/events: the query, and pages of JSON, at
 * once or as soon as there is something (event_stream.c has the streams). */
#include "httpapi/answer.h"
#include "httpapi/event_feed.h"
#include "httpapi/handlers.h"
#include "httpapi/job_json.h"
#include "httpapi/lookup.h"
#include "httpapi/readers.h"
#include "httpapi/sse.h"
#include "httpapi/watcher.h"

#define EVENTS_LIMIT 100
#define PAGE_DATA_BYTES (4u << 20)

/* One request, while it is answered. */
struct asked {
	struct event_asking asking;
	int64_t limit, wait_us;
	bool is_preferred; /* echo Preference-Applied */
};

/* --- the query --- */

static int read_after(struct request *request, bool is_stream, int64_t *ret,
		      struct err *err)
{
	const char *name = "after";
	const char *text = is_stream ? sse_last_id(request, &name)
				     : target_param(&request->target, name);
	/* who follows everything wants what comes, who asks about a job its life */
	*ret = is_stream && !request->argument ? EVENT_AFTER_NOW : EVENT_AFTER_OLDEST;
	if (!text || text_parse_int(text, 0, JSON_INTEGER_MAX, ret) == 0)
		return 0;
	if (strcmp(name, SSE_LAST_ID) == 0)
		return err_set(err, ERR_BAD_REQUEST,
			       "Last-Event-ID is the id of an event, a number");
	if (strcmp(text, "now") != 0)
		return lookup_refuse(request, "after", err,
				     "is the id of an event, a number, or now");
	*ret = EVENT_AFTER_NOW;
	return 0;
}

static int add_job(struct request *request, struct queue *queue,
		   struct event_asking *asking, const char *id, struct err *err)
{
	const struct viewer viewer = request_viewer(request);
	if (!job_id_is_valid(id))
		return lookup_refuse(request, "jobs", err,
				     "are whole ids, parted by commas");
	const int found = event_filter_add_job(queue, &viewer, &asking->filter, id, err);
	if (found == 0)
		return err_set(err, ERR_NOT_FOUND, "there is no job %s", id);
	if (found < 0)
		return err->code == ERR_INVALID
			       ? lookup_refuse(request, "jobs", err, "are more than %d",
					       EVENT_JOBS_MAX)
			       : -1;
	snprintf(asking->job_id, sizeof(asking->job_id), "%s", id);
	return 0;
}

static int add_jobs(struct request *request, struct queue *queue,
		    struct event_asking *asking, const char *ids, struct err *err)
{
	for (;;) {
		const size_t length = strcspn(ids, ",");
		AUTO_FREE char *id = mem_strndup(ids, length);
		if (add_job(request, queue, asking, id, err) < 0)
			return -1;
		if (ids[length] == '\0')
			return 0;
		ids += length + 1;
	}
}

static int read_filter(struct request *request, struct queue *queue,
		       struct event_asking *asking, struct err *err)
{
	static const char *const names[] = {"queue", "label", "kind"};
	const struct target *target = &request->target;
	for (size_t i = 0; i < target->params; i++) {
		const struct target_param *param = &target->param[i];
		struct err why = ERR_INIT;
		if (strcmp(param->name, "jobs") == 0 &&
		    add_jobs(request, queue, asking, param->value, err) < 0)
			return -1;
		for (size_t k = 0; k < ARRAY_SIZE(names); k++)
			if (strcmp(param->name, names[k]) == 0 &&
			    event_filter_add(&asking->filter, names[k], param->value,
					     &why) < 0)
				return lookup_refuse(request, names[k], err, "%s",
						     why.text);
	}
	return 0;
}

/* The job of the path, which may be a prefix, or `last`. */
static int read_path(struct request *request, struct queue *queue,
		     struct event_asking *asking, struct err *err)
{
	struct job job = {0};
	if (!request->argument)
		return 0;
	if (lookup_job(request, queue, &job, err) < 0)
		return -1;
	asking->filter.job[asking->filter.jobs++] = job.row;
	snprintf(asking->job_id, sizeof(asking->job_id), "%s", job.id);
	job_release(&job);
	return 0;
}

static int read_until(struct request *request, struct event_asking *asking,
		      struct err *err)
{
	const struct event_filter *filter = &asking->filter;
	const char *text = target_param(&request->target, "until");
	const bool has_others = filter->queue.count + filter->label.count > 0;
	if (filter->jobs != 1 || has_others)
		asking->job_id[0] = '\0';
	if (!text)
		return 0;
	if (strcmp(text, "final") != 0)
		return lookup_refuse(request, "until", err, "can only be final");
	if (filter->jobs == 0 || has_others)
		return lookup_refuse(request, "until", err,
				     "needs jobs, and neither queue nor label");
	asking->until_final = true;
	return 0;
}

/* A stream has no pages. */
static int refuse_of_pages(struct request *request, struct err *err)
{
	static const char *const names[] = {"limit", "wait"};
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (target_param(&request->target, names[i]))
			return lookup_refuse(request, names[i], err,
					     "is for pages, not for text/event-stream");
	return 0;
}

static int read_query(struct request *request, struct queue *queue, bool is_stream,
		      struct asked *ret, struct err *err)
{
	struct event_asking *asking = &ret->asking;
	*ret = (struct asked){.limit = EVENTS_LIMIT};
	if (read_after(request, is_stream, &asking->after, err) < 0 ||
	    read_path(request, queue, asking, err) < 0 ||
	    read_filter(request, queue, asking, err) < 0 ||
	    read_until(request, asking, err) < 0)
		return -1;
	if (is_stream)
		return refuse_of_pages(request, err);
	if (lookup_number(request, "limit", 1, EVENT_PAGE_MAX, EVENTS_LIMIT, &ret->limit,
			  err) < 0)
		return -1;
	return lookup_wait(request, &ret->wait_us, &ret->is_preferred, err);
}

/* --- pages --- */

void event_reset_put(struct json_writer *json, const char *key,
		     const struct event_page *page, int64_t asked)
{
	if (page->reset == EVENT_RESET_NONE) {
		json_put_null(json, key);
		return;
	}
	json_open(json, key, '{');
	json_put_text(json, "reason", event_reset_word(page->reset));
	json_put_int(json, "asked", asked);
	json_put_int(json, "after", page->after);
	json_close(json, '}');
}

static enum MHD_Result answer_page(struct request *request, const struct asked *asked,
				   const struct event_page *page)
{
	struct buf body = BUF_INIT(ANSWER_BYTES_MAX);
	struct json_writer json;
	json_writer_init(&json, &body);
	json_open(&json, NULL, '{');
	json_open(&json, "items", '[');
	for (size_t i = 0; i < page->count; i++)
		event_put(&json, &page->item[i]);
	json_close(&json, ']');
	json_put_int(&json, "next_after", page->next);
	json_put_bool(&json, "has_more", page->has_more);
	event_reset_put(&json, "reset", page, asked->asking.after);
	json_put_bool(&json, "end", page->is_over);
	json_close(&json, '}');
	struct MHD_Response *response = answer_json(&body);
	if (asked->is_preferred)
		answer_header(response, "Preference-Applied", "wait=%lld",
			      (long long)(asked->wait_us / US_PER_S));
	return answer_send(request, MHD_HTTP_OK, response);
}

static int read_page(struct request *request, const struct asked *asked,
		     struct event_page *ret, struct err *err)
{
	struct readers *readers = request->server->readers;
	const struct viewer viewer = request_viewer(request);
	const struct event_question question = {
		.after = asked->asking.after,
		.limit = (int)asked->limit,
		.data_bytes = PAGE_DATA_BYTES,
		.until_final = asked->asking.until_final,
	};
	struct queue *queue = NULL;
	if (readers_take(readers, &queue, err) < 0)
		return -1;
	const int result = queue_event_page(queue, &viewer, &asked->asking.filter,
					    &question, ret, err);
	readers_give(readers, queue);
	return result;
}

/* --- waiting for a page with something in it --- */

static bool is_worth_telling(const struct request *request, const struct event_page *page)
{
	return page->count > 0 || page->has_more || page->is_over ||
	       page->reset != EVENT_RESET_NONE ||
	       clock_boot_us() >= request->waiter.deadline_us ||
	       atomic_load(&request->waiter.is_gone) ||
	       atomic_load(&request->server->is_stopping);
}

/* From the beginning, and again whenever it is woken. */
static enum MHD_Result go_on(struct request *request)
{
	struct asked *asked = request->work;
	struct err err = ERR_INIT;
	struct event_page page;
	for (;;) {
		if (read_page(request, asked, &page, &err) < 0)
			return answer_error(request, &err);
		if (is_worth_telling(request, &page))
			break;
		asked->asking.after = page.next; /* what "now" is stays so */
		event_page_release(&page);
		if (waiter_park(&request->waiter))
			return MHD_YES;
	}
	if (asked->wait_us > 0) {
		watcher_remove(request->server->watcher, &request->waiter);
		client_expect_within(request->client,
				     request->settings->config.http.body_deadline_us);
	}
	const enum MHD_Result result = answer_page(request, asked, &page);
	event_page_release(&page);
	return result;
}

static enum MHD_Result answer_pages(struct request *request, struct asked *asked)
{
	if (asked->wait_us > 0) {
		const char *const job_id = asked->asking.job_id;
		request_wait_for(request, job_id, job_id[0] == '\0');
		request->waiter.deadline_us = clock_boot_us() + asked->wait_us;
		client_expect_nothing(request->client);
		watcher_add(request->server->watcher, &request->waiter);
	}
	request->resume = go_on;
	return go_on(request);
}

/* --- streams --- */

/* A browser that is told of the end asks again, and stops only when it is told 204. */
static int is_all_told(struct request *request, const struct asked *asked,
		       struct err *err)
{
	struct event_page page;
	if (!asked->asking.until_final || asked->asking.after < 0)
		return 0;
	if (read_page(request, asked, &page, err) < 0)
		return -1;
	const bool is_told =
		page.is_over && page.count == 0 && page.reset == EVENT_RESET_NONE;
	event_page_release(&page);
	return is_told;
}

static enum MHD_Result answer_stream(struct request *request, const struct asked *asked)
{
	struct err err = ERR_INIT;
	const int is_told = is_all_told(request, asked, &err);
	if (is_told < 0)
		return answer_error(request, &err);
	if (is_told)
		return answer_send(request, MHD_HTTP_NO_CONTENT, answer_empty());
	return answer_send(request, MHD_HTTP_OK,
			   event_stream_response(request, &asked->asking));
}

static enum MHD_Result answer_events(struct request *request)
{
	const bool is_stream = sse_is_wanted(request);
	struct readers *readers = request->server->readers;
	struct asked *asked = mem_alloc(sizeof(*asked));
	struct queue *queue = NULL;
	struct err err = ERR_INIT;
	request_keep(request, asked, free);
	if (readers_take(readers, &queue, &err) < 0)
		return answer_error(request, &err);
	const int result = read_query(request, queue, is_stream, asked, &err);
	readers_give(readers, queue);
	if (result < 0)
		return answer_error(request, &err);
	return is_stream ? answer_stream(request, asked) : answer_pages(request, asked);
}

/* The same question, about everything or about one job. */
enum MHD_Result handle_event_list(struct request *request)
{
	return answer_events(request);
}

enum MHD_Result handle_job_events(struct request *request)
{
	return answer_events(request);
}
