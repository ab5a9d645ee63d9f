/* graph_draw.c - see graph.h: dependants as trees.
 *
 * A job with one dependant that waits for nobody else goes on straight below (↓), so that
 * a long chain stays at the margin; only where it parts does it step to the right. A job
 * that several others lead to is drawn below the first of them and only named below the
 * rest. */
#include "client/graph.h"

#include <stdlib.h>
#include <string.h>

#include "client/neutral.h"
#include "client/table.h"

#define ID_SHORT_BYTES 18
#define LABEL_BYTES_MAX 65536
#define MARGIN_BYTES_MAX 4096

/* A job whose dependants are being drawn. */
struct level {
	size_t arc, end;     /* the next of its arcs, and where they end */
	size_t margin_bytes; /* of the margin in front of its dependants */
};

struct drawing {
	const struct cli *cli;
	struct job_graph *graph;
	struct buf *out;
	struct buf margin;
	struct level *level; /* a stack; no deeper than there are jobs */
	size_t levels;
	int id_bytes;
};

static int compare_ids(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Ids are cut to what tells them apart. */
static int id_bytes_of(const struct job_graph *graph)
{
	const char **ids = mem_array(graph->nodes, sizeof(*ids));
	bool is_shared = false;
	for (size_t i = 0; i < graph->nodes; i++)
		ids[i] = graph->node[i].id;
	qsort(ids, graph->nodes, sizeof(*ids), compare_ids);
	for (size_t i = 1; i < graph->nodes; i++)
		is_shared = is_shared || strncmp(ids[i], ids[i - 1], ID_SHORT_BYTES) == 0;
	free(ids);
	return is_shared ? 36 : ID_SHORT_BYTES;
}

static void put_state(const struct drawing *drawing, const char *state)
{
	const char *colour = drawing->cli->out_has_colour ? state_colour(state) : NULL;
	buf_append_text(drawing->out, colour != NULL ? colour : "");
	neutral_text(state, true, drawing->out);
	buf_append_text(drawing->out, colour != NULL ? COLOUR_END : "");
}

/* `arc` NULL: a job that waits for nobody here. */
static void put_node(struct drawing *drawing, const char *lead,
		     const struct graph_node *node, const struct graph_arc *arc)
{
	struct buf *out = drawing->out;
	const char *state = item_text(node->job, "state");
	AUTO_BUF struct buf label = BUF_INIT(LABEL_BYTES_MAX);
	buf_append(out, buf_text(&drawing->margin), drawing->margin.length);
	buf_append_text(out, lead);
	buf_printf(out, "%.*s  ", drawing->id_bytes, node->id);
	put_state(drawing, state != NULL ? state : "?");
	buf_append_text(out, "  ");
	job_graph_label(node, &label);
	neutral_text(buf_text(&label), true, out);
	if (arc != NULL && strcmp(arc->on, "success") != 0) {
		buf_append_text(out, "  [on ");
		neutral_text(arc->on, true, out);
		buf_append_char(out, ']');
	}
	if (node == drawing->graph->node && drawing->graph->nodes > 1)
		buf_append_text(out, "  (this one)");
	if (node->is_drawn)
		buf_append_text(out, "  (see above)");
	buf_append_char(out, '\n');
}

/* Draws a job and what follows it straight; then its dependants are the next level. */
static void draw_chain(struct drawing *drawing, const char *lead, const char *below,
		       size_t index, const struct graph_arc *arc)
{
	struct job_graph *graph = drawing->graph;
	struct graph_node *node = &graph->node[index];
	bool is_known = node->is_drawn;
	put_node(drawing, lead, node, arc);
	buf_append_text(&drawing->margin, below);
	while (!is_known) {
		node->is_drawn = true;
		arc = &graph->arc[node->first];
		if (node->count != 1 || graph->node[arc->job].parents != 1)
			break;
		node = &graph->node[arc->job];
		put_node(drawing, "↓ ", node, arc);
	}
	drawing->level[drawing->levels++] =
		(struct level){.arc = node->first,
			       .end = is_known ? node->first : node->first + node->count,
			       .margin_bytes = drawing->margin.length};
}

static void cut_margin(struct drawing *drawing, size_t bytes)
{
	drawing->margin.length = bytes;
	if (drawing->margin.data != NULL)
		buf_seal(&drawing->margin);
}

static void draw_tree(struct drawing *drawing, size_t root)
{
	cut_margin(drawing, 0);
	draw_chain(drawing, "", "", root, NULL);
	while (drawing->levels > 0) {
		struct level *level = &drawing->level[drawing->levels - 1];
		if (level->arc == level->end) {
			drawing->levels--;
			continue;
		}
		const struct graph_arc *arc = &drawing->graph->arc[level->arc++];
		const bool is_last = level->arc == level->end;
		cut_margin(drawing, level->margin_bytes);
		draw_chain(drawing, is_last ? "└─ " : "├─ ", is_last ? "   " : "│  ",
			   arc->job, arc);
	}
}

void job_graph_draw(const struct cli *cli, struct job_graph *graph, struct buf *out)
{
	struct drawing drawing = {
		.cli = cli,
		.graph = graph,
		.out = out,
		.level = mem_array(graph->nodes + 1, sizeof(*drawing.level)),
		.id_bytes = id_bytes_of(graph)};
	buf_init(&drawing.margin, MARGIN_BYTES_MAX);
	for (size_t i = 0; i < graph->nodes; i++)
		if (graph->node[i].parents == 0)
			draw_tree(&drawing, i);
	buf_release(&drawing.margin);
	free(drawing.level);
}
