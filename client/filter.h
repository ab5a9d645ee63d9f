/* filter.h - which jobs `ls`, `db ls` and `stop` mean: state:failed,lost after:2h q:mp4
 *
 * What a person writes becomes the parameters that the service knows (docs/api.md), which
 * are also those of the queue (queue/list.h). */
#ifndef REEVE_CLIENT_FILTER_H
#define REEVE_CLIENT_FILTER_H

#include "client/cli.h"

#define LIMIT_DEFAULT 50

/* One value of one filter. */
struct filter_term {
	const char *param; /* "created_after" */
	char *value;	   /* heap */
};

struct filters {
	struct filter_term *term;
	size_t count;
	const char *sort; /* "-finished_at"; NULL: not given */
	int64_t limit;	  /* INT64_MAX: all */
	bool has_limit;
};

/* Reads the words of the command line, and --limit and --all. ERR_INVALID names the
 * nearest known filter. */
int filters_read(struct filters *ret, const struct cli *cli, struct err *err);
void filters_release(struct filters *filters);

/* Is a word a filter rather than a job's id? */
bool filter_is_word(const char *word);

/* "&state=failed&state=lost&sort=...", for a URL. */
void filters_put_query(const struct filters *filters, struct buf *out);

/* As members of the object that is open: "state": ["failed", "lost"]. */
void filters_put_json(const struct filters *filters, struct json_writer *json);

#endif
