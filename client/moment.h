/* moment.h - points in time as people give them on a command line. */
#ifndef REEVE_CLIENT_MOMENT_H
#define REEVE_CLIENT_MOMENT_H

#include "common/common.h"

/* Writes member `key`: "+10m" is taken from our own clock, a time of RFC 3339 goes as it
 * is; nothing when `text` is NULL. `option` is what a complaint names. ERR_INVALID. */
int moment_put(struct json_writer *json, const char *key, const char *option,
	       const char *text, struct err *err);

#endif
