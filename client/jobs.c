/* jobs.c - how a job stands, read from its JSON: in words, and as an exit code. */
#include "client/output.h"

#include <string.h>

bool job_is_final(const cJSON *job)
{
	const char *state = item_text(job, "state");
	if (state == NULL)
		return false;
	static const char *const FINAL[] = {"succeeded", "failed", "cancelled", "skipped",
					    "lost"};
	for (size_t i = 0; i < ARRAY_SIZE(FINAL); i++)
		if (strcmp(FINAL[i], state) == 0)
			return true;
	return false;
}

/* 0 must mean that the job succeeded: a job that was stopped and then exits 0 did not. */
int job_exit_code(const cJSON *job)
{
	const int64_t number = item_int(job, "signal", 0);
	const int64_t code = item_int(job, "exit_code", -1);
	if (number > 0)
		return EXIT_SIGNAL_BASE + (int)number;
	if (text_equal(item_text(job, "state"), "succeeded"))
		return code > 0 ? (int)code : 0;
	return code > 0 ? (int)code : 1;
}

void job_describe(const cJSON *job, struct buf *out)
{
	const char *state = item_text(job, "state");
	const char *reason = item_text(job, "reason");
	const int64_t number = item_int(job, "signal", 0);
	const int64_t code = item_int(job, "exit_code", -1);
	buf_append_text(out, state != NULL ? state : "?");
	if (reason != NULL)
		buf_printf(out, " (%s)", reason);
	if (number > 0 && signal_name((int)number) != NULL)
		buf_printf(out, ", SIG%s", signal_name((int)number));
	else if (number > 0)
		buf_printf(out, ", signal %lld", (long long)number);
	else if (code >= 0)
		buf_printf(out, ", exit code %lld", (long long)code);
}
