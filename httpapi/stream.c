/* stream.c - how a body ends that is asked for piece by piece (see stream.h). */
#include "httpapi/stream.h"

#include <sys/socket.h>

ssize_t stream_cut(const struct client *client, char *data)
{
	shutdown(client->fd, SHUT_RDWR);
	/* Never sent: it makes the library try. */
	data[0] = '\n';
	return 1;
}

ssize_t stream_end(const struct request *request, char *data)
{
	return request->has_chunks ? MHD_CONTENT_READER_END_OF_STREAM
				   : stream_cut(request->client, data);
}
