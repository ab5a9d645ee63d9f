/* url.c - the addresses that a callback may have (see url.h). */
#include <arpa/inet.h>
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "common/common.h"

#define NAME_BYTES_MAX 253 /* RFC 1035, without the last dot */
#define LABEL_BYTES_MAX 63
#define HOST_BYTES 256

#define DIGITS "0123456789"
#define LETTERS "abcdefghijklmnopqrstuvwxyz"

/* clang-format off */
static const struct {
	const char *name, *port;
} SCHEMES[] = {
	{"https", "443"},
	{"http",  "80"},
};

/* Characters that are refused wherever they stand, in this order. */
static const struct {
	const char *characters, *words;
} REFUSED[] = {
	{"\001\002\003\004\005\006\007\010\011\012\013\014\015\016\017\020\021\022\023\024\025"
	 "\026\027\030\031\032\033\034\035\036\037\177", "must not contain control characters"},
	{" ", "must not contain blanks"},
	{"\\", "must not contain a backslash"},
	{"#", "must not have a fragment (#...)"},
	{"\"<>^`{|}", "must have \" < > ^ ` { | } percent-encoded"},
};
/* clang-format on */

static const char *check_characters(const char *text)
{
	for (size_t i = 0; i < ARRAY_SIZE(REFUSED); i++)
		if (strpbrk(text, REFUSED[i].characters))
			return REFUSED[i].words;
	for (const char *at = text; *at; at++)
		if ((unsigned char)*at >= 0x80)
			return "must be ASCII: names as xn--..., the rest "
			       "percent-encoded";
	return NULL;
}

/* --- the host --- */

/* Would any reader take a name that ends so for a number? WHATWG's URL standard does when
 * the last label is one; inet_aton() takes 0x and leading zeros. */
static bool is_number(const char *label)
{
	if (text_has_prefix(label, "0x"))
		return label[2 + strspn(label + 2, DIGITS "abcdef")] == '\0';
	return label[strspn(label, DIGITS)] == '\0';
}

static const char *check_ipv4(const char *host)
{
	struct in_addr address;

	/* glibc's takes exactly four decimal numbers without leading zeros. */
	if (inet_pton(AF_INET, host, &address) == 1)
		return NULL;
	return "must write an IPv4 address as four decimal numbers without leading zeros";
}

static const char *check_label(const char *label, size_t length)
{
	if (length == 0)
		return "must not have a host with an empty part between dots";
	if (length > LABEL_BYTES_MAX)
		return "must have a host whose parts between dots are at most 63 bytes";
	if (label[0] == '-' || label[length - 1] == '-')
		return "must not have a host with a part that begins or ends with '-'";
	return NULL;
}

/* Of a name in small letters. */
static const char *check_name(const char *host)
{
	size_t bytes = strlen(host);
	const char *last = host, *next = NULL, *wrong = NULL;

	if (strspn(host, LETTERS DIGITS "-_.") != bytes)
		return "must have a host of letters, digits, '-', '_' and '.', or an "
		       "address";
	if (host[bytes - 1] == '.')
		return "must not have a host that ends with a dot";
	if (bytes > NAME_BYTES_MAX)
		return "must have a host of at most 253 bytes";
	for (const char *label = host; label && !wrong; label = next) {
		size_t length = strcspn(label, ".");

		wrong = check_label(label, length);
		last = label;
		next = label[length] ? label + length + 1 : NULL;
	}
	if (!wrong && is_number(last))
		wrong = check_ipv4(host);
	return wrong;
}

/* `text` stands between [ and ]. The address is written in its one shortest form. */
static const char *read_ipv6(const char *text, size_t length, char ret[HOST_BYTES])
{
	char copy[INET6_ADDRSTRLEN], canonical[INET6_ADDRSTRLEN];
	struct in6_addr address;

	if (memchr(text, '%', length))
		return "must not have an IPv6 address with a zone";
	if (length >= sizeof(copy))
		return "must have an IPv6 address between [ and ]";
	memcpy(copy, text, length);
	copy[length] = '\0';
	if (inet_pton(AF_INET6, copy, &address) != 1 ||
	    !inet_ntop(AF_INET6, &address, canonical, sizeof(canonical)))
		return "must have an IPv6 address between [ and ]";
	(void)snprintf(ret, HOST_BYTES, "[%s]", canonical);
	return NULL;
}

/* NULL, or what is wrong; the host in small letters. */
static const char *read_host(const char *text, size_t length, char ret[HOST_BYTES])
{
	if (length == 0)
		return "must have a host";
	if (text[0] == '[') {
		if (length < 2 || text[length - 1] != ']')
			return "must have a ']' behind an IPv6 address";
		return read_ipv6(text + 1, length - 2, ret);
	}
	if (memchr(text, '%', length))
		return "must not have a percent-encoded host";
	if (length >= HOST_BYTES)
		return "must have a host of at most 253 bytes";
	for (size_t i = 0; i < length; i++)
		ret[i] = (char)tolower((unsigned char)text[i]);
	ret[length] = '\0';
	return check_name(ret);
}

/* --- host and port --- */

