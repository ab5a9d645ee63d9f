/* gone.c - what remains of what was removed (see gone.h). */
#include "httpapi/gone.h"

#define FACTS_BYTES_MAX 1024

static void facts_open(struct json_writer *json, struct buf *facts)
{
	json_writer_init(json, facts);
	json_open(json, NULL, '{');
}

static void facts_keep(struct request *request, struct json_writer *json,
		       struct buf *facts)
{
	json_close(json, '}');
	free(request->removed);
	request->removed = mem_strdup(buf_text(facts));
}

int gone_job(struct request *request, struct queue *queue, const char *id,
	     struct err *err)
{
	const struct viewer viewer = request_viewer(request);
	AUTO_BUF struct buf facts = BUF_INIT(FACTS_BYTES_MAX);
	struct json_writer json;
	struct tombstone stone;
	char ended[CLOCK_TEXT_BYTES], removed[CLOCK_TEXT_BYTES];
	const int found = queue_tombstone_get(queue, &viewer, id, &stone, err);
	if (found < 0)
		return -1;
	if (found == 0)
		return err_set(err, ERR_NOT_FOUND, "there is no such job");
	facts_open(&json, &facts);
	json_put_text(&json, "id", stone.id);
	json_put_text(&json, "state", stone.state);
	json_put_time(&json, "finished_at", stone.finished_at);
	json_put_time(&json, "removed_at", stone.pruned_at);
	facts_keep(request, &json, &facts);
	clock_format(stone.finished_at, ended);
	clock_format(stone.pruned_at, removed);
	return err_set(err, ERR_GONE, "the job ended at %s (%s) and was removed at %s",
		       ended, stone.state, removed);
}

void gone_output(struct request *request, struct queue *queue, const struct job *job,
		 int attempt, struct err *err)
{
	AUTO_BUF struct buf facts = BUF_INIT(FACTS_BYTES_MAX);
	struct json_writer json;
	struct attempt found = {0};
	char hex[DIGEST_HEX_BYTES], removed[CLOCK_TEXT_BYTES];
	if (queue_attempt_get(queue, job->row, attempt, &found, NULL) != 1)
		return;
	text_hex(found.sha256, DIGEST_BYTES, hex);
	facts_open(&json, &facts);
	json_put_int(&json, "attempt", attempt);
	json_put_int(&json, "stdout_bytes", found.stdout_bytes);
	json_put_int(&json, "stderr_bytes", found.stderr_bytes);
	json_put_text(&json, "sha256", hex);
	json_put_time(&json, "removed_at", found.removed_at);
	facts_keep(request, &json, &facts);
	clock_format(found.removed_at, removed);
	err_set(err, ERR_GONE, "this output was removed at %s", removed);
	attempt_release(&found);
}
