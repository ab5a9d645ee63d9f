/* event_feed.c - pages of the feed of events (see events.h).
 *
 * One statement decides what a viewer gets, whatever the way to the candidates: all ids
 * of a window, or those of a few jobs by their index. */
#include "queue/retention_run.h"

#define LIST_BYTES_MAX (1u << 20)
#define KINDS_SLACK 32

static const char *const KINDS[] = {
#define KIND_WORD_(word) word,
	EVENT_KINDS(KIND_WORD_)
#undef KIND_WORD_
};

const char *event_reset_word(enum event_reset reset)
{
	static const char *const words[] = {[EVENT_RESET_NONE] = NULL,
					    [EVENT_RESET_PRUNED] = "pruned",
					    [EVENT_RESET_AHEAD] = "ahead"};
	return words[reset];
}

/* --- the filter --- */

bool event_kind_is_known(const char *kind)
{
	for (size_t i = 0; i < ARRAY_SIZE(KINDS); i++)
		if (strcmp(KINDS[i], kind) == 0)
			return true;
	return false;
}

static int check_kind(const char *value, struct err *err)
{
	if (event_kind_is_known(value))
		return 0;
	const char *nearest = text_nearest(value, KINDS, ARRAY_SIZE(KINDS));
	return err_set(err, ERR_INVALID, "is no kind of event: \"%.64s\"%s%s%s", value,
		       nearest != NULL ? "; did you mean \"" : "",
		       nearest != NULL ? nearest : "", nearest != NULL ? "\"?" : "");
}

int event_filter_add(struct event_filter *filter, const char *name, const char *value,
		     struct err *err)
{
	/* queues and labels are what they are in lists */
	struct job_filter checked = {.sort = SORT_DEFAULT};
	struct filter_values *values = strcmp(name, "kind") == 0    ? &filter->kind
				       : strcmp(name, "queue") == 0 ? &filter->queue
				       : strcmp(name, "label") == 0 ? &filter->label
								    : NULL;
	if (values == NULL)
		return err_set(err, ERR_INVALID, "is no filter of events");
	if ((values == &filter->kind ? check_kind(value, err)
				     : job_filter_add(&checked, name, value, err)) != 0)
		return -1;
	for (size_t i = 0; i < values->count; i++)
		if (strcmp(values->value[i], value) == 0)
			return 0;
	if (values->count == FILTER_VALUES_MAX)
		return err_set(err, ERR_INVALID, "has more than %d values",
			       FILTER_VALUES_MAX);
	values->value[values->count++] = value;
	return 0;
}

int event_filter_add_job(struct queue *queue, const struct viewer *viewer,
			 struct event_filter *filter, const char *id, struct err *err)
{
	uint8_t uuid[DB_UUID_BYTES], same[DB_UUID_BYTES];
	int64_t row;
	if (!job_id_is_valid(id) || id_range(id, uuid, same) != 1)
		return 0;
	const int found = db_ask(queue, STATEMENT_EVENT_JOB_ROW,
				 BINDS(as_blob(uuid, sizeof uuid), viewer_owner(viewer)),
				 &row, err);
	if (found != 1)
		return found;
	for (size_t i = 0; i < filter->jobs; i++)
		if (filter->job[i] == row)
			return 1;
	if (filter->jobs == EVENT_JOBS_MAX)
		return err_set(err, ERR_INVALID, "are more than %d", EVENT_JOBS_MAX);
	filter->job[filter->jobs++] = row;
	return 1;
}

/* --- one page --- */

struct feed {
	struct queue *queue;
	struct bind bind[8]; /* of event_feed */
	const struct event_filter *filter;
	const struct event_question *question;
	struct buf jobs, queues, labels, kinds; /* JSON arrays */
	int64_t last;				/* event of this snapshot */
	int64_t bytes;				/* of data that the page has */
	struct event_page page;
};

enum { BIND_AFTER, BIND_THROUGH, BIND_OWNER, BIND_KINDS, BIND_JOBS, BIND_QUEUES };
enum { BIND_LABELS = BIND_QUEUES + 1, BIND_LIMIT };

static struct bind as_list(struct buf *out, const struct filter_values *values)
{
	struct json_writer json;
	if (values->count == 0)
		return as_null();
	json_writer_init(&json, out);
	json_open(&json, NULL, '[');
	for (size_t i = 0; i < values->count; i++)
		json_put_text(&json, NULL, values->value[i]);
	json_close(&json, ']');
	return as_text(buf_text(out));
}

