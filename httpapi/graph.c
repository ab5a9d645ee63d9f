/* graph.c - GET /v1/jobs/{id}/graph: what hangs together with a job. */
#include "httpapi/answer.h"
#include "httpapi/handlers.h"
#include "httpapi/lookup.h"
#include "httpapi/readers.h"

#define JOBS_LIMIT 1000

static void put_job(struct json_writer *json, const struct graph_job *job)
{
	json_open(json, NULL, '{');
	json_put_text(json, "id", job->id);
	json_put_text(json, "name", job->name);
	json_put_text(json, "task", job->task);
	json_put_raw(json, "command", job->command ? job->command : "null");
	json_put_text(json, "state", job->state);
	json_close(json, '}');
}

static void put_edge(struct json_writer *json, const struct graph *graph,
		     const struct graph_edge *edge)
{
	json_open(json, NULL, '{');
	json_put_text(json, "job", graph->job[edge->job].id);
	json_put_text(json, "parent", graph->job[edge->parent].id);
	json_put_text(json, "on", dependency_condition_word(edge->condition));
	json_put_text(json, "state", dependency_state_word(edge->state));
	json_close(json, '}');
}

static void put_graph(struct buf *body, const struct graph *graph)
{
	struct json_writer json;
	json_writer_init(&json, body);
	json_open(&json, NULL, '{');
	json_open(&json, "jobs", '[');
	for (size_t i = 0; i < graph->jobs; i++)
		put_job(&json, &graph->job[i]);
	json_close(&json, ']');
	json_open(&json, "dependencies", '[');
	for (size_t i = 0; i < graph->edges; i++)
		put_edge(&json, graph, &graph->edge[i]);
	json_close(&json, ']');
	json_put_bool(&json, "truncated", graph->is_cut);
	json_close(&json, '}');
}

/* The path may hold the beginning of an id, or `last`. */
static int find_graph(struct request *request, struct queue *queue, int64_t limit,
		      struct graph *ret, struct err *err)
{
	struct viewer viewer = request_viewer(request);
	struct job job = {0};
	if (lookup_job(request, queue, &job, err) < 0)
		return -1;
	int found = queue_graph(queue, &viewer, job.id, (size_t)limit, ret, err);
	job_release(&job);
	return found == 0 ? err_set(err, ERR_NOT_FOUND, "there is no such job") : found;
}

enum MHD_Result handle_job_graph(struct request *request)
{
	struct readers *readers = request->server->readers;
	struct err err = ERR_INIT;
	struct queue *queue = NULL;
	struct graph graph = {0};
	int64_t limit;
	if (lookup_number(request, "limit", 1, GRAPH_JOBS_MAX, JOBS_LIMIT, &limit, &err) <
		    0 ||
	    readers_take(readers, &queue, &err) < 0)
		return answer_error(request, &err);
	int result = find_graph(request, queue, limit, &graph, &err);
	readers_give(readers, queue);
	if (result < 0)
		return answer_error(request, &err);
	struct buf body = BUF_INIT(ANSWER_BYTES_MAX);
	put_graph(&body, &graph);
	graph_release(&graph);
	return answer_send(request, MHD_HTTP_OK, answer_json(&body));
}
