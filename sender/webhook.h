/* webhook.h - signing as Standard Webhooks 1.0.0 has it
 * (https://www.standardwebhooks.com).
 *
 * A secret is written whsec_<base64 of 24 to 64 bytes>. The file of secrets holds one, or
 * several with blanks or line ends between: while receivers change over from one to the
 * next, each message is signed with all of them. */
#ifndef REEVE_SENDER_WEBHOOK_H
#define REEVE_SENDER_WEBHOOK_H

#include "common/common.h"

#define WEBHOOK_KEYS_MAX 8
#define WEBHOOK_KEY_BYTES_MAX 64

struct webhook_keys {
	struct webhook_key {
		uint8_t bytes[WEBHOOK_KEY_BYTES_MAX];
		size_t length;
	} key[WEBHOOK_KEYS_MAX];
	size_t count;
};

/* Reads secrets; ERR_INVALID names none of them. */
int webhook_keys_read(const char *text, struct webhook_keys *ret, struct err *err);

/* Makes the file `callbacks.secret_file` with a new secret, for its owner's eyes only,
 * when there is none. 1 it was made, 0 it was there, -1. */
int webhook_secret_make(const struct config *config, struct err *err);

/* The secrets of that file. ERR_DENIED: others may read or write it, or it belongs to
 * somebody besides us and root. */
int webhook_keys_load(const struct config *config, struct webhook_keys *ret,
		      struct err *err);

/* Overwrites them. */
void webhook_keys_forget(struct webhook_keys *keys);

/* The value of webhook-signature, "v1,<base64> v1,<base64>": HMAC-SHA256 of
 * "<id>.<timestamp>.<body>" by each key. */
#define WEBHOOK_SIGNATURE_BYTES (WEBHOOK_KEYS_MAX * 48)
void webhook_sign(const struct webhook_keys *keys, const char *id, int64_t timestamp_s,
		  const char *body, char ret[WEBHOOK_SIGNATURE_BYTES]);

#endif
