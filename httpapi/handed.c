/* handed.c - an answer that the library sends from a file by itself (see handed.h). */
#include "httpapi/handed.h"

#include "httpapi/loops.h"

static void limit_inactivity(const struct request *request, unsigned s)
{
	MHD_set_connection_option(request->connection, MHD_CONNECTION_OPTION_TIMEOUT, s);
}

struct MHD_Response *handed_response(struct request *request, int fd, int64_t offset,
				     int64_t bytes)
{
	const int64_t stall_us = request->settings->config.http.stall_us;
	struct MHD_Response *response = MHD_create_response_from_fd_at_offset64(
		(uint64_t)bytes, fd, (uint64_t)offset);
	if (!response)
		abort(); /* only for want of memory */
	limit_inactivity(request, (unsigned)((stall_us + US_PER_S - 1) / US_PER_S));
	client_expect_nothing(request->client);
	request->is_handed = true;
	return response;
}

void handed_end(struct request *request)
{
	if (request->is_handed)
		limit_inactivity(request, loops_timeout_s(request->server));
}
