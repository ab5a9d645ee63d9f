/* event_feed.h - what a request for events asks for, and the stream that answers it. */
#ifndef REEVE_HTTPAPI_EVENT_FEED_H
#define REEVE_HTTPAPI_EVENT_FEED_H

#include "httpapi/request.h"

/* From the query, Last-Event-ID and the path. Texts are the request's. */
struct event_asking {
	struct event_filter filter;
	char job_id[JOB_ID_BYTES]; /* the only thing it is about; "": more than that */
	int64_t after;		   /* as in struct event_question; moves on */
	bool until_final;
};

/* `"reset": {"reason": "pruned", "asked": 17, "after": 1234}`, or null; without a key
 * just the object. */
void event_reset_put(struct json_writer *json, const char *key,
		     const struct event_page *page, int64_t asked);

/* The stream of server-sent events; copies `asking`. To be sent with status 200. */
struct MHD_Response *event_stream_response(struct request *request,
					   const struct event_asking *asking);

#endif
