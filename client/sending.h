/* sending.h - a submission, sent until its outcome is known.
 *
 * Every submission carries an Idempotency-Key. When the connection is lost or the service
 * answers 5xx, nobody knows whether it was stored; repeating with the same key is safe,
 * so that is what happens. */
#ifndef REEVE_CLIENT_SENDING_H
#define REEVE_CLIENT_SENDING_H

#include "client/api.h"

#define SENDING_KEY_MAX 255

struct sending {
	const char *path; /* "/v1/jobs" */
	const char *body;
	size_t bytes;
	int64_t timeout_us;
	const char *key;  /* NULL: a new one */
	const char *verb; /* of the command that the hint names: "run", "submit FILE" */
	/* the answer */
	bool is_replay;	  /* an earlier request with this key had made it */
	bool is_existing; /* 200: a unique key's job that is alive already */
};

/* 0 with the parsed answer; -1, with a hint in cli->notes when the outcome is not known.
 */
int send_submission(struct cli *cli, struct sending *sending, cJSON **ret,
		    struct err *err);

/* Sends it once, as a dry run (`path` says so); nothing is stored. */
int send_dry_run(struct cli *cli, const struct sending *sending, cJSON **ret,
		 struct err *err);

/* Is it fit for a header, and with `spare` more characters still? ERR_INVALID. */
int sending_check_key(const char *key, size_t spare, struct err *err);

/* A random UUID (RFC 9562), so that no two submissions ever share one by chance. */
#define SENDING_KEY_BYTES 37
void sending_make_key(char ret[SENDING_KEY_BYTES]);

#endif
