/* batch_order.c - parents first (see batch_order.h). */
#include "httpapi/batch_order.h"

#include "httpapi/depends.h"

#define NAMED_MAX 6 /* of a circle, in words; the whole may be as long as the batch */

enum mark { MARK_NEW = 0, MARK_OPEN, MARK_DONE };

/* One job on the way from a job to what it waits for. */
struct step {
	size_t job;
	size_t next; /* wish to look at */
};

struct walk {
	const struct intake *intake;
	uint8_t *mark; /* of each job */
	struct step *step;
	size_t depth;
	size_t *order;
	size_t ordered;
};

/* The circle is the part of the way from `job` on; its last step waits for `job`. */
static void complain_circle(const struct walk *walk, size_t job,
			    struct problems *problems)
{
	AUTO_BUF struct buf words = BUF_INIT(600);
	char base[48], pointer[64];
	size_t from = 0;
	while (walk->step[from].job != job)
		from++;
	const size_t length = walk->depth - from;
	for (size_t i = 0; i < length && i < NAMED_MAX; i++)
		buf_printf(&words, "%s waits for ",
			   walk->intake[walk->step[from + i].job].ref);
	if (length > NAMED_MAX)
		buf_printf(&words, "%zu others, the last of them for ",
			   length - NAMED_MAX);
	buf_append_text(&words, walk->intake[job].ref);
	const struct step *last = &walk->step[walk->depth - 1];
	snprintf(base, sizeof(base), "#/jobs/%zu", last->job);
	depends_pointer(&walk->intake[last->job], last->next - 1, pointer);
	problems->base = base;
	problems_add(problems, pointer, "%s", buf_text(&words));
	problems->base = NULL;
}

static void push(struct walk *walk, size_t job)
{
	walk->mark[job] = MARK_OPEN;
	walk->step[walk->depth++] = (struct step){.job = job};
}

/* One step further, or back. False: the way has closed to a circle, and that was said. */
static bool advance(struct walk *walk, struct problems *problems)
{
	struct step *step = &walk->step[walk->depth - 1];
	const struct intake *intake = &walk->intake[step->job];
	while (step->next < intake->wish_count) {
		const size_t parent = intake->wishes[step->next++].parent_item;
		if (parent == NOT_IN_BATCH || walk->mark[parent] == MARK_DONE)
			continue;
		if (walk->mark[parent] == MARK_OPEN) {
			complain_circle(walk, parent, problems);
			return false;
		}
		push(walk, parent);
		return true;
	}
	walk->mark[step->job] = MARK_DONE;
	walk->order[walk->ordered++] = step->job;
	walk->depth--;
	return true;
}

void batch_order(const struct intake *intake, size_t count, size_t *ret_order,
		 struct problems *problems)
{
	struct walk walk = {.intake = intake,
			    .mark = mem_alloc(count + 1),
			    .step = mem_array(count + 1, sizeof(*walk.step)),
			    .order = ret_order};
	bool is_well = true;
	for (size_t i = 0; i < count && is_well; i++) {
		if (walk.mark[i] != MARK_NEW)
			continue;
		push(&walk, i);
		while (walk.depth > 0 && is_well)
			is_well = advance(&walk, problems);
	}
	free(walk.mark);
	free(walk.step);
}
