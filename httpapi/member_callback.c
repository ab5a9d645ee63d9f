/* member_callback.c - the member of a submission that says whom to tell about the job,
 * and when (see members.h). Nothing is looked up and nobody is called here: the address
 * is judged by its text alone, once more before each try by whoever sends. */
#include "httpapi/members.h"

#define CALLBACK_BYTES_MAX 4096
#define WHEN_FINAL 1U /* the default: a bit for each row of WHEN */

/* clang-format off */
#define WORD_IF_FINAL_(state, word, is_final) ((is_final) ? (word) : NULL),
static const char *const WHEN[] = {
	CALLBACK_ON_FINAL, CALLBACK_ON_STARTED, JOB_STATES(WORD_IF_FINAL_)
};
#undef WORD_IF_FINAL_
/* clang-format on */

static void complain_hosts(struct reading *reading, const char *pointer,
			   const struct url *url)
{
	if (reading->config->callbacks.allowed_hosts.count == 0)
		problems_add(reading->problems, pointer,
			     "callbacks are off here: callbacks.allowed_hosts of the "
			     "settings names nobody");
	else
		problems_add(reading->problems, pointer,
			     "%s is not in callbacks.allowed_hosts of the settings",
			     url->host_port);
}

static void read_url(struct reading *reading, const char *pointer, const cJSON *value)
{
	const char *text = member_text(reading, pointer, value, URL_BYTES_MAX);
	struct url url;
	struct err err = ERR_INIT;
	if (!text)
		return;
	if (url_read(text, &url, &err) < 0) {
		problems_add(reading->problems, pointer, "%s", err.text);
		return;
	}
	if (!words_have(&reading->config->callbacks.allowed_hosts, url.host_port))
		complain_hosts(reading, pointer, &url);
	json_put_text(reading->callback, "url", url.text);
}

static void read_on(struct reading *reading, const char *pointer, const cJSON *value)
{
	member_words(reading, pointer, value, WHEN, ARRAY_SIZE(WHEN),
		     &reading->callback_on);
}

/* clang-format off */
static const struct member CALLBACK[] = {
	{.name = "url", .read = read_url},
	{.name = "on",  .read = read_on},
};
/* clang-format on */

/* What is stored has both members, the words in the order of the table. */
void member_callback(struct reading *reading, const char *pointer, const cJSON *value)
{
	struct intake *intake = reading->intake;
	const cJSON *url = json_get(value, "url");
	struct json_writer json;
	buf_init(&intake->callback, CALLBACK_BYTES_MAX);
	json_writer_init(&json, &intake->callback);
	json_open(&json, NULL, '{');
	reading->callback = &json;
	reading->callback_on = WHEN_FINAL;
	members_read(reading, pointer, value, CALLBACK, ARRAY_SIZE(CALLBACK));
	reading->callback = NULL;
	json_open(&json, "on", '[');
	for (size_t i = 0; i < ARRAY_SIZE(WHEN); i++)
		if (reading->callback_on & 1U << i)
			json_put_text(&json, NULL, WHEN[i]);
	json_close(&json, ']');
	json_close(&json, '}');
	if (cJSON_IsObject(value) && (!url || cJSON_IsNull(url)))
		problems_add_member(reading->problems, pointer, "url", "is required");
	intake->submission.callback = buf_text(&intake->callback);
}
