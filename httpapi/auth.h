/* auth.h - who asks, and may they.
 *
 * One function finds the principal from the door a request came through and what it
 * carries; one function decides, fed by the route's row. Nothing else in the intake knows
 * of roles. */
#ifndef REEVE_HTTPAPI_AUTH_H
#define REEVE_HTTPAPI_AUTH_H

#include "common/common.h"

/* In rising order: each may do what the ones before it may. */
enum role {
	ROLE_NONE,     /* a route that needs nobody; a principal that may do nothing */
	ROLE_READONLY, /* read what one may see */
	ROLE_FULL,     /* also submit, and act on one's own jobs */
	ROLE_ADMIN,    /* everything, all owners */
};
const char *role_word(enum role role);

#define PRINCIPAL_BYTES 80

struct principal {
	char name[PRINCIPAL_BYTES]; /* uid:1000, token:local; "": not known */
	enum role role;
};

struct client;
struct request;
struct server;

/* Who is this? Always succeeds; an unknown one has no name and ROLE_NONE. */
void auth_identify(const struct server *server, const struct client *client,
		   const char *authorization, struct principal *ret);

/* May this principal use a route that needs `needed`? ERR_UNAUTHENTICATED, ERR_DENIED. */
int auth_permit(const struct principal *who, enum role needed, struct err *err);

/* Whose jobs does this principal see? */
bool auth_sees_all(const struct principal *who);

/* Reads the bearer token's hash from `<state_dir>/token`, making the file at the first
 * start. Refused when others may read it. ret_made says whether it is new. */
int auth_token_load(const struct config *config, uint8_t ret_hash[DIGEST_BYTES],
		    bool *ret_made, struct err *err);

#endif
