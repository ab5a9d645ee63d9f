/* cmd_explain.c - `reeve explain`: why a job does not run yet, for people first. */
#include "client/api.h"

#include <stdlib.h>
#include <string.h>

#include "client/neutral.h"
#include "client/output.h"

#define TEXT_BYTES_MAX (1u << 20)

/* "1000 or more jobs are ahead of it" */
static void put_ahead(const cJSON *answer, struct buf *out)
{
	const int64_t ahead = item_int(answer, "ahead", 0);
	const bool is_capped = cJSON_IsTrue(item_at(answer, "ahead_capped"));
	if (ahead == 0)
		return;
	buf_printf(out, "%lld%s job%s ahead of it.\n", (long long)ahead,
		   is_capped ? " or more" : "", ahead == 1 ? " is" : "s are");
}

static void put_sentence(const char *before, const char *text, struct buf *out)
{
	buf_append_text(out, before);
	neutral_text(text != NULL ? text : "", true, out);
	buf_append_text(out, "\n");
}

/* A single reason stands in the summary already. */
static int print_prose(struct cli *cli, const cJSON *answer, struct err *err)
{
	AUTO_BUF struct buf out = BUF_INIT(TEXT_BYTES_MAX);
	const cJSON *reasons = json_get(answer, "reasons");
	const cJSON *reason = NULL;
	const bool is_list = cJSON_GetArraySize(reasons) > 1;
	put_sentence("", is_list ? "It does not run yet:" : item_text(answer, "summary"),
		     &out);
	cJSON_ArrayForEach(reason, reasons)
	{
		if (is_list)
			put_sentence("- ", item_text(reason, "detail"), &out);
	}
	if (cJSON_GetArraySize(reasons) > 0)
		put_ahead(answer, &out);
	const char *earliest = item_text(answer, "earliest_at");
	if (earliest != NULL)
		put_sentence("The earliest that it could start: ", earliest, &out);
	return out_write(cli, buf_text(&out), out.length, err);
}

/* Lines of words for programs. The sentences hold no tabs or newlines but those that a
 * person wrote into a reason; they are made visible. */
static int print_lines(struct cli *cli, const cJSON *answer, struct err *err)
{
	AUTO_BUF struct buf out = BUF_INIT(TEXT_BYTES_MAX);
	const char *earliest = item_text(answer, "earliest_at");
	const cJSON *reason = NULL;
	put_sentence("summary\t", item_text(answer, "summary"), &out);
	cJSON_ArrayForEach(reason, json_get(answer, "reasons"))
	{
		const char *code = item_text(reason, "code");
		const char *until = item_text(reason, "until");
		buf_printf(&out, "reason\t%s\t", code != NULL ? code : "");
		neutral_text(item_text(reason, "detail"), true, &out);
		buf_printf(&out, "\t%s\n", until != NULL ? until : "");
	}
	buf_printf(&out, "ahead\t%lld%s\n", (long long)item_int(answer, "ahead", 0),
		   cJSON_IsTrue(item_at(answer, "ahead_capped")) ? "+" : "");
	put_sentence("earliest_at\t", earliest, &out);
	return out_write(cli, buf_text(&out), out.length, err);
}

static int print_explanation(struct cli *cli, const cJSON *answer, struct err *err)
{
	switch (cli->format) {
	case FORMAT_JSON:
	case FORMAT_JSONL:
		return json_print(cli, answer, cli->format == FORMAT_JSONL, err);
	case FORMAT_ID: {
		AUTO_BUF struct buf out = BUF_INIT(TEXT_BYTES_MAX);
		put_sentence("", item_text(answer, "id"), &out);
		return out_write(cli, buf_text(&out), out.length, err);
	}
	case FORMAT_TSV:
		return print_lines(cli, answer, err);
	case FORMAT_AUTO:
	case FORMAT_TABLE:
	case FORMAT_WIDE:
		break;
	}
	return print_prose(cli, answer, err);
}

int cmd_explain(struct cli *cli, struct err *err)
{
	AUTO_FREE char *id = NULL;
	cJSON *answer = NULL;
	if (api_job_id(cli, cli->args.word[0], &id, err) < 0)
		return -1;
	int status = api_get(cli, &answer, err, "/v1/jobs/%s/explain", id);
	if (status == 0)
		status = print_explanation(cli, answer, err);
	cJSON_Delete(answer);
	return status;
}
