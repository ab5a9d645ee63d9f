/* cmd_rerun.c - `reeve rerun`: a new job like an old one. */
#include "client/api.h"

#include <string.h>

#include "client/output.h"

int cmd_rerun(struct cli *cli, struct err *err)
{
	const char *body = args_has(&cli->args, "cascade") ? "{\"cascade\":true}" : "{}";
	AUTO_FREE char *id = NULL;
	cJSON *job = NULL;
	int status = api_job_id(cli, cli->args.word[0], &id, err);
	if (status == 0)
		status = api_send(cli, &job, err, "POST", body, "/v1/jobs/%s/rerun", id);
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
