/* cmd_logs.c - `reeve logs`: what a job has said, perhaps until it says no more, or the
 * lines of it in which something stands. */
#include "client/api.h"

#include <string.h>

#include "client/logs.h"

/* Both streams chosen is the same as none chosen: everything, in its order. */
static int read_stream(const struct args *args, const char **ret, struct err *err)
{
	const bool wants_out = args_has(args, "stdout");
	const bool wants_err = args_has(args, "stderr");
	*ret = wants_out == wants_err ? "both" : wants_out ? "stdout" : "stderr";
	if (!args_has(args, "stream"))
		return 0;
	if (wants_out || wants_err)
		return err_set(err, ERR_INVALID,
			       "--stream, --stdout and --stderr choose the same thing");
	*ret = args_text(args, "stream");
	return 0;
}

static int read_request(struct cli *cli, struct output_request *ret, struct err *err)
{
	const struct args *args = &cli->args;
	*ret = (struct output_request){
		.attempt = args_number(args, "attempt", 0),
		.tail_lines = args_number(args, "lines", -1),
		.has_timestamps = args_has(args, "timestamps"),
		.is_raw = args_has(args, "raw"),
	};
	if (args_has(args, "ignore-case") && !args_has(args, "grep"))
		return err_set(err, ERR_INVALID, "--ignore-case belongs to --grep");
	if (args_has(args, "grep") && (args_has(args, "follow") || ret->tail_lines >= 0))
		return err_set(err, ERR_INVALID,
			       "--grep searches all that is there: without %s",
			       args_has(args, "follow") ? "--follow" : "--lines");
	return read_stream(args, &ret->stream, err);
}

static int follow(struct cli *cli, const struct output_request *request, struct err *err)
{
	if (output_follow(cli, request, err) == 0)
		return 0;
	if (!cli->is_interrupted)
		return -1;
	say(cli, "detached; the job goes on: reeve logs -f %s", request->id);
	return EXIT_INTERRUPTED;
}

int cmd_logs(struct cli *cli, struct err *err)
{
	const struct args *args = &cli->args;
	const bool is_followed = args_has(args, "follow");
	struct output_request request;
	AUTO_FREE char *id = NULL;
	if (read_request(cli, &request, err) < 0)
		return -1;
	if (is_followed && http_listen_for_interrupt(cli, err) < 0)
		return -1;
	if (api_job_id(cli, args->word[0], &id, err) < 0)
		return -1;
	request.id = id;
	if (is_followed)
		return follow(cli, &request, err);
	if (args_has(args, "grep"))
		return output_search(cli, &request, args_text(args, "grep"),
				     args_has(args, "ignore-case"), err);
	return output_download(cli, &request, err);
}
