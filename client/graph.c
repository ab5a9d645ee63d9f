/* graph.c - see graph.h: from JSON to nodes and arcs, and to Graphviz. */
#include "client/graph.h"

#include <stdlib.h>
#include <string.h>

#include "client/columns.h"
#include "client/neutral.h"

#define LABEL_BYTES_MAX 65536

struct named {
	const char *id;
	size_t index;
};

static int compare_named(const void *a, const void *b)
{
	return strcmp(((const struct named *)a)->id, ((const struct named *)b)->id);
}

static const struct named *find_named(const struct named *names, size_t count,
				      const char *id)
{
	const struct named wanted = {.id = id};
	return id == NULL ? NULL
			  : bsearch(&wanted, names, count, sizeof(*names), compare_named);
}

/* The nodes, and where each id is. */
static int read_nodes(struct job_graph *graph, const cJSON *jobs, struct named *names,
		      struct err *err)
{
	const cJSON *job = NULL;
	cJSON_ArrayForEach(job, jobs)
	{
		const char *id = item_text(job, "id");
		if (id == NULL)
			return err_set(err, ERR_INTERNAL,
				       "the service named a job without an id");
		names[graph->nodes] = (struct named){id, graph->nodes};
		graph->node[graph->nodes++] = (struct graph_node){.job = job, .id = id};
	}
	qsort(names, graph->nodes, sizeof(*names), compare_named);
	return 0;
}

/* The dependants of one job by their ids, which is the order of their birth, whichever
 * job of the graph was asked for. */
static int compare_arcs(const void *a, const void *b, void *context)
{
	const struct graph_arc *one = a, *two = b;
	const struct job_graph *graph = context;
	if (one->parent != two->parent)
		return one->parent < two->parent ? -1 : 1;
	return strcmp(graph->node[one->job].id, graph->node[two->job].id);
}

static void read_arcs(struct job_graph *graph, const cJSON *dependencies,
		      const struct named *names)
{
	const cJSON *item = NULL;
	cJSON_ArrayForEach(item, dependencies)
	{
		const struct named *job =
			find_named(names, graph->nodes, item_text(item, "job"));
		const struct named *parent =
			find_named(names, graph->nodes, item_text(item, "parent"));
		const char *on = item_text(item, "on");
		if (job == NULL || parent == NULL)
			continue;
		graph->arc[graph->arcs++] = (struct graph_arc){parent->index, job->index,
							       on != NULL ? on : "?"};
		graph->node[job->index].parents++;
	}
	qsort_r(graph->arc, graph->arcs, sizeof(*graph->arc), compare_arcs, graph);
	for (size_t i = graph->arcs; i > 0; i--) {
		struct graph_node *parent = &graph->node[graph->arc[i - 1].parent];
		parent->first = i - 1;
		parent->count++;
	}
}

int job_graph_init(struct job_graph *graph, const cJSON *answer, struct err *err)
{
	const cJSON *jobs = json_get(answer, "jobs");
	const cJSON *dependencies = json_get(answer, "dependencies");
	*graph = (struct job_graph){0};
	if (!cJSON_IsArray(jobs) || jobs->child == NULL || !cJSON_IsArray(dependencies))
		return err_set(err, ERR_INTERNAL, "the answer is no graph");
	const size_t count = (size_t)cJSON_GetArraySize(jobs);
	graph->node = mem_array(count, sizeof(*graph->node));
	graph->arc = mem_array((size_t)cJSON_GetArraySize(dependencies) + 1,
			       sizeof(*graph->arc));
	struct named *names = mem_array(count, sizeof(*names));
	const int status = read_nodes(graph, jobs, names, err);
	if (status == 0)
		read_arcs(graph, dependencies, names);
	else
		job_graph_release(graph);
	free(names);
	return status;
}

void job_graph_release(struct job_graph *graph)
{
	free(graph->node);
	free(graph->arc);
	*graph = (struct job_graph){0};
}

void job_graph_label(const struct graph_node *node, struct buf *out)
{
	static const struct column COMMAND = {"command", "command", COLUMN_ARGV, IN_ALL};
	const char *name = item_text(node->job, "name");
	if (name == NULL)
		name = item_text(node->job, "task");
	if (name != NULL)
		buf_append_text(out, name);
	else
		column_put(node->job, &COMMAND, false, out);
}

/* --- Graphviz --- */

/* Inside double quotes: whatever a job is called, it stays a label. */
static void put_quoted(const char *text, struct buf *out)
{
	AUTO_BUF struct buf shown = BUF_INIT(LABEL_BYTES_MAX * 8ul);
	neutral_text(text, true, &shown);
	for (const char *at = buf_text(&shown); *at != '\0'; at++) {
		if (*at == '"' || *at == '\\')
			buf_append_char(out, '\\');
		buf_append_char(out, *at);
	}
}

void job_graph_dot(const struct job_graph *graph, struct buf *out)
{
	buf_append_text(out, "digraph reeve {\n\tnode [shape=box];\n");
	for (size_t i = 0; i < graph->nodes; i++) {
		const struct graph_node *node = &graph->node[i];
		const char *state = item_text(node->job, "state");
		AUTO_BUF struct buf label = BUF_INIT(LABEL_BYTES_MAX);
		job_graph_label(node, &label);
		buf_append_text(out, "\t\"");
		put_quoted(node->id, out);
		buf_append_text(out, "\" [label=\"");
		put_quoted(buf_text(&label), out);
		buf_append_text(out, "\\n");
		put_quoted(state != NULL ? state : "?", out);
		buf_append_text(out, "\"];\n");
	}
	for (size_t i = 0; i < graph->arcs; i++) {
		const struct graph_arc *arc = &graph->arc[i];
		buf_append_text(out, "\t\"");
		put_quoted(graph->node[arc->parent].id, out);
		buf_append_text(out, "\" -> \"");
		put_quoted(graph->node[arc->job].id, out);
		buf_append_text(out, "\" [label=\"");
		put_quoted(arc->on, out);
		buf_append_text(out, "\"];\n");
	}
	buf_append_text(out, "}\n");
}
