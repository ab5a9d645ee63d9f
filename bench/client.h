/* client.h - the little of HTTP that the benchmark's programs speak. */
#ifndef REEVE_BENCH_CLIENT_H
#define REEVE_BENCH_CLIENT_H

#include <stddef.h>

/* A connected socket to unix:PATH or ADDRESS:PORT; ends the program when there is none.
 */
int dial(const char *target);

/* Sends it all; ends the program when the other side does not take it. */
void send_all(int fd, const char *data, size_t bytes);

/* A request to a target as bytes, to be freed. `headers`: NULL or a list that ends with
 * NULL; `body`: NULL for none. */
char *make_request(const char *target, const char *method, const char *path,
		   char *const *headers, const char *body, size_t *ret_bytes);

/* What the head of an answer says, as far as it is there. */
struct head {
	size_t bytes; /* of the head with its empty line; 0: not all of it has come */
	int status;
	int is_chunked;
	size_t body_bytes; /* Content-Length; 0 without one */
};

/* Reads the head of an answer; `answer` ends with a NUL. */
struct head read_head(const char *answer);

#endif
