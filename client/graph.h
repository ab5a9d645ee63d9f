/* graph.h - the answer of /v1/jobs/ID/graph as something to walk. Private to cmd_graph.c
 * and graph_draw.c. */
#ifndef REEVE_CLIENT_GRAPH_H
#define REEVE_CLIENT_GRAPH_H

#include "client/output.h"

struct graph_node {
	const cJSON *job;
	const char *id;
	size_t parents;	     /* how many of them are in the graph */
	size_t first, count; /* its dependants: graph.edge[first .. first + count) */
	bool is_drawn;
};
struct graph_arc {
	size_t parent, job; /* indexes of node */
	const char *on;
};
struct job_graph {
	struct graph_node *node; /* [0] is the one that was asked for */
	size_t nodes;
	struct graph_arc *arc; /* by parent */
	size_t arcs;
};

/* Reads an answer, which must outlive it. Dependencies of jobs that are not in it are
 * left out. ERR_INTERNAL when it is no graph. */
int job_graph_init(struct job_graph *graph, const cJSON *answer, struct err *err);
void job_graph_release(struct job_graph *graph);

/* Name, task or command: what a person calls it. Raw as it came. */
void job_graph_label(const struct graph_node *node, struct buf *out);

/* Trees for people, from the jobs that wait for nobody downwards. */
void job_graph_draw(const struct cli *cli, struct job_graph *graph, struct buf *out);

/* For dot(1) of Graphviz. */
void job_graph_dot(const struct job_graph *graph, struct buf *out);

#endif
