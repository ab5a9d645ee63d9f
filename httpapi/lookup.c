/* lookup.c - what a request's path and query say (see lookup.h). */
#include "httpapi/lookup.h"

#include <strings.h>

#include "httpapi/gone.h"
#include "httpapi/readers.h"

/* Only what an id can be made of reaches the database. */
static bool may_be_id(const char *text)
{
	size_t length = strlen(text);
	return length >= 4 && length < JOB_ID_BYTES &&
	       strspn(text, "0123456789abcdefABCDEF-") == length;
}

int lookup_job(struct request *request, struct queue *queue, struct job *ret,
	       struct err *err)
{
	struct viewer viewer = request_viewer(request);
	const char *id = request->argument;
	int found = 0;
	if (strcmp(id, "last") == 0)
		found = queue_job_last(queue, &viewer, ret, err);
	else if (may_be_id(id))
		found = queue_job_get(queue, &viewer, id, ret, err);
	if (found == 0)
		return gone_job(request, queue, id, err);
	return found < 0 ? -1 : 0;
}

int lookup_job_id(struct request *request, char ret[JOB_ID_BYTES], struct err *err)
{
	struct readers *readers = request->server->readers;
	struct queue *queue = NULL;
	struct job job = {0};
	if (readers_take(readers, &queue, err) < 0)
		return -1;
	int found = lookup_job(request, queue, &job, err);
	readers_give(readers, queue);
	if (found < 0)
		return -1;
	snprintf(ret, JOB_ID_BYTES, "%s", job.id);
	job_release(&job);
	return 0;
}

/* "wait=30" among the preferences "respond-async, wait=30" (RFC 7240); NULL: none. */
static const char *preferred_wait(const char *prefer, char ret[24])
{
	while (prefer && *prefer) {
		prefer += strspn(prefer, " \t,;");
		size_t length = strcspn(prefer, ",;");
		if (strncasecmp(prefer, "wait=", 5) == 0) {
			size_t digits = strcspn(prefer + 5, " \t,;");
			snprintf(ret, 24, "%.*s", (int)(digits < 23 ? digits : 23),
				 prefer + 5);
			return ret;
		}
		prefer += length;
	}
	return NULL;
}

int lookup_refuse(struct request *request, const char *name, struct err *err,
		  const char *format, ...)
{
	AUTO_BUF struct buf words = BUF_INIT(sizeof(err->text));
	va_list args;
	va_start(args, format);
	buf_vprintf(&words, format, args);
	va_end(args);
	request->fault = name;
	return err_set(err, ERR_BAD_REQUEST, "%s %s", name, buf_text(&words));
}

static const char *const STREAMS[] = {
	[OUTPUT_BOTH] = "both", [OUTPUT_STDOUT] = "stdout", [OUTPUT_STDERR] = "stderr"};

const char *lookup_stream_word(enum output_stream stream)
{
	return STREAMS[stream];
}

int lookup_stream(struct request *request, enum output_stream *ret, struct err *err)
{
	const char *text = target_param(&request->target, "stream");
	*ret = OUTPUT_BOTH;
	for (size_t i = 0; text && i < ARRAY_SIZE(STREAMS); i++) {
		if (strcmp(STREAMS[i], text) == 0) {
			*ret = (enum output_stream)i;
			return 0;
		}
	}
	return text ? lookup_refuse(request, "stream", err, "is both, stdout or stderr")
		    : 0;
}

int lookup_wait(struct request *request, int64_t *ret_us, bool *ret_preferred,
		struct err *err)
{
	int64_t max_us = request->settings->config.http.wait_max_us, us = 0;
	char preference[24];
	const char *text = target_param(&request->target, "wait");
	*ret_preferred = false;
	if (text) {
		if (text_parse_duration_us(text, &us) < 0 || us > max_us)
			return lookup_refuse(request, "wait", err,
					     "is a number of seconds from 0 to %lld",
					     (long long)(max_us / US_PER_S));
	} else if ((text = preferred_wait(request->headers.prefer, preference))) {
		/* A preference that cannot be honoured is ignored, a long one cut. */
		if (text_parse_duration_us(text, &us) < 0)
			us = 0;
		us = us > max_us ? max_us : us;
		*ret_preferred = us > 0;
	}
	*ret_us = us;
	return 0;
}

int lookup_number(struct request *request, const char *name, int64_t min, int64_t max,
		  int64_t fallback, int64_t *ret, struct err *err)
{
	const char *text = target_param(&request->target, name);
	*ret = fallback;
	if (text && text_parse_int(text, min, max, ret) < 0)
		return lookup_refuse(request, name, err, "is a number from %lld to %lld",
				     (long long)min, (long long)max);
	return 0;
}

int lookup_flag(struct request *request, const char *name, bool *ret, struct err *err)
{
	static const char *const words[] = {"0", "false", "1", "true"};
	const char *text = target_param(&request->target, name);
	*ret = false;
	if (!text)
		return 0;
	for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
		if (strcmp(text, words[i]) == 0) {
			*ret = i >= 2;
			return 0;
		}
	}
	return lookup_refuse(request, name, err, "is 1 or 0 (or true or false)");
}
