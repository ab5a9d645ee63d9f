/* gate.c - what a request must be before anything looks at what it asks (see gate.h). */
#include "httpapi/gate.h"

#include <ctype.h>
#include <strings.h>

#include "httpapi/routes.h"

/* The headers that are read; any of them twice is refused, because the next reader of the
 * same bytes may believe the other one. */
struct header_row {
	const char *name;
	size_t name_bytes, offset;
	bool is_list; /* may be spread over several lines (RFC 9110); the first counts */
};
#define HEADER_ROW(text, field, list)                                                    \
	{                                                                                \
		.name = (text), .name_bytes = sizeof(text) - 1,                          \
		.offset = offsetof(struct headers, field), .is_list = (list)             \
	}
#define HEADER(text, field) HEADER_ROW(text, field, false)
#define HEADER_LIST(text, field) HEADER_ROW(text, field, true)
static const struct header_row HEADERS[] = {
	HEADER("Host", host),
	HEADER("Content-Type", content_type),
	HEADER("Content-Length", content_length),
	HEADER("Transfer-Encoding", transfer_encoding),
	HEADER("Content-Encoding", content_encoding),
	HEADER("Authorization", authorization),
	HEADER("Security-Token", security_token),
	HEADER("Origin", origin),
	HEADER("Sec-Fetch-Site", sec_fetch_site),
	HEADER("Expect", expect),
	HEADER("Idempotency-Key", idempotency_key),
	HEADER("Prefer", prefer),
	HEADER("Range", range),
	HEADER("If-Range", if_range),
	HEADER("If-None-Match", if_none_match),
	HEADER("If-Match", if_match),
	HEADER("traceparent", traceparent),
	HEADER_LIST("Accept", accept),
	HEADER("Last-Event-ID", last_event_id),
};

struct header_reading {
	struct headers *headers;
	struct err *err;
	bool is_bad;
};

/* token of RFC 9110: a name with a blank before the colon is how lengths are hidden. */
static bool is_token(const char *text, size_t bytes)
{
	for (size_t i = 0; i < bytes; i++)
		if (!isalnum((unsigned char)text[i]) &&
		    (!text[i] || !strchr("!#$%&'*+-.^_`|~", text[i])))
			return false;
	return bytes > 0;
}

static bool is_field_value(const char *text, size_t bytes)
{
	for (size_t i = 0; i < bytes; i++)
		if (((unsigned char)text[i] < 0x20 && text[i] != '\t') || text[i] == 0x7f)
			return false;
	return true;
}

static enum MHD_Result refuse(struct header_reading *reading, const char *what)
{
	reading->is_bad = true;
	err_set(reading->err, ERR_BAD_REQUEST, "%s", what);
	return MHD_NO;
}

static enum MHD_Result read_header(void *cls, enum MHD_ValueKind kind, const char *name,
				   size_t name_bytes, const char *value,
				   size_t value_bytes)
{
	struct header_reading *reading = cls;
	(void)kind;
	value = value ? value : "";
	reading->headers->bytes += name_bytes + value_bytes + 4; /* ": " and CRLF */
	if (!is_token(name, name_bytes))
		return refuse(reading, "a header's name is not a token");
	if (!is_field_value(value, value_bytes))
		return refuse(reading, "a header's value has control characters");
	for (size_t i = 0; i < ARRAY_SIZE(HEADERS); i++) {
		const struct header_row *row = &HEADERS[i];
		if (row->name_bytes != name_bytes ||
		    strncasecmp(row->name, name, name_bytes) != 0)
			continue;
		const char **field =
			(const char **)(void *)((char *)reading->headers + row->offset);
		if (*field && row->is_list)
			continue;
		if (*field) {
			refuse(reading, "");
			err_set(reading->err, ERR_BAD_REQUEST, "%s is given twice",
				row->name);
			return MHD_NO;
		}
		*field = value;
	}
	return MHD_YES;
}

/* How long the body is: both ways at once, or an unknown one, and two readers of the same
 * bytes would cut them differently. */
static int check_body_framing(struct request *request, struct err *err)
{
	const struct headers *headers = &request->headers;
	const char *length = headers->content_length,
		   *coding = headers->transfer_encoding;
	if (coding && length)
		return err_set(err, ERR_BAD_REQUEST,
			       "Content-Length and Transfer-Encoding exclude each other");
	if (coding && strcasecmp(coding, "chunked") != 0)
		return err_set(err, ERR_BAD_REQUEST,
			       "the only Transfer-Encoding accepted is chunked");
	if (length && (!*length || strspn(length, "0123456789") != strlen(length)))
		return err_set(err, ERR_BAD_REQUEST, "Content-Length is not a number");
	request->has_body = coding || (length && strspn(length, "0") != strlen(length));
	return 0;
}

