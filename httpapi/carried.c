/* carried.c - the headers that go with a submission (see carried.h). */
#include "httpapi/carried.h"

int carried_key(const struct request *request, char ret[KEY_BYTES_MAX + 1],
		struct err *err)
{
	const char *header = request->headers.idempotency_key;
	if (!header)
		return 0;
	size_t length = strlen(header);
	if (length >= 2 && header[0] == '"' && header[length - 1] == '"') {
		header++;
		length -= 2;
	}
	for (size_t i = 0; i < length; i++)
		if (header[i] < 0x21 || header[i] > 0x7e)
			length = 0;
	if (length == 0 || length > KEY_BYTES_MAX)
		return err_set(err, ERR_BAD_REQUEST,
			       "Idempotency-Key has 1 to 255 visible ASCII characters");
	memcpy(ret, header, length);
	ret[length] = '\0';
	return 1;
}

void carried_hash(const struct request *request, uint8_t ret[DIGEST_BYTES])
{
	struct digest digest;
	digest_init(&digest);
	digest_add(&digest, request->method, strlen(request->method) + 1);
	digest_add(&digest, request->target.raw, request->target.path_bytes);
	digest_add(&digest, "", 1);
	digest_add(&digest, request->body.data, request->body.length);
	digest_end(&digest, ret);
}

const char *carried_trace(const struct request *request)
{
	static const char form[] =
		"00-xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx-xxxxxxxxxxxxxxxx-xx";
	const char *header = request->headers.traceparent;
	if (!header || strlen(header) != sizeof(form) - 1)
		return NULL;
	for (size_t i = 0; form[i]; i++) {
		bool fits = form[i] == 'x'
				    ? header[i] && strchr("0123456789abcdef", header[i])
				    : header[i] == form[i];
		if (!fits)
			return NULL;
	}
	return header;
}