static struct bind as_rows(struct buf *out, const struct event_filter *filter)
{
	struct json_writer json;
	if (filter->jobs == 0)
		return as_null();
	json_writer_init(&json, out);
	json_open(&json, NULL, '[');
	for (size_t i = 0; i < filter->jobs; i++)
		json_put_int(&json, NULL, filter->job[i]);
	json_close(&json, ']');
	return as_text(buf_text(out));
}

static void feed_open(struct feed *feed, struct queue *queue, const struct viewer *viewer,
		      const struct event_filter *filter,
		      const struct event_question *question)
{
	*feed = (struct feed){.queue = queue, .filter = filter, .question = question};
	buf_init(&feed->jobs, LIST_BYTES_MAX);
	buf_init(&feed->queues, LIST_BYTES_MAX);
	buf_init(&feed->labels, LIST_BYTES_MAX);
	buf_init(&feed->kinds, LIST_BYTES_MAX);
	feed->bind[BIND_OWNER] = viewer_owner(viewer);
	feed->bind[BIND_KINDS] = as_list(&feed->kinds, &filter->kind);
	feed->bind[BIND_JOBS] = as_rows(&feed->jobs, filter);
	feed->bind[BIND_QUEUES] = as_list(&feed->queues, &filter->queue);
	feed->bind[BIND_LABELS] = as_list(&feed->labels, &filter->label);
}

static void feed_close(struct feed *feed)
{
	event_page_release(&feed->page);
	buf_release(&feed->jobs);
	buf_release(&feed->queues);
	buf_release(&feed->labels);
	buf_release(&feed->kinds);
}

/* From where to where there is something, and so where the page begins. */
static int set_beginning(struct feed *feed, struct err *err)
{
	struct chain_head head;
	struct event_page *page = &feed->page;
	const int64_t asked = feed->question->after;
	if (chain_head_load(feed->queue, &head, err) < 0 ||
	    queue_event_last(feed->queue, &feed->last, err) != 0)
		return -1;
	page->after = asked;
	if (asked == EVENT_AFTER_OLDEST || (asked >= 0 && asked < head.id)) {
		page->reset = asked >= 0 ? EVENT_RESET_PRUNED : EVENT_RESET_NONE;
		page->after = head.id;
	} else if (asked < 0 || asked > feed->last) {
		page->reset = asked >= 0 ? EVENT_RESET_AHEAD : EVENT_RESET_NONE;
		page->after = feed->last;
	}
	page->next = page->after;
	return 0;
}

static bool is_full(const struct feed *feed)
{
	return feed->page.count == (size_t)feed->question->limit ||
	       (feed->question->data_bytes > 0 &&
		feed->bytes >= (int64_t)feed->question->data_bytes);
}

/* Takes what fits of the events behind `after` and up to `through`, and moves `next`. */
static int take(struct feed *feed, int64_t after, int64_t through, struct err *err)
{
	sqlite3_stmt *stmt;
	struct event_page *page = &feed->page;
	const size_t room = (size_t)feed->question->limit - page->count;
	int more = 1;
	feed->bind[BIND_AFTER] = as_int(after);
	feed->bind[BIND_THROUGH] = as_int(through);
	feed->bind[BIND_LIMIT] = as_int((int64_t)room);
	if (db_start(feed->queue, STATEMENT_EVENT_FEED, feed->bind,
		     ARRAY_SIZE(feed->bind), &stmt, err) != 0)
		return -1;
	while (!is_full(feed) && (more = db_step(feed->queue, stmt, err)) == 1) {
		struct event *item = &page->item[page->count++];
		event_fill(stmt, item);
		feed->bytes += item->data != NULL ? (int64_t)strlen(item->data) : 0;
		page->next = item->id;
	}
	db_end(stmt);
	if (more == 0 && !is_full(feed))
		page->next = through;
	return more < 0 ? -1 : 0;
}

/* A window of ids: these have no gaps, so it bounds what is looked at. A label costs a
 * look of its own. */
static int take_window(struct feed *feed, struct err *err)
{
	const int64_t most = feed->question->looked_max > 0 ? feed->question->looked_max
							    : EVENT_LOOKED_MAX;
	int64_t window = most / (int64_t)(1 + feed->filter->label.count);
	window = window > 0 ? window : 1;
	const int64_t after = feed->page.after;
	const int64_t through = feed->last - after > window ? after + window : feed->last;
	return after < through ? take(feed, after, through, err) : 0;
}

