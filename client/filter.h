/* filter.h - what `ls` and `db ls` are asked to show: state:failed owner:uid:1000 limit:9
 */
#ifndef REEVE_CLIENT_FILTER_H
#define REEVE_CLIENT_FILTER_H

#include "client/cli.h"

#define LIMIT_DEFAULT 50

struct filters {
	struct buf query; /* "&state=failed", for a URL */
	const char *state, *owner;
	int64_t limit;
};

/* Reads the words of the command line. ERR_INVALID names the nearest known filter. */
int filters_read(struct filters *ret, const struct cli *cli, struct err *err);
void filters_release(struct filters *filters);

#endif
