/* cmd_rerun.c - `reeve rerun`: a new job like an old one. */
#include "client/api.h"

#include <string.h>

#include "client/output.h"

/* The new job. Not repeated when the connection is lost: unlike a submission it has no
 * key, so that a second one could come of it. */
static int rerun_one(struct cli *cli, const char *id, cJSON **ret, struct err *err)
{
	struct exchange exchange;
	exchange_init(&exchange, "POST", "/v1/jobs/%s/rerun", id);
	exchange.body = args_has(&cli->args, "cascade") ? "{\"cascade\":true}" : "{}";
	exchange.body_bytes = strlen(exchange.body);
	exchange.timeout_us = cli->timeout_us;
	struct exchange *const list[] = {&exchange};
	int status = http_perform(cli, list, 1, false, err);
	if (status == 0)
		status = api_answer(cli, &exchange, ret, err);
	exchange_release(&exchange);
	return status;
}

int cmd_rerun(struct cli *cli, struct err *err)
{
	AUTO_FREE char *id = NULL;
	cJSON *job = NULL;
	int status = api_job_id(cli, cli->args.word[0], &id, err);
	if (status == 0)
		status = rerun_one(cli, id, &job, err);
	const char *made = item_text(job, "id");
	if (status == 0 && made == NULL)
		status = err_set(err, ERR_INTERNAL, "the service did not name the job");
	if (status == 0 && cli->is_format_given) {
		status = record_print(cli, &JOB_COLUMNS, job, err);
	} else if (status == 0) {
		AUTO_FREE char *line = mem_printf("%s\n", made);
		status = out_write(cli, line, strlen(line), err);
	}
	if (status == 0 && item_text(job, "batch") != NULL)
		say(cli, "with all that depends on it: reeve graph %s", made);
	cJSON_Delete(job);
	return status;
}
