/* list.c - pages and counts of jobs (see list.h). */
#include "queue/list_walk.h"

/* The rows of a page, and where the next one begins: behind what was looked at before the
 * one too many, which says that there is a next page. */
static int page_rows(struct list_walk *walk, size_t limit, struct job_rows *ret,
		     struct err *err)
{
	size_t count = 0;
	int found;
	struct list_position before = walk->position;
	while (before = walk->position, (found = walk_next(walk, err)) == 1) {
		if (count == limit)
			break;
		ret->row[count++] = walk->position.row;
	}
	if (found < 0)
		return -1;
	ret->has_next = found == 1 || walk->is_cut;
	ret->next = found == 1 ? before : walk->position;
	ret->count = count;
	return 0;
}

static int page_walk(struct queue *queue, const struct viewer *viewer,
		     const struct job_filter *filter, const struct list_page *page,
		     struct job_rows *ret, struct err *err)
{
	struct list_walk walk;
	size_t limit = page->limit < 1 ? 1 : (size_t)page->limit;
	limit = limit > JOB_LIST_MAX ? JOB_LIST_MAX : limit;
	int result = walk_open(&walk, queue, viewer, filter, page->after, limit + 1, err);
	if (page->looked_max > 0)
		walk.looked_max = page->looked_max;
	if (result == 0)
		result = page_rows(&walk, limit, ret, err);
	walk_close(&walk);
	return result;
}

int queue_job_rows(struct queue *queue, const struct viewer *viewer,
		   const struct job_filter *filter, const struct list_page *page,
		   struct job_rows *ret, struct err *err)
{
	bool is_own;
	if (snapshot_join(queue, &is_own, err) != 0)
		return -1;
	const int result = page_walk(queue, viewer, filter, page, ret, err);
	snapshot_leave(queue, is_own);
	return result;
}

static int page_load(struct queue *queue, const struct job_rows *rows,
		     struct job_list *list, struct err *err)
{
	list->item = mem_array(rows->count + 1, sizeof *list->item);
	for (size_t i = 0; i < rows->count; i++) {
		const int found =
			job_load(queue, rows->row[i], &list->item[list->count], err);
		if (found < 0)
			return -1;
		list->count += (size_t)found;
	}
	return 0;
}

int queue_job_list(struct queue *queue, const struct viewer *viewer,
		   const struct job_filter *filter, const struct list_page *page,
		   struct job_list *ret, struct err *err)
{
	struct job_list list = {.item = NULL};
	struct job_rows rows;
	bool is_own;
	if (snapshot_join(queue, &is_own, err) != 0)
		return -1;
	int result = page_walk(queue, viewer, filter, page, &rows, err);
	if (result == 0)
		result = page_load(queue, &rows, &list, err);
	snapshot_leave(queue, is_own);
	if (result != 0) {
		job_list_release(&list);
		return -1;
	}
	list.has_next = rows.has_next;
	list.next = rows.next;
	*ret = list;
	return 0;
}

void job_list_release(struct job_list *list)
{
	for (size_t i = 0; list->item != NULL && i < list->count; i++)
		job_release(&list->item[i]);
	free(list->item);
	*list = (struct job_list){.item = NULL};
}

static int count_all(struct queue *queue, const struct viewer *viewer,
		     const struct job_filter *filter, int64_t *ret, bool *ret_capped,
		     struct err *err)
{
	struct list_walk walk;
	int64_t count = 0;
	int found = walk_open(&walk, queue, viewer, filter, NULL, JOB_COUNT_MAX, err);
	walk.looked_max = 2 * LIST_LOOKED_MAX;
	if (found == 0)
		while (count <= JOB_COUNT_MAX && (found = walk_next(&walk, err)) == 1)
			count++;
	const bool is_cut = walk.is_cut;
	walk_close(&walk);
	if (found < 0)
		return -1;
	*ret_capped = is_cut || count > JOB_COUNT_MAX;
	*ret = count > JOB_COUNT_MAX ? JOB_COUNT_MAX : count;
	return 0;
}

int queue_job_count(struct queue *queue, const struct viewer *viewer,
		    const struct job_filter *filter, int64_t *ret, bool *ret_capped,
		    struct err *err)
{
	bool is_own;
	if (snapshot_join(queue, &is_own, err) != 0)
		return -1;
	const int result = count_all(queue, viewer, filter, ret, ret_capped, err);
	snapshot_leave(queue, is_own);
	return result;
}
