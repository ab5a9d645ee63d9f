/* body.h - members of a request that more than one command writes. */
#ifndef REEVE_CLIENT_BODY_H
#define REEVE_CLIENT_BODY_H

#include "client/options.h"
#include "common/common.h"

/* An object of what the repeated option --NAME=VALUE gave; nothing when it was not.
 * ERR_INVALID: a name is there twice. */
int body_put_pairs(struct json_writer *json, const char *key, const struct args *args,
		   const char *option, struct err *err);

#endif
