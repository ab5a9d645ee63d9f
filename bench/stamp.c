/* stamp.c - a job that says when it began, and ends.
 *
 *   stamp SOCKET      sends CLOCK_MONOTONIC, in nanoseconds, to a Unix datagram socket */
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "bench/tools.h"

int main(int argc, char **argv)
{
	const int64_t began_ns = now_ns();
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	if (argc != 2) {
		fprintf(stderr, "usage: stamp SOCKET\n");
		return 2;
	}
	snprintf(address.sun_path, sizeof address.sun_path, "%s", argv[1]);
	const int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0 ||
	    sendto(fd, &began_ns, sizeof began_ns, 0, (const struct sockaddr *)&address,
		   sizeof address) != sizeof began_ns)
		die(argv[1]);
	return 0;
}