static int compare_ids(const void *a, const void *b)
{
	const int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
	return x < y ? -1 : x > y;
}

/* Up to `most` events of each job, behind page.after, in order; *ret_through is up to
 * where these are all there are. */
static int find_ids(struct feed *feed, int64_t most, int64_t *ids, size_t *ret_count,
		    int64_t *ret_through, struct err *err)
{
	size_t count = 0;
	int64_t through = feed->last;
	for (size_t i = 0; i < feed->filter->jobs; i++) {
		sqlite3_stmt *stmt;
		int64_t found = 0;
		int more;
		if (db_start(feed->queue, STATEMENT_EVENT_FEED_OF,
			     BINDS(as_int(feed->filter->job[i]), as_int(feed->page.after),
				   as_int(through), as_int(most)),
			     &stmt, err) != 0)
			return -1;
		while ((more = db_step(feed->queue, stmt, err)) == 1) {
			ids[count++] = sqlite3_column_int64(stmt, 0);
			found++;
		}
		db_end(stmt);
		if (more < 0)
			return -1;
		if (found == most) /* there may be more of it behind its last one */
			through = ids[count - 1];
	}
	qsort(ids, count, sizeof *ids, compare_ids);
	while (count > 0 && ids[count - 1] > through)
		count--;
	*ret_count = count;
	*ret_through = through;
	return 0;
}

/* A few jobs among however many events: each by its index. */
static int take_jobs(struct feed *feed, struct err *err)
{
	const int64_t budget = feed->question->looked_max > 0 ? feed->question->looked_max
							      : EVENT_LOOKED_MAX;
	const int64_t jobs = (int64_t)feed->filter->jobs;
	const int64_t share = budget / jobs > 0 ? budget / jobs : 1;
	/* a few more than are wanted: not every kind may be */
	const int64_t wanted = (int64_t)feed->question->limit + KINDS_SLACK;
	const int64_t most = share < wanted ? share : wanted;
	AUTO_FREE int64_t *ids = mem_alloc((size_t)(most * jobs) * sizeof *ids);
	size_t count;
	int64_t through;
	if (find_ids(feed, most, ids, &count, &through, err) != 0)
		return -1;
	for (size_t i = 0; i < count && !is_full(feed); i++)
		if (take(feed, ids[i] - 1, ids[i], err) != 0)
			return -1;
	if (!is_full(feed))
		feed->page.next = through;
	return 0;
}

static int fill(struct feed *feed, struct err *err)
{
	const struct event_filter *filter = feed->filter;
	const bool has_jobs_only =
		filter->jobs > 0 && filter->queue.count + filter->label.count == 0;
	struct event_page *page = &feed->page;
	if (set_beginning(feed, err) != 0)
		return -1;
	page->item = mem_alloc((size_t)feed->question->limit * sizeof *page->item);
	if ((has_jobs_only ? take_jobs(feed, err) : take_window(feed, err)) != 0)
		return -1;
	page->has_more = page->next < feed->last;
	if (!feed->question->until_final || !has_jobs_only || page->has_more)
		return 0;
	int64_t one;
	const int living = db_ask(feed->queue, STATEMENT_EVENT_JOBS_LIVING,
				  BINDS(feed->bind[BIND_JOBS]), &one, err);
	page->is_over = living == 0;
	return living < 0 ? -1 : 0;
}

int queue_event_page(struct queue *queue, const struct viewer *viewer,
		     const struct event_filter *filter,
		     const struct event_question *question, struct event_page *ret,
		     struct err *err)
{
	struct feed feed;
	bool is_own;
	if (snapshot_join(queue, &is_own, err) != 0)
		return -1;
	feed_open(&feed, queue, viewer, filter, question);
	const int result = fill(&feed, err);
	if (result == 0) {
		*ret = feed.page;
		feed.page = (struct event_page){.item = NULL};
	}
	feed_close(&feed);
	snapshot_leave(queue, is_own);
	return result;
}

void event_page_release(struct event_page *page)
{
	for (size_t i = 0; i < page->count; i++)
		event_release(&page->item[i]);
	free(page->item);
	*page = (struct event_page){.item = NULL};
}
