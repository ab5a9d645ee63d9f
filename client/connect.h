/* connect.h - where the service is, and by which right we ask.
 *
 * In this order: --server, REEVE_SERVER, the profile of --profile (or the top level) in
 * $XDG_CONFIG_HOME/reeve/config.json, else the local Unix socket that the configuration
 * names, where the kernel says who we are and no token is needed. A token comes from a
 * file only (--token-file, the profile's token_file, REEVE_TOKEN_FILE), never from an
 * argument or the environment, where other users could see it.
 */
#ifndef REEVE_CLIENT_CONNECT_H
#define REEVE_CLIENT_CONNECT_H

#include "client/options.h"

struct endpoint {
	char *url;	 /* "http://127.0.0.1:8080", without a slash at the end */
	char *unix_path; /* NULL: over TCP */
	char *token;	 /* NULL: none */
	char *where;	 /* as a person would write it */
};

/* ERR_INVALID, ERR_NOT_FOUND (no such profile, token file), ERR_DENIED (a credential that
 * others can read, or one that would travel in clear). */
int endpoint_find(struct endpoint *ret, const struct args *args, struct err *err);
void endpoint_release(struct endpoint *endpoint);

#endif
