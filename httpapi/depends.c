/* depends.c - from the names in a submission to jobs (see depends.h). */
#include "httpapi/depends.h"

#define STDIN_POINTER "#/stdin/from_job"

/* --- refs --- */

static int compare_refs(const void *a, const void *b)
{
	const struct ref *one = a, *two = b;
	const int order = strcmp(one->name, two->name);
	return order != 0 ? order : (one->index > two->index) - (one->index < two->index);
}

/* Sorts them; a problem for each whose name another one has. `member` is where it stands
 * in a job. */
static void refs_sort(struct refs *refs, const char *member, const char *what,
		      struct problems *problems)
{
	qsort(refs->item, refs->count, sizeof(*refs->item), compare_refs);
	for (size_t i = 1; i < refs->count; i++) {
		if (strcmp(refs->item[i].name, refs->item[i - 1].name) != 0)
			continue;
		char pointer[64];
		snprintf(pointer, sizeof(pointer), "#/jobs/%zu/%s", refs->item[i].index,
			 member);
		problems_add(problems, pointer,
			     "\"%s\" is the %s of another job of this batch",
			     refs->item[i].name, what);
	}
}

void refs_init(struct refs *refs, const struct intake *intake, size_t count,
	       struct problems *problems)
{
	*refs = (struct refs){.item = mem_array(count + 1, sizeof(*refs->item))};
	for (size_t i = 0; i < count; i++)
		if (intake[i].ref)
			refs->item[refs->count++] = (struct ref){intake[i].ref, i};
	refs_sort(refs, "ref", "ref", problems);
}

void unique_keys_check(const struct intake *intake, size_t count,
		       struct problems *problems)
{
	struct refs keys = {.item = mem_array(count + 1, sizeof(*keys.item))};
	for (size_t i = 0; i < count; i++)
		if (intake[i].submission.unique_key)
			keys.item[keys.count++] =
				(struct ref){intake[i].submission.unique_key, i};
	refs_sort(&keys, "unique/key", "unique key", problems);
	refs_release(&keys);
}

void refs_release(struct refs *refs)
{
	free(refs->item);
	*refs = (struct refs){0};
}

static int compare_name(const void *name, const void *ref)
{
	return strcmp(name, ((const struct ref *)ref)->name);
}

static const struct ref *ref_find(const struct refs *refs, const char *name)
{
	return bsearch(name, refs->item, refs->count, sizeof(*refs->item), compare_name);
}

/* --- one name --- */

struct resolving {
	struct intake *intake;
	const struct refs *refs;
	struct queue *queue;
	const struct viewer *viewer;
	struct problems *problems;
};

/* 1 found, 0 it is wrong (and said so), -1. */
static int resolve_ref(const struct resolving *resolving, const char *pointer,
		       const char *name, struct dependency_wish *ret)
{
	const struct ref *ref = NULL;
	if (!resolving->refs) {
		problems_add(resolving->problems, pointer,
			     "must be the id of a job: there are refs in a batch only");
		return 0;
	}
	ref = ref_find(resolving->refs, name);
	if (!ref) {
		problems_add(resolving->problems, pointer,
			     "no job of this batch has the ref \"%s\"", name);
		return 0;
	}
	ret->parent_item = ref->index;
	return 1;
}

/* A job that the asker may not see is not there, in the same words. */
static int resolve_name(const struct resolving *resolving, const char *pointer,
			const char *name, struct dependency_wish *ret, struct err *err)
{
	if (name[0] == '@')
		return resolve_ref(resolving, pointer, name + 1, ret);
	if (!job_id_is_valid(name)) {
		problems_add(
			resolving->problems, pointer, "must be the whole id of a job%s",
			resolving->refs ? ", or @ and the ref of one in this batch" : "");
		return 0;
	}
	int found = queue_job_row(resolving->queue, resolving->viewer, name,
				  &ret->parent_row, err);
	if (found == 0)
		problems_add(resolving->problems, pointer, "there is no such job");
	return found;
}

/* --- all of them --- */

/* For finding the same one twice: by job, by condition, by place. */
struct place {
	struct dependency_wish wish;
	size_t index;
};

static int compare_numbers(int64_t a, int64_t b)
{
	return (a > b) - (a < b);
}

