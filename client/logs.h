/* logs.h - what reading an output now (download.c), reading on (follow.c) and searching
 * in it (search.c) share.
 *
 * Private to these and to the commands that print outputs. */
#ifndef REEVE_CLIENT_LOGS_H
#define REEVE_CLIENT_LOGS_H

#include "client/http.h"

/* What is asked for. */
struct output_request {
	const char *id;
	const char *stream; /* "both", "stdout", "stderr" */
	int64_t attempt; /* this one alone; 0: the last, and when following all that come
			  */
	int64_t tail_lines; /* -1: all */
	bool has_timestamps, is_raw;
	bool is_from_first; /* following begins with the first attempt, not the last */
};

/* Prints what there is of an output; a lost connection is resumed at the last byte. 0;
 * -1, also when whoever read our output went away (cli->is_out_closed). */
int output_download(struct cli *cli, const struct output_request *request,
		    struct err *err);

/* The same until the job has ended and everything of it is printed, from attempt to
 * attempt. */
int output_follow(struct cli *cli, const struct output_request *request, struct err *err);

/* Prints the lines in which `text` stands, each behind its number; the service searches.
 * 0; 1 when there is none; -1. */
int output_search(struct cli *cli, const struct output_request *request, const char *text,
		  bool ignores_case, struct err *err);

/* A GET of /v1/jobs/{id}/output<below> with the parameters of the request. */
void output_exchange(const struct output_request *request, const char *below,
		     struct exchange *exchange);

/* How often, and how long, something lost is asked for again. Zeroed at first. */
struct patience {
	int64_t lost_since_us; /* 0: nothing is lost */
	int64_t pause_us;
};

/* Something came: the next loss is a new one. */
void patience_renew(struct patience *patience);

/* After an exchange that did not bring everything: waits a little, longer each time, and
 * 0 when it makes sense to ask again; else -1 with what went wrong. Says once for each
 * loss at which byte it goes on. */
int patience_wait(struct patience *patience, struct cli *cli,
		  const struct exchange *exchange, int64_t offset, struct err *err);

#endif
