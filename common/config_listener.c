/* config_listener.c - addresses to listen on, in words and in parts. */
#include <arpa/inet.h>
#include <netinet/in.h>

#include "common/config_rows.h"
#include "common/mem.h"
#include "common/text.h"

#define SOCKET_MODE 0660

/* Is `host` a numeric address, and one that only this machine can reach? 1 yes, 0 an
 * address of the outside, -1 none at all. */
static int is_loopback(const char *host, bool is_bracketed)
{
	struct in_addr four;
	struct in6_addr six;

	if (is_bracketed)
		return inet_pton(AF_INET6, host, &six) == 1 ? IN6_IS_ADDR_LOOPBACK(&six)
							    : -1;
	return inet_pton(AF_INET, host, &four) == 1 ? ntohl(four.s_addr) >> 24 == 127
						    : -1;
}

static int parse_unix(const char *address, struct listener *ret, struct err *err)
{
	const char *path = address + strlen("unix:");

	if (!*path || path[strlen(path) - 1] == '/')
		return err_set(err, ERR_INVALID, "unix: needs the path of a socket");
	*ret = (struct listener){
		.address = mem_strdup(address), .mode = SOCKET_MODE, .is_unix = true};
	return 0;
}

int listener_parse(const char *address, struct listener *ret, struct err *err)
{
	const char *colon = strrchr(address, ':');
	bool is_bracketed = address[0] == '[' && colon && colon[-1] == ']';
	AUTO_FREE char *host = NULL;
	int64_t port;
	int loopback;

	if (text_has_prefix(address, "unix:"))
		return parse_unix(address, ret, err);
	if (!colon || text_parse_int(colon + 1, 0, 65535, &port))
		return err_set(err, ERR_INVALID,
			       "%s: expected unix:PATH or ADDRESS:PORT, port 0 to 65535",
			       address);
	host = mem_strndup(address + is_bracketed,
			   (size_t)(colon - address) - 2 * (size_t)is_bracketed);
	loopback = is_loopback(host, is_bracketed);
	if (loopback < 0)
		return err_set(
			err, ERR_INVALID,
			"%s: expected a numeric address such as 127.0.0.1 or [::1]",
			address);
	if (!loopback)
		return err_set(err, ERR_INVALID,
			       "%s is not a loopback address: without TLS this version "
			       "serves only 127.0.0.0/8, [::1] and Unix sockets",
			       address);
	*ret = (struct listener){
		.address = mem_strdup(address), .host = host, .port = (int)port};
	host = NULL;
	return 0;
}
