/* cmd_graph.c - `reeve graph`: what hangs together with a job. */
#include "client/api.h"

#include <string.h>

#include "client/graph.h"

#define JOBS_MAX 10000
#define OUT_BYTES_MAX (256u << 20)

/* clang-format off */
static const struct column EDGE_ROWS[] = {
	{"job",    "job",    COLUMN_ID,    IN_ALL},
	{"on",     "on",     COLUMN_TEXT,  IN_ALL},
	{"parent", "parent", COLUMN_ID,    IN_ALL},
	{"state",  "state",  COLUMN_STATE, IN_ALL},
};
static const struct column JOB_ROWS[] = {
	{"id",     "id",     COLUMN_ID,    IN_ALL},
};
/* clang-format on */
static const struct columns EDGE_COLUMNS = {EDGE_ROWS, ARRAY_SIZE(EDGE_ROWS)};
static const struct columns ID_COLUMNS = {JOB_ROWS, ARRAY_SIZE(JOB_ROWS)};

static int print_items(struct cli *cli, const cJSON *items, const struct columns *columns,
		       struct err *err)
{
	struct listing *listing = listing_open(cli, columns);
	const cJSON *item = NULL;
	cJSON_ArrayForEach(item, items)
	{
		if (listing_add(listing, item, err) < 0) {
			listing_drop(listing);
			return -1;
		}
	}
	return listing_end(listing, err);
}

static int print_picture(struct cli *cli, const cJSON *answer, bool is_dot,
			 struct err *err)
{
	AUTO_BUF struct buf out = BUF_INIT(OUT_BYTES_MAX);
	struct job_graph graph;
	if (job_graph_init(&graph, answer, err) < 0)
		return -1;
	if (is_dot)
		job_graph_dot(&graph, &out);
	else
		job_graph_draw(cli, &graph, &out);
	job_graph_release(&graph);
	return out_write(cli, buf_text(&out), out.length, err);
}

/* The formats are not those of a listing: a graph is no table. */
static int print_graph(struct cli *cli, const cJSON *answer, struct err *err)
{
	const char *word = args_text(&cli->args, "output");
	if (word == NULL)
		word = cli->out_is_terminal ? "tree" : "tsv";
	if (strcmp(word, "json") == 0)
		return json_print(cli, answer, false, err);
	if (strcmp(word, "tsv") == 0)
		return print_items(cli, json_get(answer, "dependencies"), &EDGE_COLUMNS,
				   err);
	if (strcmp(word, "id") == 0)
		return print_items(cli, json_get(answer, "jobs"), &ID_COLUMNS, err);
	return print_picture(cli, answer, strcmp(word, "dot") == 0, err);
}

int cmd_graph(struct cli *cli, struct err *err)
{
	AUTO_FREE char *id = NULL;
	cJSON *answer = NULL;
	int status = api_job_id(cli, cli->args.word[0], &id, err);
	if (status == 0)
		status = api_get(cli, &answer, err, "/v1/jobs/%s/graph?limit=%d", id,
				 JOBS_MAX);
	if (status == 0)
		status = print_graph(cli, answer, err);
	if (status == 0 && cJSON_IsTrue(json_get(answer, "truncated")))
		say(cli, "there are more than %d jobs; the rest is left out", JOBS_MAX);
	cJSON_Delete(answer);
	return status;
}
