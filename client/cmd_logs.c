/* cmd_logs.c - `reeve logs`: what a job has said, perhaps until it says no more. */
#include "client/api.h"

#include <string.h>

/* Both streams chosen is the same as none chosen: everything, in its order. */
int cmd_logs(struct cli *cli, struct err *err)
{
	const struct args *args = &cli->args;
	const bool wants_out = args_has(args, "stdout");
	const bool wants_err = args_has(args, "stderr");
	AUTO_FREE char *id = NULL;
	const bool is_followed = args_has(args, "follow");
	if (is_followed && http_listen_for_interrupt(cli, err) < 0)
		return -1;
	if (api_job_id(cli, args->word[0], &id, err) < 0)
		return -1;
	const struct output_request request = {
		.id = id,
		.stream = wants_out == wants_err ? "both"
			  : wants_out		 ? "stdout"
						 : "stderr",
		.attempt = args_number(args, "attempt", 0),
		.tail_lines = args_number(args, "lines", -1),
		.is_followed = is_followed,
		.is_raw = args_has(args, "raw"),
	};
	if (api_output(cli, &request, err) == 0)
		return 0;
	if (cli->is_interrupted) {
		say(cli, "detached; the job goes on: reeve logs -f %s", id);
		return EXIT_INTERRUPTED;
	}
	return -1;
}
