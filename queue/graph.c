/* graph.c - the jobs that hang together with one, nearest first.
 *
 * Walked along the two indexes of dependencies, in both directions. Jobs that the viewer
 * may not see are as good as not there: nothing is found through them. */
#include "queue/birth.h"
#include "queue/rowmap.h"

#define UNSEEN SIZE_MAX

struct walk {
	struct queue *queue;
	const struct viewer *viewer;
	struct graph *graph;
	struct rowmap met; /* row to index, or UNSEEN */
	size_t max, job_capacity, edge_capacity;
};

void graph_release(struct graph *graph)
{
	for (size_t i = 0; i < graph->jobs; i++) {
		free(graph->job[i].name);
		free(graph->job[i].task);
		free(graph->job[i].command);
	}
	free(graph->job);
	free(graph->edge);
	*graph = (struct graph){.job = NULL};
}

static struct graph_job *job_add(struct walk *walk)
{
	struct graph *graph = walk->graph;
	if (graph->jobs == walk->job_capacity) {
		walk->job_capacity =
			walk->job_capacity == 0 ? 16 : walk->job_capacity * 2;
		graph->job =
			mem_grow(graph->job, walk->job_capacity * sizeof *graph->job);
	}
	return &graph->job[graph->jobs++];
}

static struct graph_edge *edge_add(struct walk *walk)
{
	struct graph *graph = walk->graph;
	if (graph->edges == walk->edge_capacity) {
		walk->edge_capacity =
			walk->edge_capacity == 0 ? 16 : walk->edge_capacity * 2;
		graph->edge =
			mem_grow(graph->edge, walk->edge_capacity * sizeof *graph->edge);
	}
	return &graph->edge[graph->edges++];
}

/* Adds the job unless it was met before, cannot be seen, or does not fit any more. */
static int meet(struct walk *walk, int64_t row, struct err *err)
{
	sqlite3_stmt *stmt;
	size_t index;
	if (rowmap_get(&walk->met, row, &index))
		return 0;
	if (db_start(walk->queue, STATEMENT_GRAPH_JOB,
		     BINDS(as_int(row), viewer_owner(walk->viewer)), &stmt, err) != 0)
		return -1;
	const int found = db_step(walk->queue, stmt, err);
	if (found == 0)
		(void)rowmap_put(&walk->met, row, UNSEEN);
	if (found == 1 && walk->graph->jobs == walk->max)
		walk->graph->is_cut = true;
	else if (found == 1) {
		(void)rowmap_put(&walk->met, row, walk->graph->jobs);
		struct graph_job *job = job_add(walk);
		*job = (struct graph_job){.row = row,
					  .name = column_text(stmt, 2),
					  .task = column_text(stmt, 3),
					  .command = column_text(stmt, 4)};
		column_id(stmt, 0, job->id);
		(void)snprintf(job->state, sizeof job->state, "%s",
			       (const char *)sqlite3_column_text(stmt, 1));
	}
	db_end(stmt);
	return found < 0 ? -1 : 0;
}

static int meet_neighbours(struct walk *walk, int64_t row, struct err *err)
{
	sqlite3_stmt *stmt;
	int more = 0, result = 0;
	if (db_start(walk->queue, STATEMENT_GRAPH_NEIGHBOURS, BINDS(as_int(row)), &stmt,
		     err) != 0)
		return -1;
	while (result == 0 && !walk->graph->is_cut &&
	       (more = db_step(walk->queue, stmt, err)) == 1)
		result = meet(walk, sqlite3_column_int64(stmt, 0), err);
	db_end(stmt);
	return more < 0 ? -1 : result;
}

static int edges_of(struct walk *walk, size_t job, struct err *err)
{
	struct dependency_list list = {.item = NULL};
	const int result = dependency_list_load(walk->queue, walk->viewer,
						walk->graph->job[job].row, &list, err);
	for (size_t i = 0; i < list.count; i++) {
		const struct dependency *item = &list.item[i];
		size_t parent;
		if (!rowmap_get(&walk->met, item->parent_row, &parent) ||
		    parent == UNSEEN)
			continue;
		if (walk->graph->edges == GRAPH_EDGES_MAX) {
			walk->graph->is_cut = true;
			break;
		}
		*edge_add(walk) = (struct graph_edge){.job = job,
						      .parent = parent,
						      .condition = item->condition,
						      .state = item->state};
	}
	dependency_list_release(&list);
	return result;
}

static int walk_all(struct walk *walk, int64_t row, struct err *err)
{
	int result = meet(walk, row, err);
	for (size_t i = 0; result == 0 && i < walk->graph->jobs; i++)
		result = meet_neighbours(walk, walk->graph->job[i].row, err);
	for (size_t i = 0; result == 0 && i < walk->graph->jobs; i++)
		result = edges_of(walk, i, err);
	rowmap_release(&walk->met);
	return result;
}

int queue_graph(struct queue *queue, const struct viewer *viewer, const char *id,
		size_t max, struct graph *ret, struct err *err)
{
	struct graph graph = {.job = NULL};
	struct walk walk = {
		.queue = queue, .viewer = viewer, .graph = &graph, .max = max};
	int64_t row;
	bool is_own;
	if (snapshot_join(queue, &is_own, err) != 0)
		return -1;
	const int found = job_find(queue, viewer, id, &row, err);
	const int result = found == 1 ? walk_all(&walk, row, err) : 0;
	snapshot_leave(queue, is_own);
	if (found == 1 && result == 0)
		*ret = graph;
	else
		graph_release(&graph);
	return result == 0 ? found : -1;
}
