/* gate.h - what a request must be before anything looks at what it asks.
 *
 * libmicrohttpd 0.9.75 accepts requests that two parsers may read differently (two
 * lengths, a length and chunks, two hosts, %00, absolute URIs). Here they end. */
#ifndef REEVE_HTTPAPI_GATE_H
#define REEVE_HTTPAPI_GATE_H

#include "httpapi/request.h"

/* Reads the headers into request->headers and parses the target. On -1 the request's
 * must_close says whether the connection may live on. ERR_BAD_REQUEST,
 * ERR_HEADERS_TOO_LARGE. */
int gate_framing(struct request *request, struct err *err);

/* Does Host name this server? ERR_BAD_REQUEST when there is none, ERR_MISDIRECTED. */
int gate_host(const struct request *request, struct err *err);

/* How long the body of this request may be (its route is known), and the setting that
 * says so. */
int64_t gate_body_max(const struct request *request, const char **ret_setting);

/* For a changing request: does it come from here, as JSON, and of a bearable size?
 * ERR_DENIED, ERR_MEDIA_TYPE, ERR_TOO_LARGE. */
int gate_change(struct request *request, struct err *err);

#endif
