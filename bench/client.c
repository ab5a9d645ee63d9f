/* client.c - the little of HTTP that the benchmark's programs speak (see client.h). */
#include "bench/client.h"

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "bench/tools.h"

static socklen_t address_of(const char *target, struct sockaddr_storage *ret)
{
	if (strncmp(target, "unix:", 5) == 0) {
		struct sockaddr_un *const local = (struct sockaddr_un *)ret;
		local->sun_family = AF_UNIX;
		snprintf(local->sun_path, sizeof local->sun_path, "%s", target + 5);
		return sizeof *local;
	}
	struct sockaddr_in *const in = (struct sockaddr_in *)ret;
	char host[64];
	const char *const colon = strrchr(target, ':');
	if (!colon || (size_t)(colon - target) >= sizeof host) {
		fprintf(stderr, "%s: unix:PATH or ADDRESS:PORT\n", target);
		exit(2);
	}
	snprintf(host, sizeof host, "%.*s", (int)(colon - target), target);
	in->sin_family = AF_INET;
	in->sin_port = htons((uint16_t)number(colon + 1, "PORT", 1, 65535));
	if (inet_pton(AF_INET, host, &in->sin_addr) != 1)
		die(host);
	return sizeof *in;
}

int dial(const char *target)
{
	struct sockaddr_storage address = {0};
	const socklen_t bytes = address_of(target, &address);
	const int fd = socket(address.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || connect(fd, (const struct sockaddr *)&address, bytes) < 0)
		die(target);
	if (address.ss_family == AF_INET)
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
	return fd;
}

void send_all(int fd, const char *data, size_t bytes)
{
	while (bytes > 0) {
		const ssize_t n = send(fd, data, bytes, MSG_NOSIGNAL);
		if (n < 0)
			die("send");
		data += n;
		bytes -= (size_t)n;
	}
}

char *make_request(const char *target, const char *method, const char *path,
		   char *const *headers, const char *body, size_t *ret_bytes)
{
	char *ret = NULL;
	size_t bytes = 0;
	FILE *const out = open_memstream(&ret, &bytes);
	if (!out)
		die("open_memstream");
	const bool is_local = strncmp(target, "unix:", 5) == 0;
	fprintf(out, "%s %s HTTP/1.1\r\nHost: %s\r\n", method, path,
		is_local ? "localhost" : target);
	if (body)
		fprintf(out, "Content-Type: application/json\r\nContent-Length: %zu\r\n",
			strlen(body));
	for (; headers && *headers; headers++)
		fprintf(out, "%s\r\n", *headers);
	fprintf(out, "\r\n%s", body ? body : "");
	if (fclose(out))
		die("request");
	*ret_bytes = bytes;
	return ret;
}

struct head read_head(const char *answer)
{
	struct head ret = {0};
	const char *const end = strstr(answer, "\r\n\r\n");
	if (!end)
		return ret;
	if (strncmp(answer, "HTTP/1.1 ", 9) == 0)
		ret.status = (int)strtol(answer + 9, NULL, 10);
	for (const char *line = answer; line < end; line = strstr(line, "\r\n") + 2) {
		if (strncasecmp(line, "Content-Length:", 15) == 0)
			ret.body_bytes = (size_t)strtoul(line + 15, NULL, 10);
		if (strncasecmp(line, "Transfer-Encoding: chunked", 26) == 0)
			ret.is_chunked = 1;
	}
	ret.bytes = (size_t)(end - answer) + 4;
	return ret;
}