int gate_framing(struct request *request, struct err *err)
{
	const struct config *config = &request->settings->config;
	struct header_reading reading = {.headers = &request->headers, .err = err};
	request->must_close = true;
	MHD_get_connection_values_n(request->connection, MHD_HEADER_KIND, read_header,
				    &reading);
	if (reading.is_bad)
		return -1;
	if (check_body_framing(request, err) < 0)
		return -1;
	if (request->headers.bytes > (size_t)config->limits.header_bytes)
		return err_set(err, ERR_HEADERS_TOO_LARGE,
			       "more than %lld bytes of headers (limits.header_bytes)",
			       (long long)config->limits.header_bytes);
	if (target_parse(&request->target, (size_t)config->limits.target_bytes, err) < 0)
		return -1;
	/* Whoever waits for "100 Continue" has not sent the body: an answer instead of it
	 * ends the exchange. */
	request->must_close = request->headers.expect != NULL;
	return 0;
}

int gate_host(const struct request *request, struct err *err)
{
	const struct front *front = request->client->front;
	const char *host = request->headers.host;
	if (!host || !*host)
		return err_set(err, ERR_BAD_REQUEST, "there is no Host");
	if (front->host_count == 0)
		return 0;
	for (size_t i = 0; i < front->host_count; i++)
		if (strcasecmp(host, front->hosts[i]) == 0)
			return 0;
	return err_set(err, ERR_MISDIRECTED, "Host is not one of this server's names");
}

/* A browser says where a request comes from; other clients say nothing. */
static int check_origin(const struct headers *headers, struct err *err)
{
	static const char scheme[] = "http://";
	const char *origin = headers->origin, *site = headers->sec_fetch_site;
	if (origin && (strncmp(origin, scheme, sizeof(scheme) - 1) != 0 ||
		       strcasecmp(origin + sizeof(scheme) - 1, headers->host) != 0))
		return err_set(err, ERR_DENIED, "Origin is another site");
	if (site && strcmp(site, "same-origin") != 0)
		return err_set(err, ERR_DENIED, "Sec-Fetch-Site is not same-origin");
	return 0;
}

/* application/json, with or without parameters, of which only charset=utf-8 is any good.
 */
static bool is_json(const char *content_type)
{
	static const char json[] = "application/json";
	if (!content_type || strncasecmp(content_type, json, sizeof(json) - 1) != 0)
		return false;
	const char *rest = content_type + sizeof(json) - 1;
	rest += strspn(rest, " \t");
	if (!*rest)
		return true;
	if (*rest++ != ';')
		return false;
	rest += strspn(rest, " \t");
	return strcasecmp(rest, "charset=utf-8") == 0 ||
	       strcasecmp(rest, "charset=\"utf-8\"") == 0;
}

/* Whoever sets a condition relies on it: one that nobody looks at is worse than none. */
static int check_precondition(const struct request *request, struct err *err)
{
	if (!request->headers.if_match || request->route->takes_if_match)
		return 0;
	return err_set(err, ERR_BAD_REQUEST,
		       "If-Match is not taken here, only by PATCH /v1/jobs/{id}");
}

int64_t gate_body_max(const struct request *request, const char **ret_setting)
{
	static const struct {
		const char *name;
		size_t offset;
	} settings[] = {
		[SIZE_ORDINARY] = {"limits.body_bytes",
				   offsetof(struct config, limits.body_bytes)},
		[SIZE_BATCH] = {"limits.batch_body_bytes",
				offsetof(struct config, limits.batch_body_bytes)},
	};
	const enum route_size size = request->route->size;
	*ret_setting = settings[size].name;
	return *(const int64_t *)(const void *)((const char *)&request->settings->config +
						settings[size].offset);
}

/* What the bytes of a body are. */
static int check_body_type(const struct request *request, struct err *err)
{
	const struct headers *headers = &request->headers;
	const char *coding = headers->content_encoding;
	bool is_needed = request->route->body == BODY_REQUIRED;
	if ((request->has_body || is_needed || headers->content_type) &&
	    !is_json(headers->content_type))
		return err_set(err, ERR_MEDIA_TYPE,
			       "a body must be 'Content-Type: application/json'");
	if (coding && strcasecmp(coding, "identity") != 0)
		return err_set(err, ERR_MEDIA_TYPE,
			       "a body must not be compressed (Content-Encoding)");
	return 0;
}

int gate_change(struct request *request, struct err *err)
{
	const struct headers *headers = &request->headers;
	const char *setting;
	int64_t max = gate_body_max(request, &setting), length;
	if (check_origin(headers, err) < 0 || check_precondition(request, err) < 0 ||
	    check_body_type(request, err) < 0)
		return -1;
	if (headers->content_length && request->has_body) {
		const char *digits = headers->content_length;
		digits += strspn(digits, "0");
		if (text_parse_int(digits, 0, max, &length) < 0) {
			request->must_close = true;
			return err_set(err, ERR_TOO_LARGE,
				       "a body may have %lld bytes (%s)", (long long)max,
				       setting);
		}
	}
	return 0;
}