struct authority {
	char host[HOST_BYTES];
	char port[8];
};

/* The colon in front of the port, or the end. */
static const char *find_port(const char *text, size_t length)
{
	const char *end = text + length, *from = text;
	const char *bracket = memchr(text, ']', length);

	if (text[0] == '[' && bracket)
		from = bracket;
	from = memchr(from, ':', (size_t)(end - from));
	return from ? from : end;
}

/* Without a port it is `fallback`; NULL: it must be there. */
static const char *read_authority(const char *text, size_t length, const char *fallback,
				  struct authority *ret)
{
	const char *colon = find_port(text, length), *end = text + length, *wrong;
	size_t digits = colon < end ? (size_t)(end - colon - 1) : 0;
	int64_t port;

	if (memchr(text, '@', length))
		return "must not have a user name or password: no credential belongs "
		       "into a URL";
	wrong = read_host(text, (size_t)(colon - text), ret->host);
	if (wrong)
		return wrong;
	if (colon == end && fallback) {
		(void)snprintf(ret->port, sizeof(ret->port), "%s", fallback);
		return NULL;
	}
	if (digits < sizeof(ret->port)) {
		memcpy(ret->port, colon + (colon < end), digits);
		ret->port[digits] = '\0';
		if (text_parse_int(ret->port, 1, 65535, &port) == 0)
			return NULL;
	}
	return "must have a port from 1 to 65535 behind a ':'";
}

/* --- path and query --- */

/* Some readers take "%2e" for a dot, some remove such steps, and some do not. */
static bool is_step(const char *segment, size_t length)
{
	size_t dots = 0, at = 0;

	while (at < length) {
		if (segment[at] == '.')
			at++;
		else if (length - at >= 3 && strncasecmp(segment + at, "%2e", 3) == 0)
			at += 3;
		else
			return false;
		dots++;
	}
	return dots == 1 || dots == 2;
}

static const char *check_tail(const char *text)
{
	size_t path = strcspn(text, "?");

	if (strpbrk(text, "[]"))
		return "must have [ and ] percent-encoded behind the host";
	for (const char *at = text; (at = strchr(at, '%')) != NULL; at++)
		if (!isxdigit((unsigned char)at[1]) || !isxdigit((unsigned char)at[2]))
			return "must have two hexadecimal digits behind each %";
	for (const char *at = text; at < text + path; at++) {
		size_t length = strcspn(at, "/?");

		if (is_step(at, length))
			return "must not have . or .. as a part of its path";
		at += length;
	}
	return NULL;
}

/* --- the whole --- */

/* What stands behind "scheme://", or NULL. */
static const char *skip_scheme(const char *text, size_t *ret_scheme)
{
	for (size_t i = 0; i < ARRAY_SIZE(SCHEMES); i++) {
		size_t length = strlen(SCHEMES[i].name);

		if (strncasecmp(text, SCHEMES[i].name, length) == 0 &&
		    text_has_prefix(text + length, "://")) {
			*ret_scheme = i;
			return text + length + 3;
		}
	}
	return NULL;
}

static const char *read_url(const char *text, struct url *ret)
{
	const char *at, *tail, *wrong = NULL;
	struct authority authority = {0};
	size_t scheme = 0, length;
	bool is_default;

	if (strlen(text) > URL_BYTES_MAX)
		return "must not be longer than 2048 bytes";
	wrong = check_characters(text);
	if (wrong)
		return wrong;
	at = skip_scheme(text, &scheme);
	if (!at)
		return "must begin with https:// or http://";
	length = strcspn(at, "/?");
	wrong = read_authority(at, length, SCHEMES[scheme].port, &authority);
	tail = at + length;
	if (!wrong)
		wrong = check_tail(tail);
	if (wrong)
		return wrong;
	is_default = strcmp(authority.port, SCHEMES[scheme].port) == 0;
	(void)snprintf(ret->host_port, sizeof(ret->host_port), "%s:%s", authority.host,
		       authority.port);
	(void)snprintf(ret->text, sizeof(ret->text), "%s://%s%s%s", SCHEMES[scheme].name,
		       is_default ? authority.host : ret->host_port,
		       tail[0] == '/' ? "" : "/", tail);
	return NULL;
}

int url_read(const char *text, struct url *ret, struct err *err)
{
	const char *wrong = read_url(text, ret);

	return wrong ? err_set(err, ERR_INVALID, "%s", wrong) : 0;
}

const char *host_port_check(const char *text)
{
	struct authority authority = {0};
	char canonical[HOST_PORT_BYTES];
	const char *wrong = check_characters(text);

	if (!wrong && strpbrk(text, "/?"))
		wrong = "must be HOST:PORT alone, like app.example:443 or "
			"[2001:db8::1]:443";
	if (!wrong)
		wrong = read_authority(text, strlen(text), NULL, &authority);
	if (wrong)
		return wrong;
	(void)snprintf(canonical, sizeof(canonical), "%s:%s", authority.host,
		       authority.port);
	if (strcmp(canonical, text) == 0)
		return NULL;
	return "must be in small letters, and an IPv6 address in its shortest form";
}
