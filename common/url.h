/* url.h - the addresses that a callback may have.
 *
 * Every program reads a URL a little differently, and the difference between who judges
 * and who connects is how a server is made to call what it must not (SSRF). So this reads
 * much less than RFC 3986 allows, only what all readers take for the same, and what it
 * returns is written anew from what it understood: that is stored, compared and called,
 * never the text that came. tests/system/test_url.py compares it with libcurl.
 *
 * Refused are: any scheme but http and https; user names and passwords; fragments; hosts
 * that are percent-encoded, not ASCII, or end with a dot; numbers as a host but for an
 * IPv4 address of four decimal numbers without leading zeros (so no 127.1, no 2130706433,
 * no 0x7f.1); IPv6 zones; ports out of range or empty; . and .. in the path; controls,
 * blanks, backslashes and whatever else must be percent-encoded. */
#ifndef REEVE_URL_H
#define REEVE_URL_H

#include "common/err.h"

#define URL_BYTES_MAX 2048
#define URL_TEXT_BYTES (URL_BYTES_MAX + 64) /* an IPv6 address may become longer */
#define HOST_PORT_BYTES 272		    /* 253 of a name, ":65535", NUL */

struct url {
	char text[URL_TEXT_BYTES]; /* small scheme and host, no default port, a path */
	char host_port[HOST_PORT_BYTES]; /* "app.example:443", "[2001:db8::1]:80" */
};

/* ERR_INVALID, with words that go on after the name of what holds it: "must ...". */
int url_read(const char *text, struct url *ret, struct err *err);

/* Is it written as url_read writes host_port? NULL, or such words. For settings. */
const char *host_port_check(const char *text);

#endif