static int compare_places(const void *a, const void *b)
{
	const struct place *one = a, *two = b;
	int order = compare_numbers(one->wish.parent_row, two->wish.parent_row);
	if (order == 0)
		order = compare_numbers((int64_t)one->wish.parent_item,
					(int64_t)two->wish.parent_item);
	if (order == 0)
		order = compare_numbers(one->wish.condition, two->wish.condition);
	return order != 0 ? order
			  : compare_numbers((int64_t)one->index, (int64_t)two->index);
}

static bool is_same_job(const struct dependency_wish *a, const struct dependency_wish *b)
{
	return a->parent_row == b->parent_row && a->parent_item == b->parent_item;
}

static void find_twins(const struct resolving *resolving, struct place *places,
		       size_t count)
{
	qsort(places, count, sizeof(*places), compare_places);
	for (size_t i = 1; i < count; i++) {
		if (!is_same_job(&places[i].wish, &places[i - 1].wish) ||
		    places[i].wish.condition != places[i - 1].wish.condition)
			continue;
		problems_add_element(resolving->problems, "#/depends_on", places[i].index,
				     "is the same as number %zu", places[i - 1].index);
	}
}

static int resolve_wanted(const struct resolving *resolving, struct err *err)
{
	struct intake *intake = resolving->intake;
	struct place *places = mem_array(intake->wanted_count + 1, sizeof(*places));
	size_t count = 0;
	int found = 0;
	for (size_t i = 0; i < intake->wanted_count && found >= 0; i++) {
		const struct wanted *wanted = &intake->wanted[i];
		struct dependency_wish *wish = &intake->wishes[intake->wish_count++];
		char pointer[64];
		*wish = (struct dependency_wish){.condition = wanted->condition,
						 .parent_item = NOT_IN_BATCH};
		if (!wanted->job)
			continue;
		snprintf(pointer, sizeof(pointer), "#/depends_on/%zu/job", i);
		found = resolve_name(resolving, pointer, wanted->job, wish, err);
		if (found > 0)
			places[count++] = (struct place){*wish, i};
	}
	if (found >= 0)
		find_twins(resolving, places, count);
	free(places);
	return found < 0 ? -1 : 0;
}

/* The output of a job is whole when the job has succeeded, not sooner: that dependency
 * comes with it. */
static int resolve_stdin(const struct resolving *resolving, struct err *err)
{
	struct intake *intake = resolving->intake;
	struct dependency_wish wish = {.condition = DEPENDS_SUCCESS,
				       .parent_item = NOT_IN_BATCH};
	if (!intake->stdin_job)
		return 0;
	int found = resolve_name(resolving, STDIN_POINTER, intake->stdin_job, &wish, err);
	if (found <= 0)
		return found;
	bool is_named = false;
	for (size_t i = 0; i < intake->wish_count; i++) {
		if (!is_same_job(&intake->wishes[i], &wish))
			continue;
		is_named = true;
		if (intake->wishes[i].condition == DEPENDS_SUCCESS) {
			intake->stdin_wish = i;
			return 0;
		}
	}
	if (is_named)
		problems_add(
			resolving->problems, STDIN_POINTER,
			"needs the success of that job, and depends_on names it with "
			"another condition only");
	intake->stdin_wish = intake->wish_count;
	intake->wishes[intake->wish_count++] = wish;
	return 0;
}

bool depends_has_any(const struct intake *intake)
{
	return intake->wanted_count > 0 || intake->stdin_job;
}

int depends_resolve(struct intake *intake, const struct refs *refs, struct queue *queue,
		    const struct viewer *viewer, struct problems *problems,
		    struct err *err)
{
	const struct resolving resolving = {.intake = intake,
					    .refs = refs,
					    .queue = queue,
					    .viewer = viewer,
					    .problems = problems};
	struct submission *submission = &intake->submission;
	if (!depends_has_any(intake))
		return 0;
	intake->wishes = mem_array(intake->wanted_count + 1, sizeof(*intake->wishes));
	const size_t before = problems->total;
	if (resolve_wanted(&resolving, err) < 0 || resolve_stdin(&resolving, err) < 0)
		return -1;
	submission->depends_on = intake->wishes;
	submission->depends_count = intake->wish_count;
	if (intake->stdin_job && problems->total == before)
		submission->stdin_from = &intake->wishes[intake->stdin_wish];
	return 0;
}

void depends_pointer(const struct intake *intake, size_t wish, char ret[64])
{
	if (wish < intake->wanted_count)
		snprintf(ret, 64, "#/depends_on/%zu/job", wish);
	else
		snprintf(ret, 64, "%s", STDIN_POINTER);
}
